"""The end of a thread: wanted, cancelled, or against resistance."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import ChannelClosed
from actors.testing import ManualTool
from actors.thread import ThreadClosed, ThreadState
from messages.events import ShutdownComplete, StatusKind, TurnAborted
from messages.ops import Interrupt, Shutdown

from .slow_flush import slow_flush
from .stage import CONFIG, drain, open_stage, recorded, text_input


async def test_shutdown_ends_an_idle_thread_with_its_last_event(mock_clock: MockClock) -> None:
    """Under the submission's id; then everything that waits ends."""
    async with open_stage() as stage:
        status = stage.thread.watch_status()
        other = stage.thread.subscribe()
        submission_id = await stage.do(Shutdown())

        [event] = await stage.events_until(ShutdownComplete)

        assert event.id == submission_id
        with pytest.raises(ChannelClosed):
            await stage.thread.next_event()
        assert [type(e.msg) async for e in other] == [ShutdownComplete]
        assert status.value is StatusKind.SHUTDOWN
        with pytest.raises(ChannelClosed):
            await status.wait_for(lambda value: value is StatusKind.RUNNING)
        with pytest.raises(ThreadClosed):
            await stage.say("hi")
        with pytest.raises(ThreadClosed):
            stage.thread.submit_nowait(Interrupt())
        assert stage.thread.state is ThreadState.CLOSED
        assert stage.supervisor.list_thread_ids() == ()


async def test_shutdown_interrupts_the_running_turn(mock_clock: MockClock) -> None:
    """Its end comes first, and is on disk."""
    async with open_stage() as stage:
        await stage.begin()
        drain(stage.thread)
        await stage.do(Shutdown())

        assert await stage.rest() == ["TurnAborted interrupted", "ShutdownComplete"]
        assert stage.rollout()[-1] == "TurnAborted interrupted"


async def test_queued_work_is_answered_when_a_shutdown_goes_first(mock_clock: MockClock) -> None:
    """Nothing is dropped silently (P8); a second shutdown gets what it wants."""
    async with open_stage() as stage:
        for text in ("one", "two"):
            stage.thread.submit_nowait(text_input(text))
        stage.thread.submit_nowait(Shutdown())
        stage.thread.submit_nowait(Shutdown())

        told = await stage.rest()

        closed = f"Error None: {ThreadClosed(stage.thread.thread_id)}"
        assert told == [closed, closed, "ShutdownComplete"]


async def test_submissions_to_a_closing_thread_are_refused(autojump_clock: MockClock) -> None:
    """Each with an event of its own."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()
        await stage.do(Shutdown())
        await wait_all_tasks_blocked()
        drain(stage.thread)
        assert stage.thread.state is ThreadState.CLOSING

        late = await stage.say("late")
        await stage.do(Shutdown())
        events = [event async for event in stage.thread.events()]

        assert events[0].id == late
        assert [type(event.msg).__name__ for event in events] == [
            "ErrorEvent",
            "RawResponseItem",
            "TurnAborted",
            "ShutdownComplete",
        ]


async def test_sender_that_waits_for_room_is_told_when_the_thread_ends(
    mock_clock: MockClock,
) -> None:
    """Nobody hangs in submit."""
    async with open_stage() as stage:
        raised: list[Exception] = []
        for _ in range(64):
            stage.thread.submit_nowait(text_input("x"))

        async def send() -> None:
            try:
                await stage.say("one more")
            except ThreadClosed as error:
                raised.append(error)

        stage.thread.submit_nowait(Shutdown())
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(send)

        # Some got room while the queue was emptied, and were answered by an event.
        told = await stage.rest()
        assert len(raised) + len(told) == 64 + 3 + 1


async def test_shutdown_does_not_wait_for_a_stubborn_tool_to_tell_the_turns_end(
    autojump_clock: MockClock,
) -> None:
    """The turn ends at its patience; the thread when the tool has ended."""
    tool = ManualTool(stubborn=4)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()
        await stage.do(Shutdown())

        await stage.until(TurnAborted)
        assert trio.current_time() == pytest.approx(1.25)
        assert (await stage.until(ShutdownComplete)) == ["ShutdownComplete"]
        assert trio.current_time() == pytest.approx(4)


async def test_remove_cancels_a_thread_that_outlasts_its_grace(autojump_clock: MockClock) -> None:
    """It is out of the registry when it has really ended, and its rollout is free."""
    tool = ManualTool(stubborn=8)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()

        removed = await stage.supervisor.remove_thread(stage.thread.thread_id, grace=2)

        assert removed is stage.thread
        assert trio.current_time() == pytest.approx(7)  # the grace, and five seconds more
        assert stage.supervisor.list_thread_ids() == (stage.thread.thread_id,)
        await trio.sleep(2)
        assert stage.supervisor.list_thread_ids() == ()
        path = stage.thread.rollout_path
        assert path is not None
        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)


async def test_cancelled_thread_ends_its_turn_on_disk_and_for_clients(
    mock_clock: MockClock,
) -> None:
    """As when the host program is cancelled: no grace, and still an end."""
    async with open_stage() as stage:
        await stage.begin()
        await wait_all_tasks_blocked()
        drain(stage.thread)
        path = stage.thread.rollout_path

        await stage.supervisor.remove_thread(stage.thread.thread_id, grace=0)

        told = await stage.rest()
        assert "TurnAborted interrupted" in told
        assert recorded(path)[-1] == "TurnAborted interrupted"
        assert stage.thread.state is ThreadState.CLOSED


async def test_cancelled_thread_ends_within_its_patience_when_the_disk_is_silent(
    autojump_clock: MockClock,
) -> None:
    """Clients are told the end all the same, and the thread ends."""
    async with open_stage() as stage:
        response = await stage.begin()
        with slow_flush(stage) as flush:
            response.say("x").complete()
            await flush.begun.wait()
            drain(stage.thread)
            begin = trio.current_time()

            await stage.supervisor.remove_thread(stage.thread.thread_id, grace=0)

            assert trio.current_time() - begin <= 2.0 + 0.01
            assert "TurnComplete x" in await stage.rest()
        assert stage.supervisor.list_thread_ids() == ()


async def test_late_input_of_a_cancelled_turn_is_answered_and_starts_nothing(
    autojump_clock: MockClock,
) -> None:
    """The thread ends; nobody would run the next turn."""
    async with open_stage() as stage:
        response = await stage.begin()
        with slow_flush(stage) as flush:
            response.say("x").complete()
            await flush.begun.wait()
            await stage.say("late")
            await wait_all_tasks_blocked()
            drain(stage.thread)

            await stage.supervisor.remove_thread(stage.thread.thread_id, grace=0)

        assert await stage.rest() == [
            "TurnComplete x",
            "Error bad_request: the turn ended before it read this input; send it again",
        ]


async def test_crash_on_the_way_to_the_end_ends_the_thread_all_the_same(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart would bring back what the user wanted gone."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        await tool.next_call()
        await stage.do(Shutdown())
        await wait_all_tasks_blocked()
        drain(stage.thread)
        stage.thread._ports.mailbox.send_nowait("no message")  # type: ignore[arg-type]

        told = await stage.rest()

        assert told[0].startswith("Error other: the thread crashed while closing: ")
        assert told[-1] == "ShutdownComplete"
        assert "TurnAborted interrupted" in told
        assert stage.thread.state is ThreadState.FAILED
        assert stage.supervisor.list_thread_ids() == ()
        assert "crashed while closing" in caplog.text
