"""The MCP servers of a whole program, shared by the threads that want the same ones."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

import attrs
import trio

from actors.runtime import (
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    IntensityExceeded,
    Restart,
    SupervisorStopped,
    UnknownChild,
    World,
)
from messages.tool_settings import McpServerConfig

from ..launcher_link import open_launcher
from .errors import McpServerLost, McpStartError
from .launch import ServerKey, prepare_launch, server_key
from .lease import McpLease
from .server import Failed, McpServer, Ready

__all__ = ["McpPool", "McpPoolStatistics", "open_mcp_pool"]

_INTENSITY: Final = Intensity(restarts=3, period=60.0, backoff_base=0.25, backoff_cap=5.0)
"""A server that crashes is worth a few attempts; then it waits for the next turn."""

_SHUTDOWN: Final = 1.5
"""Seconds that a server gets to end its session."""


@attrs.frozen(kw_only=True)
class McpPoolStatistics:
    """
    One look at the pool.

    Attributes:
        servers: How many are held by somebody.
        ready: How many of them take calls.
        failed: How many of them do not run.
        leases: How many holders they have, all together.
    """

    servers: int
    ready: int
    failed: int
    leases: int


@attrs.define(eq=False, repr=False)
class McpPool:
    """
    Every MCP server of a program, each with its owner task.

    A server starts for its first holder and ends with its last one.  When its process or
    connection breaks it starts again, after a jittered delay, a few times.
    """

    _environ: Mapping[str, str]
    _supervisor: DynamicSupervisor
    # Where servers are started and stopped, since leases must not wait for that.
    _nursery: trio.Nursery
    _servers: dict[ServerKey, McpServer] = attrs.field(
        factory=dict[ServerKey, McpServer], init=False
    )
    _started: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def lease(self, servers: Mapping[str, McpServerConfig], *, cwd: str) -> McpLease:
        """
        Make the lease of one thread life; nothing starts yet.

        Args:
            servers: By name; those that are not enabled are known and not used.
            cwd: Where servers run that are processes and do not say otherwise.
        """
        return McpLease.of(self, servers, cwd)

    def attach(self, config: McpServerConfig, cwd: str, listener: Callable[[], None]) -> McpServer:
        """
        Give the server of a configuration one more holder, and start it if it does not run.

        Raises:
            trio.ClosedResourceError: The pool is closed.
        """
        if self._closed:
            raise trio.ClosedResourceError("the pool of MCP servers is closed")
        key = server_key(config, cwd)
        server = self._servers.get(key)
        if server is None:
            self._started += 1
            server = self._servers[key] = McpServer(
                f"mcp/{self._started}", lambda: prepare_launch(config, cwd, self._environ)
            )
        server.listeners.append(listener)
        if server.unborn or isinstance(server.state.value, Failed):
            self._start(server)
        return server

    def detach(self, server: McpServer, listener: Callable[[], None]) -> None:
        """Take a holder from a server; with the last one it ends."""
        server.listeners.remove(listener)
        if server.listeners or self._closed:
            return
        self._servers = {key: one for key, one in self._servers.items() if one is not server}
        self._nursery.start_soon(self._end, server, name=f"end of {server.id}")

    def revive(self, server: McpServer, *, after: float) -> None:
        """Start a server that failed, unless that was tried in the last *after* seconds."""
        failed = isinstance(server.state.value, Failed) and not self._closed
        if failed and trio.current_time() >= server.attempted + after:
            self._start(server)

    def _start(self, server: McpServer) -> None:
        server.prepare_start()
        self._nursery.start_soon(self._begin, server, name=f"start of {server.id}")

    async def _begin(self, server: McpServer) -> None:
        if not server.listeners or server.id in self._supervisor:
            return
        spec = ChildSpec(
            id=server.id,
            run=server.run,
            restart=Restart.TRANSIENT,
            shutdown=_SHUTDOWN,
            stop=server.stop,
        )
        with contextlib.suppress(SupervisorStopped):
            await self._supervisor.start_child(spec)

    async def _end(self, server: McpServer) -> None:
        with contextlib.suppress(UnknownChild):
            await self._supervisor.stop_child(server.id)

    def close(self) -> None:
        """Start and end no servers any more: all of them are being ended."""
        self._closed = True
        self._nursery.cancel_scope.cancel()

    def on_gave_up(self, child_id: str, error: IntensityExceeded) -> None:
        """Hear of a server that crashed too often."""
        for server in self._servers.values():
            if server.id == child_id:
                cause = error.__cause__
                known = (McpServerLost, McpStartError)
                text = cause.text if isinstance(cause, known) else "it crashed"
                server.tell(Failed(McpStartError(f"it ended too often, at last: {text}")))

    def statistics(self) -> McpPoolStatistics:
        """Return how many servers there are, and in what state."""
        states = [server.state.value for server in self._servers.values()]
        return McpPoolStatistics(
            servers=len(states),
            ready=sum(isinstance(state, Ready) for state in states),
            failed=sum(isinstance(state, Failed) for state in states),
            leases=sum(len(server.listeners) for server in self._servers.values()),
        )

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<McpPool: {now.servers} servers, {now.ready} ready, {now.failed} failed, "
            f"{now.leases} leases>"
        )


@contextlib.asynccontextmanager
async def open_mcp_pool(*, environ: Mapping[str, str], world: World) -> AsyncGenerator[McpPool]:
    """
    Open the pool of a program; no server is alive when the block is left.

    Nothing runs before the first lease starts.

    Args:
        environ: Where the variables that configurations name are looked up.
        world: For the jitter of restarts.

    Cancellation:
        All servers are ended first, at once, within three seconds.
    """
    async with open_launcher():
        supervisor = DynamicSupervisor(
            "mcp", jitter=world.random, intensity=_INTENSITY, shutdown=_SHUTDOWN
        )
        async with supervisor, trio.open_nursery() as nursery:
            pool = McpPool(environ, supervisor, nursery)
            supervisor.on_gave_up = pool.on_gave_up
            try:
                yield pool
            finally:
                pool.close()
