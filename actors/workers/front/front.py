"""The front of a pool: one app-server to its clients, that lets workers do what they ask."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, assert_never

import attrs
import trio

from actors.runtime import World
from actors.server.methods.table import BESIDE
from actors.server.rpc_connection import ClientRequest, Connection
from actors.server.rpc_connections import Connections
from actors.server.rpc_errors import RpcFailure
from actors.server.rpc_handler import Welcome
from actors.server.rpc_limits import Limits
from actors.server.rpc_params import read_request
from messages.control import Closed, Opened, TurnEnded, TurnStarted, WorkerEvent
from messages.ids import ThreadId, TurnId
from messages.rpc.handshake import InitializeParams
from messages.rpc.requests import experimental_use
from messages.value import Json

from ..errors import WorkerLost
from ..quarantine import Quarantine
from .call import Call
from .carrier import Asked
from .clients import Client, Clients
from .failover import Failover
from .requests import Requests
from .roster import Entry, Roster
from .seats import Seat, Workers
from .telling import Teller
from .values import FrontClient, FrontStatistics, FrontThread

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Front", "open_front"]

_log = logging.getLogger("actors")

_INTRODUCTIONS: Final = 1.0
"""Seconds that the welcome of a client waits for workers that it does not need."""

Extra = Callable[[ClientRequest], Awaitable[object]]
"""Answers a request that is not for workers, as a method of the app-server does."""


@attrs.define(eq=False)
class Front:
    """
    The `Handler` of all clients of a pool; made by `open_front`.

    It has no threads itself.  Each client has a connection of its own at every worker;
    what it asks goes to the worker that has the thread, or to its own worker, and what
    workers say to it passes as it is.  Only what a worker cannot say any more, because
    it has died, is said by the front.

    Attributes:
        connections: Whom to bring clients to; see `open_listener`.
        extra: Methods that are not for workers, by name.
    """

    _world: World
    _limits: Limits
    _quarantine: Quarantine
    _nursery: trio.Nursery
    connections: Connections = attrs.field(init=False)
    extra: dict[str, Extra] = attrs.field(factory=dict[str, Extra], init=False)
    _roster: Roster = attrs.field(factory=Roster, init=False)
    _workers: Workers = attrs.field(init=False)
    _clients: Clients = attrs.field(init=False)
    _failover: Failover = attrs.field(init=False)
    _requests: Requests = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.connections = Connections(self, self._world, self._limits)
        self._workers = Workers(self._roster)
        self._clients = Clients(self.connections, self._workers, self._roster, self._nursery)
        self._failover = Failover(
            self._world,
            self._workers,
            self._roster,
            self._clients,
            self._quarantine,
            Teller(self.connections),
            self._nursery,
        )
        self._clients.ended = self._failover.ended
        self._requests = Requests(
            self._world, self._workers, self._roster, self._clients, self._quarantine
        )

    # Workers --------------------------------------------------------------------

    def add_worker(self, worker: "Worker") -> None:
        """Let a worker that is up have clients and threads, until it dies."""
        seat = self._workers.add(worker)
        worker.on_event = self._happened
        for client in self._clients:
            self._clients.introduce(client, seat)
        self._nursery.start_soon(self._wait_died, seat, name=f"death of worker {worker.number}")

    def lose_worker(self, worker: "Worker") -> None:
        """
        Let others go on with what a worker had, now or as soon as it is dead.

        It needs not be called: the front notices itself.
        """
        seat = self._workers.find(worker)
        if seat is not None and worker.died.is_set():
            self._failover.lose(seat)

    async def _wait_died(self, seat: Seat) -> None:
        await seat.worker.died.wait()
        self._failover.lose(seat)

    async def move_away(self, worker: "Worker", *, grace: float) -> None:
        """
        Let others go on with what a worker has that lives; see `Failover.move_away`.

        Args:
            worker: It gets nothing new from here on.
            grace: Seconds that running turns get to end by themselves.
        """
        seat = self._workers.find(worker)
        if seat is not None:
            await self._failover.move_away(seat, grace=grace)

    def _happened(self, worker: "Worker", event: WorkerEvent) -> None:
        match event:
            case Opened(thread_id=thread_id, parent_id=parent_id, ephemeral=ephemeral):
                entry = self._roster.opened(worker, thread_id, parent_id, ephemeral=ephemeral)
                if entry is None:
                    _log.error("%r has thread %s, and so has another one", worker, thread_id)
            case Closed(thread_id=thread_id):
                self._roster.closed(worker, thread_id)
            case TurnStarted(thread_id=thread_id, turn_id=turn_id):
                self._note_turn(worker, thread_id, turn_id)
            case TurnEnded(thread_id=thread_id, turn_id=turn_id):
                entry = self._roster.find(thread_id)
                # Not so the turn that a crash left open, whose end is told at adoption.
                if entry is not None and entry.worker is worker and entry.turn_id == turn_id:
                    self._quarantine.absolve(thread_id)
            case _:
                assert_never(event)

    def _note_turn(self, worker: "Worker", thread_id: ThreadId, turn_id: TurnId) -> None:
        entry = self._roster.find(thread_id)
        if entry is not None and entry.worker is worker:
            entry.begin_turn(turn_id)

    # Clients: see `Handler` ----------------------------------------------------------

    def read(self, method: str, params: Json) -> object:
        """Make typed params of what came, and keep what came for the worker."""
        return Asked(typed=read_request(method, params), raw=params)

    async def initialize(self, connection: Connection, request: ClientRequest) -> Welcome:
        """Let a worker welcome a client, which then is known to all."""
        self._requests.check_open("no more clients are taken")
        asked: Asked = request.params
        params: InitializeParams = asked.typed
        capabilities = params.capabilities
        core = capabilities is not None and capabilities.treadle_events
        client = self._clients.add(connection, core=core)
        await self._welcome(client, request, asked.raw)
        opted_out = () if capabilities is None else capabilities.opt_out_notification_methods
        return Welcome(
            result=None,
            experimental=capabilities is not None and capabilities.experimental_api,
            opted_out=frozenset(opted_out or ()),
        )

    async def _welcome(self, client: Client, request: ClientRequest, raw: Json) -> None:
        while not request.answered:
            home = await self._requests.wait_home(client)
            seat = self._workers.find(home)
            if seat is None:
                continue
            upstream = self._clients.connect(client, seat)
            self._clients.settle(client, home)

            def welcomed(_: bytes, upstream: Any = upstream) -> None:
                upstream.welcomed()
                client.greeting = raw
                self._clients.introduce_everywhere(client)

            async def introduced() -> None:
                # Whoever was welcomed hears what is said to all, whichever worker says it.
                with trio.move_on_after(_INTRODUCTIONS):
                    await self._clients.wait_introduced(client)

            call = Call("initialize", request=request, succeeded=welcomed, before=introduced)
            try:
                await upstream.call(call, raw)
            except WorkerLost:
                await self._workers.wait_cleared(home)
            except RpcFailure:
                self._clients.forget(client.connection)
                raise

    def experimental_reason(self, method: str, params: Any) -> str | None:
        """Say what of a request is experimental, None for nothing."""
        asked: Asked = params
        return experimental_use(method, asked.typed)

    def ordered_by(self, request: ClientRequest) -> Hashable | None:
        """Keep the order of what is asked about one thread, as each worker does."""
        asked: Asked = request.params
        return None if request.method in BESIDE else getattr(asked.typed, "thread_id", None)

    async def handle(self, connection: Connection, request: ClientRequest) -> object:
        """Do what is asked, or let a worker do it; see `Handler.handle`."""
        asked: Asked = request.params
        extra = self.extra.get(request.method)
        if extra is not None:
            request.params = asked.typed
            return await extra(request)
        return await self._requests.handle(self._clients[connection], request, asked)

    def disconnected(self, connection: Connection) -> None:
        """Forget a client; its threads go on."""
        self._clients.forget(connection)

    def refuse_new(self, reason: str) -> None:
        """Take no more clients, threads and turns; *reason* says why, and the way out."""
        self._requests.refusal = reason

    # What there is ---------------------------------------------------------------------

    def statistics(self) -> FrontStatistics:
        """Return who is there."""
        return FrontStatistics(
            clients=tuple(map(_client, self._clients)),
            threads=tuple(_thread(entry) for entry in self._roster if entry.state is not None),
            workers=tuple(seat.worker.number for seat in self._workers),
            refusing=self._requests.refusal,
        )


def _client(client: Client) -> FrontClient:
    connection = client.connection.statistics()
    return FrontClient(
        id=connection.id,
        peer=connection.peer,
        home=None if client.home is None else client.home.number,
        in_flight=connection.in_flight,
    )


def _thread(entry: Entry) -> FrontThread:
    worker = entry.worker
    loaded = None if worker is None else worker.threads.get(entry.thread_id)
    assert entry.state is not None  # it is in the roster
    return FrontThread(
        thread_id=entry.thread_id,
        state=entry.state,
        worker=None if worker is None else worker.number,
        turn_id=None if loaded is None else loaded.turn_id,
        followers=len(entry.followers),
    )


@asynccontextmanager
async def open_front(world: World, limits: Limits, quarantine: Quarantine) -> AsyncGenerator[Front]:
    """
    Be the front of workers for as long as the block lasts.

    At its end clients are told nothing more, and workers are left as they are.

    Args:
        world: Clock and ids.
        limits: The bounds of clients; those of connections to workers are the same.
        quarantine: Which threads nobody goes on with.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield Front(world, limits, quarantine, nursery)
        except Exception as exc:  # noqa: BLE001 -- raised again below, not in a group
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
