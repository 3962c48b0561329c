"""A handler that the tests command, and a client that needs no socket."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from actors.runtime import World
from actors.server.rpc_connection import ClientRequest, Connection
from actors.server.rpc_connections import Connections
from actors.server.rpc_errors import RpcFailure
from actors.server.rpc_handler import Welcome
from actors.server.rpc_limits import Limits
from actors.server.transports.message_stream import Farewell
from messages.value import Json

Handle = Callable[[Connection, ClientRequest], Awaitable[object]]

INITIALIZE = {
    "method": "initialize",
    "id": 0,
    "params": {"clientInfo": {"name": "test", "version": "1"}},
}
WELCOME = {"id": 0, "result": {"userAgent": "stage"}}


@attrs.define(eq=False)
class StageHandler:
    """
    Answers `echo` with its params, `wait` when told to, and what else the test adds.

    Attributes:
        release: What `wait` waits for.
        log: Beginnings and ends of requests and connections.
        defect: Whether it cannot bear the end of a connection.
    """

    methods: dict[str, Handle] = attrs.field(factory=dict)
    release: trio.Event = attrs.field(factory=trio.Event)
    log: list[str] = attrs.field(factory=list)
    defect: bool = False

    def __attrs_post_init__(self) -> None:
        self.methods.setdefault("echo", self._echo)
        self.methods.setdefault("wait", self._wait)
        self.methods.setdefault("ordered/wait", self._wait)
        self.methods.setdefault("thread/echo", self._echo)
        self.methods.setdefault("new/echo", self._echo)
        self.methods.setdefault("fail", self._fail)
        self.methods.setdefault("crash", self._crash)
        self.methods.setdefault("unwritable", self._unwritable)

    def read(self, method: str, params: Json) -> object:
        if method == "misread":
            raise ZeroDivisionError
        if method != "initialize" and method not in self.methods:
            raise RpcFailure.invalid(f"Invalid request: unknown variant `{method}`")
        if params is None:
            raise RpcFailure.invalid("Invalid request: missing field `params`")
        return params

    async def initialize(self, connection: Connection, request: ClientRequest) -> Welcome:
        name = request.params["clientInfo"]["name"]
        if "\n" in name:
            raise RpcFailure.invalid(f"Invalid clientInfo.name: '{name}'.")
        capabilities = request.params.get("capabilities") or {}
        return Welcome(
            result={"userAgent": "stage"},
            experimental=capabilities.get("experimentalApi", False),
            opted_out=frozenset(capabilities.get("optOutNotificationMethods", ())),
        )

    def experimental_reason(self, method: str, params: Any) -> str | None:
        return method if method.startswith("new/") else None

    def ordered_by(self, request: ClientRequest) -> Hashable | None:
        if request.method.startswith(("thread/", "ordered/")):
            return request.params["threadId"]
        return None

    async def handle(self, connection: Connection, request: ClientRequest) -> object:
        self.log.append(f"begin {request.id}")
        try:
            return await self.methods[request.method](connection, request)
        finally:
            self.log.append(f"end {request.id}")

    def disconnected(self, connection: Connection) -> None:
        self.log.append(f"disconnected {connection.id}")
        if self.defect:
            raise ZeroDivisionError

    async def _echo(self, connection: Connection, request: ClientRequest) -> object:
        return request.params

    async def _wait(self, connection: Connection, request: ClientRequest) -> object:
        await self.release.wait()
        return request.params

    async def _fail(self, connection: Connection, request: ClientRequest) -> object:
        raise RpcFailure(-32600, "no such thread", {"config_write_error_code": "x"})

    async def _crash(self, connection: Connection, request: ClientRequest) -> object:
        raise ZeroDivisionError

    async def _unwritable(self, connection: Connection, request: ClientRequest) -> object:
        return {"text": "\ud800"}


@attrs.define(eq=False)
class StageStream:
    """
    A client in memory: what it says, and how fast it takes what it is told.

    Attributes:
        takes: Whether it takes anything at all.
        told: What it took.
        farewell: How it was ended.
    """

    peer: str = "stage"
    takes: bool = True
    told: list[Any] = attrs.field(factory=list)
    farewell: Farewell | None = None
    _said: Any = attrs.field(init=False)
    _hears: Any = attrs.field(init=False)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    def __attrs_post_init__(self) -> None:
        self._said, self._hears = trio.open_memory_channel[bytes | Exception](100_000)

    # The server's side

    async def receive(self) -> bytes | None:
        try:
            said = await self._hears.receive()
        except trio.EndOfChannel:
            return None
        if isinstance(said, Exception):
            raise said
        return said

    async def send(self, messages: Sequence[bytes], progress: Callable[[], None]) -> None:
        for message in messages:
            while not self.takes:
                await self._changed.park()
            assert b"\n" not in message
            self.told.append(json.loads(message))
            progress()
            self._changed.unpark_all()
        await trio.lowlevel.checkpoint()

    async def aclose(self, farewell: Farewell) -> None:
        self.farewell = farewell
        self._changed.unpark_all()
        await trio.lowlevel.checkpoint()

    # The client's side

    def say(self, *messages: Any) -> None:
        for message in messages:
            raw = (
                message if isinstance(message, bytes | Exception) else json.dumps(message).encode()
            )
            self._said.send_nowait(raw)

    def hang_up(self) -> None:
        self._said.close()

    def take(self) -> None:
        self.takes = True
        self._changed.unpark_all()

    async def wait_told(self, count: int) -> list[Any]:
        """Wait until it was told so much in all."""
        while len(self.told) < count:
            await self._changed.park()
        return self.told


def echo(number: int, **params: object) -> dict[str, object]:
    return {"method": "echo", "id": number, "params": params}


def request(number: object, method: str, **params: object) -> dict[str, object]:
    return {"method": method, "id": number, "params": params}


def stage_connections(handler: StageHandler | None = None, **limits: Any) -> Connections:
    world = World.deterministic(seed=1, start=1_700_000_000.0)
    return Connections(handler or StageHandler(), world, Limits(**limits))


@attrs.define(eq=False)
class Stage:
    """One client of one server, in memory."""

    connections: Connections
    handler: StageHandler
    stream: StageStream
    connection: Connection
    done: trio.Event


@asynccontextmanager
async def open_stage(*, initialized: bool = True, **limits: Any) -> AsyncGenerator[Stage]:
    """Serve one client; it has said `initialize` and forgotten the answer."""
    handler = StageHandler()
    connections = stage_connections(handler, **limits)
    stream, done = StageStream(), trio.Event()

    async def serve() -> None:
        await connections.serve(stream)
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        if initialized:
            stream.say(INITIALIZE)
            assert await stream.wait_told(1) == [WELCOME]
            stream.told.clear()
        while not len(connections):
            await trio.lowlevel.checkpoint()
        [connection] = connections
        yield Stage(connections, handler, stream, connection, done)
        nursery.cancel_scope.cancel()


def overloaded(number: object) -> dict[str, object]:
    error = {"code": -32001, "message": "Server overloaded; retry later."}
    return {"id": number, "error": error}


def refused(number: object, message: str, code: int = -32600) -> dict[str, object]:
    return {"id": number, "error": {"code": code, "message": message}}


def answered(number: object, **result: object) -> dict[str, object]:
    return {"id": number, "result": result}
