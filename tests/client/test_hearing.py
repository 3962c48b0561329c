"""What a server says of threads, said by the test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.client import ConnectionLost, RemoteSupervisor, RemoteThread, connect
from actors.runtime import ChannelClosed, Lagged
from actors.supervisor import ThreadCreated, ThreadNotFound, ThreadOrigin
from actors.thread import ThreadClosed, ThreadState
from messages.codec import to_json
from messages.events import (
    ErrorEvent,
    Event,
    EventMsg,
    SessionConfigured,
    StatusKind,
    TurnAborted,
    TurnAbortReason,
    TurnStarted,
    WarningEvent,
)
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import Interrupt, SetThreadName
from messages.settings import AskForApproval, ReadOnly

from .wires import WELCOME, HandMade

ID = ThreadId("01a1ff62-a241-7154-a93f-570b5789a369")
TURN = TurnId("turn")

CONFIGURED = SessionConfigured(
    session_id=ID,
    model="m",
    model_provider_id="p",
    approval_policy=AskForApproval.NEVER,
    sandbox_policy=ReadOnly(),
    cwd="/",
)
SETTINGS = {
    "cwd": "/",
    "approvalPolicy": "never",
    "sandboxPolicy": {"type": "read-only"},
    "collaboration": {
        "mode": "default",
        "settings": {"model": "m", "reasoning_effort": None, "developer_instructions": None},
    },
    "baseInstructions": "be brief",
    "modelProviderId": "p",
    "sessionSource": "exec",
}


@attrs.define(eq=False)
class Server(HandMade):
    """Says what a server says of one thread."""

    seq: int = 0

    def tell(self, method: str, **params: Any) -> None:
        self.say({"method": method, "params": params, "emittedAtMs": 0})

    def stands(self, *, begins: bool = False, next_seq: int = 1, **members: Any) -> None:
        self.seq = next_seq - 1
        thread = {
            "threadId": ID,
            "state": "idle",
            "status": "running",
            "settings": SETTINGS if begins else None,
            "turnId": None,
            "questions": [],
            "approvals": [],
            "nextSeq": next_seq,
        }
        self.tell("treadle/thread", thread=thread | members, begins=begins)

    def event(self, msg: EventMsg | dict[str, Any], submission_id: str = "") -> None:
        self.seq += 1
        raw = msg if isinstance(msg, dict) else to_json(msg)
        method = f"codex/event/{raw['type']}"  # type: ignore[index,call-overload]
        self.tell(method, conversationId=ID, id=submission_id, msg=raw, seq=self.seq)

    async def greet(self, *threads: str) -> None:
        await self.answer("initialize", WELCOME)
        await self.answer("treadle/close", {"outcome": "not_found"})
        await self.answer("thread/loaded/list", {"data": list(threads), "nextCursor": None})


@asynccontextmanager
async def open_remote(*threads: str) -> AsyncGenerator[tuple[RemoteSupervisor, Server]]:
    server = Server()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.greet, *threads)
            async with connect(server) as remote:
                yield remote, server
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_thread() -> AsyncGenerator[tuple[RemoteThread, Server]]:
    async with open_remote(ID) as (remote, server):
        server.stands(begins=True)
        server.event(CONFIGURED)
        await wait_all_tasks_blocked()
        yield remote.get_thread(ID), server


async def read(thread: RemoteThread) -> list[Event | Lagged]:
    await wait_all_tasks_blocked()
    seen: list[Event | Lagged] = []
    try:
        while True:
            seen.append(thread.events().receive_nowait())
    except (trio.WouldBlock, ChannelClosed):
        return seen


def event(seq: int, msg: EventMsg, submission_id: str = "") -> Event:
    return Event(id=SubmissionId(submission_id), msg=msg, seq=seq)


ABORTED = TurnAborted(turn_id=TURN, reason=TurnAbortReason.INTERRUPTED)


async def test_thread_that_moved_goes_on_without_gap_or_duplicate() -> None:
    """Its numbers on the server begin anew, and its readers do not notice."""
    async with open_thread() as (thread, server):
        server.event(TurnStarted(turn_id=TURN), TURN)
        # The process of the thread died; who noticed it tells the end of the turn.
        server.tell(
            "codex/event/turn_aborted",
            conversationId=ID,
            id=TURN,
            msg=to_json(ABORTED),
        )
        server.tell("thread/status/changed", threadId=ID, status={"type": "idle"})
        server.stands(begins=True, next_seq=1)
        server.event(CONFIGURED)
        server.event(ABORTED, TURN)
        server.event(WarningEvent(message="on"))

        assert await read(thread) == [
            event(2, TurnStarted(turn_id=TURN), TURN),
            event(3, ABORTED, TURN),
            event(4, WarningEvent(message="on")),
        ]
        assert thread.state is ThreadState.IDLE


async def test_what_was_lost_on_the_way_is_one_lag_in_its_place() -> None:
    """For each reader, and with a number of its own."""
    async with open_thread() as (thread, server):
        server.event(WarningEvent(message="a"))
        server.tell("treadle/lagged", threadId=ID, missed=7)
        server.stands(status={"errored": "x"})
        server.event(WarningEvent(message="b"))

        seen = [event(2, WarningEvent(message="a")), Lagged(7), event(4, WarningEvent(message="b"))]
        assert await read(thread) == seen
        with thread.subscribe(from_seq=2) as reader:
            assert await reader.receive_many() == seen


async def test_event_that_cannot_be_read_is_a_lag_of_one() -> None:
    """One that is only unknown is carried along."""
    async with open_thread() as (thread, server):
        server.event({"type": "warning", "message": 7})
        server.event({"type": "of_the_future", "a": 1})
        server.event(WarningEvent(message="on"))
        seen = await read(thread)

        assert seen[0] == Lagged(1)
        assert isinstance(seen[1], Event)
        assert type(seen[1].msg).__name__ == "UnknownEvent"
        assert seen[2] == event(4, WarningEvent(message="on"))


async def test_what_makes_no_sense_is_left_out() -> None:
    """It harms nobody."""
    async with open_thread() as (thread, server):
        server.tell("treadle/thread", thread={"threadId": ID})
        server.tell("treadle/lagged")
        server.tell("treadle/lagged", threadId=ID, missed="many")
        server.tell("thread/status/changed", threadId="x", status="y")
        server.tell("treadle/thread/created", threadId="x", origin="y")
        server.tell("codex/event/warning", conversationId="nobody", id="", msg={})
        server.say({"method": "codex/event/warning", "params": 7})
        server.stands(state="of the future")
        server.event(WarningEvent(message="on"))

        assert await read(thread) == [event(2, WarningEvent(message="on"))]


async def test_how_a_thread_stands_is_what_was_said_last() -> None:
    """Settings that did not change are not said again."""
    async with open_thread() as (thread, server):
        watch = thread.watch_status()
        server.stands(turnId=TURN, status={"completed": None}, state="running")
        await wait_all_tasks_blocked()

        assert thread.state is ThreadState.RUNNING
        assert thread.snapshot().turn_id == TURN
        assert watch.value == thread.agent_status() != StatusKind.RUNNING
        assert thread.config_snapshot.base_instructions == "be brief"


async def test_end_of_a_thread_ends_its_readers() -> None:
    """After the last event; it is no longer listed."""
    async with open_remote(ID) as (remote, server):
        server.stands(begins=True)
        server.event(CONFIGURED)
        await wait_all_tasks_blocked()
        thread = remote.get_thread(ID)
        server.event(WarningEvent(message="last"))
        server.stands(state="failed")
        server.tell("thread/closed", threadId=ID)

        assert [e async for e in thread.events()] == [event(2, WarningEvent(message="last"))]
        with pytest.raises(ChannelClosed):
            await thread.next_event()
        assert thread.state is ThreadState.FAILED
        assert thread.watch_status().closed
        assert remote.list_thread_ids() == ()
        with pytest.raises(ThreadNotFound):
            remote.get_thread(ID)
        with pytest.raises(ThreadClosed):
            thread.submit_nowait(Interrupt())


async def test_lost_connection_is_no_end_of_the_thread() -> None:
    """Readers read what came, and are told the difference."""
    async with open_thread() as (thread, server):
        server.event(WarningEvent(message="last"))
        server.hang_up()
        reader = thread.subscribe(from_seq=2)

        assert await reader.receive() == event(2, WarningEvent(message="last"))
        for receive in (reader.receive, reader.receive_many, thread.next_event, thread.next_event):
            with pytest.raises(ConnectionLost, match="the server closed it"):
                while True:
                    await receive()
        with pytest.raises(ConnectionLost):
            reader.receive_nowait()
        with pytest.raises(ConnectionLost):
            await thread.steer_input(())
        reader.close()


async def test_op_that_nobody_waits_for_tells_its_refusal_by_an_event() -> None:
    """With the id of the submission."""
    refusal = {"code": -32600, "message": "closed", "data": {"kind": "ThreadClosed"}}
    async with open_thread() as (thread, server):
        for op in (Interrupt(), SetThreadName(name="a")):
            server.sent.clear()
            submission = thread.submit_nowait(op)
            asked = await server.heard("treadle/submit")
            assert asked["params"]["submissionId"] == submission
            server.say({"id": asked["id"], "error": refusal})
            await wait_all_tasks_blocked()

            [told] = await read(thread)
            assert isinstance(told, Event)
            assert told.id == submission
            assert isinstance(told.msg, ErrorEvent)


async def test_threads_that_others_open_and_close_are_kept_in_a_list() -> None:
    """Each is announced once; a reviewer's is not listed."""
    other = ThreadId("01a1ff62-a241-7154-a93f-570b5789a370")
    review = ThreadId("01a1ff62-a241-7154-a93f-570b5789a371")
    async with open_remote(ID) as (remote, server):
        created = remote.subscribe_thread_created()
        server.tell("treadle/thread/created", threadId=other, origin="fork")
        server.tell("treadle/thread/created", threadId=other, origin="resume")
        server.tell("treadle/thread/created", threadId=review, origin="review")
        await wait_all_tasks_blocked()

        assert remote.list_thread_ids() == (ID, other)
        assert await created.receive_many() == [
            ThreadCreated(thread_id=other, origin=ThreadOrigin.FORK),
            ThreadCreated(thread_id=review, origin=ThreadOrigin.REVIEW),
        ]
        server.tell("thread/status/changed", threadId=ID, status={"type": "notLoaded"})
        server.tell("thread/status/changed", threadId=NEW, status={"type": "active"})
        await wait_all_tasks_blocked()
        assert remote.list_thread_ids() == (other, NEW)


NEW = ThreadId("01a1ff62-a241-7154-a93f-570b5789a372")


async def test_thread_that_ends_before_its_handle_is_taken_is_not_waited_for() -> None:
    """Somebody else closed it in the meantime."""
    from actors import ThreadConfig

    async with open_remote() as (remote, server), trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises((ThreadNotFound, ThreadClosed)):
                await remote.start_thread(ThreadConfig(cwd="/"))

        nursery.start_soon(start)
        asked = await server.heard("thread/start")
        server.say({"id": asked["id"], "result": {"thread": {"id": ID}}})
        server.stands(begins=True)
        server.tell("thread/closed", threadId=ID)
