"""Servers on real sockets, and clients that speak to them by hand."""

import base64
import json
import os
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from actors.server.rpc_connections import Connections
from actors.server.transports.addresses import WebSocketAddress
from actors.server.transports.bearer import Token
from actors.server.transports.listening import Listener, open_listener

from ..rpc_stage import INITIALIZE, WELCOME, StageHandler, stage_connections


@attrs.frozen
class Server:
    listener: Listener
    connections: Connections
    handler: StageHandler

    @property
    def port(self) -> int:
        assert isinstance(self.listener.address, WebSocketAddress)
        return self.listener.address.port


@asynccontextmanager
async def serving(
    listen: str = "ws://127.0.0.1:0", token: Token | None = None, **limits: Any
) -> AsyncGenerator[Server]:
    handler = StageHandler()
    connections = stage_connections(handler, **limits)
    with trio.fail_after(20):
        async with open_listener(listen, connections, token=token) as listener:
            yield Server(listener, connections, handler)


@asynccontextmanager
async def tcp(server: Server) -> AsyncGenerator[trio.SocketStream]:
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        yield stream


@asynccontextmanager
async def unix(path: os.PathLike[str]) -> AsyncGenerator["Lines"]:
    async with await trio.open_unix_socket(path) as stream:
        yield Lines(stream)


@attrs.define(eq=False)
class Lines:
    """A client that talks in lines."""

    stream: trio.SocketStream
    _rest: bytes = b""

    async def say(self, *messages: Any) -> None:
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            await self.stream.send_all(raw)

    async def hear(self) -> Any:
        """Wait for a message; None at the end."""
        while b"\n" not in self._rest:
            chunk = await self.stream.receive_some()
            if not chunk:
                assert not self._rest
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    async def hear_all(self) -> list[Any]:
        heard: list[Any] = []
        while (message := await self.hear()) is not None:
            heard.append(message)
        return heard

    async def initialize(self) -> None:
        await self.say(INITIALIZE)
        assert await self.hear() == WELCOME


@asynccontextmanager
async def web_socket(
    url: str, headers: list[tuple[bytes, bytes]] | None = None
) -> AsyncGenerator[WebSocketConnection]:
    """
    A real client of WebSocket.

    Over a stream of ours: the library leaves its own open when the server closes first.
    """
    host, port = url.removeprefix("ws://").split("/")[0].rsplit(":", 1)
    path = "/" + "/".join(url.removeprefix("ws://").split("/")[1:])
    async with (
        await trio.open_tcp_stream(host, int(port)) as stream,
        trio.open_nursery() as nursery,
    ):
        client = await wrap_client_stream(nursery, stream, host, path, extra_headers=headers)
        async with client:
            yield client


KEY = base64.b64encode(b"0123456789abcdef").decode()


def upgrade(path: str = "/", *headers: str, version: int = 13) -> bytes:
    """The head of a request for WebSocket."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        f"Sec-WebSocket-Version: {version}",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode()


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers)
    return "\r\n".join((*lines, "", "")).encode()


async def read_until(stream: trio.SocketStream, done: Callable[[bytes], bool]) -> bytes:
    data = b""
    while not done(data):
        chunk = await stream.receive_some()
        if not chunk:
            break
        data += chunk
    return data


async def http_status(server: Server, request: bytes) -> int:
    """Send a request, and read the answer to its end."""
    async with tcp(server) as stream:
        await stream.send_all(request)
        answer = await read_until(stream, lambda _: False)
    return int(answer.split()[1])


async def shake_hands(stream: trio.SocketStream, *headers: str) -> None:
    await stream.send_all(upgrade("/", *headers))
    answer = await read_until(stream, lambda data: b"\r\n\r\n" in data)
    assert answer.startswith(b"HTTP/1.1 101 "), answer


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, size: int | None = None) -> bytes:
    """A frame as clients send them: masked, here with zeros."""
    length = len(payload) if size is None else size
    head = bytes([(0x80 if fin else 0) | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 2**16:
        head += bytes([0x80 | 126]) + struct.pack("!H", length)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", length)
    return head + b"\0\0\0\0" + payload


async def read_frame(stream: trio.SocketStream) -> tuple[int, bytes] | None:
    """The opcode and payload of one short frame; None at the end."""
    head = await _exactly(stream, 2)
    if len(head) < 2:
        return None
    assert head[1] < 126
    return head[0] & 0x0F, await _exactly(stream, head[1])


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count and (chunk := await stream.receive_some(count - len(data))):
        data += chunk
    return data


async def read_close(stream: trio.SocketStream) -> tuple[int, str] | None:
    """Skip to the close frame; None when the end comes without one."""
    while (found := await read_frame(stream)) is not None:
        opcode, payload = found
        if opcode == 8:
            return struct.unpack("!H", payload[:2])[0], payload[2:].decode()
    return None
