"""All places of a pool: their supervision, their replacement, and their end."""

import logging
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.runtime import (
    DynamicSupervisor,
    ExitReason,
    Intensity,
    IntensityExceeded,
    UnknownChild,
)

from .draining import give_away
from .errors import PoolDraining, PoolFailed
from .process.fork_link import ForkServer
from .slot import Pulse, Slot
from .values import SlotState, SlotStatistics

if TYPE_CHECKING:
    from .front.front import Front

__all__ = ["Slots"]

_log = logging.getLogger("actors")

_CLOSING: Final = 2.0
"""Seconds that threads get to close when their worker stops; interrupting takes less."""

_BEYOND: Final = 2.0
"""Seconds beyond that, after which a worker is killed; it kills itself before."""


@attrs.define(eq=False, repr=False)
class Slots:
    """
    The places of a pool, each with a worker, and for a while with two while it is replaced.

    A worker that died is replaced after a short, growing delay.  A place whose workers died
    more often than *intensity* allows is lost; when all are, the pool has failed.

    Attributes:
        places: How many there are.
        fork_server: Starts the workers of places that are opened or replaced from now on.
        intensity: How often workers of one place may die.
        closing: Whether the pool ends, and no worker is replaced any more.
        failed: Set when no place is left.
        failure: Why, then.
    """

    places: int
    fork_server: ForkServer
    _front: "Front"
    _pulse: Pulse
    intensity: Intensity
    _jitter: random.Random
    closing: bool = attrs.field(default=False, init=False)
    failed: trio.Event = attrs.field(factory=trio.Event, init=False)
    failure: PoolFailed | None = attrs.field(default=None, init=False)

    supervisor: DynamicSupervisor = attrs.field(init=False)
    # Invariant: by the id of its child, whoever is in charge of a place, or leaves it.  Lost
    # ones stay until they are replaced, all others until their child has ended.
    _slots: dict[str, Slot] = attrs.field(factory=dict[str, Slot], init=False)
    # By place, the id of the one in charge.
    _in_charge: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
    _child_numbers: "count[int]" = attrs.field(factory=lambda: count(1), init=False)
    _worker_numbers: "count[int]" = attrs.field(factory=lambda: count(1), init=False)
    _last_loss: IntensityExceeded | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.supervisor = DynamicSupervisor(
            "pool",
            jitter=self._jitter,
            intensity=self.intensity,
            shutdown=_CLOSING + _BEYOND,
            on_exit=self._on_exit,
            on_restarting=self._on_restarting,
            on_gave_up=self._on_gave_up,
        )

    def __iter__(self) -> Iterator[Slot]:
        """All slots, by place; one that leaves before the one that came for it."""
        return iter(sorted(self._slots.values(), key=lambda slot: slot.place))

    def statistics(self) -> tuple[SlotStatistics, ...]:
        """Return how they are, in the same order."""
        return tuple(slot.statistics() for slot in self)

    def fork_servers(self) -> list[ForkServer]:
        """List those whose workers may run, or be started again."""
        return [slot.fork_server for slot in self._slots.values()]

    # Opening and replacing ----------------------------------------------------

    async def open_all(self) -> None:
        """
        Start a worker in each place, one after another.

        Raises:
            WorkerNotStarted: One did not come up; the others are up.
        """
        for place in range(1, self.places + 1):
            await self._open(place)

    async def replace_all(self, *, grace: float) -> None:
        """
        Replace the worker in each place, one after another.

        The new worker is up before the old one begins to give its threads away, and the old
        one ends when it has none.  Lost places get a worker again.

        Args:
            grace: Seconds that the turns of each worker get to end by themselves.

        Raises:
            WorkerNotStarted: A new one did not come up; its place has its old one.
            PoolDraining: The pool ends; places that were not reached have their old workers.

        Cancellation:
            Places that were not reached have their old workers.  Of the one that is being
            replaced see `_replace`.
        """
        for place in range(1, self.places + 1):
            if self.closing:
                raise PoolDraining
            await self._replace(place, grace)

    async def _open(self, place: int, restarts: int = 0) -> None:
        child_id = f"place {place}/{next(self._child_numbers)}"
        slot = Slot(
            place,
            self.fork_server,
            self._front,
            self._pulse,
            lambda: next(self._worker_numbers),
            restarts,
        )
        self._slots[child_id] = slot
        try:
            await self.supervisor.start_child(slot.spec(child_id))
        except BaseException:
            del self._slots[child_id]
            raise
        self._in_charge[place] = child_id

    async def _replace(self, place: int, grace: float) -> None:
        """
        Replace one.

        Cancellation:
            When the pool goes on, the old worker is killed, and its threads are gone on
            with as after any crash.  When the pool ends, they end with all others.
        """
        old_id = self._in_charge[place]
        old = self._slots[old_id]
        await self._open(place, old.restarts)
        if old.state is SlotState.LOST:
            del self._slots[old_id]
            return
        _log.info("%r is replaced", old)
        try:
            await give_away(self._front, old, grace=grace)
        except BaseException:
            if not self.closing:
                old.kill()
            raise
        await self._stop(old_id)

    async def _stop(self, child_id: str) -> None:
        with suppress(UnknownChild):  # it died on its way
            await self.supervisor.stop_child(child_id, grace=_BEYOND)

    async def stop_all(self) -> None:
        """
        Stop all workers, all at once: their threads are closed, running turns interrupted.

        Cancellation:
            They were told.
        """
        self.closing = True
        for slot in self:
            slot.grace = _CLOSING
        await self.supervisor.stop_all(grace=_CLOSING + _BEYOND)

    # What the supervisor tells ------------------------------------------------

    def _on_restarting(self, child_id: str, reason: ExitReason, delay: float) -> None:
        del reason, delay  # logged by the supervisor
        self._slots[child_id].restarts += 1

    def _on_gave_up(self, child_id: str, error: IntensityExceeded) -> None:
        slot = self._slots[child_id]
        slot.state = SlotState.LOST
        _log.error("place %d is lost: %s", slot.place, error)
        self._last_loss = error
        self._look_whether_failed()

    def _on_exit(self, child_id: str, reason: ExitReason) -> None:
        del reason
        if self._slots[child_id].state is not SlotState.LOST:
            del self._slots[child_id]
            self._look_whether_failed()

    def _look_whether_failed(self) -> None:
        lost = sum(slot.state is SlotState.LOST for slot in self)
        if not lost == len(self._slots) == self.places:
            return
        limits, loss = self.intensity, self._last_loss
        last = str(loss and (loss.__cause__ or loss))
        self.failure = PoolFailed(self.places, limits.restarts, limits.period, last)
        self.failure.__cause__ = loss
        self.failed.set()

    def __repr__(self) -> str:
        up = sum(slot.state is SlotState.UP for slot in self)
        return f"<Slots: {up} of {self.places} up{', closing' if self.closing else ''}>"
