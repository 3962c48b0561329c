"""Input for a turn that is running already."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import InvalidRequest
from actors.testing import ManualTool
from actors.thread import (
    NoActiveTurn,
    SteerInputEmpty,
    ThreadClosed,
    TurnInputFull,
    TurnMismatch,
)
from messages.content import TextInput
from messages.events import TurnComplete
from messages.ids import TurnId
from messages.ops import Interrupt, Shutdown, UserInput

from .slow_flush import slow_flush
from .stage import drain, open_stage, request_lines

MORE = (TextInput(text="more"),)


async def test_input_joins_the_running_turn_at_its_next_request(mock_clock: MockClock) -> None:
    """It is recorded and told when it is read, under the turn's id, not before."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("one")
        turn_id = response.request.turn_id
        await stage.say("two")
        await wait_all_tasks_blocked()
        assert "user: two" not in drain(stage.thread)

        response.call("manual", call_id="c").complete()
        (await tool.next_call()).answer("x")
        following = await stage.model.next_request()
        following.say("both").complete()
        events = await stage.events_until(TurnComplete)

        assert request_lines(following) == [
            "user: one",
            "call c manual",
            "output c: x",
            "user: two",
        ]
        assert {event.id for event in events} == {turn_id}


async def test_waiting_input_makes_the_model_go_on(mock_clock: MockClock) -> None:
    """A turn does not end while somebody waits for an answer."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        await stage.say("two")
        response.say("first").complete()

        following = await stage.model.next_request()
        following.say("second").complete()

        told = await stage.until(TurnComplete)
        assert told.count("TurnStarted") == 1
        assert told[-1] == "TurnComplete second"


async def test_steer_says_which_turn_it_joined(mock_clock: MockClock) -> None:
    """With and without the turn that the caller expects."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        turn_id = TurnId(response.request.turn_id)

        assert await stage.thread.steer_input(MORE) == turn_id
        assert await stage.thread.steer_input(MORE, expected_turn_id=turn_id) == turn_id

        response.say("first").complete()
        following = await stage.model.next_request()
        assert request_lines(following)[-2:] == ["user: more", "user: more"]


async def test_steer_is_refused_with_the_reason(mock_clock: MockClock) -> None:
    """One class for each; nothing was used, and nobody else hears of it."""
    async with open_stage() as stage:
        with pytest.raises(NoActiveTurn):
            await stage.thread.steer_input(MORE)
        response = await stage.begin("one")
        drain(stage.thread)

        with pytest.raises(SteerInputEmpty):
            await stage.thread.steer_input(())
        with pytest.raises(TurnMismatch) as raised:
            await stage.thread.steer_input(MORE, expected_turn_id=TurnId("other"))

        assert (raised.value.expected, raised.value.actual) == ("other", response.request.turn_id)
        assert drain(stage.thread) == []


async def test_sixty_four_inputs_may_wait_and_the_next_is_refused(mock_clock: MockClock) -> None:
    """A steer with a reason of its own, a submission with an error event; settings untouched."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        turn_id = TurnId(response.request.turn_id)
        for number in range(64):
            await stage.thread.steer_input((TextInput(text=str(number)),))
        drain(stage.thread)

        with pytest.raises(TurnInputFull) as raised:
            await stage.thread.steer_input(MORE)
        await stage.do(UserInput(items=MORE))
        await wait_all_tasks_blocked()

        assert (raised.value.turn_id, raised.value.capacity) == (turn_id, 64)
        full = (
            f"turn {turn_id} has 64 inputs waiting for its next model request already; "
            "send this again later"
        )
        assert drain(stage.thread) == [f"Error bad_request: {full}"]
        response.say("x").complete()
        following = await stage.model.next_request()
        assert len(request_lines(following)) == 66


async def test_steer_of_a_stopping_turn_is_refused(autojump_clock: MockClock) -> None:
    """It will not make another request."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()
        await stage.do(Interrupt())
        await wait_all_tasks_blocked()

        with pytest.raises(NoActiveTurn):
            await stage.thread.steer_input(MORE)


