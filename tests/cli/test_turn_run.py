"""One turn from its submission to the end of its thread."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from actors.cli.output import Output
from actors.cli.stopping import Stopper
from actors.cli.turn_run import Outcome, TurnRun
from actors.config import ThreadConfig
from actors.models import ScriptedProvider, parse_scenario
from actors.runtime import Lagged
from actors.supervisor import NewThread, Supervisor, open_supervisor
from messages.content import TextInput
from messages.events import (
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandEnd,
    ExecCommandStatus,
    TurnAborted,
    TurnComplete,
)
from messages.settings import AskForApproval, DynamicToolSpec

SCENARIO = """
[[reply]]
when = { user = "forever" }
[[reply.steps]]
stall = "forever"
[[reply]]
when = { user = "shell" }
[[reply.steps]]
call = "shell"
arguments = { command = ["touch", "x"] }
[[reply]]
when = { user = "lookup" }
[[reply.steps]]
call = "lookup"
arguments = {}
[[reply]]
times = "always"
[[reply.steps]]
say = "last: {output}"
"""


@attrs.define
class Listener:
    """A teller that keeps what it is told."""

    told: list[EventMsg] = attrs.field(factory=list[EventMsg])
    heard: trio.Event = attrs.field(factory=trio.Event)

    def begin(self, new: NewThread) -> None:
        self.heard.set()

    def tell(self, event: Event | Lagged) -> None:
        assert isinstance(event, Event)
        self.told.append(event.msg)

    async def keep_alive(self) -> None:
        await trio.sleep_forever()

    def finish(self, hint: str | None) -> None:
        pass

    def all(self, kind: type[EventMsg]) -> list[EventMsg]:
        return [msg for msg in self.told if isinstance(msg, kind)]


@asynccontextmanager
async def supervisor(home: Path) -> AsyncIterator[Supervisor]:
    provider = ScriptedProvider(parse_scenario(SCENARIO, syntax="toml"))
    async with open_supervisor(home=home, provider=provider) as opened:
        yield opened


async def run(
    new: NewThread, prompt: str, stopper: Stopper | None = None
) -> tuple[TurnRun, Listener]:
    listener = Listener()
    turn = TurnRun(new, listener, stopper or Stopper(), Output())
    await turn.run((TextInput(text=prompt),) if prompt else (), None)
    return turn, listener


def config(tmp_path: Path, policy: AskForApproval = AskForApproval.NEVER) -> ThreadConfig:
    return ThreadConfig(cwd=str(tmp_path), approval_policy=policy)


async def test_a_turn_is_told_from_its_start_to_the_end_of_its_thread(tmp_path: Path) -> None:
    """And its last words are kept."""
    async with supervisor(tmp_path) as opened:
        turn, listener = await run(await opened.start_thread(config(tmp_path)), "hello")

        assert opened.list_thread_ids() == ()
    assert (turn.outcome, turn.last_message) == (Outcome.COMPLETED, "last: ")
    assert len(listener.all(TurnComplete)) == 1


async def test_a_refused_input_fails_instead_of_being_waited_for(tmp_path: Path) -> None:
    """There will be no turn."""
    async with supervisor(tmp_path) as opened:
        turn, listener = await run(await opened.start_thread(config(tmp_path)), "")

    assert turn.outcome is Outcome.FAILED
    assert len(listener.all(ErrorEvent)) == 1


async def test_an_approval_that_is_asked_for_all_the_same_is_denied(tmp_path: Path) -> None:
    """Nobody is here to answer, and the turn goes on."""
    settings = config(tmp_path, AskForApproval.UNTRUSTED)
    async with supervisor(tmp_path) as opened:
        turn, listener = await run(await opened.start_thread(settings), "shell")

    (end,) = listener.all(ExecCommandEnd)
    assert isinstance(end, ExecCommandEnd)
    assert end.status is ExecCommandStatus.DECLINED
    assert turn.outcome is Outcome.COMPLETED


async def test_a_tool_of_another_client_is_answered_with_a_failure(tmp_path: Path) -> None:
    """A resumed thread may still have it."""
    tool = DynamicToolSpec(name="lookup", description="", input_schema={"type": "object"})
    async with supervisor(tmp_path) as opened:
        new = await opened.start_thread(config(tmp_path), dynamic_tools=(tool,))
        turn, _ = await run(new, "lookup")

    assert turn.last_message is not None
    assert "'lookup' belongs to another client" in turn.last_message
    assert turn.outcome is Outcome.COMPLETED


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_a_signal_stops_the_turn_whenever_it_comes(
    tmp_path: Path, number: int, code: int
) -> None:
    """Also between the submission and the start of the turn; then there may be none."""
    for early in (True, False):
        stopper = Stopper()
        async with supervisor(tmp_path) as opened:
            new = await opened.start_thread(config(tmp_path))
            listener = Listener()
            turn = TurnRun(new, listener, stopper, Output())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(turn.run, (TextInput(text="forever"),), None)
                await listener.heard.wait()
                if not early:
                    await trio.testing.wait_all_tasks_blocked(0.01)
                stopper.on_signal(number)

        assert stopper.exit_code == code
        if number == signal.SIGINT or not early:
            assert turn.outcome is Outcome.INTERRUPTED
            assert len(listener.all(TurnAborted)) == 1


async def test_the_second_signal_cancels(tmp_path: Path) -> None:
    """And keeps the exit code of the first."""
    stopper = Stopper()
    async with supervisor(tmp_path) as opened:
        stopper.watch((await opened.start_thread(config(tmp_path))).thread)
        stopper.on_signal(signal.SIGINT)
        assert not stopper.scope.cancel_called
        stopper.on_signal(signal.SIGTERM)

    assert stopper.scope.cancel_called
    assert stopper.exit_code == 130


def test_a_signal_cancels_when_there_is_no_thread_yet() -> None:
    """There is nothing to end in order."""
    stopper = Stopper()

    stopper.end()
    stopper.on_signal(signal.SIGTERM)

    assert stopper.scope.cancel_called
    assert stopper.exit_code == 143


async def test_a_signal_that_our_starter_ignores_is_ignored() -> None:
    """As ``nohup`` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stopper = Stopper()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(stopper.listen)
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            while stopper.exit_code is None:
                await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
    finally:
        signal.signal(signal.SIGHUP, before)

    assert stopper.exit_code == 143
