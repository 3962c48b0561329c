"""Stopping a turn, in every phase and within bounds (P15)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import ItemAdded, StreamDisconnected, TextDelta
from actors.testing import ManualTool
from messages.events import Errored, StatusKind, TurnAborted
from messages.items import Message
from messages.ops import Interrupt

from .stage import drain, open_stage, request_lines, text_input
from .stubborn_model import StubbornModel

PATIENCE = 1.25


async def test_interrupt_of_an_idle_thread_does_nothing(mock_clock: MockClock) -> None:
    """No event, and the status stays as it was."""
    async with open_stage() as stage:
        await stage.do(Interrupt())
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == []
        assert stage.thread.agent_status() is StatusKind.PENDING_INIT


async def test_interrupt_while_the_model_writes_keeps_what_was_finished(
    mock_clock: MockClock,
) -> None:
    """Finished items are recorded, half a message is not; the model reads of the stop."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        half = Message(role="assistant", content=(), id="m2")
        response.say("done").give(ItemAdded(half), TextDelta("ha"))
        await wait_all_tasks_blocked()

        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)

        assert told[-5:] == [
            "ItemCompleted AgentMessageItem",
            "ItemStarted AgentMessageItem",
            "Delta ha",
            "assistant: done",
            "TurnAborted interrupted",
        ]
        following = await stage.begin("again")
        assert request_lines(following) == [
            "user: hi",
            "assistant: done",
            "user: <turn_aborted>",
            "user: again",
        ]


async def test_interrupt_before_the_turn_has_run_ends_it_with_its_input_recorded(
    mock_clock: MockClock,
) -> None:
    """A started turn is told and ends, even if it never got to the model."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        await stage.run_turn()
        thread = stage.thread
        # The loop takes the input, and the interrupt before the turn's task has run.
        await stage.say("again")
        turn_begins = trio.Event()

        async def interrupt() -> None:
            while thread.state.value != "running":
                await trio.lowlevel.checkpoint()
            turn_begins.set()
            thread.submit_nowait(Interrupt())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            told = await stage.until(TurnAborted)

        assert told[:2] == ["TurnStarted", "user: again"]
        assert told[-1] == "TurnAborted interrupted"
        assert "user: again" in stage.rollout()


async def test_interrupt_while_the_model_is_silent_ends_the_turn_at_once(
    mock_clock: MockClock,
) -> None:
    """No time passes, and the stream is left."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        drain(stage.thread)

        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)

        assert told == ["TurnAborted interrupted"]
        assert response.ended.is_set()
        assert trio.current_time() == 0
        assert stage.rollout()[-2:] == ["user: <turn_aborted>", "TurnAborted interrupted"]
        assert stage.thread.agent_status() == Errored(errored="Interrupted")


async def test_interrupt_while_tools_run_answers_their_calls(autojump_clock: MockClock) -> None:
    """A call that was answered keeps its answer, the others say that they were stopped."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.call("manual", call_id="a").call("manual", call_id="b").complete()
        (await tool.next_call()).answer("one")
        call = await tool.next_call()
        await wait_all_tasks_blocked()
        drain(stage.thread)

        await trio.sleep(2)
        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)

        assert told == [
            "output a: one",
            "output b: aborted by user after 2.0s",
            "TurnAborted interrupted",
        ]
        assert call.ended.is_set()
        following = await stage.begin("go on")
        assert request_lines(following)[-3:] == [
            "output b: aborted by user after 2.0s",
            "user: <turn_aborted>",
            "user: go on",
        ]


async def test_interrupt_while_the_model_still_writes_beside_a_tool(mock_clock: MockClock) -> None:
    """What was finished before and after the call is kept, in order."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.say("before").call("manual", call_id="a").say("after")
        await tool.next_call()
        await wait_all_tasks_blocked()

        await stage.do(Interrupt())
        await stage.until(TurnAborted)

        assert stage.rollout()[-7:] == [
            "assistant: before",
            "call a manual",
            "AgentMessage after",
            "assistant: after",
            "output a: aborted by user after 0.1s",
            "user: <turn_aborted>",
            "TurnAborted interrupted",
        ]


async def test_interrupt_while_a_request_waits_for_its_retry(mock_clock: MockClock) -> None:
    """The wait is cut short."""
    async with open_stage() as stage:
        (await stage.begin()).fail(StreamDisconnected("gone", delay=60))
        await wait_all_tasks_blocked()

        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)

        assert told[-2:] == ["StreamError Reconnecting... 1/2", "TurnAborted interrupted"]


