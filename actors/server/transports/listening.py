"""Listening: from an address as people write it to connections that are served."""

import errno
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, assert_never

import attrs
import trio

from ..rpc_connections import Connections
from ..rpc_errors import AddressInUse, ListenError
from .addresses import (
    ListenAddress,
    StdioAddress,
    UnixAddress,
    WebSocketAddress,
    parse_listen,
)
from .bearer import Token
from .socket_file import socket_file
from .stdio import own_stdio, serve_stdio
from .unix import UnixDoor
from .upgrade import Doorway

__all__ = ["Listener", "open_listener"]

_log = logging.getLogger("actors")

_KEEPALIVE: Final = (
    # A client whose machine is gone is noticed after two minutes, without a task that pings.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


@attrs.define(eq=False)
class Listener:
    """
    Where clients are listened for, while that lasts.

    Attributes:
        address: With the port that the system chose, if it did.
    """

    address: ListenAddress
    _closed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def url(self) -> str:
        """The address as clients are told it."""
        return str(self.address)

    async def wait_closed(self) -> None:
        """
        Wait until no more clients can come.

        That is so when the one at standard input has ended; sockets listen until the
        block ends.
        """
        await self._closed.wait()

    def mark_closed(self) -> None:
        """Say that no more clients can come."""
        self._closed.set()


@asynccontextmanager
async def open_listener(
    listen: str | ListenAddress, connections: Connections, *, token: Token | None = None
) -> AsyncGenerator[Listener]:
    """
    Listen for clients inside of the block.

    - ``stdio://``: one client at standard input and output, which are its own meanwhile.
    - ``unix://PATH``: clients of the same user, who talk in lines or WebSocket.
    - ``ws://IP:PORT``: WebSocket; with the token, if there is one.

    When the block ends, all connections of this listener are ended, each within
    `Limits.farewell`.

    Args:
        listen: Where.
        connections: Whom to bring the clients to; may have other listeners, too.
        token:
            What clients of a TCP port must know.  Needed where other machines can reach
            the port; not asked for at a Unix socket, whose users the system knows.

    Raises:
        BadListenAddress: The address has none of these forms.
        AddressInUse: Somebody else listens there.
        ListenError: It cannot be listened there, or not without a token.
    """
    address = parse_listen(listen) if isinstance(listen, str) else listen
    async with AsyncExitStack() as stack:
        listener = await _open(stack, address, connections, token)
        _log.info("listening on %s", listener.url)
        yield listener


async def _open(
    stack: AsyncExitStack, address: ListenAddress, connections: Connections, token: Token | None
) -> Listener:
    match address:
        case StdioAddress():
            return await _open_stdio(stack, connections)
        case UnixAddress():
            return await _open_unix(stack, address, connections)
        case WebSocketAddress():
            return await _open_web_socket(stack, address, connections, token)
        case _:
            assert_never(address)


async def _open_stdio(stack: AsyncExitStack, connections: Connections) -> Listener:
    try:
        in_fd, out_fd = stack.enter_context(own_stdio())
    except OSError as exc:
        problem = f"standard input or output is not open ({exc.strerror})"
        raise ListenError("stdio://", problem) from exc
    nursery = await stack.enter_async_context(_ending_nursery())
    listener = Listener(StdioAddress())

    async def serve() -> None:
        try:
            await serve_stdio(connections, in_fd, out_fd)
        finally:
            listener.mark_closed()

    nursery.start_soon(serve, name="client at standard input")
    return listener


async def _open_unix(
    stack: AsyncExitStack, address: UnixAddress, connections: Connections
) -> Listener:
    opened = await stack.enter_async_context(socket_file(address.path))
    socket_listener = trio.SocketListener(trio.socket.from_stdlib_socket(opened))
    # No token: the system itself says who is at the other end.
    door = UnixDoor(connections, Doorway(connections, None))
    nursery = await stack.enter_async_context(_ending_nursery())
    nursery.start_soon(_accept, door.admit, socket_listener, name=str(address))
    return Listener(address)


async def _open_web_socket(
    stack: AsyncExitStack,
    address: WebSocketAddress,
    connections: Connections,
    token: Token | None,
) -> Listener:
    if token is None and not address.is_loopback:
        problem = "other machines can reach it; give a token, or listen on 127.0.0.1"
        raise ListenError(str(address), problem)
    try:
        [socket_listener] = await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            problem = "another process listens there; stop it or take another port"
            raise AddressInUse(str(address), problem) from exc
        raise ListenError(str(address), exc.strerror or str(exc)) from exc
    port = socket_listener.socket.getsockname()[1]
    doorway = Doorway(connections, token)

    async def admit(stream: trio.SocketStream) -> None:
        await _admit_tcp(doorway, stream)

    nursery = await stack.enter_async_context(_ending_nursery())
    nursery.start_soon(_accept, admit, socket_listener, name=str(address))
    return Listener(WebSocketAddress(address.host, port))


async def _admit_tcp(doorway: Doorway, stream: trio.SocketStream) -> None:
    try:
        for level, option, value in _KEEPALIVE:
            stream.setsockopt(level, option, value)
        host, port = stream.socket.getpeername()[:2]
    except OSError:
        await trio.aclose_forcefully(stream)  # gone already
        return
    await doorway.admit(stream, f"websocket {host}:{port}")


async def _accept(
    admit: Callable[[trio.SocketStream], Awaitable[None]], socket_listener: trio.SocketListener
) -> None:
    # trio itself logs that there are no descriptors left, and goes on when there are.
    await trio.serve_listeners(admit, [socket_listener])


@asynccontextmanager
async def _ending_nursery() -> AsyncGenerator[trio.Nursery]:
    """Open a nursery whose tasks end with the block; an error of the block stays as it is."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as exc:  # noqa: BLE001 -- raised again below
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
