"""Messages as text frames of a WebSocket."""

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import trio

from ..rpc_errors import FrameError, MessageTooLong
from .message_stream import Farewell

if TYPE_CHECKING:
    from wsproto import WSConnection
    from wsproto.events import CloseConnection, Event, TextMessage

__all__ = ["WebSocketStream"]

_log = logging.getLogger("actors")

_CHUNK_BYTES: Final = 64 * 1024
"""How much is read, and how much is sent before the next look at progress."""

_BURST: Final = 64
"""Frames that are looked at without letting other tasks run."""

_REASON_BYTES: Final = 123
"""Room for a reason in a close frame (RFC 6455, 5.5)."""

_DRAIN_BYTES: Final = 64 * 1024 * 1024
"""So much is thrown away at most while we wait for the other side to close, too."""


@attrs.define(eq=False)
class WebSocketStream:
    """
    A `MessageStream` over an upgraded connection.

    Frames are wsproto's affair; this reads only when somebody receives, so a client
    that sends more than is taken waits.  Pings are answered.  Binary frames are dropped
    with a line in the log, as in Codex.

    Attributes:
        peer: Who is at the other end, for logs.
        limit_bytes: Longest message, its characters counted.

    Source:
        RFC 6455.  Not trio-websocket: that leaves the socket open after a message that
        is too long, closes without a close frame after a protocol error, and has a task
        of its own for each connection that may crash the nursery it is in.
    """

    peer: str
    _stream: trio.SocketStream
    _websocket: "WSConnection"
    limit_bytes: int

    _events: "Iterator[Event]" = attrs.field(init=False)
    # The beginning of a message whose end has not come.  One buffer and no list of parts:
    # a client that sends single characters must not make each of them an object.
    _begun: io.StringIO = attrs.field(factory=io.StringIO, init=False)
    _size: int = attrs.field(default=0, init=False)
    _dropped: int = attrs.field(default=0, init=False)
    _seen: int = attrs.field(default=0, init=False)
    # The reader sends pongs between the messages of the writer.
    _sending: trio.StrictFIFOLock = attrs.field(factory=trio.StrictFIFOLock, init=False)
    # Whether a part of a frame may be on its way, after which nothing can be said.
    _torn: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._events = self._websocket.events()

    # Receiving -----------------------------------------------------------

    async def receive(self) -> str | None:
        """Wait for the next text message; see `MessageStream.receive`."""
        from wsproto.events import (  # noqa: PLC0415 -- loaded already
            BytesMessage,
            CloseConnection,
            Ping,
            TextMessage,
        )

        while (event := await self._next_event()) is not None:
            match event:
                case TextMessage():
                    if (message := self._whole(event)) is not None:
                        return message
                case BytesMessage(message_finished=True):
                    self._log_dropped()
                case Ping():
                    await self._send(event.response())
                case CloseConnection():
                    await self._on_close(event)
                    return None
                case _:
                    pass  # a pong, or a part of a binary message
        return None

    async def _next_event(self) -> "Event | None":
        while (event := next(self._events, None)) is None:
            data = await self._stream.receive_some(_CHUNK_BYTES)
            if not data:
                return None
            self._websocket.receive_data(data)
            self._events = self._websocket.events()
        self._seen += 1
        if self._seen % _BURST == 0:
            await trio.lowlevel.checkpoint()
        return event

    def _whole(self, event: "TextMessage") -> str | None:
        self._size += self._begun.write(event.data)
        if self._size > self.limit_bytes:
            raise MessageTooLong(self.limit_bytes)
        if not event.message_finished:
            return None
        message = self._begun.getvalue()
        self._begun = io.StringIO()
        self._size = 0
        return message

    def _log_dropped(self) -> None:
        self._dropped += 1
        if self._dropped == 1:
            _log.warning("%s sends binary messages; they are dropped", self.peer)

    async def _on_close(self, event: "CloseConnection") -> None:
        from wsproto.connection import ConnectionState  # noqa: PLC0415 -- loaded already

        if self._websocket.state is not ConnectionState.REMOTE_CLOSING:
            # wsproto tells in this way what rule was broken.
            raise FrameError(event.code, event.reason or "a broken frame")
        await self._send(event.response())

    # Sending -------------------------------------------------------------

    async def send(self, messages: Sequence[bytes], progress: Callable[[], None]) -> None:
        """Send each message as one text frame; see `MessageStream.send`."""
        from wsproto.events import TextMessage  # noqa: PLC0415 -- loaded already

        events = [TextMessage(message.decode()) for message in messages]
        await self._send(*events, progress=progress)

    async def _send(self, *events: "Event", progress: Callable[[], None] = lambda: None) -> None:
        from wsproto.utilities import LocalProtocolError  # noqa: PLC0415 -- loaded already

        async with self._sending:
            try:
                rest = memoryview(b"".join(map(self._websocket.send, events)))
            except LocalProtocolError as exc:
                raise trio.BrokenResourceError("the WebSocket is closed") from exc
            self._torn = True
            while rest:
                await self._stream.send_all(rest[:_CHUNK_BYTES])
                rest = rest[_CHUNK_BYTES:]
                progress()
            self._torn = False

    # Its end ---------------------------------------------------------------

    async def aclose(self, farewell: Farewell) -> None:
        """Close with a code and a reason; see `MessageStream.aclose`."""
        from wsproto.connection import ConnectionState  # noqa: PLC0415 -- loaded already
        from wsproto.events import CloseConnection  # noqa: PLC0415

        try:
            if not self._torn and self._websocket.state is ConnectionState.OPEN:
                await self._send(CloseConnection(int(farewell.code), _cut(farewell.reason)))
                await self._wait_closed()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(self._stream)

    async def _wait_closed(self) -> None:
        """Wait until the client closes, too; whatever else comes is thrown away."""
        from wsproto.connection import ConnectionState  # noqa: PLC0415 -- loaded already

        left = _DRAIN_BYTES
        while left > 0 and self._websocket.state is not ConnectionState.CLOSED:
            data = await self._stream.receive_some(_CHUNK_BYTES)
            if not data:
                return
            left -= len(data)
            self._websocket.receive_data(data)
            for _ in self._websocket.events():
                pass


def _cut(reason: str) -> str:
    return reason.encode()[:_REASON_BYTES].decode(errors="ignore")
