"""One bounded ring of events, and any number of readers at their own pace."""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from trio.lowlevel import enable_ki_protection

from .errors import AlreadyClosed
from .subscription import Ring, Subscription

__all__ = ["EventChannel", "EventChannelStatistics"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class EventChannelStatistics:
    """
    One look at an event channel.

    Attributes:
        next_seq: The seq that the next published event will get.
        oldest_seq: The oldest seq in the ring; equals *next_seq* if it is empty.
        capacity: Room in the ring, in events.
        subscriptions: Subscriptions that were made and not closed.
        waiting: Subscriptions that sleep until something is published.
        closed: Whether `EventChannel.close` was called.
    """

    next_seq: int
    oldest_seq: int
    capacity: int
    subscriptions: int
    waiting: int
    closed: bool


class EventChannel(Generic[T]):
    """
    The bounded way out of one actor.

    Events are numbered; the numbers have no gaps.  The channel keeps the last
    *capacity* events in one ring, which all subscriptions share.  Publishing
    never waits: when the ring is full, the oldest event is overwritten, and
    a subscription that had not read it yet gets `Lagged` in its place.  A slow
    reader costs neither the publisher nor other readers anything.

    The ring grows with its content, so that an idle channel is small.
    """

    __slots__ = ("_ring",)

    def __init__(
        self, *, capacity: int = 1024, first_seq: int = 1, keeps_read: bool = True
    ) -> None:
        """
        Make an empty channel.

        Args:
            capacity:
                Room in the ring, in events.  1024 by default: a busy turn
                publishes a few hundred events a second, so that a reader may
                be away for a second or more before it loses any.
            first_seq:
                Number of the first event.  An actor that was restarted passes
                the next number of its predecessor, so that its clients see one
                numbering.
            keeps_read:
                Whether events stay in the ring, for later subscribers, when all
                subscriptions have read them.  If not, an idle channel is empty.

        Raises:
            ValueError: One of them is below 1.
        """
        if capacity < 1 or first_seq < 1:
            raise ValueError(
                f"an event channel needs capacity and first_seq from 1, "
                f"not {capacity!r} and {first_seq!r}"
            )
        self._ring = Ring[T](capacity, first_seq, first_seq, keeps_read)

    @property
    def capacity(self) -> int:
        """Room in the ring, in events."""
        return self._ring.capacity

    @property
    def next_seq(self) -> int:
        """The seq that the next published event will get."""
        return self._ring.next_seq

    @property
    def oldest_seq(self) -> int:
        """The oldest seq still in the ring; equals `next_seq` if the ring is empty."""
        return self._ring.oldest_seq

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._ring.closed

    def forget_read(self) -> None:
        """
        Keep nothing any more that all subscriptions have read.

        Who subscribes later to what is gone gets a `Lagged` first, as for what was
        overwritten.
        """
        self._ring.keeps_read = False

    @enable_ki_protection
    def publish(self, value: T) -> int:
        """
        Give *value* to every subscription; never waits.

        Subscribers run after the publisher next lets them: a burst of events
        costs one wake-up a reader.

        Returns:
            The seq of this event.

        Raises:
            AlreadyClosed: The channel is closed; nothing was published.
        """
        ring = self._ring
        if ring.closed:
            raise AlreadyClosed("event channel")
        seq = ring.next_seq
        events = ring.events
        if len(events) < ring.capacity:
            events.append(value)
        else:
            events[(seq - ring.first_seq) % ring.capacity] = value
        ring.next_seq = seq + 1
        if ring.parked:
            ring.wake_all()
        return seq

    def before_read(self, action: Callable[[], None]) -> None:
        """
        Do something once, before any subscription gets another event.

        For what has to be so when others learn of an event, and is cheaper done once
        for all that were published in a row.  It takes the place of what is not done yet;
        it may publish, and must neither wait nor raise.
        """
        self._ring.before_read = action

    def subscribe(self, *, from_seq: int | None = None) -> "Subscription[T]":
        """
        Return a new reader.

        Works on a closed channel too: what is left in the ring can be read.

        Args:
            from_seq:
                The first event to read.  None means only what is published
                from now on.  If it is no longer in the ring, the first value
                read is a `Lagged`.

        Raises:
            ValueError: *from_seq* is below 1 or beyond `next_seq`.
        """
        ring = self._ring
        if from_seq is None:
            from_seq = ring.next_seq
        elif not 1 <= from_seq <= ring.next_seq:
            raise ValueError(
                f"cannot subscribe from seq {from_seq}: events are numbered from 1, "
                f"and the next one is {ring.next_seq}"
            )
        ring.subscriptions += 1
        return Subscription(ring, from_seq)

    @enable_ki_protection
    def close(self) -> None:
        """
        End the stream.

        Every subscription can still read what is in the ring, and then ends
        with `ChannelClosed`.  Closing again does nothing.
        """
        self._ring.closed = True
        self._ring.wake_all()

    def statistics(self) -> EventChannelStatistics:
        """Return what is in the ring and who waits for more."""
        ring = self._ring
        return EventChannelStatistics(
            next_seq=ring.next_seq,
            oldest_seq=ring.oldest_seq,
            capacity=ring.capacity,
            subscriptions=ring.subscriptions,
            waiting=len(ring.parked or ()),
            closed=ring.closed,
        )

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<EventChannel: {now.next_seq - now.oldest_seq}/{now.capacity} events, "
            f"next {now.next_seq}, {now.subscriptions} subscriptions ({now.waiting} waiting), "
            f"{'closed' if now.closed else 'open'}>"
        )
