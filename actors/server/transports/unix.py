"""Clients of the same user at a Unix socket, with lines or WebSocket as they like."""

import logging
import os
from typing import Final

import attrs
import trio

from ..rpc_connections import Connections
from .lines import LineStream, SocketBytes
from .socket_file import peer_of
from .upgrade import Doorway

__all__ = ["UnixDoor"]

_log = logging.getLogger("actors")

_HTTP: Final = b"GET "
"""How every WebSocket begins, and no JSON."""

_CHUNK_BYTES: Final = 64 * 1024


@attrs.define(eq=False)
class UnixDoor:
    """
    Lets in clients of one Unix socket.

    Who connects must be of our user, whatever the mode of the socket became.  A client
    that begins with an HTTP request gets WebSocket, and any other gets lines.

    At most `Limits.connections` clients may be silent from the beginning; one more is
    closed at once.
    """

    _connections: Connections
    _doorway: Doorway
    _silent: int = attrs.field(default=0, init=False)

    async def admit(self, stream: trio.SocketStream) -> None:
        """Serve one client to its end, and close its socket."""
        try:
            await self._admit(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("a client at the Unix socket left before it said anything")
        finally:
            await trio.aclose_forcefully(stream)

    async def _admit(self, stream: trio.SocketStream) -> None:
        process, user = peer_of(stream)
        limits = self._connections.limits
        if user != os.geteuid():
            _log.warning("process %d of user %d may not use the Unix socket", process, user)
            return
        if self._silent >= limits.connections:
            _log.warning("process %d is closed: %d others say nothing", process, self._silent)
            return
        self._silent += 1
        try:
            begun = await _beginning(stream)
        finally:
            self._silent -= 1
        if not begun:
            return
        peer = f"Unix socket, process {process}"
        if begun.startswith(_HTTP):
            await self._doorway.admit(stream, peer, begun)
            return
        await self._connections.serve(
            LineStream.over(
                SocketBytes(stream), peer, limit_bytes=limits.message_bytes, begun=begun
            )
        )


async def _beginning(stream: trio.SocketStream) -> bytes:
    """Read until it is clear how the client talks."""
    begun = b""
    while len(begun) < len(_HTTP) and _HTTP.startswith(begun):
        chunk = await stream.receive_some(_CHUNK_BYTES)
        if not chunk:
            break
        begun += chunk
    return begun
