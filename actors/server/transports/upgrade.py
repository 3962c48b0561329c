"""The first HTTP request of a client: what is let in, what is answered, what is refused."""

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import attrs
import trio

from ..rpc_connections import Connections
from .bearer import Token
from .websocket import WebSocketStream

if TYPE_CHECKING:
    import h11
    import wsproto

__all__ = ["Doorway", "Head", "judge"]

_log = logging.getLogger("actors")

_HEAD_BYTES: Final = 16 * 1024
"""Longest head of a request, and a chunk more; browsers send a tenth of it."""

_CHUNK_BYTES: Final = 4 * 1024

_DRAIN_BYTES: Final = 1024 * 1024
"""So much of the body of a request that was refused is read, so that the answer arrives."""

_PROBES: Final = frozenset({b"/readyz", b"/healthz"})


@attrs.frozen(kw_only=True)
class Head:
    """
    What counts of the head of a request.

    Attributes:
        method: In capitals, as it came.
        target: Path and query.
        upgrades: Whether it asks for WebSocket.
        has_origin: Whether a browser sent it on behalf of a web page.
        authorizations: All headers of that name.
    """

    method: bytes
    target: bytes
    upgrades: bool
    has_origin: bool
    authorizations: tuple[bytes, ...]


def judge(head: Head, token: Token | None) -> HTTPStatus:
    """
    Decide what becomes of a request; 101 lets it in.

    - With ``Origin``, 403 for all: no web page may talk to us, nor learn that we are here.
    - A probe gets 200, without a token: who watches over us need not know it.
    - What does not ask for WebSocket gets 400.
    - Without the token, where there is one, 401.

    Source:
        Codex 0.169; the token is ours.
    """
    if head.has_origin:
        return HTTPStatus.FORBIDDEN
    if not head.upgrades:
        path = head.target.partition(b"?")[0]
        probe = path in _PROBES and head.method in {b"GET", b"HEAD"}
        return HTTPStatus.OK if probe else HTTPStatus.BAD_REQUEST
    if head.method != b"GET":
        return HTTPStatus.BAD_REQUEST
    if token is not None:
        # Two of them is a trick of somebody.
        given = head.authorizations[0] if len(head.authorizations) == 1 else None
        if not token.allows(given):
            return HTTPStatus.UNAUTHORIZED
    return HTTPStatus.SWITCHING_PROTOCOLS


@attrs.define(eq=False)
class Doorway:
    """
    Reads the first request of each client, and makes it a WebSocket where it may be one.

    At most `Limits.upgrades` requests are read at the same time, each for at most
    `Limits.upgrade_patience`; what is beyond is closed without an answer.
    """

    _connections: Connections
    _token: Token | None
    _reading: int = attrs.field(default=0, init=False)

    async def admit(self, stream: trio.SocketStream, peer: str, begun: bytes = b"") -> None:
        """
        Serve one client to its end, and close its socket.

        Args:
            stream: The client's.
            peer: Who that is, for logs.
            begun: What was read from it already.
        """
        try:
            messages = await self._let_in(stream, peer, begun)
            if messages is not None:
                await self._connections.serve(messages)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("%s left before it was let in", peer)
        finally:
            await trio.aclose_forcefully(stream)

    async def _let_in(
        self, stream: trio.SocketStream, peer: str, begun: bytes
    ) -> WebSocketStream | None:
        limits = self._connections.limits
        if self._reading >= limits.upgrades:
            _log.warning("%s is closed: %d requests are read already", peer, self._reading)
            return None
        self._reading += 1
        try:
            with trio.move_on_after(limits.upgrade_patience) as patience:
                return await self._shake_hands(stream, peer, begun)
        finally:
            self._reading -= 1
        if patience.cancelled_caught:
            _log.warning("%s is closed: no whole request in %g s", peer, limits.upgrade_patience)
        return None

    async def _shake_hands(
        self, stream: trio.SocketStream, peer: str, begun: bytes
    ) -> WebSocketStream | None:
        request, rest = await _read_request(stream, begun)
        if request is None:
            await _answer(stream, HTTPStatus.BAD_REQUEST)
            return None
        status = judge(_head(request), self._token)
        upgraded = _upgraded(request) if status is HTTPStatus.SWITCHING_PROTOCOLS else None
        if upgraded is None:
            if status is HTTPStatus.SWITCHING_PROTOCOLS:
                status = HTTPStatus.BAD_REQUEST
            _log.debug("%s is answered with HTTP status %d", peer, status)
            await _answer(stream, status)
            return None
        websocket, accepted = upgraded
        await stream.send_all(accepted)
        websocket.receive_data(rest)
        limit = self._connections.limits.message_bytes
        return WebSocketStream(peer, stream, websocket, limit)


async def _read_request(
    stream: trio.SocketStream, begun: bytes
) -> "tuple[h11.Request | None, bytes]":
    """Read the head of a request, and what came behind it; None if it is no such thing."""
    import h11  # noqa: PLC0415 -- 10 ms that only this way in needs

    http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
    if begun:  # nothing means the end to it
        http.receive_data(begun)
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            data = await stream.receive_some(_CHUNK_BYTES)
            if not data:
                raise trio.BrokenResourceError("the client left within its request")
            http.receive_data(data)
    except h11.RemoteProtocolError:
        return None, b""
    return (event, http.trailing_data[0]) if isinstance(event, h11.Request) else (None, b"")


def _head(request: "h11.Request") -> Head:
    # h11 gives names in small letters.
    headers = list(request.headers)
    upgrades = b"upgrade" in [name for name, _ in headers]
    return Head(
        method=request.method,
        target=request.target,
        upgrades=upgrades,
        has_origin=b"origin" in [name for name, _ in headers],
        authorizations=tuple(value for name, value in headers if name == b"authorization"),
    )


def _upgraded(request: "h11.Request") -> "tuple[wsproto.WSConnection, bytes] | None":
    """Accept the upgrade, with the answer that says so; None if it is not asked for rightly."""
    import wsproto  # noqa: PLC0415 -- 10 ms that only this way in needs
    from wsproto.events import AcceptConnection  # noqa: PLC0415
    from wsproto.utilities import ProtocolError  # noqa: PLC0415

    websocket = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    try:
        websocket.initiate_upgrade_connection(list(request.headers), request.target)
        # No extensions: compressed frames could unfold to more than the limit.
        return websocket, websocket.send(AcceptConnection())
    except (ProtocolError, UnicodeError):
        return None


async def _answer(stream: trio.SocketStream, status: HTTPStatus) -> None:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Length: 0",
        "Connection: close",
    ]
    if status is HTTPStatus.UNAUTHORIZED:
        lines.append("WWW-Authenticate: Bearer")
    await stream.send_all("\r\n".join((*lines, "", "")).encode())
    # A socket that is closed with unread bytes in it may lose the answer.
    await stream.send_eof()
    left = _DRAIN_BYTES
    while left > 0 and (chunk := await stream.receive_some(_CHUNK_BYTES)):
        left -= len(chunk)
