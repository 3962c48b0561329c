"""The pool: worker processes behind one front, replaced when they die."""

import logging
import os
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.client import RemoteSupervisor
from actors.config import resolve_home
from actors.rollout import Durability
from actors.runtime import Intensity, World
from actors.server.rpc_connection import ClientRequest
from actors.server.rpc_limits import Limits
from actors.server.serving import ServeRecipe, check_recipe
from actors.server.transports.bearer import Token
from actors.server.transports.listening import open_listener
from messages.rpc.handshake import ClientInfo
from messages.rpc.pool import PoolReadResponse

from .draining import wait_for_turns
from .errors import PoolDraining, PoolFailed
from .front.front import Front, open_front
from .pool_client import connect_inside
from .pool_report import report_pool
from .process.fork_link import ForkServer
from .quarantine import Quarantine
from .slot import Pulse
from .slots import Slots
from .values import PoolStatistics

__all__ = ["INTENSITY", "Pool", "open_pool"]

_log = logging.getLogger("actors")

INTENSITY: Final = Intensity(restarts=10, period=60.0, backoff_cap=2.5)
"""
How often the worker in one place may die.

More often than OTP's default: what a worker dies of is often one thread, which is held
after a few times, and nobody else is to lose a place by that.  The delays between the last
ones are seconds, so that a mistake in a file can be mended.
"""

_CLOSING: Final = 2.0
"""Seconds that closing what starts workers may take; its processes end with us in any case."""

_DRAINING: Final = "the pool is shutting down; connect again when it is back"


@attrs.define(eq=False, repr=False)
class Pool:
    """
    Worker processes behind one address; made by `open_pool`.

    Clients notice nothing of the workers but what is told them when one dies.

    Attributes:
        front: Where clients come to.
        url: Where clients are listened for; None when nobody listens.
    """

    front: Front
    _slots: Slots
    _fork_servers: "_ForkServers"
    _quarantine: Quarantine
    _world: World
    url: str | None = attrs.field(default=None, init=False)
    _one_at_a_time: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _restarting: trio.CancelScope | None = attrs.field(default=None, init=False)
    _draining: bool = attrs.field(default=False, init=False)

    def connect(
        self, *, client_info: ClientInfo | None = None
    ) -> AbstractAsyncContextManager[RemoteSupervisor]:
        """
        Use the threads of the pool as if they were here, for as long as a block lasts.

        Needs no address; see `actors.connect` for the rest.

        Args:
            client_info: Who we are; noted in new threads.

        Raises:
            CannotConnect: The pool takes no more clients.
        """
        return connect_inside(self.front.connections, self._world, client_info)

    async def restart(self, *, grace: float = 30.0) -> None:
        """
        Replace all workers, one after another, without closing anybody's connection.

        The new ones read the configuration again, and are started from the program as it
        is installed now.  Threads move with those who follow them; a turn that runs gets
        *grace* seconds to end by itself, and is interrupted then.  A restart that is asked
        for during another one comes after it.

        Raises:
            PoolDraining: The pool ends, or began to end meanwhile.
            WorkerNotStarted: A new worker did not come up; the old ones that are left go on.

        Cancellation:
            Workers that were not reached are the old ones; of the one that is being
            replaced threads are gone on with as after a crash.
        """
        async with self._one_at_a_time:
            if self._draining:
                raise PoolDraining
            try:
                with trio.CancelScope() as self._restarting:
                    await self._replace_all(grace)
                    return
            finally:
                self._restarting = None
        raise PoolDraining

    async def _replace_all(self, grace: float) -> None:
        slots, before = self._slots, self._slots.fork_server
        slots.fork_server = self._fork_servers.open()
        try:
            await slots.replace_all(grace=grace)
        finally:
            in_use = slots.fork_servers()
            if slots.fork_server not in in_use:
                slots.fork_server = before  # the new one starts nothing
            with trio.move_on_after(_CLOSING, shield=True):
                await self._fork_servers.close_all_but(in_use)

    async def drain(self, *, grace: float = 30.0) -> int:
        """
        Bring everything to its end: no new clients, threads and turns from now on.

        Turns that run get *grace* seconds to end by themselves, and are interrupted then;
        so are those that wait for an answer of a person.  All workers have ended when this
        returns.  All that happened is in the rollouts of the threads.

        Returns:
            How many turns were interrupted.

        Cancellation:
            Nothing new is taken; workers may still run until the pool's block ends.
        """
        self._draining = self._slots.closing = True
        self.front.refuse_new(_DRAINING)
        left = await wait_for_turns(lambda: self._slots, grace=grace)
        if left:
            _log.warning("turns that still run after %g s are interrupted: %d", grace, left)
        if self._restarting is not None:
            self._restarting.cancel()
        await self._slots.stop_all()
        return left

    async def read(self, request: ClientRequest) -> PoolReadResponse:
        """Answer a client that asks how the pool is."""
        del request
        return await report_pool(
            self.front,
            self._slots,
            self._quarantine,
            now=self._world.now(),
            draining=self._draining,
        )

    async def wait_failed(self) -> PoolFailed:
        """Wait until no worker is left and none is started any more; return why."""
        await self._slots.failed.wait()
        assert self._slots.failure is not None  # set before the event
        return self._slots.failure

    def statistics(self) -> PoolStatistics:
        """Return how it is."""
        return PoolStatistics(
            slots=self._slots.statistics(),
            clients=len(self.front.connections),
            draining=self._draining,
            restarting=self._restarting is not None,
        )

    def __repr__(self) -> str:
        now = self.statistics()
        where = self.url or "nobody listens"
        return (
            f"<Pool at {where}: {now.up} of {self._slots.places} workers up, "
            f"{now.threads} threads, {now.turns} turns, {now.clients} clients>"
        )


