"""What is told of an agent that has been told more: never the answer before that (L17)."""

import json
import logging
from functools import partial
from pathlib import Path
from typing import Literal, Never, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.rollout import RolloutFull
from actors.supervisor.agent_status import final_status, wait_final
from actors.testing import ManualTool
from actors.thread import ThreadState
from actors.tools.agents import AgentRole, agent_tools
from messages.content import InputText, TextInput
from messages.events import (
    AgentStatus,
    CollabWaitingBegin,
    CollabWaitingEnd,
    Completed,
    Errored,
    StatusKind,
)
from messages.ids import ThreadId
from messages.items import Message
from messages.ops import Interrupt, OverrideTurnContext, Shutdown

from ..tools.fake_context import FakeContext, function_call
from .family import FAMILY, Family, open_family

QUIET = attrs.evolve(FAMILY, ephemeral=True)
"""Without a disk, of which the mock clock knows nothing."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def done(text: str) -> Completed:
    return Completed(completed=text)


# The answer to the last input --------------------------------------------------


async def test_answer_from_before_the_last_input_is_not_told_again(
    mock_clock: MockClock,
) -> None:
    """From the very moment in which the input was sent."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.answer(agent_id, "first")
        assert await family.wait(agent_id) == {agent_id: done("first")}
        assert family.status(agent_id) == done("first")

        await family.send(agent_id)

        assert family.thread(agent_id).agent_status() == done("first")
        assert family.final(agent_id) == {}
        assert family.status(agent_id) is StatusKind.RUNNING
        await family.answer(agent_id, "second")
        assert await family.wait(agent_id) == {agent_id: done("second")}


async def test_input_that_joins_a_turn_is_answered_by_it(mock_clock: MockClock) -> None:
    """At the turn's end, and not by the words before."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.send(agent_id)
        assert family.final(agent_id) == {}
        await wait_all_tasks_blocked()

        family.asked.pop(agent_id).say("half").complete()
        await family.request(agent_id)

        assert family.final(agent_id) == {}
        await family.answer(agent_id, "both")
        assert await family.wait(agent_id) == {agent_id: done("both")}


async def test_interrupted_agent_is_done_with_what_it_was_told_after_that(
    mock_clock: MockClock,
) -> None:
    """Being interrupted is no answer to what was sent with the interrupt."""
    async with open_family() as family:
        agent_id = await family.spawn()
        family.agents.interrupt(family.turn(), agent_id)
        await family.send(agent_id, "instead")
        family.asked.clear()
        waited: list[dict[ThreadId, AgentStatus]] = []

        async def wait() -> None:
            waited.append(await family.wait(agent_id))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await family.answer(agent_id, "that")

        assert waited == [{agent_id: done("that")}]


async def test_refused_input_is_told_as_an_error(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as the answer from before: the agent took it, and nothing came of it."""

    def fail(*_: object, **__: object) -> None:
        raise RolloutFull(Path("/x"), 1, 1)

    async with open_family() as family:
        agent_id = await family.spawn()
        await family.answer(agent_id)
        with monkeypatch.context() as patch:
            patch.setattr("actors.thread.session.Session.record_updates", fail)
            await family.send(agent_id)
            told = await family.wait(agent_id)

        assert told == {
            agent_id: Errored(errored="the input was refused; nothing was done about it")
        }
        await family.send(agent_id)
        await family.answer(agent_id, "later")
        assert await family.wait(agent_id) == {agent_id: done("later")}


