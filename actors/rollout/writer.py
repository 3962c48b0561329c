"""What the recorders of one process share: the writer task, its clock and its retries."""

import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Never, Protocol

import attrs
import trio

from actors.runtime import World

from .commit import GroupCommit
from .files import Files
from .layout import Stamps

__all__ = ["Patience", "SharedWriter", "Writable"]

# Recorders to serve before other tasks get a turn: 64 writes are some 60 us.
_BURST = 64


class Writable(Protocol):
    """Something with buffered lines."""

    def write_now(self) -> None:
        """Write what is buffered; never raises, never waits."""
        ...


@attrs.frozen(kw_only=True)
class Patience:
    """
    How long the journal goes on trying.

    Attributes:
        first_delay: Seconds until a failed write is tried again; doubles each time.
        longest_delay: Seconds at most between two tries.
        close: Seconds that closing may take while the disk refuses.
    """

    first_delay: float = 0.05
    longest_delay: float = 2.0
    close: float = 5.0


@attrs.define(eq=False)
class SharedWriter:
    """
    Writes what recorders buffered, some milliseconds later, all in one pass.

    Attributes:
        files: The file system.
        patience: See `Patience`.
        commit: Group commit; None when records are not synced.
    """

    files: Files
    patience: Patience
    commit: GroupCommit | None
    _world: World
    _interval: float
    _nursery: trio.Nursery
    _stamps: Stamps = attrs.field(factory=Stamps, init=False)
    # Bound: each recorder is in here at most once, from its first buffered line
    # until it is written.
    _dirty: list[Writable] = attrs.field(factory=list[Writable], init=False)
    # The writer task sleeps in here; its deadline is when it has something to do.
    _nap: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    def stamp(self) -> str:
        """Write the time of now as rollouts do."""
        return self._stamps.stamp(self._world.now())

    def write_soon(self, recorder: Writable) -> None:
        """Write *recorder*'s lines in a few milliseconds; once for each first line."""
        if not self._dirty:
            self._nap.deadline = trio.current_time() + self._interval
        self._dirty.append(recorder)

    async def run(self) -> Never:
        """Write, pass by pass, until cancelled."""
        while True:
            with trio.CancelScope(deadline=math.inf) as self._nap:
                if self._dirty:  # added during the pass before
                    self._nap.deadline = trio.current_time() + self._interval
                await trio.sleep_forever()
            dirty, self._dirty = self._dirty, []
            for count, recorder in enumerate(dirty, 1):
                recorder.write_now()
                if not count % _BURST:
                    await trio.lowlevel.checkpoint()

    def start_soon(self, retry: Callable[[], Awaitable[object]], name: str) -> None:
        """Run *retry* as a task of the journal."""
        self._nursery.start_soon(retry, name=name)

    def delays(self) -> Iterator[float]:
        """Yield how long to wait before each further try; endless, with jitter."""
        delay = self.patience.first_delay
        while True:
            yield delay * self._world.random.uniform(0.8, 1.2)
            delay = min(delay * 2, self.patience.longest_delay)