@pytest.mark.parametrize(("stubborn", "ended"), [(0.0, 0.0), (0.2, 0.2), (1.2, 1.2)])
async def test_turn_ends_as_soon_as_its_tools_have_stopped(
    autojump_clock: MockClock, stubborn: float, ended: float
) -> None:
    """A cooperative tool ends the turn when it stops, within the patience."""
    tool = ManualTool(stubborn=stubborn)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="a").complete()
        await tool.next_call()
        begin = trio.current_time()

        await stage.do(Interrupt())
        await stage.until(TurnAborted)

        assert trio.current_time() - begin == pytest.approx(ended)


async def test_turn_ends_regardless_when_a_tool_does_not_stop(autojump_clock: MockClock) -> None:
    """At the patience, with its call answered; the next turn does not wait for the tool."""
    tool = ManualTool(stubborn=60)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="a").complete()
        call = await tool.next_call()
        begin = trio.current_time()

        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)

        assert trio.current_time() - begin == pytest.approx(PATIENCE)
        assert told[-2:] == ["output a: aborted by user after 1.2s", "TurnAborted interrupted"]
        assert not call.ended.is_set()
        assert (await stage.run_turn("next"))[-1] == "TurnComplete hello"

        # The tool stops at last: nothing more is told of its turn.
        await call.ended.wait()
        await wait_all_tasks_blocked()
        assert drain(stage.thread) == []
        recorded = stage.rollout()
        assert recorded.count("TurnAborted interrupted") == 1
        assert len([line for line in recorded if line.startswith("output a")]) == 1


async def test_second_interrupt_of_a_turn_changes_nothing(autojump_clock: MockClock) -> None:
    """The turn has one end, at the time of the first."""
    tool = ManualTool(stubborn=60)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="a").complete()
        await tool.next_call()
        begin = trio.current_time()

        await stage.do(Interrupt())
        await trio.sleep(1)
        await stage.do(Interrupt())
        await stage.until(TurnAborted)

        assert trio.current_time() - begin == pytest.approx(PATIENCE)
        await trio.sleep(10)
        assert drain(stage.thread) == []


async def test_interrupt_goes_before_queued_work(mock_clock: MockClock) -> None:
    """Control never waits behind work (P5)."""
    async with open_stage() as stage:
        await stage.begin("one")
        for number in range(10):
            stage.thread.submit_nowait(text_input(f"more {number}"))

        stage.thread.submit_nowait(Interrupt())
        told = await stage.until(TurnAborted)

        assert told[-1] == "TurnAborted interrupted"
        # Ten inputs were behind it in the queue; the first starts a turn, the others join.
        response = await stage.model.next_request()
        assert request_lines(response)[-1].startswith("user: more")


async def test_stubborn_provider_does_not_disturb_the_turns_after_its_own(
    autojump_clock: MockClock,
) -> None:
    """Events that come after the forced end are for nobody."""
    model = StubbornModel(seconds=5)
    async with open_stage(model=model) as stage:
        await stage.begin("one")
        await stage.do(Interrupt())
        told = await stage.until(TurnAborted)
        assert told[-1] == "TurnAborted interrupted"

        await trio.sleep(10)

        assert drain(stage.thread) == []
        assert stage.thread.state.value == "idle"
        model.seconds = 0
        assert (await stage.run_turn("next"))[-1] == "TurnComplete hello"


async def test_late_input_goes_back_to_the_client_when_the_turn_is_stopped(
    mock_clock: MockClock,
) -> None:
    """None of it is lost silently (L13)."""
    async with open_stage() as stage:
        await stage.begin("one")
        await stage.say("two")
        await wait_all_tasks_blocked()
        drain(stage.thread)

        await stage.do(Interrupt())
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == [
            "TurnAborted interrupted",
            "Error bad_request: the turn ended before it read this input; send it again",
        ]
        assert stage.thread.agent_status() == Errored(errored="Interrupted")


async def test_thread_takes_the_next_turn_after_an_interrupt(mock_clock: MockClock) -> None:
    """An interrupt ends a turn, not the thread."""
    async with open_stage() as stage:
        await stage.begin("one")
        await stage.do(Interrupt())
        await stage.until(TurnAborted)

        told = await stage.run_turn("two")

        assert told[-1] == "TurnComplete hello"


async def test_input_after_an_interrupt_starts_the_next_turn(autojump_clock: MockClock) -> None:
    """Also while the stopped turn still winds down: it is meant for the next one."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin("one")).call("manual", call_id="a").complete()
        await tool.next_call()
        await stage.say("before")
        await wait_all_tasks_blocked()
        await stage.do(Interrupt())
        await wait_all_tasks_blocked()

        await stage.say("after")
        told = await stage.until(TurnAborted)
        response = await stage.model.next_request()
        told = drain(stage.thread)

        assert told[0] == (
            "Error bad_request: the turn ended before it read this input; send it again"
        )
        assert request_lines(response)[-1] == "user: after"