async def test_input_in_the_queue_of_a_crashed_agent_is_waited_for(
    mock_clock: MockClock,
) -> None:
    """Its next life answers it; without any, the crashed turn's end is what there is."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.crash(agent_id)
        assert family.final(agent_id) == {agent_id: Errored(errored="Interrupted")}

        await family.send(agent_id)

        assert family.final(agent_id) == {}
        waited: list[dict[ThreadId, AgentStatus]] = []

        async def wait() -> None:
            waited.append(await family.wait(agent_id))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            mock_clock.jump(2)
            await family.answer(agent_id, "back")
        assert waited == [{agent_id: done("back")}]


async def test_what_others_sent_is_waited_for_too(autojump_clock: MockClock) -> None:
    """A client's input makes an agent work like its parent's."""
    async with open_family(QUIET) as family:
        agent_id = await family.spawn()
        await family.answer(agent_id)
        agent = family.thread(agent_id)

        agent.submit_nowait(OverrideTurnContext())
        assert family.final(agent_id) == {}
        # Nothing is told about it, so that no event wakes who waits.
        with trio.fail_after(5):
            await wait_final(family.supervisor._threads[agent_id])
        assert family.final(agent_id) == {agent_id: done("done")}

        await family.say(agent_id, "hi")
        assert family.final(agent_id) == {}
        await family.answer(agent_id, "hello")
        assert await family.wait(agent_id) == {agent_id: done("hello")}


async def test_full_control_lane_does_not_make_the_wait_spin(autojump_clock: MockClock) -> None:
    """It waits for something to happen instead."""
    async with open_family(QUIET) as family:
        agent_id = await family.spawn()
        await family.answer(agent_id)
        agent = family.thread(agent_id)
        agent.submit_nowait(OverrideTurnContext())
        for _ in range(256):
            agent.submit_nowait(Interrupt())
        member = family.supervisor._threads[agent_id]

        with trio.move_on_after(5) as scope:
            await wait_final(member)

        # Interrupts of an idle agent cause no event: nobody told of the change.
        assert scope.cancelled_caught
        assert final_status(member) == done("done")


# Who is waited for ---------------------------------------------------------------


async def test_wait_returns_at_once_with_those_that_are_done(mock_clock: MockClock) -> None:
    """And only with them, in the order in which they were asked for."""
    async with open_family() as family:
        first, second, third = [await family.spawn() for _ in range(3)]
        nobody = ThreadId("00000000-0000-7000-8000-000000000000")
        await family.answer(third, "3")
        await family.answer(first, "1")

        assert await family.wait(third, second, nobody, first) == {
            third: done("3"),
            nobody: StatusKind.NOT_FOUND,
            first: done("1"),
        }
        assert await family.wait() == {}


async def test_wait_ends_with_the_first_that_is_done(mock_clock: MockClock) -> None:
    """The others go on, and nobody is left waiting for them."""
    async with open_family() as family:
        first, second = await family.spawn(), await family.spawn()
        waited: list[dict[ThreadId, AgentStatus]] = []

        async def wait() -> None:
            waited.append(await family.wait(first, second))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            assert family.thread(first).statistics().subscriptions == 2
            await family.answer(second, "2")

        assert waited == [{second: done("2")}]
        assert family.thread(first).statistics().subscriptions == 1


@pytest.mark.parametrize("end", ["shutdown", "crash", "cancelled"])
async def test_agent_that_ends_while_it_is_waited_for_is_done(
    end: str, autojump_clock: MockClock
) -> None:
    """With the last that was told of it."""
    tool = ManualTool(stubborn=1)
    async with open_family(QUIET, [tool]) as family:
        agent_id = await family.spawn()
        agent = family.thread(agent_id)
        member = family.supervisor._threads[agent_id]
        assert member.tie is not None
        waited: list[dict[ThreadId, AgentStatus]] = []

        async def wait() -> None:
            waited.append(await family.wait(agent_id))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            match end:
                case "shutdown":
                    await agent.submit(Shutdown())
                case "crash":
                    await family.crash(agent_id)
                case _:
                    member.tie.end_by(trio.current_time())

        wanted: dict[str, AgentStatus] = {
            "shutdown": StatusKind.SHUTDOWN,
            "crash": Errored(errored="Interrupted"),
            "cancelled": Errored(errored="Interrupted"),
        }
        assert waited == [{agent_id: wanted[end]}]


async def test_agent_that_ended_before_it_did_anything_is_not_found(
    mock_clock: MockClock,
) -> None:
    """There is nothing else to tell of it."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.agents.close(family.turn(), agent_id)
        await family.agents.resume(family.turn(), agent_id)
        member = family.supervisor._threads[agent_id]
        assert member.tie is not None

        member.tie.end_by(trio.current_time())
        await wait_final(member)

        assert final_status(member) is StatusKind.NOT_FOUND


