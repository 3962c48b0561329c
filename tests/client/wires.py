"""Wires between a client and a server that a test holds in its hands."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from actors.client import RpcClient, open_rpc_client
from actors.server.rpc_connections import Connections
from actors.server.rpc_handler import Welcome
from actors.server.transports.lines import LineStream, SocketBytes
from actors.server.transports.message_stream import Farewell
from tests.server.rpc_stage import StageHandler, stage_connections

LIMIT = 1 << 20


def line_streams() -> tuple[LineStream, LineStream]:
    """Two ends of one wire."""
    ends = trio.socket.socketpair()
    first, second = (
        LineStream.over(SocketBytes(trio.SocketStream(end)), name, limit_bytes=LIMIT)
        for end, name in zip(ends, ("the server", "the client"), strict=True)
    )
    return first, second


class Polite(StageHandler):
    """Says who it is, as real servers do."""

    async def initialize(self, connection: Any, request: Any) -> Welcome:
        welcome = await super().initialize(connection, request)
        return attrs.evolve(welcome, result=WELCOME)


WELCOME = {
    "userAgent": "treadle/test",
    "codexHome": "/home/of/it",
    "platformFamily": "unix",
    "platformOs": "linux",
}


@attrs.define(eq=False)
class Wire:
    """A client, and the server's side of its connection."""

    client: RpcClient
    connections: Connections
    handler: StageHandler
    scope: trio.CancelScope

    def cut(self) -> None:
        """Let the server's side be gone, at once."""
        self.scope.cancel()


@asynccontextmanager
async def open_wire(handler: StageHandler | None = None, **limits: Any) -> AsyncGenerator[Wire]:
    handler = handler or Polite()
    connections = stage_connections(handler, **limits)
    ours, theirs = line_streams()
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            await connections.serve(theirs)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with open_rpc_client(ours) as client:
                yield Wire(client, connections, handler, scope)
            nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class HandMade:
    """A `MessageStream` whose other end is the test."""

    peer: str = "the test"
    sent: list[list[Any]] = attrs.field(factory=list)
    farewell: Farewell | None = None
    _told: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _say: Any = attrs.field(init=False)
    _hear: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._say, self._hear = trio.open_memory_channel[Any](10_000)

    async def receive(self) -> bytes | None:
        try:
            said = await self._hear.receive()
        except trio.EndOfChannel:
            return None
        if isinstance(said, Exception):
            raise said
        return said  # type: ignore[no-any-return]

    async def send(self, messages: Sequence[bytes], progress: Callable[[], None]) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append([json.loads(message) for message in messages])
        self._told.unpark_all()

    async def aclose(self, farewell: Farewell) -> None:
        self.farewell = farewell
        await trio.lowlevel.checkpoint()

    # The test's side

    def say(self, message: Any) -> None:
        raw = message if isinstance(message, bytes | Exception) else json.dumps(message).encode()
        self._say.send_nowait(raw)

    def hang_up(self) -> None:
        self._say.close()

    async def heard(self, method: str) -> Any:
        """Wait until the client asked this, and return what it said."""
        while True:
            for message in (message for batch in self.sent for message in batch):
                if message.get("method") == method:
                    return message
            await self._told.park()

    async def answer(self, method: str, result: Any) -> Any:
        asked = await self.heard(method)
        self.say({"id": asked["id"], "result": result})
        return asked


@asynccontextmanager
async def open_by_hand(**options: Any) -> AsyncGenerator[tuple[RpcClient, HandMade]]:
    """A client whose server is the test."""
    stream = HandMade()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.answer, "initialize", WELCOME)
            async with open_rpc_client(stream, **options) as client:
                yield client, stream
            nursery.cancel_scope.cancel()
