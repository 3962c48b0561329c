"""When the watcher forgets, when it tells, and for whom; without files."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import ChannelClosed, Lagged, Subscription
from actors.watcher import (
    Changes,
    FileWatcherEvent,
    SilentSource,
    Watcher,
    WatchMode,
    open_watcher,
)
from tests.watcher.stage import FakeSource, deterministic


def told(*paths: str) -> FileWatcherEvent:
    return FileWatcherEvent(paths=paths)


EVERYTHING = told()


@attrs.define
class Stage:
    watcher: Watcher
    source: FakeSource
    events: Subscription[FileWatcherEvent]
    forgotten: list[Changes]

    async def tells(self, *paths: str) -> None:
        self.source.tell(*paths)
        await wait_all_tasks_blocked()

    def heard(self) -> list[FileWatcherEvent | Lagged]:
        found: list[FileWatcherEvent | Lagged] = []
        while True:
            try:
                found.append(self.events.receive_nowait())
            except (trio.WouldBlock, ChannelClosed):
                return found


@asynccontextmanager
async def open_stage(interval: float = 10) -> AsyncGenerator[Stage]:
    source, forgotten = FakeSource(), list[Changes]()
    async with open_watcher(
        on_change=forgotten.append, interval=interval, source=source, world=deterministic()
    ) as watcher:
        yield Stage(watcher, source, watcher.subscribe(), forgotten)


async def test_first_change_is_told_immediately(mock_clock: MockClock) -> None:
    """Who saves a file need not wait for an interval that nobody needed."""
    async with open_stage() as stage:
        await stage.tells("/r/b", "/r/a")

        assert stage.heard() == [told("/r/a", "/r/b")]
        assert trio.current_time() == 0


async def test_later_changes_are_told_together_when_the_interval_is_over(
    mock_clock: MockClock,
) -> None:
    """One event per interval, with each path once; then it is quiet again."""
    async with open_stage() as stage:
        await stage.tells("/r/a")
        mock_clock.jump(3)
        await stage.tells("/r/c")
        await stage.tells("/r/b", "/r/c")
        mock_clock.jump(6.99)
        await wait_all_tasks_blocked()
        before = stage.heard()

        mock_clock.jump(0.01)
        await wait_all_tasks_blocked()
        at_the_deadline = stage.heard()
        mock_clock.jump(100)
        await wait_all_tasks_blocked()

        assert before == [told("/r/a")]
        assert at_the_deadline == [told("/r/b", "/r/c")]
        assert stage.heard() == []


async def test_change_after_a_quiet_interval_is_told_immediately(mock_clock: MockClock) -> None:
    """The interval is a limit of the rate, not a delay."""
    async with open_stage() as stage:
        await stage.tells("/r/a")
        mock_clock.jump(10)
        await stage.tells("/r/b")

        assert stage.heard() == [told("/r/a"), told("/r/b")]


async def test_every_change_is_forgotten_at_once_also_while_events_wait(
    mock_clock: MockClock,
) -> None:
    """A skill that was saved is visible in the next turn, whatever the interval."""
    async with open_stage() as stage:
        await stage.tells("/r/a")
        await stage.tells("/r/b")
        await stage.tells("/r/c")

        assert stage.forgotten == [("/r/a",), ("/r/b",), ("/r/c",)]
        assert stage.heard() == [told("/r/a")]


async def test_cache_is_invalidated_before_the_event_is_published(mock_clock: MockClock) -> None:
    """Nobody who hears of a change can still read what was remembered."""
    order: list[str] = []
    source = FakeSource()

    def forget(paths: Changes) -> None:
        assert watcher.statistics().published == 0
        order.append(f"forget {paths}")

    async with (
        open_watcher(on_change=forget, source=source, world=deterministic()) as watcher,
        trio.open_nursery() as nursery,
    ):

        @nursery.start_soon
        async def read() -> None:
            with watcher.subscribe() as events:
                order.append(f"hear {await events.receive()}")

        await wait_all_tasks_blocked()
        source.tell("/r/a")

    assert order == ["forget ('/r/a',)", "hear FileWatcherEvent(paths=('/r/a',))"]


async def test_pending_changes_are_told_when_the_watcher_is_closed(mock_clock: MockClock) -> None:
    """What was seen is told, also if the interval is not over; then the stream ends."""
    async with open_stage() as stage:
        await stage.tells("/r/a")
        await stage.tells("/r/b")

    assert stage.heard() == [told("/r/a"), told("/r/b")]
    with pytest.raises(ChannelClosed):
        await stage.events.receive()
    assert trio.current_time() == 0


async def test_pending_changes_are_told_when_the_watcher_is_cancelled(
    mock_clock: MockClock,
) -> None:
    """A block that ends in an error takes nothing along, and its error comes out as it is."""
    with pytest.raises(KeyError, match="mine"):
        async with open_stage() as stage:
            await stage.tells("/r/a")
            await stage.tells("/r/b")
            raise KeyError("mine")

    assert stage.heard() == [told("/r/a"), told("/r/b")]


async def test_everything_swallows_single_paths(mock_clock: MockClock) -> None:
    """Once everything may have changed, paths add nothing."""
    async with open_stage() as stage:
        await stage.tells("/r/a")
        await stage.tells("/r/b")
        stage.source.tell_everything()
        await stage.tells("/r/c")
        mock_clock.jump(10)
        await wait_all_tasks_blocked()

        assert stage.heard() == [told("/r/a"), EVERYTHING]
        assert EVERYTHING.everything


@pytest.mark.parametrize(("count", "told_as_everything"), [(1024, False), (1025, True)])
async def test_more_paths_than_fit_become_everything(
    mock_clock: MockClock, count: int, told_as_everything: bool
) -> None:
    """What is kept until the next event is bounded."""
    async with open_stage() as stage:
        await stage.tells("/r/first")
        for number in range(count):
            await stage.tells(f"/r/{number}")
        mock_clock.jump(10)
        await wait_all_tasks_blocked()

        [_, event] = stage.heard()

    assert FileWatcherEvent.received(event).everything is told_as_everything


async def test_reader_that_lags_takes_everything_as_changed() -> None:
    """Nobody misses a change because of having been slow."""
    async with open_stage(interval=0) as stage:
        for number in range(130):
            await stage.tells(f"/r/{number}")

        first, second, *_ = stage.heard()

    assert first == Lagged(2)
    assert FileWatcherEvent.received(first) == EVERYTHING
    assert FileWatcherEvent.received(second) == told("/r/2")


async def test_root_is_watched_from_its_first_user_to_its_last() -> None:
    """Users share roots, and a release counts once."""
    async with open_stage() as stage:
        one = stage.watcher.watch(["/a", "/b/"])
        two = stage.watcher.watch(["/b", "/c", "/c"])
        now = stage.watcher.statistics()
        one.release()
        one.release()
        with stage.watcher.watch(["/d"]):
            two.release()

        assert stage.source.roots == [
            {"/a", "/b"},
            {"/a", "/b", "/c"},
            {"/b", "/c"},
            {"/b", "/c", "/d"},
            {"/d"},
            set(),
        ]
        assert (now.roots, now.users) == (3, 2)
        assert stage.watcher.statistics().users == 0


async def test_relative_root_is_refused_and_nothing_is_watched() -> None:
    """It would depend on where the program was started."""
    async with open_stage() as stage:
        with pytest.raises(ValueError, match="'skills': a root must be an absolute path"):
            stage.watcher.watch(["/a", "skills"])

        assert stage.source.roots == []


async def test_users_of_a_closed_watcher_do_no_harm() -> None:
    """A thread that starts or ends while everything closes need not know."""
    async with open_stage() as stage:
        held = stage.watcher.watch(["/a"])

    held.release()
    stage.watcher.watch(["/b"]).release()

    assert "closed" in repr(stage.watcher)


async def test_source_that_crashes_is_run_again_and_everything_may_have_changed(
    autojump_clock: MockClock,
) -> None:
    """A crash costs nobody a change, and does not take the block down."""
    async with open_stage() as stage:
        await stage.tells("/r/a")
        stage.source.error = OSError("the disk is on fire")
        stage.source.tell("/r/lost")
        await trio.sleep(5)
        stage.source.tell("/r/b")
        await trio.sleep(20)

        assert stage.source.lives == 2
        assert stage.forgotten == [("/r/a",), None, ("/r/b",)]
        assert stage.heard() == [told("/r/a"), EVERYTHING, told("/r/b")]


async def test_callback_that_always_raises_costs_only_the_watcher(
    autojump_clock: MockClock,
) -> None:
    """After a few attempts it gives up, and the block goes on."""

    def forget(_: Changes) -> None:
        raise RuntimeError("no")

    source = FakeSource()
    async with open_watcher(on_change=forget, source=source, world=deterministic()) as watcher:
        source.tell("/r/a")
        await trio.sleep(120)

        assert watcher.statistics().published == 0


async def test_negative_interval_is_refused() -> None:
    """It would mean nothing."""
    with pytest.raises(ValueError, match="interval must be 0 seconds or more, not -1"):
        async with open_watcher(on_change=print, interval=-1):
            pass


async def test_silent_source_watches_nothing() -> None:
    """What tests of other rooms use: no OS thread, no inotify, no events."""
    async with open_watcher(on_change=print, source=SilentSource()) as watcher:
        watcher.watch(["/"])
        await wait_all_tasks_blocked()

        assert watcher.statistics().source.mode is WatchMode.NOTHING
        assert repr(watcher) == (
            "<Watcher: 1 roots of 1 users, 0 folders, 0 events, 0 subscriptions, nothing>"
        )
