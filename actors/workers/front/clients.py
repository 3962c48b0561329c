"""The clients of a front, and their connections to all workers."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from actors.server.rpc_connection import Connection
from actors.server.rpc_connections import Connections
from actors.server.rpc_errors import RpcFailure
from messages.ids import ThreadId
from messages.value import Json

from ..errors import WorkerLost
from .call import Call, UpstreamState
from .roster import Roster
from .seats import Seat, Workers
from .skill_news import SkillNews
from .told import Told
from .upstream import Upstream

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Client", "Clients"]

_log = logging.getLogger("actors")


@attrs.define(eq=False, repr=False)
class Client:
    """
    One client of the front.

    Attributes:
        connection: How it is talked to.
        news: What it is told of skills.
        greeting: What it said to introduce itself; None until a worker has welcomed it.
        core: Whether it hears the events of threads themselves.
        home: Its own worker.
        upstreams: Its connections to workers.
        rejoining: Threads that it is being made to follow again; set when that is done.
    """

    connection: Connection
    news: SkillNews
    greeting: Json = None
    core: bool = False
    home: "Worker | None" = None
    upstreams: "dict[Worker, Upstream]" = attrs.field(factory=dict["Worker", Upstream])
    rejoining: dict[ThreadId, trio.Event] = attrs.field(factory=dict[ThreadId, trio.Event])

    def __repr__(self) -> str:
        home = "no worker" if self.home is None else f"worker {self.home.number}"
        return f"<Client {self.connection.id}: {home}, {len(self.upstreams)} upstreams>"

    async def at(self, worker: "Worker") -> Upstream:
        """
        Wait until a worker knows this client.

        Raises:
            WorkerLost: It has died.
        """
        upstream = self.upstreams.get(worker)
        if upstream is None:
            raise WorkerLost(worker.number, worker.pid)
        await upstream.wait_state(UpstreamState.READY)
        return upstream

    async def wait_over(self, worker: "Worker") -> None:
        """Wait until this client was told what follows from the death of a worker."""
        upstream = self.upstreams.get(worker)
        if upstream is not None:
            await upstream.over.wait()


@attrs.define(eq=False)
class Clients:
    """
    All clients, each with one upstream to every worker, so that it hears what all are to hear.

    Attributes:
        ended: What follows when a worker says no more to a client.
    """

    _connections: Connections
    _workers: Workers
    _roster: Roster
    _nursery: trio.Nursery
    ended: "Callable[[Client, Seat, Upstream], Awaitable[None]]" = attrs.field(init=False)
    _clients: dict[Connection, Client] = attrs.field(factory=dict[Connection, Client], init=False)

    def __iter__(self) -> Iterator[Client]:
        """All of them, oldest first, as they are now."""
        return iter(tuple(self._clients.values()))

    def __len__(self) -> int:
        return len(self._clients)

    def __getitem__(self, connection: Connection) -> Client:
        return self._clients[connection]

    def add(self, connection: Connection, *, core: bool) -> Client:
        """Take in a client, or take it in anew when it introduces itself once more."""
        self.forget(connection)
        news = SkillNews(connection, self._nursery)
        client = self._clients[connection] = Client(connection, news, core=core)
        return client

    def forget(self, connection: Connection) -> None:
        """Let a client go; its requests in workers have their own grace."""
        client = self._clients.pop(connection, None)
        if client is None:
            return
        self._roster.forget(client)
        for upstream in client.upstreams.values():
            upstream.close()

    # Upstreams -----------------------------------------------------------------

    def connect(self, client: Client, seat: Seat) -> Upstream:
        """Begin a client's connection to a worker."""
        questions, limits = self._connections.questions, self._connections.limits
        told = Told(self._note_status)
        upstream = Upstream(seat.worker, client.connection, told, client.news, questions, limits)
        client.upstreams[seat.worker] = upstream
        ended = partial(self.ended, client, seat)
        self._nursery.start_soon(upstream.run, ended, name=f"upstream of {upstream.name}")
        return upstream

    def introduce(self, client: Client, seat: Seat) -> None:
        """Make a client known to one more worker, in the words that it said itself."""
        if seat.worker not in client.upstreams and client.greeting is not None:
            upstream = self.connect(client, seat)
            name = f"greeting of {upstream.name}"
            self._nursery.start_soon(self._introduce, client, upstream, name=name)

    async def _introduce(self, client: Client, upstream: Upstream) -> None:
        def welcomed(_: bytes) -> None:
            upstream.welcomed()

        call = Call("initialize", succeeded=welcomed)
        try:
            await upstream.call(call, client.greeting)
        except WorkerLost:
            return
        except RpcFailure as refusal:
            # Workers are alike: what one has welcomed, the others do not turn away.
            _log.error("%s is refused: %s", upstream.name, refusal)
            client.connection.close(f"worker {upstream.worker.number} refused it")

    def introduce_everywhere(self, client: Client) -> None:
        """Make a client known to all workers that do not know it."""
        for seat in self._workers:
            self.introduce(client, seat)

    async def wait_introduced(self, client: Client) -> None:
        """Wait until all workers know a client that are there now."""
        for upstream in tuple(client.upstreams.values()):
            try:
                await upstream.wait_state(UpstreamState.READY)
            except WorkerLost:
                continue

    def _note_status(self, thread_id: ThreadId, status: Json) -> None:
        entry = self._roster.find(thread_id)
        if entry is not None:
            entry.status = status

    # Whose own worker is which ----------------------------------------------------

    def home_of(self, client: Client) -> "Worker | None":
        """Say which is a client's own worker, a new one if it must be; None for none."""
        home = client.home
        if home is None or not home.accepting or self._workers.find(home) is None:
            homes = Counter(other.home for other in self if other.home is not None)
            chosen = self._workers.for_client(homes)
            if chosen is not None:
                self.settle(client, chosen)
            elif home is not None and home.died.is_set():
                client.home = None
        return client.home

    def settle(self, client: Client, home: "Worker") -> None:
        """Make a worker a client's own."""
        client.home = home
        for worker, upstream in client.upstreams.items():
            upstream.is_home = worker is home
