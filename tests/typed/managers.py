"""A program that the type checkers must be content with; never run."""

from typing import assert_type

from actors import (
    Lagged,
    RemoteSupervisor,
    RemoteThread,
    Supervisor,
    Thread,
    ThreadConfig,
    ThreadHandle,
    ThreadManager,
    connect,
    connect_process,
    open_supervisor,
)
from messages.content import TextInput
from messages.events import Event, SessionConfigured, TurnComplete
from messages.ids import SubmissionId
from messages.ops import UserInput

__all__ = ["anywhere", "both", "program"]


def both(here: Supervisor, there: RemoteSupervisor) -> list[ThreadManager]:
    """Either is a manager of threads."""
    return [here, there]


def handles(here: Thread, there: RemoteThread) -> list[ThreadHandle]:
    """Either is a handle of a thread."""
    return [here, there]


async def program(manager: ThreadManager) -> None:
    """It does not know where its threads run."""
    new = await manager.start_thread(ThreadConfig(cwd="/"))
    assert_type(new.session_configured, SessionConfigured)
    sent = await new.thread.submit(UserInput(items=(TextInput(text="hello"),)))
    assert_type(sent, SubmissionId)
    async for event in new.thread.events():
        assert_type(event, Event | Lagged)
        if isinstance(event, Event) and isinstance(event.msg, TurnComplete):
            break


async def anywhere() -> None:
    """One line is different."""
    async with open_supervisor(home="/home") as here:
        await program(here)
    async with connect("unix:///run/treadle.sock") as there:
        await program(there)
    async with connect_process(["treadle", "app-server"]) as child:
        await program(child)
        new = await child.start_thread(ThreadConfig(cwd="/"))
        assert_type(new.thread, RemoteThread)
