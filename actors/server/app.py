"""The app-server: answers what clients ask, for as long as its block lasts."""

from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from actors.runtime import World
from actors.supervisor import Supervisor
from messages.rpc.handshake import InitializeParams
from messages.rpc.requests import experimental_use
from messages.value import Json

from .greeting import ORIGINATOR_VARIABLE, check_client, welcome
from .ground import Ground, ServerSetup
from .loaded_threads import LoadedThreads
from .methods.table import BESIDE, METHODS, UNSUPPORTED
from .rpc_connection import ClientRequest, Connection
from .rpc_connections import Connections
from .rpc_errors import RpcFailure
from .rpc_handler import Welcome
from .rpc_limits import Limits
from .rpc_params import read_request

__all__ = ["AppServer", "open_app_server"]

_PROGRAM: Final = "treadle"


@attrs.define(eq=False)
class AppServer:
    """
    The `Handler` of all connections; made by `open_app_server`.

    A connection that goes away leaves its threads running.

    Attributes:
        connections: Whom to bring clients to; see `open_listener`.
        loaded: The threads that clients know of.
        ground: What its methods stand on.
    """

    _supervisor: Supervisor
    _setup: ServerSetup
    _world: World
    _limits: Limits
    _nursery: trio.Nursery
    connections: Connections = attrs.field(init=False)
    loaded: LoadedThreads = attrs.field(init=False)
    ground: Ground = attrs.field(init=False)
    _named: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.connections = Connections(self, self._world, self._limits)
        self.loaded = LoadedThreads(self._supervisor, self.connections, self._world, self._nursery)
        self.ground = Ground(
            supervisor=self._supervisor,
            connections=self.connections,
            loaded=self.loaded,
            setup=self._setup,
            world=self._world,
            originator=self._setup.originator or _PROGRAM,
        )

    def read(self, method: str, params: Json) -> object:
        """Make typed params of what came; see `Handler.read`."""
        return read_request(method, params)

    async def initialize(self, connection: Connection, request: ClientRequest) -> Welcome:
        """Welcome a connection; the first one gives new threads the name of its program."""
        del connection
        params: InitializeParams = request.params
        check_client(params.client_info)
        if not self._named and self._setup.originator is None:
            override = self._setup.environ.get(ORIGINATOR_VARIABLE)
            self.ground.originator = override or params.client_info.name
        self._named = True
        return await welcome(self.ground, request)

    def experimental_reason(self, method: str, params: Any) -> str | None:
        """Say what of a request is experimental, None for nothing."""
        return experimental_use(method, params)

    def ordered_by(self, request: ClientRequest) -> Hashable | None:
        """Keep the order of what is asked about one thread, but for what only looks."""
        return None if request.method in BESIDE else getattr(request.params, "thread_id", None)

    async def handle(self, connection: Connection, request: ClientRequest) -> object:
        """Do what is asked; see `Handler.handle`."""
        del connection
        method = METHODS.get(request.method)
        if method is None:
            advice = UNSUPPORTED[request.method]
            raise RpcFailure.invalid(f"{request.method} is not supported by this server: {advice}")
        return await method(self.ground, request)

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection; its threads go on."""
        self.ground.loaded.forget(connection)


@asynccontextmanager
async def open_app_server(
    supervisor: Supervisor,
    setup: ServerSetup,
    *,
    world: World | None = None,
    limits: Limits | None = None,
) -> AsyncGenerator[AppServer]:
    """
    Answer clients for as long as the block lasts.

    At its end clients are told nothing more; the threads are the supervisor's.

    Args:
        supervisor: Whose threads they are.
        setup: With what the server was started.
        world: Clock and ids; the real ones by default.
        limits: The bounds of connections.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        app = AppServer(supervisor, setup, world or World.system(), limits or Limits(), nursery)
        await nursery.start(app.loaded.adopt_agents)
        nursery.start_soon(app.ground.histories.run, name="histories kept for a moment")
        try:
            yield app
        except Exception as exc:  # noqa: BLE001 -- raised again below, not in a group
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
