"""Readers of a thread's events, quick, slow and late (P6)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import ChannelClosed, Lagged, MailboxFull
from actors.supervisor import ThreadNotFound
from actors.testing import ManualModel, ManualTool, open_test_supervisor
from actors.thread import EVENT_CAPACITY, ThreadState, ThreadStatistics
from messages.events import (
    Completed,
    Event,
    ItemCompleted,
    SessionConfigured,
    StatusKind,
    WarningEvent,
)
from messages.ops import Interrupt, Shutdown

from .stage import CONFIG, open_stage, outline, text_input


async def test_own_reader_begins_behind_the_first_event(mock_clock: MockClock) -> None:
    """The caller of start has that; a late reader still gets it."""
    async with open_stage() as stage:
        first = await stage.thread.subscribe(from_seq=1).receive()

        assert isinstance(first, Event)
        assert first.msg is stage.new.session_configured
        assert (first.id, first.seq) == ("", 1)
        assert isinstance(first.msg, SessionConfigured)


async def test_late_reader_starts_where_it_wants(mock_clock: MockClock) -> None:
    """From a number that is still there, or from now; a wrong number is refused."""
    async with open_stage() as stage:
        await stage.run_turn()
        now = stage.thread.subscribe()
        late = stage.thread.events(from_seq=2)
        with pytest.raises(ValueError, match="numbered from 1"):
            stage.thread.subscribe(from_seq=0)

        await stage.do(Shutdown())

        assert outline([event async for event in now]) == ["ShutdownComplete"]
        events = [event async for event in late]
        assert [event.seq for event in events] == list(range(2, 2 + len(events)))


async def test_slow_reader_is_told_how_much_it_missed_and_hurts_nobody(
    mock_clock: MockClock,
) -> None:
    """The thread does not wait, and quick readers miss nothing."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        slow = stage.thread.subscribe()
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        quick = stage.thread.subscribe()
        count = 0
        for _ in range(4):
            for _ in range(EVENT_CAPACITY // 2):
                call.context.emit(WarningEvent(message="x"))
            count += len(await quick.receive_many())

        lagged = await slow.receive()

        assert count == 2 * EVENT_CAPACITY
        assert isinstance(lagged, Lagged)
        rest = await slow.receive_many()
        assert len(rest) == EVENT_CAPACITY
        assert isinstance(await stage.thread.next_event(), Lagged)
        call.answer("x")


async def test_readers_end_with_the_thread(mock_clock: MockClock) -> None:
    """All that wait; nothing hangs."""
    async with open_stage() as stage:
        ended: list[str] = []

        async def iterate() -> None:
            async for _ in stage.thread.subscribe():
                pass
            ended.append("iteration")

        async def receive() -> None:
            with pytest.raises(ChannelClosed):
                while True:
                    await stage.thread.next_event()
            ended.append("next_event")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(iterate)
            nursery.start_soon(receive)
            await wait_all_tasks_blocked()
            await stage.do(Shutdown())

        assert sorted(ended) == ["iteration", "next_event"]


async def test_status_follows_the_turns(mock_clock: MockClock) -> None:
    """Watchers see the latest, and the last one stays."""
    async with open_stage() as stage:
        watch = stage.thread.watch_status()
        seen = [watch.value]
        version = watch.version
        response = await stage.begin()
        version = await watch.wait_changed(version)
        seen.append(watch.value)
        response.say("hello").complete()
        version = await watch.wait_changed(version)
        seen.append(watch.value)
        await stage.do(Shutdown())
        await watch.wait_changed(version)
        seen.append(watch.value)

        assert seen == [
            StatusKind.PENDING_INIT,
            StatusKind.RUNNING,
            Completed(completed="hello"),
            StatusKind.SHUTDOWN,
        ]


async def test_full_lanes_refuse_or_wait(mock_clock: MockClock) -> None:
    """64 submissions and 256 control ops may be queued; submit waits for the first kind."""
    async with open_stage() as stage:
        thread = stage.thread
        for _ in range(64):
            thread.submit_nowait(text_input("x"))
        with pytest.raises(MailboxFull):
            thread.submit_nowait(text_input("x"))
        for _ in range(256):
            thread.submit_nowait(Interrupt())
        with pytest.raises(MailboxFull):
            await thread.submit(Interrupt())
        with pytest.raises(MailboxFull):
            await thread.steer_input(())

        await thread.submit(text_input("waits for room"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.answer_all, "x")
            read = 0
            while read < 65:
                read += (await stage.until(ItemCompleted)).count("ItemCompleted UserMessageItem")
            nursery.cancel_scope.cancel()


async def test_thread_tells_about_itself(mock_clock: MockClock) -> None:
    """In one line, and in numbers."""
    async with open_stage() as stage:
        stage.thread.submit_nowait(Interrupt())

        assert repr(stage.thread) == f"<thread {stage.thread.thread_id} idle, 1 queued>"
        assert stage.thread.statistics() == ThreadStatistics(
            state=ThreadState.IDLE,
            lives=1,
            queued=1,
            waiting_senders=0,
            next_seq=4,
            subscriptions=1,
        )


async def test_thread_with_a_leading_reader_keeps_no_event_that_was_read(
    mock_clock: MockClock,
) -> None:
    """A server has many threads, and nobody reads their own readers."""
    async with open_test_supervisor(provider=(model := ManualModel())) as supervisor:
        new = await supervisor.start_thread(CONFIG)
        thread = new.thread
        leader = supervisor.lead_events(thread.thread_id)
        seen: list[Event | Lagged] = []

        async def lead() -> None:
            async for event in leader:
                seen.append(event)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lead)
            await thread.submit(text_input("hi"))
            (await model.next_request()).say("hello").complete()
            await wait_all_tasks_blocked()
            gone = await thread.subscribe(from_seq=1).receive()
            read = len(seen)
            await thread.submit(Shutdown())
            # The own reader begins where it is first wanted.
            own = [event async for event in thread.events()]

    assert [event.seq for event in seen if isinstance(event, Event)] == [*range(1, len(seen) + 1)]
    assert seen[0].msg is new.session_configured  # type: ignore[union-attr]
    assert gone == Lagged(read)
    assert outline(own) == ["ShutdownComplete"]


async def test_leading_reader_takes_nothing_from_one_that_has_begun(mock_clock: MockClock) -> None:
    """Who reads the thread's own reader, or waits for it, goes on as if there were no other."""
    async with open_stage() as stage:
        supervisor, thread_id = stage.supervisor, stage.thread.thread_id
        waiting = await supervisor.start_thread(CONFIG)
        await stage.run_turn()
        heard: list[str] = []

        async def hear() -> None:
            heard.extend(outline([event async for event in waiting.thread.events()]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await wait_all_tasks_blocked()
            with supervisor.lead_events(thread_id), supervisor.lead_events(waiting.thread_id):
                await stage.run_turn()
                await supervisor.send_op(waiting.thread_id, Shutdown())

        assert (len(heard), heard[-1]) == (3, "ShutdownComplete")
        with pytest.raises(ThreadNotFound):
            supervisor.lead_events(waiting.thread_id)
