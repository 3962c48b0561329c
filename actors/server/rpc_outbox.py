"""What waits for one client to take it: bounded, in order, and with an end to patience."""

import math
from collections import OrderedDict, deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

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

from .rpc_errors import ConnectionGone
from .rpc_limits import Limits

__all__ = ["Outbox", "OutboxStatistics", "Overrun"]

_BATCH_BYTES: Final = 64 * 1024
"""What is handed to the system in one go: as much as a pipe holds."""


class Overrun(Exception):  # noqa: N818 -- a condition, dealt with in this room
    """A message was posted, and as many wait already as may; it was not queued."""


@attrs.frozen(kw_only=True)
class OutboxStatistics:
    """
    One look at an outbox.

    Attributes:
        queued: Messages that wait for the client.
        queued_bytes: Their bytes.
        waiting: Messages that wait for room behind those; a sender waits with some.
        full: Whether the next sender would wait.
        closed: Whether nothing more is taken.
    """

    queued: int
    queued_bytes: int
    waiting: int
    full: bool
    closed: bool


@attrs.define(eq=False)
class _Waiting:
    """A message that waits for room, and the sender who waits with it, if one does."""

    message: bytes
    task: Task | None
    queued: bool = False


@attrs.define(eq=False, repr=False)
class Outbox:
    """
    The queue between all who have something to say to a client, and its one writer.

    First come, first served, for `put` (which waits for room) and `post` (which leaves
    the message in line and goes on) alike.  Nothing is ever dropped while the connection
    lives: when the line gets too long, or the client takes nothing for too long, the
    connection has to end.

    Attributes:
        name: Of the connection, for errors.
        limits: How much fits, and how long is too long.
    """

    name: str
    limits: Limits

    _queue: deque[bytes] = attrs.field(factory=deque[bytes], init=False)
    _queued_bytes: int = attrs.field(default=0, init=False)
    # Invariant: empty unless the queue is full.
    _line: "OrderedDict[int, _Waiting]" = attrs.field(
        factory=OrderedDict[int, _Waiting], init=False
    )
    _next_place: int = attrs.field(default=0, init=False)
    # The writer, while it sleeps.
    _writer: Task | None = attrs.field(default=None, init=False)
    # Around what the writer sends, while it does.
    _sending: trio.CancelScope | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    # Saying something ----------------------------------------------------

    @enable_ki_protection
    async def put(self, message: bytes) -> None:
        """
        Queue a message; wait for room if there is none.

        While there is room this does not let other tasks run.

        Raises:
            ConnectionGone: The outbox is or gets closed; it was not queued.

        Cancellation:
            Raises `trio.Cancelled` with the message not queued.
        """
        await checkpoint_if_cancelled()
        if self._closed:
            raise ConnectionGone(self.name)
        if self._full:
            await self._wait_in_line(message)
        else:
            self._append(message)

    @enable_ki_protection
    def post(self, message: bytes) -> None:
        """
        Queue a message, or leave it in line until there is room; never wait.

        Raises:
            ConnectionGone: The outbox is closed; it was not queued.
            Overrun: The line is too long; it was not queued.
        """
        if self._closed:
            raise ConnectionGone(self.name)
        if not self._full:
            self._append(message)
            return
        if len(self._line) >= self.limits.posted:
            raise Overrun
        self._enter_line(_Waiting(message, None))

    @property
    def _full(self) -> bool:
        return (
            len(self._queue) >= self.limits.outbound
            or self._queued_bytes >= self.limits.outbound_bytes
        )

    def _append(self, message: bytes) -> None:
        self._queue.append(message)
        self._queued_bytes += len(message)
        if self._writer is not None:
            reschedule(self._writer)
            self._writer = None
        if self._sending is not None and self._sending.deadline == math.inf and self._full:
            self.progress()

    def _enter_line(self, waiting: _Waiting) -> int:
        place = self._next_place
        self._next_place += 1
        self._line[place] = waiting
        return place

    async def _wait_in_line(self, message: bytes) -> None:
        waiting = _Waiting(message, current_task())
        place = self._enter_line(waiting)

        def abort(_: RaiseCancelT) -> Abort:
            del self._line[place]
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)
        if not waiting.queued:
            raise ConnectionGone(self.name)

    # The writer's side ---------------------------------------------------

    @enable_ki_protection
    async def take(self) -> list[bytes]:
        """
        Take the oldest messages, one at least; wait if there are none.

        Returns:
            As many as make 64 KiB, or a longer one alone; empty when there are none
            and never will be.

        Cancellation:
            Raises `trio.Cancelled` with nothing taken.
        """
        await checkpoint_if_cancelled()
        while not self._queue:
            if self._closed:
                return []
            self._writer = current_task()
            await wait_task_rescheduled(self._abort_sleep)
        return self._take_batch()

    def _abort_sleep(self, _: RaiseCancelT) -> Abort:
        self._writer = None
        return Abort.SUCCEEDED

    def _take_batch(self) -> list[bytes]:
        batch = [self._queue.popleft()]
        size = len(batch[0])
        while self._queue and size + len(self._queue[0]) <= _BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += len(batch[-1])
        self._queued_bytes -= size
        # The first in line get the room at once, so that no newcomer takes it.
        while self._line and not self._full:
            _, waiting = self._line.popitem(last=False)
            self._append(waiting.message)
            waiting.queued = True
            if waiting.task is not None:
                reschedule(waiting.task)
        return batch

    @contextmanager
    def sending(self) -> Generator[trio.CancelScope]:
        """
        Send what was taken inside of this; it is cancelled when patience is over.

        Patience runs while the outbox is full, and anew from each `progress`.
        """
        with trio.CancelScope() as scope:
            self._sending = scope
            try:
                self.progress()
                yield scope
            finally:
                self._sending = None

    def progress(self) -> None:
        """Say that the client took something of what is being sent."""
        if self._sending is not None:
            patience = self.limits.patience if self._full else math.inf
            self._sending.deadline = trio.current_time() + patience

    # Its end -------------------------------------------------------------

    @enable_ki_protection
    def close(self, *, discard: bool = False) -> None:
        """
        Take nothing more; senders who wait for room get `ConnectionGone`.

        What is queued or was posted can still be taken, unless it is discarded.
        """
        self._closed = True
        for place, waiting in list(self._line.items()):
            if waiting.task is not None:
                reschedule(waiting.task)
                del self._line[place]
        if discard:
            self._queue.clear()
            self._line.clear()
            self._queued_bytes = 0
        if self._writer is not None:
            reschedule(self._writer)
            self._writer = None

    def statistics(self) -> OutboxStatistics:
        """Return how much waits."""
        return OutboxStatistics(
            queued=len(self._queue),
            queued_bytes=self._queued_bytes,
            waiting=len(self._line),
            full=self._full,
            closed=self._closed,
        )
