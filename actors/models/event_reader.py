"""Reads the events of one response, and ends the exchange whatever state it is in."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import attrs
import trio

from .errors import ModelError, StreamDisconnected
from .provider import Completed, ResponseEvent
from .sse import EventTooLong, SseParser
from .stream_events import read_event

if TYPE_CHECKING:
    import httpx2  # noqa: TC004 -- loaded when it is first needed

__all__ = ["IDLE", "EventReader"]

IDLE: Final = "idle timeout waiting for SSE"

# Events given between two checkpoints.
_BURST: Final = 64

# How long the end of a completed response may take.  It usually came with the
# last event; reading it lets the connection serve the next request.
_LINGER: Final = 0.05

# How long closing may take; only TLS and a full socket buffer need any time.
_CLOSE_PATIENCE: Final = 1.0


@attrs.define(eq=False)
class EventReader(AsyncIterator[ResponseEvent]):
    """
    The events of one response, in order.

    Ends behind `Completed`, even when the connection stays open.

    Cancellation:
        No event is lost to a cancelled call; the next call gives it, unless the
        call was waiting for bytes, which closes the connection.
    """

    _response: httpx2.Response
    _idle_timeout: float
    _first: deque[ResponseEvent]

    # Data of events that were received and not given yet.  Bounded by the size
    # of one chunk from the socket and by the parser's limit of an event.
    _data: deque[bytes] = attrs.field(factory=deque[bytes], init=False)
    _parser: SseParser = attrs.field(factory=SseParser, init=False)
    _chunks: AsyncIterator[bytes] = attrs.field(init=False)
    _patience: float = attrs.field(init=False)
    _given: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _completed: bool = attrs.field(default=False, init=False)
    _exhausted: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._chunks = self._response.aiter_bytes()
        self._patience = self._idle_timeout

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResponseEvent:
        """
        Give the next event.

        Raises:
            ModelError: The response failed, broke off or fell silent.
        """
        if self._first:
            return self._first.popleft()
        while not self._ended:
            if not self._data:
                await self._receive()
                continue
            if self._given % _BURST == 0:
                await trio.lowlevel.checkpoint()
            self._given += 1
            event = self._read(self._data.popleft())
            if event is not None:
                return event
        raise StopAsyncIteration

    def _read(self, data: bytes) -> ResponseEvent | None:
        try:
            event = read_event(data)
        except ModelError:
            self._ended = True
            raise
        if isinstance(event, Completed):
            self._ended = self._completed = True
        return event

    async def _receive(self) -> None:
        """Wait for more bytes; when they end without `Completed`, raise."""
        started = trio.current_time()
        chunk: bytes | None = None
        with trio.CancelScope(deadline=started + self._patience) as scope:
            chunk = await self._next_chunk()
        if scope.cancelled_caught:
            self._ended = True
            raise StreamDisconnected(IDLE)
        # Only time spent waiting counts: a consumer that takes its time is not
        # the server's silence.  Comments do not end a silence, events do.
        self._patience -= trio.current_time() - started
        if chunk is None:
            self._take(self._parser.finish())
            if not self._data:
                self._ended = True
                raise StreamDisconnected("stream closed before response.completed")
        else:
            self._feed(chunk)

    async def _next_chunk(self) -> bytes | None:
        import httpx2  # noqa: PLC0415 -- loaded by now; see responses

        try:
            chunk = await anext(self._chunks, None)
        except httpx2.HTTPError as exc:
            self._ended = True
            raise StreamDisconnected(str(exc) or type(exc).__name__) from exc
        self._exhausted = chunk is None
        return chunk

    def _feed(self, chunk: bytes) -> None:
        try:
            self._take(self._parser.feed(chunk))
        except EventTooLong as exc:
            self._ended = True
            raise StreamDisconnected(str(exc)) from exc

    def _take(self, events: list[bytes]) -> None:
        if events:
            self._data.extend(events)
            self._patience = self._idle_timeout

    async def read_start(self, limit_bytes: int, patience: float) -> bytes:
        """
        Read a body that is no event stream, instead of its events.

        Args:
            limit_bytes: Read no further once there are so many.
            patience: Seconds after which what came so far has to do.
        """
        parts: list[bytes] = []
        with trio.move_on_after(patience), suppress(StreamDisconnected):
            while sum(map(len, parts)) < limit_bytes:
                chunk = await self._next_chunk()
                if chunk is None:
                    break
                parts.append(chunk)
        return b"".join(parts)[:limit_bytes]

    async def aclose(self) -> None:
        """
        End the exchange: keep the connection if all was read, else close it.

        Cancellation:
            Cuts the reading of the rest short; the clean-up itself is shielded
            and takes no longer than a second.
        """
        self._ended = True
        try:
            if self._completed:
                with trio.move_on_after(_LINGER):
                    await self._exhaust()
        finally:
            if not self._exhausted:
                # The layers of httpx2 are async generators, which must be run to
                # their end in this task; a read that is cancelled at once does that.
                with trio.CancelScope(shield=True) as scope:
                    scope.cancel()
                    await self._exhaust()
            with trio.move_on_after(_CLOSE_PATIENCE, shield=True):
                await self._response.aclose()

    async def _exhaust(self) -> None:
        import httpx2  # noqa: PLC0415 -- loaded by now; see responses

        with suppress(httpx2.HTTPError):
            while await anext(self._chunks, None) is not None:
                pass
            self._exhausted = True