async def test_closing_agent_is_not_done_yet(autojump_clock: MockClock) -> None:
    """Its end is what counts then."""
    tool = ManualTool(stubborn=1)
    async with open_family(QUIET, [tool]) as family:
        agent_id = await family.spawn()
        family.asked.pop(agent_id).call("manual", call_id="c").complete()
        await tool.next_call()
        agent = family.thread(agent_id)
        await agent.submit(Shutdown())
        await wait_all_tasks_blocked()
        assert agent.state is ThreadState.CLOSING

        assert family.final(agent_id) == {}
        assert family.status(agent_id) is StatusKind.RUNNING
        assert await family.wait(agent_id) == {agent_id: StatusKind.SHUTDOWN}


@pytest.mark.parametrize(("asked", "seconds"), [(None, 30), (1, 10), (12_000, 12), (10**9, 300)])
async def test_wait_tool_gives_up_when_its_time_is_over(
    asked: int | None, seconds: float, autojump_clock: MockClock
) -> None:
    """The agent is not touched, and answers the next wait."""
    async with open_family(QUIET) as family:
        agent_id = await family.spawn()
        tool = next(tool for tool in agent_tools(family.agents) if tool.name == "wait")
        context = FakeContext(thread_id=family.root_id)
        begin = trio.current_time()
        call = function_call("wait", ids=[agent_id], timeout_ms=asked)

        late = await tool.run(call, context)
        assert trio.current_time() - begin == pytest.approx(seconds)
        assert json.loads(str(late.output)) == {"status": {}, "timed_out": True}
        await family.answer(agent_id, "yes")
        begin = trio.current_time()
        output = await tool.run(call, context)

        assert trio.current_time() == begin
        assert json.loads(str(output.output)) == {
            "status": {agent_id: {"completed": "yes"}},
            "timed_out": False,
        }
        assert context.kinds() == [CollabWaitingBegin, CollabWaitingEnd] * 2


# Any course --------------------------------------------------------------------

Step: TypeAlias = tuple[Literal["send", "instead", "wait", "pass"], int]
COUNTS = st.integers(0, 12)
STEPS = st.lists(st.tuples(st.sampled_from(("send", "send", "wait", "pass")), COUNTS), max_size=12)


async def echo(family: Family) -> Never:
    """Answer every request with all that the user has said, after a moment or two."""
    turn = 0
    while True:
        response = await family.model.next_request()
        for _ in range(turn % 4):
            await trio.lowlevel.checkpoint()
        turn += 1
        said = [
            part.text
            for item in response.request.input
            if isinstance(item, Message) and item.role == "user"
            for part in item.content
            if isinstance(part, InputText) and part.text.startswith("no. ")
        ]
        response.say(" ".join(said)).complete()


@settings(max_examples=40, deadline=None)
@given(STEPS)
@pytest.mark.slow
def test_answer_that_is_told_has_read_whatever_was_sent(steps: list[Step]) -> None:
    """However the sending falls together with the end of a turn."""
    trio.run(partial(_any_course, steps), clock=MockClock(autojump_threshold=0))


@pytest.mark.slow
@pytest.mark.parametrize("count", range(14))
def test_answer_that_is_told_has_read_what_was_sent_with_an_interrupt(count: int) -> None:
    """Also when the turn was just about to end by itself."""
    steps: list[Step] = [("wait", 0), ("send", 0), ("pass", count), ("instead", 0)]
    for _ in range(3):  # trio runs what is ready in any order
        trio.run(partial(_any_course, steps), clock=MockClock(autojump_threshold=0))


async def _any_course(steps: list[Step]) -> None:
    async with open_family(QUIET) as family, trio.open_nursery() as nursery:
        nursery.start_soon(echo, family)
        prompt = (TextInput(text="no. 0"),)
        agent_id = await family.agents.spawn(family.turn(), prompt, role=AgentRole.DEFAULT)
        sent = 0
        for what, count in (*steps, ("wait", 0)):
            match what:
                case "send" | "instead":
                    sent += 1
                    if what == "instead":
                        family.agents.interrupt(family.turn(), agent_id)
                    await family.send(agent_id, f"no. {sent}")
                case "wait":
                    _check(await family.wait(agent_id), sent)
                    assert trio.current_time() == 0
                case "pass":
                    for _ in range(count):
                        await trio.lowlevel.checkpoint()
            _check(family.final(agent_id), sent)
        nursery.cancel_scope.cancel()


def _check(told: dict[ThreadId, AgentStatus], sent: int) -> None:
    for status in told.values():
        assert isinstance(status, Completed)
        assert f"no. {sent}" in str(status.completed)
