"""
Fewer, larger chunks from HTTP connections: those that came together are made one.

A server that streams sends each event as a chunk.  What reads chunks one by one, through
all layers of an HTTP client, costs ten times what the events cost; so chunks are merged
where bytes come in.  Nothing is held back, and the body is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

if TYPE_CHECKING:
    import ssl

    import httpx2

__all__ = ["ChunkMerger", "merge_chunks"]

_HEAD_END: Final = b"\r\n\r\n"
_LINE_END: Final = b"\r\n"
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_INTERIM: Final = re.compile(rb"HTTP/1\.\d 1\d\d")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_BEGINNING: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_SIZE_LIMIT_BYTES: Final = 17
"""Longest line with a size that is dealt with; a line with more in it is passed on."""

_HEAD_LIMIT_BYTES: Final = 256 * 1024


class _Phase(Enum):
    HEAD = auto()
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    REST = auto()


@attrs.define(eq=False)
class ChunkMerger:
    """
    Rewrites what one connection receives.

    Whatever it does not understand it passes on as it is, from there to the next request:
    whoever reads it then says what is wrong.
    """

    _phase: _Phase = attrs.field(default=_Phase.HEAD, init=False)
    # The beginning of a head (passed on already), of a size or of the end of a chunk
    # (not passed on).
    _held: bytes = attrs.field(default=b"", init=False)
    # What is still to come of the chunk.
    _left: int = attrs.field(default=0, init=False)

    def restart(self) -> None:
        """Expect the head of the next response, because a request was sent."""
        self._phase, self._held = _Phase.HEAD, b""

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return what to pass on; empty when more is needed."""
        match self._phase:
            case _Phase.HEAD:
                return self._head(data)
            case _Phase.REST:
                return data
            case _:
                return self._body(data)

    def finish(self) -> bytes:
        """Say that nothing more comes; return what was not passed on."""
        rest = b"" if self._phase is _Phase.HEAD else self._held
        self._phase, self._held = _Phase.REST, b""
        return rest

    def _head(self, data: bytes) -> bytes:
        before, head = len(self._held), self._held + data
        end = head.find(_HEAD_END)
        if end < 0:
            self._held = head
            if len(head) > _HEAD_LIMIT_BYTES:
                self._phase, self._held = _Phase.REST, b""
            return data
        self._held = b""
        end += len(_HEAD_END)
        passed, rest = data[: end - before], data[end - before :]
        if _INTERIM.match(head):
            return passed + self._head(rest)
        chunked = _CHUNKED.search(head, 0, end) is not None
        self._phase = _Phase.SIZE if chunked else _Phase.REST
        return passed + (self._body(rest) if chunked else rest)

    def _body(self, data: bytes) -> bytes:
        data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        if self._phase is _Phase.SIZE:
            at = _take_whole(data, at, pieces)
        while at < len(data) and self._phase is not _Phase.REST:
            match self._phase:
                case _Phase.DATA:
                    pieces.append(data[at : at + self._left])
                    at += len(pieces[-1])
                    self._left -= len(pieces[-1])
                    if not self._left:
                        self._phase = _Phase.DATA_END
                case _Phase.DATA_END:
                    if len(data) - at < len(_LINE_END):
                        break
                    if data.startswith(_LINE_END, at):
                        self._phase = _Phase.SIZE
                        at = _take_whole(data, at + len(_LINE_END), pieces)
                    else:
                        self._phase = _Phase.REST
                case _:
                    end = data.find(_LINE_END, at)
                    if end < 0 and len(data) - at <= _SIZE_LIMIT_BYTES:
                        break
                    at = self._begin(data, at, end)
        rest = data[at:]
        if self._phase is not _Phase.REST:
            self._held, rest = rest, b""
        return _chunk(pieces) + rest

    def _begin(self, data: bytes, at: int, end: int) -> int:
        """Read the size that a chunk begins with; return where its data begin."""
        size = _SIZE.fullmatch(data, at, max(end, at))
        self._left = 0 if size is None else int(size[0], 16)
        if not self._left:  # the last chunk, or nothing we know
            self._phase = _Phase.REST
            return at
        self._phase = _Phase.DATA
        return end + len(_LINE_END)


def _take_whole(data: bytes, at: int, pieces: list[bytes]) -> int:
    """Take chunks that are there as a whole; return where the first other one begins."""
    while begins := _BEGINNING.match(data, at):
        begin = begins.end()
        end = begin + int(begins[1], 16)
        if end == begin or not data.startswith(_LINE_END, end):
            break
        pieces.append(data[begin:end])
        at = end + len(_LINE_END)
    return at


def _chunk(pieces: list[bytes]) -> bytes:
    if not pieces:
        return b""
    data = b"".join(pieces)
    return b"%x\r\n%b\r\n" % (len(data), data)


@attrs.define(eq=False)
class _Stream:
    """A network stream of httpcore2 with merged chunks."""

    _stream: Any
    _merger: ChunkMerger = attrs.field(factory=ChunkMerger, init=False)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        while data := await self._stream.read(max_bytes, timeout):
            if passed := self._merger.feed(data):
                return passed
        return self._merger.finish()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._merger.restart()
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> _Stream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@attrs.define(eq=False)
class _Backend:
    """A network backend of httpcore2 whose streams merge chunks."""

    _backend: Any

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(await self._backend.connect_tcp(*args, **kwargs))

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(await self._backend.connect_unix_socket(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def merge_chunks(client: httpx2.AsyncClient) -> None:
    """
    Let a client that has made no connection yet merge chunks, also behind proxies.

    httpx2 takes no network backend, though httpcore2 below it does, so the backend of its
    pools is exchanged.  Should they be built otherwise one day, the client works without.
    """
    members = vars(client)
    mounts = cast("dict[object, object]", members.get("_mounts", {}))
    transports: Iterable[object] = (members.get("_transport"), *mounts.values())
    for transport in transports:
        pool = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if backend is not None:
            vars(pool)["_network_backend"] = _Backend(backend)
