"""The readers of an event channel, and the ring that they share with it."""

import types
from collections.abc import Callable
from typing import Generic, Self, TypeVar

import attrs
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .errors import AlreadyClosed, ChannelClosed

__all__ = ["Lagged", "Ring", "Subscription"]

T = TypeVar("T")

# Events a reader may take without letting another task run; see `Mailbox`.
_BURST = 64


@attrs.frozen
class Lagged:
    """
    The reader fell behind, and the ring has overwritten what it missed.

    Takes the place of the missed events in the stream; the next value is the
    oldest event still in the ring.

    Attributes:
        missed: How many events are gone, at least 1.
    """

    missed: int = attrs.field(validator=attrs.validators.ge(1))


@attrs.define(eq=False, weakref_slot=False)
class Ring(Generic[T]):
    """
    What a channel and its subscriptions share.

    Attributes:
        capacity: Room, in events.
        first_seq: Number of the first event ever, or since all were forgotten.
        next_seq: Number of the next event.
        events:
            The last events.  Invariant: the event numbered s is at
            (s - first_seq) % capacity, for next_seq - len(events) <= s < next_seq.
            (What is forgotten was before first_seq.)
        parked:
            Tasks that have read everything and sleep; None if there are none.
            A dict because it keeps order and forgets a cancelled task at once.
        subscriptions: How many were made and not closed.
        closed: Whether nothing more will come.
        keeps_read: Whether events stay when all subscriptions have read them.
        before_read: See `EventChannel.before_read`; None when there is nothing to do.
    """

    capacity: int
    first_seq: int
    next_seq: int
    keeps_read: bool
    events: list[T] = attrs.field(factory=list[T], init=False)
    parked: dict[Task, None] | None = attrs.field(default=None, init=False)
    subscriptions: int = attrs.field(default=0, init=False)
    closed: bool = attrs.field(default=False, init=False)
    before_read: Callable[[], None] | None = attrs.field(default=None, init=False)

    @property
    def oldest_seq(self) -> int:
        """Number of the oldest event that is there; *next_seq* when there is none."""
        return self.next_seq - len(self.events)

    def prepare(self) -> None:
        """Do what is to be done before anything is read."""
        before, self.before_read = self.before_read, None
        if before is not None:
            before()

    def park(self, task: Task) -> None:
        """Remember a task that has read everything and sleeps; see `wake_all`."""
        if self.parked is None:
            self.parked = {task: None}
        else:
            self.parked[task] = None
        if not self.keeps_read and len(self.parked) == self.subscriptions:
            self.events.clear()
            self.first_seq = self.next_seq

    def unpark(self, task: Task | None) -> bool:
        """Forget *task*; return whether it was parked."""
        if self.parked is None or task not in self.parked:
            return False
        del self.parked[task]
        return True

    def wake_all(self) -> None:
        """Let all run that sleep."""
        parked, self.parked = self.parked, None
        for task in parked or ():
            reschedule(task)


