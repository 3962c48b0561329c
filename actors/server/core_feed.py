"""The events of a thread as they are, for connections that asked for them."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import attrs

from actors.runtime import EventChannel, Lagged, Subscription
from actors.supervisor import ThreadCreated
from actors.thread import Thread, ThreadSnapshot
from messages.codec import to_json
from messages.errors import EncodeError
from messages.events import Event
from messages.rpc.notifications import METHOD, ThreadClosedNotification
from messages.rpc.treadle import (
    TreadleLaggedNotification,
    TreadleThreadCreatedNotification,
    TreadleThreadNotification,
)
from messages.value import Json

from .core_values import said_thread
from .rpc_feed import Feed, Listening, Outgoing
from .rpc_text import OutgoingNotification

__all__ = ["ITEM_METHODS", "CoreEvent", "CoreEvents", "CoreFeed", "CreatedFeed"]

_log = logging.getLogger("actors")

_CAPACITY: Final = 4096
"""Events kept for slow connections; one that is further behind is told how many it missed."""

_CREATED: Final = "treadle/thread/created"
_LAGGED: Final = "treadle/lagged"
_THREAD: Final = "treadle/thread"

ITEM_METHODS: Final = frozenset(
    method
    for method in METHOD.values()
    if method.startswith(("item/", "turn/"))
    or method
    in {
        "error",
        "model/rerouted",
        "rawResponseItem/completed",
        "serverRequest/resolved",
        "thread/compacted",
        "thread/tokenUsage/updated",
    }
)
"""What says the events of a thread as items; core events say all of it already."""

Write = Callable[[str, Json], OutgoingNotification]


@attrs.frozen
class CoreEvent(OutgoingNotification):
    """
    One event in its written form.

    Attributes:
        seq: Its number among the events of its thread.
    """

    seq: int


@attrs.define(eq=False)
class CoreEvents:
    """
    What the connections hear that follow one thread by its events; made by the first.

    Each event is written once for all of them.  Where the thread stands is told to each
    when it begins, and to all when it changed, before the event with which that was seen:
    who has read an event never knows less of the thread than somebody in this process.

    Attributes:
        next_seq: The number of the next event that the reader of the thread takes.
    """

    _thread: Thread
    _write: Write
    _parent_id: str | None
    next_seq: int
    _channel: EventChannel[Outgoing] = attrs.field(
        factory=lambda: EventChannel[Outgoing](capacity=_CAPACITY, keeps_read=False), init=False
    )
    _told: ThreadSnapshot | None = attrs.field(default=None, init=False)

    def take(self, event: Event) -> None:
        """Tell an event."""
        self.next_seq = event.seq + 1
        self._tell_changes()
        try:
            written = self._written(event)
        except EncodeError as exc:
            # Its place shows as a lag of one.
            _log.warning("thread %s: event %d is not told: %s", self._id, event.seq, exc)
            return
        self._channel.publish(written)

    @property
    def _id(self) -> str:
        return self._thread.thread_id

    def _written(self, event: Event) -> CoreEvent:
        msg = cast("Mapping[str, Any]", to_json(event.msg))  # events are objects
        params = {"conversationId": self._id, "id": event.id, "msg": msg, "seq": event.seq}
        written = self._write(f"codex/event/{msg['type']}", params)
        return CoreEvent(written.method, written.text, event.seq)

    def _tell_changes(self) -> None:
        now, told = self._thread.snapshot(), self._told
        self._told = now
        if told is None or _standing(now) != _standing(told):
            self._channel.publish(self._said(now, whole=self._changed_settings(told, now)))

    @staticmethod
    def _changed_settings(told: ThreadSnapshot | None, now: ThreadSnapshot) -> bool:
        return told is None or now.settings is not told.settings

    def _said(
        self, now: ThreadSnapshot, *, whole: bool = True, begins: bool = False, next_seq: int = 0
    ) -> OutgoingNotification:
        thread = said_thread(
            self._thread,
            now,
            next_seq=next_seq or self.next_seq,
            parent_id=self._parent_id,
            whole=whole,
        )
        return self._write(_THREAD, TreadleThreadNotification(thread=thread, begins=begins))

    # Those who follow ---------------------------------------------------------

    def feed(self, connection: Listening) -> "CoreFeed":
        """Make the feed of one more connection."""
        if self._told is None:
            self._told = self._thread.snapshot()
        return CoreFeed(connection, self._channel.subscribe(), self, self.next_seq)

    def beginning(self, next_seq: int) -> OutgoingNotification:
        """Say where the thread stands, for who hears it from this event on."""
        return self._said(self._thread.snapshot(), begins=True, next_seq=next_seq)

    def standing(self) -> OutgoingNotification:
        """Say where the thread stands now."""
        return self._said(self._thread.snapshot())

    def lagged(self, missed: int) -> OutgoingNotification:
        """Say that events were lost."""
        said = TreadleLaggedNotification(thread_id=self._id, missed=missed)
        return self._write(_LAGGED, said)

    def publish(self, message: Outgoing) -> None:
        """Tell something else, in its place among the events."""
        self._channel.publish(message)

    def close(self) -> None:
        """Tell the end of the thread, after which nothing comes but marks."""
        self._channel.publish(self.standing())
        closed = ThreadClosedNotification(thread_id=self._id)
        self._channel.publish(self._write(METHOD[ThreadClosedNotification], closed))

    def end(self) -> None:
        """Take no more."""
        self._channel.close()


def _standing(now: ThreadSnapshot) -> tuple[object, ...]:
    """Tell what clients hear of; by itself, not by value, where it may be long."""
    return (now.state, now.status, now.turn_id, id(now.settings), now.questions, now.approvals)


class CoreFeed(Feed):
    """
    Carries the events of one thread to one connection, at its pace.

    A connection that is behind is not closed: in the place of what it missed it is told
    how much that is, and where the thread stands now.
    """

    def __init__(
        self,
        connection: Listening,
        source: Subscription[Outgoing],
        events: CoreEvents,
        next_seq: int,
    ) -> None:
        super().__init__(connection, source)
        self._events = events
        self._next_seq = next_seq

    async def _begin(self) -> None:
        await self._wait_released()
        await self._connection.send_notification(self._events.beginning(self._next_seq))

    async def _carry(self, message: Outgoing | Lagged) -> None:
        match message:
            case Lagged():
                return  # the next event says by its number how many are missing
            case CoreEvent(seq=seq):
                await self._wait_released()
                missed, self._next_seq = seq - self._next_seq, seq + 1
                if missed:
                    await self._connection.send_notification(self._events.lagged(missed))
                    await self._connection.send_notification(self._events.standing())
            case _:
                pass
        await super()._carry(message)


class CreatedFeed(Feed):
    """Tells one connection of every thread that is created."""

    def __init__(
        self, connection: Listening, created: Subscription[ThreadCreated], write: Write
    ) -> None:
        # A feed looks into nothing of what it carries.
        super().__init__(connection, cast("Subscription[Any]", created))
        self._write = write

    async def _carry(self, message: Any) -> None:
        if isinstance(message, ThreadCreated):
            said = TreadleThreadCreatedNotification(
                thread_id=message.thread_id, origin=message.origin.value
            )
            message = self._write(_CREATED, said)
        await super()._carry(message)
