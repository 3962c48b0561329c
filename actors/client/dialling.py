"""Dialling: from an address as people write it to a stream of messages."""

import errno
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import trio

from actors.server.rpc_limits import Limits
from actors.server.transports.bearer import Token
from actors.server.transports.lines import LineStream, SocketBytes
from actors.server.transports.message_stream import MessageStream
from actors.server.transports.websocket import WebSocketStream

from .errors import CannotConnect, TokenRejected

if TYPE_CHECKING:
    from wsproto import WSConnection

__all__ = ["dial"]

_FORMS: Final = "unix://PATH or ws://HOST:PORT"
_CHUNK_BYTES: Final = 64 * 1024
_PATH_BYTES: Final = 107
"""Room for a path in an address of Linux, without the zero at its end."""

_PROBLEMS: Final = {
    errno.ENOENT: "there is no such socket; start the server, or correct the path",
    errno.ECONNREFUSED: "nobody listens there any more; start the server again",
    errno.EACCES: "permission denied; the socket belongs to another user",
}
"""What keeps us from a Unix socket, and the way out."""


async def dial(url: str, token: str | None, limits: Limits) -> MessageStream:
    """
    Connect to a server.

    Raises:
        CannotConnect: Nobody is there, or it is no server of ours.
        TokenRejected: It wants another token.
        BadToken: This cannot be a token.
        ValueError: The address has none of the forms, or needs no token.
    """
    address = urlsplit(url)
    if address.scheme == "unix":
        if token is not None:
            raise ValueError(f"{url} needs no token: the system says who connects; leave it out")
        return await _dial_unix(url, limits)
    if address.scheme == "ws":
        return await _dial_web_socket(url, address, token, limits)
    raise ValueError(f"cannot connect to {url!r}; expected {_FORMS}")


async def _dial_unix(url: str, limits: Limits) -> MessageStream:
    path = url.removeprefix("unix://")
    if not path or "\0" in path:
        raise ValueError(f"cannot connect to {url!r}; expected {_FORMS}")
    size = len(os.fsencode(path))
    if size > _PATH_BYTES:
        most = f"that of a socket has at most {_PATH_BYTES}"
        raise CannotConnect(url, f"its path has {size} bytes, and {most}; take a shorter one")
    try:
        stream = await trio.open_unix_socket(path)
    except OSError as exc:
        problem = _PROBLEMS.get(exc.errno or 0, exc.strerror or str(exc))
        raise CannotConnect(url, problem) from exc
    return LineStream.over(SocketBytes(stream), url, limit_bytes=limits.message_bytes)


# WebSocket ------------------------------------------------------------------


async def _dial_web_socket(
    url: str, address: SplitResult, token: str | None, limits: Limits
) -> MessageStream:
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise ValueError(f"cannot connect to {url!r}; expected {_FORMS}")
    if token is not None:
        Token(token)  # whether it can be one
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as exc:
        problem = f"nobody listens there ({exc.strerror or exc}); start the server"
        raise CannotConnect(url, problem) from exc
    try:
        websocket = await _shake_hands(stream, url, address, token)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return WebSocketStream(url, stream, websocket, limits.message_bytes)


async def _shake_hands(
    stream: trio.SocketStream, url: str, address: SplitResult, token: str | None
) -> "WSConnection":
    import wsproto  # noqa: PLC0415 -- 10 ms that only this way needs
    from wsproto.events import AcceptConnection, RejectConnection, Request  # noqa: PLC0415
    from wsproto.utilities import ProtocolError  # noqa: PLC0415

    headers = [] if token is None else [(b"Authorization", b"Bearer " + token.encode())]
    websocket = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    request = Request(host=address.netloc, target=address.path or "/", extra_headers=headers)
    try:
        await stream.send_all(websocket.send(request))
        while (event := next(websocket.events(), None)) is None:
            data = await stream.receive_some(_CHUNK_BYTES)
            if not data:
                raise CannotConnect(url, "the server closed the connection at once")
            websocket.receive_data(data)
    except ProtocolError as exc:
        raise CannotConnect(url, "whoever listens there speaks no WebSocket") from exc
    except trio.BrokenResourceError as exc:
        raise CannotConnect(url, "the server broke the connection off") from exc
    match event:
        case AcceptConnection():
            return websocket
        case RejectConnection(status_code=HTTPStatus.UNAUTHORIZED):
            advice = "give the right token" if token else "give its token"
            raise TokenRejected(url, f"the server wants a token; {advice}")
        case RejectConnection(status_code=status):
            raise CannotConnect(url, f"the server refused it with HTTP status {status}")
        case _:
            raise CannotConnect(url, "whoever listens there speaks no WebSocket")