@attrs.define(eq=False)
class _ForkServers:
    """All that start workers of one pool, or did so."""

    _recipe: ServeRecipe
    _environ: Mapping[str, str]
    _world: World
    _all: list[ForkServer] = attrs.field(factory=list[ForkServer], init=False)

    def open(self) -> ForkServer:
        fork_server = ForkServer(self._recipe, environ=self._environ, world=self._world)
        self._all.append(fork_server)
        return fork_server

    async def close_all_but(self, kept: Collection[ForkServer]) -> None:
        for fork_server in [other for other in self._all if other not in kept]:
            await fork_server.close()
            self._all.remove(fork_server)


@asynccontextmanager
async def open_pool(
    *,
    workers: int = 2,
    home: str | os.PathLike[str] | None = None,
    listen: str | None = None,
    token: str | Token | None = None,
    recipe: ServeRecipe | None = None,
    scenario: str | os.PathLike[str] | None = None,
    durability: Durability = Durability.WRITE,
    intensity: Intensity = INTENSITY,
    heartbeat: float = 1.0,
    patience: float = 5.0,
    quarantine_after: int = 3,
    environ: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    world: World | None = None,
) -> AsyncGenerator[Pool]:
    """
    Run threads in processes of their own, for as long as the block lasts.

    Each client takes as many descriptors of this process as there are workers, and one more.

    When the block ends, clients are disconnected, running turns are interrupted and all
    workers end; `Pool.drain` before that lets turns come to their end.  When it raises or
    is cancelled, workers are killed; the next one who resumes a thread ends its turn.

    Args:
        workers: How many, from 1.
        home: Where everything is kept; None for the usual place.
        listen: Where clients come from, see `open_listener`; None for `Pool.connect` only.
        token: What clients of a ``ws://`` address must know.
        recipe: What the servers in the workers are made of, in place of *home*,
            *scenario* and *durability*.
        scenario: File that the scripted model plays; None for the configured provider.
        durability: When a record counts as written.
        intensity: How often the worker in one place may die before the place is lost.
        heartbeat: Seconds between two questions to a worker whether it lives.
        patience: Seconds an answer may take; then the worker is killed.
        quarantine_after:
            A thread that was busy in so many workers in a row when they died is left alone
            for ten minutes.
        environ: The environment of the workers; None for that of this process.
        limits: The bounds of connections.
        world: Clock, ids and randomness; the real ones by default.

    Raises:
        ValueError: A number makes no sense; nothing was started.
        ConfigError, ScenarioError: The configuration is not as it should be.
        WorkerNotStarted: A worker did not come up.
        ListenError: It cannot be listened there.
    """
    if workers < 1:
        raise ValueError(f"a pool has at least one worker, got workers={workers}")
    if token is not None and not (listen or "").startswith("ws://"):
        raise ValueError(f"nobody is asked for a token at listen={listen!r}; leave it out")
    environ = dict(os.environ if environ is None else environ)
    world = world or World.system()
    if recipe is None:
        recipe = _recipe(home, environ, scenario, durability)
    pulse = Pulse(heartbeat=heartbeat, patience=patience)
    quarantine = Quarantine(crashes=quarantine_after)
    # Here, where it is one clear error, and not once for each worker.
    await check_recipe(recipe, environ)
    fork_servers = _ForkServers(recipe, environ, world)
    try:
        async with open_front(world, limits or Limits(), quarantine) as front:
            slots = Slots(workers, fork_servers.open(), front, pulse, intensity, world.random)
            pool = Pool(front, slots, fork_servers, quarantine, world)
            front.extra["treadle/pool/read"] = pool.read
            # Listening comes first, because it fails for nothing that takes time; clients
            # that come before the workers are up wait for them.
            async with slots.supervisor, _listening(pool, listen, token):
                await slots.open_all()
                yield pool
                await pool.drain(grace=0.0)  # clients hear how turns end
    finally:
        with trio.move_on_after(_CLOSING, shield=True):
            await fork_servers.close_all_but(())


def _recipe(
    home: str | os.PathLike[str] | None,
    environ: Mapping[str, str],
    scenario: str | os.PathLike[str] | None,
    durability: Durability,
) -> ServeRecipe:
    folder = resolve_home(environ) if home is None else Path(home).expanduser().absolute()
    return ServeRecipe(
        home=str(folder),
        cwd=str(Path.cwd()),
        scenario=None if scenario is None else str(Path(scenario).absolute()),
        durability=durability,
    )


@asynccontextmanager
async def _listening(
    pool: Pool, listen: str | None, token: str | Token | None
) -> AsyncGenerator[None]:
    if listen is None:
        yield
        return
    secret = Token(token) if isinstance(token, str) else token
    async with open_listener(listen, pool.front.connections, token=secret) as listener:
        pool.url = listener.url
        yield
