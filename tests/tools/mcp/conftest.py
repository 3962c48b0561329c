"""What tests of MCP servers share: a pool, and leases that keep what they are told."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import pytest
import trio

from actors.runtime import World
from actors.tools.mcp import McpLease, McpPool, open_mcp_pool, streamable_http
from actors.tools.mcp import pool as pool_module
from actors.tools.mcp import server as server_module
from actors.tools.tool import ToolOutput
from messages.events import EventMsg, McpStartupComplete, McpStartupUpdate
from messages.tool_settings import McpServerConfig, McpStdio

from ..fake_context import FakeContext, function_call, raw_call
from ..processes import MARK, marked_processes

PLAIN = str(Path(__file__).parent / "servers" / "plain.py")
SECRET = "swordfish-0815"


def plain(mode: str = "usual", *args: str, **settings: object) -> McpServerConfig:
    """The configuration of a server by hand, in one of its modes."""
    transport = McpStdio(
        command=sys.executable,
        args=("-I", "-S", PLAIN, mode, *args),
        env={"SECRET": SECRET},
        env_vars=(MARK,),
    )
    return McpServerConfig(transport=transport, **settings)


@attrs.define(eq=False)
class Teller:
    """Keeps what a lease tells, and waits for it."""

    events: list[EventMsg] = attrs.field(factory=list)
    changed: trio.Event = attrs.field(factory=trio.Event)

    def __call__(self, event: EventMsg) -> None:
        self.events.append(event)
        self.changed.set()
        self.changed = trio.Event()

    def states(self, server: str) -> list[str]:
        """How the start of one server went, a failure as its text."""
        return [
            getattr(getattr(event.status, "state", None), "value", None) or event.status.error
            for event in self.events
            if isinstance(event, McpStartupUpdate) and event.server == server
        ]

    async def complete(self, count: int = 1) -> McpStartupComplete:
        while True:
            found = [event for event in self.events if isinstance(event, McpStartupComplete)]
            if len(found) >= count:
                return found[count - 1]
            await self.changed.wait()

    async def wait_states(self, server: str, count: int) -> list[str]:
        while len(states := self.states(server)) < count:
            await self.changed.wait()
        return states


@attrs.define(eq=False)
class Held:
    """A lease that was started, and what it told."""

    lease: McpLease
    told: Teller

    def names(self) -> list[str]:
        return [tool.name for tool in self.lease.tools()]

    def tool(self, name: str):
        return next(tool for tool in self.lease.tools() if tool.name == name)

    async def call(
        self, name: str, context: FakeContext | None = None, /, **arguments: object
    ) -> ToolOutput:
        call = function_call(name, **arguments)
        return await self.tool(name).run(call, context or FakeContext())

    async def call_raw(self, name: str, arguments: str, context: FakeContext) -> ToolOutput:
        return await self.tool(name).run(raw_call(name, arguments), context)

    async def wait_names(self, *wanted: str) -> None:
        """Wait until these tools are there, with a look after each change of a server."""
        servers = [entry.server for entry in self.lease._started()]
        while not set(wanted) <= set(self.names()):
            version = servers[0].state.version
            await servers[0].state.wait_changed(version)


@pytest.fixture
def environ() -> dict[str, str]:
    import uuid

    return {"PATH": os.environ["PATH"], MARK: uuid.uuid4().hex}


@pytest.fixture
def nothing_runs(environ: dict[str, str]) -> Iterator[None]:
    """After the test no process of its servers is left."""
    yield
    assert marked_processes(environ[MARK]) == []


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody rests between two attempts; ask for it before the pool."""
    at_once = attrs.evolve(pool_module._INTENSITY, backoff_base=0.01, backoff_cap=0.01)
    monkeypatch.setattr(pool_module, "_INTENSITY", at_once)
    monkeypatch.setattr(streamable_http, "_AGAIN", 0.01)
    monkeypatch.setattr(server_module, "_BETWEEN_LISTINGS", 0.01)


@pytest.fixture
async def pool(environ: dict[str, str], nothing_runs: None) -> AsyncIterator[McpPool]:
    with trio.fail_after(30):
        async with open_mcp_pool(environ=environ, world=World.deterministic(1, 0.0)) as pool:
            yield pool


@pytest.fixture
def hold(pool: McpPool, tmp_path: Path):
    """Start a lease of these servers."""

    @contextlib.asynccontextmanager
    async def hold(**servers: McpServerConfig) -> AsyncIterator[Held]:
        lease, told = pool.lease(servers, cwd=str(tmp_path)), Teller()
        lease.patience = 20.0  # machines may be busy; the tests of patience set their own
        lease.start(told)
        try:
            yield Held(lease, told)
        finally:
            lease.release()

    return hold