async def test_steer_of_a_closing_and_of_a_closed_thread_is_refused(
    autojump_clock: MockClock,
) -> None:
    """Nobody who steers hangs."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()
        await stage.do(Shutdown())
        await wait_all_tasks_blocked()

        with pytest.raises(ThreadClosed):
            await stage.thread.steer_input(MORE)
        await stage.rest()
        with pytest.raises(ThreadClosed):
            await stage.thread.steer_input(MORE)


async def test_cancelled_steer_leaves_nothing_behind(mock_clock: MockClock) -> None:
    """The thread goes on, whether or not the input joined."""
    async with open_stage() as stage:
        response = await stage.begin()
        with trio.move_on_after(0):
            await stage.thread.steer_input(MORE)

        response.say("x").complete()
        (await stage.model.next_request()).say("y").complete()

        assert (await stage.until(TurnComplete))[-1] == "TurnComplete y"


async def test_input_that_comes_too_late_starts_the_next_turn(mock_clock: MockClock) -> None:
    """Under its own id; what waits behind it joins that turn (L13)."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        second = await stage.say("two")
        await stage.say("three")
        await wait_all_tasks_blocked()

        response.fail(InvalidRequest("no"))
        following = await stage.model.next_request()
        told = await stage.until(TurnComplete)

        assert told[-1] == "TurnComplete None"
        assert following.request.turn_id == second
        assert request_lines(following) == ["user: one", "user: two", "user: three"]


async def test_late_steer_starts_a_turn_with_an_id_of_its_own(mock_clock: MockClock) -> None:
    """No turn has the id of another."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        await stage.thread.steer_input(MORE)

        response.fail(InvalidRequest("no"))
        following = await stage.model.next_request()

        assert following.request.turn_id != response.request.turn_id
        following.say("ok").complete()
        assert request_lines(following) == ["user: one", "user: more"]


async def test_schema_of_late_input_holds_for_the_turn_that_it_starts(
    mock_clock: MockClock,
) -> None:
    """A joined input's schema is not the running turn's."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        schema = {"type": "object"}
        await stage.do(UserInput(items=MORE, final_output_json_schema=schema))
        await wait_all_tasks_blocked()

        response.fail(InvalidRequest("no"))
        following = await stage.model.next_request()

        assert following.request.output_schema == schema


async def test_input_during_the_end_of_a_turn_is_not_lost(mock_clock: MockClock) -> None:
    """The turn's end is being written when it comes; it starts the next one."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        with slow_flush(stage) as flush:
            response.say("x").complete()
            await flush.begun.wait()
            await stage.say("two")
            with pytest.raises(NoActiveTurn):
                await stage.thread.steer_input(MORE)
            await wait_all_tasks_blocked()
            flush.go_on()

        told = await stage.until(TurnComplete)
        following = await stage.model.next_request()
        assert told[-1] == "TurnComplete x"
        assert request_lines(following) == ["user: one", "assistant: x", "user: two"]


async def test_interrupt_during_the_end_of_a_turn_gives_late_input_back(
    autojump_clock: MockClock,
) -> None:
    """The turn has ended by itself; only what would follow is stopped."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        with slow_flush(stage) as flush:
            response.say("x").complete()
            await flush.begun.wait()
            await stage.say("two")
            await wait_all_tasks_blocked()
            await stage.do(Interrupt())
            await wait_all_tasks_blocked()
            flush.go_on()

        told = await stage.until(TurnComplete)
        await wait_all_tasks_blocked()
        assert told[-1] == "TurnComplete x"
        assert drain(stage.thread) == [
            "Error bad_request: the turn ended before it read this input; send it again"
        ]


async def test_end_of_a_turn_is_told_when_the_disk_never_answers_and_the_user_stops_it(
    autojump_clock: MockClock,
) -> None:
    """Twice the patience after the interrupt at the latest (P15)."""
    async with open_stage() as stage:
        response = await stage.begin("one")
        with slow_flush(stage) as flush:
            response.say("x").complete()
            await flush.begun.wait()
            begin = trio.current_time()
            await stage.do(Interrupt())

            told = await stage.until(TurnComplete)

            assert told[-1] == "TurnComplete x"
            assert trio.current_time() - begin == pytest.approx(2.5)
            flush.go_on()
        assert (await stage.run_turn("two"))[-1] == "TurnComplete hello"
