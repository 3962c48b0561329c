"""Which worker has which thread, how the thread was opened, and who follows it."""

from collections import Counter, OrderedDict
from collections.abc import Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio

from messages.control import Overridden
from messages.ids import ThreadId, TurnId
from messages.ops import OverrideTurnContext
from messages.value import Json

from .roster_states import SETTLED, Move, State, after

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Entry", "Roster"]

_COMING: Final = (State.RESERVED, State.ADOPTING)

_CLOSED: Final = 1024
"""Threads whose end is remembered, for answers that are behind it; more are never on their way."""

_OVERRIDDEN: Final = 32
"""
Changes of settings that are remembered for a thread, and turns after each of them.

Of so many turns one was no compaction, and recorded what it ran with.
"""

_LEFT_OUT: Final = ("history", "initialTurnsPage", "excludeTurns")
"""What is not kept of a request that opened a thread: it is about its answer, or recorded."""


@attrs.define(eq=False, repr=False)
class Entry:
    """
    One thread that is in a worker, or on its way to one.

    Attributes:
        thread_id: Which.
        state: How it stands to the workers; None when it has left the roster.
        worker: Who has it, loads it or takes it over; None exactly while it is homeless.
        opening: The request that opened it; None when none of this pool did.
        parent_id: For which thread it works; None for one that a client opened.
        ephemeral: Whether nothing of it is recorded.
        status: What its worker said last of its status; None before that.
        turn_id: The turn that its worker began last.
        overridden: Settings that may not be recorded yet, oldest first.
        followers: The clients that are told of it, oldest first.
        settled: Set while requests for it have a worker to go to, and when it is gone.
    """

    thread_id: ThreadId
    state: State | None = None
    worker: "Worker | None" = None
    opening: Json = None
    parent_id: ThreadId | None = None
    ephemeral: bool = False
    status: Json = None
    turn_id: TurnId | None = None
    overridden: tuple[Overridden, ...] = ()
    followers: dict[Any, None] = attrs.field(factory=dict[Any, None])
    settled: trio.Event = attrs.field(factory=trio.Event)
    # Requests that may load it and are not answered, and the last one that was sent.
    reservations: int = 0
    reopening: Json = None
    # Requests for it that its worker works on, and who waits until there are none.
    _in_flight: int = attrs.field(default=0, init=False)
    _quiet: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    @contextmanager
    def working(self) -> Generator[None]:
        """Count a request that its worker works on inside of this."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._quiet.unpark_all()

    def override(self, op: OverrideTurnContext) -> None:
        """Note that settings were changed for the turns from now on."""
        self.overridden = (*self.overridden, Overridden(op=op))[-_OVERRIDDEN:]

    def begin_turn(self, turn_id: TurnId) -> None:
        """Note that its worker began a turn, which may record the settings."""
        self.turn_id = turn_id
        self.overridden = tuple(
            attrs.evolve(changed, turns=(*changed.turns, turn_id))
            for changed in self.overridden
            if len(changed.turns) < _OVERRIDDEN - 1
        )

    def begin_again(self) -> None:
        """Forget all that was of the thread which ended, for the one that is being loaded."""
        self.opening, self.reopening = self.reopening, None
        self.status = self.turn_id = None
        self.overridden = ()
        self.followers.clear()

    async def wait_quiet(self) -> None:
        """Wait until its worker works on no request for it."""
        while self._in_flight:
            await self._quiet.park()

    def __repr__(self) -> str:
        state = "gone" if self.state is None else self.state.value
        where = "" if self.worker is None else f" at worker {self.worker.number}"
        return f"<Entry {self.thread_id}: {state}{where}, {len(self.followers)} followers>"


@attrs.define(eq=False)
class Roster:
    """
    All threads that are in workers or on their way; only bookkeeping, nothing waits here.

    It believes two sources, which may be apart by a moment: what workers say of their
    threads, and the answers that pass.  Each alone is enough to know of a thread.
    """

    _entries: dict[ThreadId, Entry] = attrs.field(factory=dict[ThreadId, Entry], init=False)
    # Requests that load threads whose ids nobody knows yet.
    _expected: "Counter[Worker]" = attrs.field(factory=Counter["Worker"], init=False)
    # Threads by the worker that loads them or takes them over.
    _coming: "Counter[Worker]" = attrs.field(factory=Counter["Worker"], init=False)
    # Whoever waits until nothing is loaded.
    _answered: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    # Threads that workers closed, oldest first.
    _closed: "OrderedDict[tuple[int, ThreadId], None]" = attrs.field(
        factory=OrderedDict[tuple[int, ThreadId], None], init=False
    )

    # Looking ------------------------------------------------------------------

    def __iter__(self) -> Iterator[Entry]:
        """All of them, as they are now."""
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, thread_id: ThreadId | None) -> Entry | None:
        """Find a thread; None when it is in no worker and on no way."""
        return None if thread_id is None else self._entries.get(thread_id)

    def at(self, worker: "Worker") -> tuple[Entry, ...]:
        """List what a worker has, loads, lets go of or takes over."""
        return tuple(entry for entry in self if entry.worker is worker)

    def loaded_ids(self) -> list[str]:
        """List the threads that clients may take for loaded, in the order of their ids."""
        return sorted(entry.thread_id for entry in self if entry.state is not State.RESERVED)

    def opening_at(self, worker: "Worker") -> list[ThreadId]:
        """List what a worker is loading on request."""
        return [
            entry.thread_id
            for entry in self.at(worker)
            if entry.state is State.RESERVED and entry.opening is not None
        ]

    def reserved(self, worker: "Worker") -> int:
        """Count the threads that a worker is to load and does not have yet."""
        return self._coming[worker] + self._expected[worker]

    def followers(self, entry: Entry) -> tuple[Any, ...]:
        """List who hears of a thread: those who follow it, or one that it works for."""
        found = dict(entry.followers)
        parent = self.find(entry.parent_id)
        while parent is not None:
            found.update(parent.followers)
            parent = self.find(parent.parent_id)
        return tuple(found)

    # Requests that load threads -------------------------------------------------

    @contextmanager
    def opening(
        self, worker: "Worker", thread_id: ThreadId | None, opening: Json
    ) -> Generator[None]:
        """
        Count a request that may load a thread, from before it is sent until it is answered.

        Args:
            worker: Where it goes.
            thread_id: The thread; None for a new one.
            opening: The request; None when it does not load the thread, but must find it as it is.
        """
        entry = None if thread_id is None else self._reserve(worker, thread_id, opening)
        if entry is None:
            self._expected[worker] += 1
        try:
            yield
        finally:
            if entry is not None:
                self._drop(entry)
            elif self._expected[worker] > 0:  # else it died, with all that was expected
                self._expected[worker] -= 1
            self._answered.unpark_all()

    def _reserve(self, worker: "Worker", thread_id: ThreadId, opening: Json) -> Entry:
        entry = self._entries.get(thread_id) or Entry(thread_id)
        entry.reopening = _kept(opening)
        if entry.state is None or (entry.opening is None and entry.state is State.RESERVED):
            entry.opening = entry.reopening
        self._move(entry, Move.RESERVE, worker)
        entry.reservations += 1
        return entry

    def _drop(self, entry: Entry) -> None:
        entry.reservations -= 1
        if not entry.reservations and entry.state is not None:
            self._move(entry, Move.DROP, entry.worker)

    async def wait_answered(self, worker: "Worker") -> None:
        """Wait until a worker loads nothing and takes nothing over."""
        while self._expected[worker] or any(map(_is_coming, self.at(worker))):
            await self._answered.park()

    # What is heard ----------------------------------------------------------------

    def answered(self, worker: "Worker", thread_id: ThreadId, opening: Json) -> Entry | None:
        """Take in that a request was answered with a loaded thread; None when that is over."""
        if (worker.number, thread_id) in self._closed:
            return None
        return self._opened(worker, thread_id, opening)

    def opened(
        self, worker: "Worker", thread_id: ThreadId, parent_id: ThreadId | None, *, ephemeral: bool
    ) -> Entry | None:
        """Take in that a worker says that it has a thread; None when another one has it."""
        self._closed.pop((worker.number, thread_id), None)
        entry = self._opened(worker, thread_id, None)
        if entry is not None:
            entry.parent_id, entry.ephemeral = parent_id, ephemeral
        return entry

    def _opened(self, worker: "Worker", thread_id: ThreadId, opening: Json) -> Entry | None:
        entry = self._entries.get(thread_id) or Entry(thread_id)
        if entry.state is not None and entry.worker is not worker:
            return None
        entry.opening = entry.opening or _kept(opening)
        self._move(entry, Move.OPEN, worker)
        return entry

    def closed(self, worker: "Worker", thread_id: ThreadId) -> None:
        """Take in that a worker says that it has a thread no more."""
        self._closed[worker.number, thread_id] = None
        while len(self._closed) > _CLOSED:
            self._closed.popitem(last=False)
        entry = self._entries.get(thread_id)
        if entry is None or entry.worker is not worker:
            return
        if entry.state is State.LOADED and entry.reservations:
            entry.begin_again()
            self._move(entry, Move.UNLOAD, worker)
        else:
            self._move(entry, Move.CLOSE, worker)

    # What is done -------------------------------------------------------------------

    def lose(self, worker: "Worker") -> tuple[Entry, ...]:
        """
        Take everything from a worker that died.

        Returns:
            What it had loaded, which is homeless now.
        """
        del self._expected[worker]
        had: list[Entry] = []
        for entry in self.at(worker):
            state = entry.state
            if state is State.ADOPTING:
                continue  # whoever waits for that knows
            self._move(entry, Move.LOSE, None)
            if state is not State.RESERVED:
                had.append(entry)
        self._answered.unpark_all()
        return tuple(had)

    def release(self, entry: Entry) -> None:
        """Note that its worker is told to let go of it."""
        self._move(entry, Move.RELEASE, entry.worker)

    def keep(self, entry: Entry) -> None:
        """Note that its worker could not let go of it."""
        self._move(entry, Move.KEEP, entry.worker)

    def part(self, entry: Entry) -> None:
        """Note that its worker has let go of it."""
        self._move(entry, Move.PART, None)

    def adopt(self, entry: Entry, worker: "Worker") -> None:
        """Note that a worker is told to take it over."""
        entry.status = entry.turn_id = None  # were of the worker before
        self._move(entry, Move.ADOPT, worker)

    def fail(self, entry: Entry) -> None:
        """Note that the worker that was to take it over died."""
        self._move(entry, Move.FAIL, None)

    def settle(self, entry: Entry) -> None:
        """Note that the worker that took it over has it."""
        self._move(entry, Move.SETTLE, entry.worker)

    def give_up(self, entry: Entry) -> None:
        """Note that it is not gone on with."""
        self._move(entry, Move.GIVE_UP, None)

    def _move(self, entry: Entry, move: Move, worker: "Worker | None") -> None:
        state = after(entry.state, move)
        self._count(entry, -1)
        entry.state, entry.worker = state, None if state is None else worker
        self._count(entry, 1)
        if entry.state is None:
            self._entries.pop(entry.thread_id, None)
        else:
            self._entries[entry.thread_id] = entry
        if entry.state is None or entry.state in SETTLED:
            entry.settled.set()
        elif entry.settled.is_set():
            entry.settled = trio.Event()

    def _count(self, entry: Entry, change: int) -> None:
        if entry.worker is not None and entry.state in _COMING:
            self._coming[entry.worker] += change
            if not self._coming[entry.worker]:
                del self._coming[entry.worker]
                self._answered.unpark_all()

    # Who follows --------------------------------------------------------------------

    def forget(self, client: Hashable) -> None:
        """Let a client that has left follow nothing any more."""
        for entry in self._entries.values():
            entry.followers.pop(client, None)


def _is_coming(entry: Entry) -> bool:
    return bool(entry.reservations) or entry.state is State.ADOPTING


def _kept(opening: Json) -> Json:
    """Leave out of a request what a second one like it does not need."""
    if not isinstance(opening, Mapping):
        return None
    request = cast("Mapping[str, Json]", opening)  # made by the front
    params = request["params"]
    if isinstance(params, Mapping):
        asked = cast("Mapping[str, Json]", params)  # JSON objects have names
        params = {name: value for name, value in asked.items() if name not in _LEFT_OUT}
    return {"method": request["method"], "params": params}
