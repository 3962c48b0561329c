"""The watch: a value, and a way to wait until it changes."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.runtime import AlreadyClosed, ChannelClosed, Watch


async def test_watcher_sees_the_latest_value_only() -> None:
    """Values set in one go are conflated; the version tells how many there were."""
    watch = Watch("a")
    seen: list[tuple[int, str]] = []

    async def look() -> None:
        version = 0
        try:
            while True:
                version = await watch.wait_changed(version)
                seen.append((version, watch.value))
        except ChannelClosed:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await wait_all_tasks_blocked()
        watch.set("b")
        watch.set("c")
        await wait_all_tasks_blocked()
        watch.set("c")
        watch.close()

    assert seen == [(2, "c"), (3, "c")]


async def test_watcher_that_is_behind_does_not_wait() -> None:
    """A change that has already happened counts."""
    watch = Watch(0)
    watch.set(1)

    assert await watch.wait_changed(0) == 1
    assert (watch.version, watch.value) == (1, 1)


async def test_wait_for_returns_the_first_latest_value_that_fits() -> None:
    """The present value counts; values that were overwritten do not."""
    watch = Watch(0)
    assert await watch.wait_for(lambda value: value == 0) == 0
    found: list[int] = []

    async def look() -> None:
        found.append(await watch.wait_for(lambda value: value % 10 == 5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await wait_all_tasks_blocked()
        watch.set(5)
        watch.set(6)
        await wait_all_tasks_blocked()
        assert found == []
        watch.set(15)

    assert found == [15]


async def test_closed_watch_keeps_its_value_and_ends_watchers() -> None:
    """The value is final: who waits for another one ends."""
    watch = Watch(1)
    ended: list[str] = []

    async def look(name: str) -> None:
        with pytest.raises(ChannelClosed):
            if name == "changed":
                await watch.wait_changed(0)
            else:
                await watch.wait_for(lambda value: value == 2)
        ended.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, "changed")
        nursery.start_soon(look, "for")
        await wait_all_tasks_blocked()
        watch.close()
        watch.close()

    assert sorted(ended) == ["changed", "for"]
    assert watch.closed
    assert watch.value == 1
    assert await watch.wait_for(lambda value: value == 1) == 1
    with pytest.raises(AlreadyClosed):
        watch.set(2)
    assert (watch.version, watch.value) == (0, 1)


async def test_last_change_before_the_close_is_seen() -> None:
    """Setting and closing in one go still shows the last value."""
    watch = Watch(0)
    seen: list[int] = []

    async def look() -> None:
        seen.append(await watch.wait_changed(0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await wait_all_tasks_blocked()
        watch.set(1)
        watch.close()

    assert seen == [1]


async def test_cancelled_watcher_changes_nothing() -> None:
    """Both waits are cancel points, also when they need not wait."""
    watch = Watch(0)

    for after in (0, -1):
        with trio.move_on_after(0) as scope:
            await watch.wait_changed(after)
        assert scope.cancelled_caught
    with trio.move_on_after(0) as scope:
        await watch.wait_for(lambda value: value == 0)
    assert scope.cancelled_caught
    assert repr(watch) == "<Watch: 0, set 0 times, 0 waiting, open>"


def test_repr_tells_the_state() -> None:
    """One status line."""
    watch = Watch("idle")
    watch.set("running")
    watch.close()

    assert repr(watch) == "<Watch: 'running', set 1 times, 0 waiting, closed>"
