"""The workers that a front knows: who is chosen for what, and what is known of a dead one."""

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

import attrs
import trio

from actors.server.rpc_connection import Connection
from messages.ids import ThreadId, TurnId

from .placement import Load, place_client, place_thread
from .recorded_end import RecordedEnd, find_end
from .roster import Roster

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Fate", "Loss", "Seat", "Workers"]


class Fate(Enum):
    """
    What becomes of a thread whose worker died.

    Attributes:
        GOES_ON: Another worker goes on with it.
        CLOSED: It ended: nothing of it is recorded, or it worked for another thread.
        HELD: It is left alone for a while, because too many workers died with it.
    """

    GOES_ON = "goes on"
    CLOSED = "closed"
    HELD = "held"


@attrs.frozen(kw_only=True)
class Loss:
    """
    A thread that a worker had when it died.

    Attributes:
        thread_id: Which.
        turn_id: The turn that ran; None for none.
        followers: Who is told of its fate.
        fate: What becomes of it.
    """

    thread_id: ThreadId
    turn_id: TurnId | None
    followers: frozenset[Connection]
    fate: Fate


@attrs.define(eq=False)
class Seat:
    """
    A worker at the front's table.

    Attributes:
        worker: Which.
        losses: By thread, what it had; None until it has died.
        cleared: Set when it is gone, and its threads may be opened elsewhere.
    """

    worker: "Worker"
    losses: dict[ThreadId, Loss] | None = None
    cleared: trio.Event = attrs.field(factory=trio.Event)
    # Ends of turns that were looked up, for the next client that must be told.
    _ends: dict[str, RecordedEnd | None] = attrs.field(
        factory=dict[str, RecordedEnd | None], init=False
    )

    async def end_of(self, path: str | None, turn_id: str) -> RecordedEnd | None:
        """Look up how a turn of the worker ended; see `find_end`."""
        if turn_id not in self._ends:
            self._ends[turn_id] = await find_end(path, turn_id)
        return self._ends[turn_id]


@attrs.define(eq=False)
class Workers:
    """All workers of a front, from when they are up until they are gone."""

    _roster: Roster
    _seats: "dict[Worker, Seat]" = attrs.field(factory=dict["Worker", Seat], init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __iter__(self) -> Iterator[Seat]:
        """All of them, in the order in which they came, as they are now."""
        return iter(tuple(self._seats.values()))

    def add(self, worker: "Worker") -> Seat:
        """Take in a worker that is up."""
        seat = self._seats[worker] = Seat(worker)
        self._changed.set()
        self._changed = trio.Event()
        return seat

    def clear(self, seat: Seat) -> None:
        """Forget a worker that is gone."""
        self._seats.pop(seat.worker, None)
        seat.cleared.set()

    def find(self, worker: "Worker") -> Seat | None:
        """Find a worker; None when it is gone."""
        return self._seats.get(worker)

    async def wait_cleared(self, worker: "Worker") -> None:
        """Wait until a worker that died is gone."""
        seat = self._seats.get(worker)
        if seat is not None:
            await seat.cleared.wait()

    async def wait_for_another(self) -> None:
        """Wait until one more worker comes up."""
        await self._changed.wait()

    # Choosing --------------------------------------------------------------------

    def for_thread(self) -> "Worker | None":
        """Choose who gets a thread; None when nobody can."""
        return self._numbered(place_thread(map(self._load, self)))

    def for_client(self, homes: "dict[Worker, int]") -> "Worker | None":
        """
        Choose who is a client's own worker; None when nobody can be.

        Args:
            homes: How many clients each has.
        """
        loads = (attrs.evolve(self._load(seat), clients=homes.get(seat.worker, 0)) for seat in self)
        return self._numbered(place_client(loads))

    def _load(self, seat: Seat) -> Load:
        worker = seat.worker
        return Load(
            number=worker.number,
            accepting=worker.accepting,
            turns=worker.turns,
            threads=len(worker.threads),
            reserved=self._roster.reserved(worker),
        )

    def _numbered(self, number: int | None) -> "Worker | None":
        return next((seat.worker for seat in self if seat.worker.number == number), None)
