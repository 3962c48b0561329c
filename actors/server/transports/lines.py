"""Messages as lines: one each, of bounded length, over any stream of bytes."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
import trio

from ..rpc_errors import MessageTooLong
from .message_stream import Farewell

__all__ = ["ByteStream", "LineSplitter", "LineStream", "SocketBytes"]

_CHUNK_BYTES: Final = 64 * 1024
"""How much is read, and how much is sent before the next look at progress."""

_DRAIN_BYTES: Final = 64 * 1024 * 1024
"""So much of what nobody wants any more is read before a socket is closed; see `SocketBytes`."""


@attrs.define(eq=False)
class LineSplitter:
    """
    Cuts bytes into lines.

    Attributes:
        limit_bytes: Longest line, without its end.
    """

    limit_bytes: int
    # A line without its end yet.  One buffer and no list of pieces: a client that sends
    # single bytes must not make each of them an object.
    _partial: bytearray = attrs.field(factory=bytearray, init=False)

    def feed(self, chunk: bytes) -> list[bytes]:
        """
        Take the next bytes; give the lines that they complete, without their ends.

        Raises:
            MessageTooLong: One of them, or the one that has begun, is too long; the
                lines that came with it are lost.
        """
        head, newline, rest = chunk.partition(b"\n")
        self._partial += head
        lines: list[bytes] = []
        if newline:
            *lines, tail = rest.split(b"\n")
            lines.insert(0, bytes(self._partial))
            self._partial = bytearray(tail)
        longest = max(map(len, lines), default=0)
        if max(longest, len(self._partial)) > self.limit_bytes:
            raise MessageTooLong(self.limit_bytes)
        return lines

    def finish(self) -> bytes:
        """Say that no more bytes come; give what had no end, empty for nothing."""
        rest = bytes(self._partial)
        self._partial = bytearray()
        return rest


class ByteStream(Protocol):
    """What lines are carried by."""

    async def receive_some(self) -> bytes:
        """Wait for bytes; empty at the end.  Raises `trio.BrokenResourceError`."""
        ...

    async def send_some(self, data: memoryview) -> int:
        """Send some bytes, one at least, and say how many; raises `trio.BrokenResourceError`."""
        ...

    async def linger(self) -> None:
        """Say the end, and wait until what was sent arrived; raises as `send_some`."""
        ...

    def close(self) -> None:
        """Close at once; closing again does nothing."""
        ...


@attrs.define(eq=False)
class LineStream:
    """
    A `MessageStream` of lines.

    Empty lines are skipped; a last line without an end is taken as one.

    Attributes:
        peer: Who is at the other end, for logs.
    """

    peer: str
    _bytes: ByteStream
    _splitter: LineSplitter
    # What was read already and not cut into lines yet.
    _begun: bytes = b""
    _lines: deque[bytes] = attrs.field(factory=deque[bytes], init=False)
    _eof: bool = attrs.field(default=False, init=False)
    # Whether a part of a message may be on its way, after which nothing can be said.
    _torn: bool = attrs.field(default=False, init=False)

    @classmethod
    def over(
        cls, stream: ByteStream, peer: str, *, limit_bytes: int, begun: bytes = b""
    ) -> "LineStream":
        """
        Make one over a stream.

        Args:
            stream: From here on ours to read, write and close.
            peer: Who is at its other end.
            limit_bytes: Longest line.
            begun: What was read from it already.
        """
        return cls(peer, stream, LineSplitter(limit_bytes), begun)

    async def receive(self) -> bytes | None:
        """Wait for the next line; see `MessageStream.receive`."""
        while True:
            while self._lines:
                line = self._lines.popleft()
                if line and not line.isspace():
                    return line
            if self._eof:
                return None
            await self._read()

    async def _read(self) -> None:
        chunk, self._begun = self._begun, b""
        chunk = chunk or await self._bytes.receive_some()
        if chunk:
            self._lines.extend(self._splitter.feed(chunk))
        else:
            self._eof = True
            self._lines.append(self._splitter.finish())

    async def send(self, messages: Sequence[bytes], progress: Callable[[], None]) -> None:
        """Send lines; see `MessageStream.send`."""
        self._torn = True
        rest = memoryview(b"\n".join((*messages, b"")))
        while rest:
            rest = rest[await self._bytes.send_some(rest[:_CHUNK_BYTES]) :]
            progress()
        self._torn = False

    async def aclose(self, farewell: Farewell) -> None:
        """Say farewell by a message if there is one, and close; see `MessageStream.aclose`."""
        try:
            await trio.lowlevel.checkpoint()
            if farewell.message and not self._torn:
                await self.send([farewell.message], lambda: None)
                await self._bytes.linger()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._bytes.close()


@attrs.define(eq=False)
class SocketBytes:
    """
    A `ByteStream` over a socket.

    A socket that is closed with unread bytes in it may lose what was sent last.  So the
    end is told first, and what still comes is read and thrown away, within bounds.
    """

    _stream: trio.SocketStream

    async def receive_some(self) -> bytes:
        """Wait for bytes; see `ByteStream`."""
        return bytes(await self._stream.receive_some(_CHUNK_BYTES))

    async def send_some(self, data: memoryview) -> int:
        """Send all of it, in fact; see `ByteStream`."""
        size = len(data)
        await self._stream.send_all(data)
        return size

    def close(self) -> None:
        """Close; see `ByteStream`."""
        self._stream.socket.close()

    async def linger(self) -> None:
        """Wait until the client has closed, too; see `ByteStream`."""
        await self._stream.send_eof()
        left = _DRAIN_BYTES
        while left > 0 and (chunk := await self._stream.receive_some(_CHUNK_BYTES)):
            left -= len(chunk)
