"""Clients of a pool in its own process: over a pair of sockets, without an address."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from actors.client import RemoteSupervisor, connect
from actors.runtime import World
from actors.server.rpc_connections import Connections
from actors.server.transports.lines import LineStream, SocketBytes
from messages.rpc.handshake import ClientInfo

__all__ = ["connect_inside"]


@asynccontextmanager
async def connect_inside(
    connections: Connections, world: World, client_info: ClientInfo | None
) -> AsyncGenerator[RemoteSupervisor]:
    """
    Be a client of *connections* for as long as the block lasts; see `connect`.

    Sockets and no channels, so that such a client waits and is waited for as any other.
    """
    limits = connections.limits
    ours, theirs = _pair(limits.message_bytes)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.serve, theirs, name="client in this process")
        try:
            async with connect(ours, client_info=client_info, limits=limits, world=world) as there:
                yield there
        except Exception as exc:  # noqa: BLE001 -- raised again below, not in a group
            failure = exc
        # The other side ends by itself, because it reads the end; here it need not wait.
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _pair(limit_bytes: int) -> tuple[LineStream, LineStream]:
    ours, theirs = map(trio.socket.from_stdlib_socket, socket.socketpair())
    return (
        LineStream.over(SocketBytes(trio.SocketStream(ours)), "the pool", limit_bytes=limit_bytes),
        LineStream.over(
            SocketBytes(trio.SocketStream(theirs)), "this process", limit_bytes=limit_bytes
        ),
    )