@attrs.define(eq=False, repr=False)
class Subscription(Generic[T]):
    """
    One reader of an `EventChannel`, for one task at a time.

    Made by `EventChannel.subscribe`.  Yields each event once, in order, and a
    `Lagged` for each gap.  Use it as a context manager, or close it.
    """

    _ring: Ring[T]
    # Seq of the next event to read.
    _cursor: int
    # Events read since the reader last let others run.
    _streak: int = attrs.field(default=0, init=False)
    # The reader, while it sleeps.
    _task: Task | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def next_seq(self) -> int:
        """The seq of the next event to read, if it is not lost by then."""
        return self._cursor

    @property
    def waiting(self) -> bool:
        """Whether a task waits in a receive."""
        return self._task is not None

    @enable_ki_protection
    async def receive(self) -> T | Lagged:
        """
        Return the next event, or a `Lagged` if the ring has overwritten it.

        With something to read this returns without letting other tasks run,
        except after 64 events in a row.

        Raises:
            ChannelClosed: The channel is closed and everything was read.
            AlreadyClosed: This subscription is or gets closed.
            trio.BusyResourceError: Another task reads this subscription.

        Cancellation:
            Raises `trio.Cancelled` with nothing read.
        """
        ring = self._ring
        if self._cursor == ring.next_seq or self._closed or self._task is not None:
            await self._wait_readable()
        elif self._streak < _BURST:
            await checkpoint_if_cancelled()
        else:
            self._streak = 0
            await trio.lowlevel.checkpoint()
        if ring.before_read is not None:
            ring.prepare()
        seq = self._cursor
        if seq < ring.next_seq - len(ring.events):
            return self._skip_lost()
        self._streak += 1
        self._cursor = seq + 1
        return ring.events[(seq - ring.first_seq) % ring.capacity]

    @enable_ki_protection
    def receive_nowait(self) -> T | Lagged:
        """
        Return the next event, if there is one, or a `Lagged`.

        Raises:
            trio.WouldBlock: Everything was read.
            ChannelClosed: Everything was read and the channel is closed.
            AlreadyClosed: This subscription is closed.
            trio.BusyResourceError: Another task reads this subscription.
        """
        self._check_usable()
        ring = self._ring
        seq = self._cursor
        if seq == ring.next_seq:
            if ring.closed:
                raise ChannelClosed("event channel")
            raise trio.WouldBlock
        if ring.before_read is not None:
            ring.prepare()
        if seq < ring.next_seq - len(ring.events):
            return self._skip_lost()
        self._streak += 1
        self._cursor = seq + 1
        return ring.events[(seq - ring.first_seq) % ring.capacity]

    @enable_ki_protection
    async def receive_many(self) -> list[T | Lagged]:
        """
        Return everything there is to read; wait if there is nothing.

        The cheapest way to read (a slice of the ring).

        Returns:
            Oldest first, never empty, at most one `Lagged` (at its head) and
            the capacity of the ring in events.

        Raises:
            ChannelClosed: The channel is closed and everything was read.
            AlreadyClosed: This subscription is or gets closed.
            trio.BusyResourceError: Another task reads this subscription.

        Cancellation:
            Raises `trio.Cancelled` with nothing read.
        """
        if self._cursor == self._ring.next_seq or self._closed or self._task is not None:
            await self._wait_readable()
        elif self._streak < _BURST:
            await checkpoint_if_cancelled()
        else:
            self._streak = 0
            await trio.lowlevel.checkpoint()
        return self._take_all()

    async def _wait_readable(self) -> None:
        """Wait until there is something to read, if there is not; the slow path of receiving."""
        self._check_usable()
        if self._ring.closed:
            raise ChannelClosed("event channel")
        self._streak = 0
        self._task = current_task()
        self._ring.park(self._task)
        try:
            await wait_task_rescheduled(self._abort_sleep)
        finally:
            # Not reset by whoever wakes it: from the wake-up until it runs, the
            # event is this task's, and another reader is an error.
            self._task = None
        if self._closed:
            raise AlreadyClosed("subscription")
        if self._cursor == self._ring.next_seq:
            raise ChannelClosed("event channel")

    def _check_usable(self) -> None:
        if self._closed:
            raise AlreadyClosed("subscription")
        if self._task is not None:
            raise trio.BusyResourceError("another task already reads this subscription")

    def _abort_sleep(self, _: RaiseCancelT) -> Abort:
        self._ring.unpark(self._task)
        return Abort.SUCCEEDED

    def _skip_lost(self) -> Lagged:
        missed = self._ring.oldest_seq - self._cursor
        self._cursor += missed
        return Lagged(missed)

    def _take_all(self) -> list[T | Lagged]:
        ring = self._ring
        if ring.before_read is not None:
            ring.prepare()
        taken: list[T | Lagged] = []
        if self._cursor < ring.oldest_seq:
            taken.append(self._skip_lost())
        count = ring.next_seq - self._cursor
        start = (self._cursor - ring.first_seq) % ring.capacity
        taken += ring.events[start : start + count]
        taken += ring.events[: max(0, start + count - ring.capacity)]
        self._cursor = ring.next_seq
        self._streak += len(taken)
        return taken

    def __aiter__(self) -> Self:
        """Iterate until the channel is closed and everything was read."""
        return self

    @enable_ki_protection
    async def __anext__(self) -> T | Lagged:
        # `receive`, written out: one coroutine less for each event.
        ring = self._ring
        if self._cursor == ring.next_seq or self._closed or self._task is not None:
            try:
                await self._wait_readable()
            except ChannelClosed:
                raise StopAsyncIteration from None
        elif self._streak < _BURST:
            await checkpoint_if_cancelled()
        else:
            self._streak = 0
            await trio.lowlevel.checkpoint()
        if ring.before_read is not None:
            ring.prepare()
        seq = self._cursor
        if seq < ring.next_seq - len(ring.events):
            return self._skip_lost()
        self._streak += 1
        self._cursor = seq + 1
        return ring.events[(seq - ring.first_seq) % ring.capacity]

    @enable_ki_protection
    def close(self) -> None:
        """
        Stop reading.

        A task that waits in a receive gets `AlreadyClosed`.  Closing again
        does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self._ring.subscriptions -= 1
        task = self._task
        # Parked only while it sleeps and nobody has woken it yet.
        if task is not None and self._ring.unpark(task):
            reschedule(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "waiting" if self._task else "open"
        behind = self._ring.next_seq - self._cursor
        return f"<Subscription: next {self._cursor}, {behind} behind, {state}>"
