"""Opening the watcher, and what its users hold of it."""

import types
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import PurePath
from typing import Final, Self

import attrs
import trio

from actors.runtime import (
    ChildSpec,
    DynamicSupervisor,
    EventChannel,
    Intensity,
    Restart,
    Subscription,
    World,
)

from .actor import Changed, Finish, WatcherActor
from .event import FileWatcherEvent
from .file_source import FileSource
from .source import Changes, ChangeSource, SourceStatistics

__all__ = ["WatchedRoots", "Watcher", "WatcherStatistics", "open_watcher"]

_CAPACITY: Final = 128
"""
Events a subscriber may be behind.

As many as in Codex.  At one event per ten seconds that is twenty minutes; who
is away for longer must take everything as changed.
"""

_INTENSITY: Final = Intensity(restarts=5, period=60.0, backoff_cap=5.0)
"""Nobody waits for the watcher, so that a few attempts cost nothing."""


@attrs.frozen(kw_only=True)
class WatcherStatistics:
    """
    One look at the watcher.

    Attributes:
        roots: How many different roots are watched.
        users: How many `WatchedRoots` are held.
        published: How many events there were.
        subscriptions: How many readers they have.
        source: How the roots are watched.
    """

    roots: int
    users: int
    published: int
    subscriptions: int
    source: SourceStatistics


@attrs.define(eq=False, repr=False)
class Watcher:
    """
    Watches the roots of all its users, with one source; made by `open_watcher`.

    A root is watched from its first user to its last.
    """

    _source: ChangeSource
    _on_change: Callable[[Changes], None]
    _interval: float
    _events: EventChannel[FileWatcherEvent] = attrs.field(
        factory=lambda: EventChannel[FileWatcherEvent](capacity=_CAPACITY), init=False
    )
    # How many hold each root.
    _users: Counter[str] = attrs.field(factory=Counter[str], init=False)
    _held: int = attrs.field(default=0, init=False)
    _crashed: bool = attrs.field(default=False, init=False)
    _listening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    def watch(self, roots: Iterable[str]) -> "WatchedRoots":
        """
        Watch some roots, until what is returned is released; never waits.

        What changes in them after this call is told of.  Roots need not exist:
        one that comes into being later is watched from then on.  When the
        watcher is closed this changes nothing.

        Args:
            roots: Absolute paths of folders.

        Raises:
            ValueError: One of them is not absolute; none is watched.
        """
        held = frozenset(map(_checked, roots))
        self._held += 1
        if held:  # most threads of tests, and of programs without skills, have none
            self._users.update(held)
            self._source.set_roots(frozenset(self._users))
        return WatchedRoots(self, held)

    def subscribe(self) -> Subscription[FileWatcherEvent]:
        """
        Hear of every change from now on.

        A reader that is more than 128 events behind gets a `Lagged`; read it
        through `FileWatcherEvent.received`, as "everything may have changed".
        The stream ends when the watcher is closed.
        """
        return self._events.subscribe()

    def release(self, roots: frozenset[str]) -> None:
        """Take one user from each of these; for `WatchedRoots.release`."""
        self._held -= 1
        if roots:
            self._users.subtract(roots)
            self._users = +self._users
            self._source.set_roots(frozenset(self._users))

    async def run(self, *, task_status: "trio.TaskStatus[None]") -> None:
        """Run the actor and its source until told to stop; for `open_watcher`."""
        actor = WatcherActor(self._on_change, self._events, self._interval, address="watcher")
        self._listening = trio.CancelScope()

        async def report(paths: Changes) -> None:
            await actor.ref.tell(Changed(paths))

        if self._crashed:
            await report(None)  # nobody knows what was missed meanwhile
        self._crashed = True
        async with trio.open_nursery() as nursery:
            await nursery.start(actor.run)
            task_status.started()
            with self._listening:
                await self._source.run(report)
            await actor.ref.tell(Finish())

    def stop(self) -> None:
        """Tell it to end after what the source has seen; for `open_watcher`."""
        self._listening.cancel()

    def close(self) -> None:
        """End the stream of events; for `open_watcher`."""
        self._events.close()

    def statistics(self) -> WatcherStatistics:
        """Return what it watches, and for whom."""
        events = self._events.statistics()
        return WatcherStatistics(
            roots=len(self._users),
            users=self._held,
            published=events.next_seq - 1,
            subscriptions=events.subscriptions,
            source=self._source.statistics(),
        )

    def __repr__(self) -> str:
        now = self.statistics()
        state = "closed" if self._events.closed else now.source.mode.value
        return (
            f"<Watcher: {now.roots} roots of {now.users} users, {now.source.folders} folders, "
            f"{now.published} events, {now.subscriptions} subscriptions, {state}>"
        )


@attrs.define(eq=False, repr=False)
class WatchedRoots:
    """
    The roots of one user, watched until released; made by `Watcher.watch`.

    Use it as a context manager, or release it.

    Attributes:
        roots: Which they are.
    """

    _watcher: Watcher
    roots: frozenset[str]
    _released: bool = attrs.field(default=False, init=False)

    def release(self) -> None:
        """Stop watching what nobody else watches; doing it again does nothing."""
        if not self._released:
            self._released = True
            self._watcher.release(self.roots)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<WatchedRoots: {len(self.roots)}, {'released' if self._released else 'watched'}>"


@asynccontextmanager
async def open_watcher(
    *,
    on_change: Callable[[Changes], None],
    interval: float = 10.0,
    source: ChangeSource | None = None,
    world: World | None = None,
) -> AsyncGenerator[Watcher]:
    """
    Run a watcher for as long as the block lasts.

    Nothing is watched before the first root.  At the end of the block, changes
    that were collected are published, and subscriptions end.  A watcher that
    crashes is started again, and says that everything may have changed; it never
    takes the block down.

    Args:
        on_change:
            Told of every change at once, before the event that tells of it; the
            place to forget what was remembered.  Gets the paths, or None if
            everything may have changed.  Must not wait.
        interval: Seconds between two events; 0 to publish each change by itself.
        source: Where changes come from; by default the files themselves.
        world: For the jitter of restarts.

    Raises:
        ValueError: *interval* is negative.

    Cancellation:
        The watcher has ended, and left nothing behind, after less than 100 ms.
    """
    if not interval >= 0:
        raise ValueError(f"a watcher's interval must be 0 seconds or more, not {interval!r}")
    watcher = Watcher(source or FileSource(), on_change, interval)
    supervisor = DynamicSupervisor(
        "watcher", jitter=(world or World.system()).random, intensity=_INTENSITY
    )
    spec = ChildSpec(id="watcher", run=watcher.run, restart=Restart.PERMANENT, stop=watcher.stop)
    try:
        async with supervisor:
            await supervisor.start_child(spec)
            yield watcher
    finally:
        watcher.close()


# Threads come with the same roots, one after the other.
@lru_cache(maxsize=1024)
def _checked(root: str) -> str:
    path = PurePath(root)
    if not path.is_absolute():
        raise ValueError(f"cannot watch {root!r}: a root must be an absolute path")
    return str(path)
