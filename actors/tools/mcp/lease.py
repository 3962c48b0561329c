"""The MCP servers of one thread: which there are, what they offer, how they start."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import attrs
import trio

from messages.events import (
    EventMsg,
    McpListToolsResponse,
    McpServerFailure,
    McpStartupComplete,
    McpStartupFailed,
    McpStartupState,
    McpStartupStateKind,
    McpStartupUpdate,
    WarningEvent,
)
from messages.tool_settings import McpServerConfig

from ..tool import Tool
from .errors import McpStartError, RequiredServersFailed
from .inventory import auth_status, list_resources
from .mcp_tool import LeasedServer, McpTool
from .names import is_server_name, qualified_names
from .resource_tools import ResourceTool, resource_tools
from .server import Failed, McpServer, Ready, ServerState, Starting, is_settled
from .startup_texts import friendly_text

__all__ = ["McpLease", "ServerOwner"]

PATIENCE: Final = 3.0
"""Seconds from the start that the first request of a turn waits for slow servers."""

_STARTING: Final = McpStartupState(state=McpStartupStateKind.STARTING)
_READY: Final = McpStartupState(state=McpStartupStateKind.READY)


class ServerOwner(Protocol):
    """Who has the servers that threads share."""

    def attach(self, config: McpServerConfig, cwd: str, listener: Callable[[], None]) -> McpServer:
        """Give the server of a configuration, for one more holder; it may have to start."""
        ...

    def detach(self, server: McpServer, listener: Callable[[], None]) -> None:
        """Let go of a server, which ends with its last holder."""
        ...

    def revive(self, server: McpServer, *, after: float) -> None:
        """Start a server that failed, unless that was tried in the last *after* seconds."""
        ...


@attrs.define(eq=False)
class _Entry:
    """
    One server of the configuration.

    Attributes:
        leased: The shared server; None before the start, and when it cannot have one.
        told: The state that clients were told of last.
        problem: Why it can never start.
        listener: What the server tells.
    """

    name: str
    config: McpServerConfig
    leased: LeasedServer | None = None
    told: ServerState | None = None
    problem: McpStartError | None = None
    listener: Callable[[], None] = attrs.field(default=lambda: None)

    @property
    def state(self) -> ServerState:
        if self.problem is not None:
            return Failed(self.problem)
        return Starting() if self.leased is None else self.leased.server.state.value


@attrs.define(eq=False, repr=False)
class McpLease:
    """
    What one thread holds of the pool, from its start to its end; a `ToolSource`.

    Nothing starts before `start`.  Each server is ready, or not, by itself: its tools are
    there as soon as it is, and gone when it is gone; a slow one delays nobody beyond
    the patience of `wait_ready`.

    Attributes:
        patience: Seconds from the start that `wait_ready` waits for servers that are not
            required.
        revive_after: Seconds after which a server that failed is tried again when a turn
            begins.
    """

    _owner: ServerOwner
    _cwd: str
    patience: float = attrs.field(default=PATIENCE, kw_only=True)
    revive_after: float = attrs.field(default=60.0, kw_only=True)

    # Enabled servers, by name.
    _entries: dict[str, _Entry] = attrs.field(factory=dict[str, _Entry], init=False)
    _configs: dict[str, McpServerConfig] = attrs.field(
        factory=dict[str, McpServerConfig], init=False
    )
    # The snapshot; replaced, never changed.
    _tools: tuple[Tool, ...] = attrs.field(default=(), init=False)
    _resource_tools: tuple[ResourceTool, ...] = attrs.field(default=(), init=False)
    _tell: Callable[[EventMsg], None] | None = attrs.field(default=None, init=False)
    _attached: bool = attrs.field(default=False, init=False)
    _released: bool = attrs.field(default=False, init=False)
    # Until when optional servers are waited for.
    _deadline: float = attrs.field(default=-math.inf, init=False)
    # Whether an McpStartupComplete is still owed, and who was called off meanwhile.
    _warned: bool = attrs.field(default=False, init=False)
    _completing: bool = attrs.field(default=False, init=False)
    _called_off: list[str] = attrs.field(factory=list[str], init=False)

    @classmethod
    def of(cls, owner: ServerOwner, servers: Mapping[str, McpServerConfig], cwd: str) -> "McpLease":
        """Make the lease of one thread; nothing starts yet."""
        lease = cls(owner, cwd)
        lease._resource_tools = resource_tools(lease._by_name)
        lease._configure(servers)
        return lease

    # Starting -----------------------------------------------------------

    def start(self, tell: Callable[[EventMsg], None]) -> None:
        """
        Begin to start the servers, and tell how it goes: each one's state, then the sum.

        Without any server nothing is told.  Again, it does nothing.  A server that crashes
        later is started again, after a while and not for ever, which is told as well.

        Args:
            tell: Gets the events; must not wait.
        """
        if self._tell is not None or self._released:
            return
        self._tell = tell
        self._deadline = trio.current_time() + self.patience
        self._completing = True
        self._attach_all()
        for entry in tuple(self._entries.values()):
            self._report(entry)
        self._complete()

    async def wait_ready(self) -> None:
        """
        Wait until every server is ready or has failed, but not for long.

        Servers that are not required are waited for until `patience` seconds after the
        start, so in later turns not at all; required ones until their own time is up.
        Servers that failed some time ago are tried again, and not waited for.

        Raises:
            RequiredServersFailed: One that is required is not ready.

        Cancellation:
            Nothing changes.
        """
        await trio.lowlevel.checkpoint()
        if self._tell is None:
            return
        for entry in self._started():
            self._owner.revive(entry.server, after=self.revive_after)
        with trio.move_on_at(self._deadline):
            for leased in self._started():
                await leased.server.state.wait_for(is_settled)
        await self._wait_required()
        self._warn_of_slow()

    def _warn_of_slow(self) -> None:
        """Tell, once after each start, that the model has to begin without some tools."""
        slow = [name for name, entry in self._entries.items() if not is_settled(entry.state)]
        if self._tell is None or self._warned or not slow:
            return
        self._warned = True
        names = ", ".join(f"`{name}`" for name in slow)
        message = (
            f"the model begins without the tools of MCP servers that are still starting ({names}); "
            "it gets them with the first request after they are ready"
        )
        self._tell(WarningEvent(message=message))

    async def _wait_required(self) -> None:
        required = [entry for entry in self._entries.values() if entry.config.required]
        for entry in required:
            # Handshake and list of tools have this long each; restarts are not waited for.
            with trio.move_on_after(2 * entry.config.startup_timeout):
                if entry.leased is not None:
                    await entry.leased.server.state.wait_for(is_settled)
        problems = {
            entry.name: _problem(entry.state)
            for entry in required
            if not isinstance(entry.state, Ready)
        }
        if problems:
            raise RequiredServersFailed(problems)

    def refresh(self, servers: Mapping[str, McpServerConfig]) -> None:
        """
        Take a new configuration; only what changed is restarted, and what had failed.

        Servers that stay keep their sessions, their calls and their open questions.
        """
        if self._released:
            return
        self._configure(servers)
        if not self._attached:
            return
        self._completing, self._warned = self._tell is not None, False
        self._deadline = trio.current_time() + self.patience
        self._attach_all()
        for leased in self._started():
            self._owner.revive(leased.server, after=0.0)
        for entry in tuple(self._entries.values()):
            self._report(entry)
        self._complete()

    def release(self) -> None:
        """Let go of all servers; nothing is told any more."""
        self._released = True
        for entry in self._entries.values():
            self._detach(entry)
        self._entries.clear()
        self._tools = ()

    # Looking --------------------------------------------------------------

    def tools(self) -> Sequence[Tool]:
        """
        List what models may call now: the tools of servers that are ready, by name.

        The three tools for resources come first, when there is any server at all.
        """
        return self._tools

    async def listing(self) -> McpListToolsResponse:
        """
        List everything that the servers have, for people.

        Starts them if nobody has, and then waits for them as `wait_ready` does.  A server
        that does not answer in its time is shown without its resources.

        Cancellation:
            Nothing changes.
        """
        if not self._attached and not self._released:
            self._deadline = trio.current_time() + self.patience
            self._attach_all()
        with trio.move_on_at(self._deadline):
            for leased in self._started():
                await leased.server.state.wait_for(is_settled)
        resources, templates = await list_resources(self._started())
        return McpListToolsResponse(
            tools={
                tool.name: dict(tool.listed.raw)
                for tool in self._tools
                if isinstance(tool, McpTool)
            },
            resources=resources,
            resource_templates=templates,
            auth_statuses={name: auth_status(config) for name, config in self._configs.items()},
        )

    # Configuration --------------------------------------------------------

    def _configure(self, servers: Mapping[str, McpServerConfig]) -> None:
        enabled = {name: config for name, config in servers.items() if config.enabled}
        for name, entry in tuple(self._entries.items()):
            if enabled.get(name) != entry.config:
                self._drop(entry)
        self._configs = dict(servers)
        self._entries = {
            name: self._entries.get(name) or _Entry(name, config)
            for name, config in sorted(enabled.items())
        }
        self._rebuild()

    def _drop(self, entry: _Entry) -> None:
        if isinstance(entry.told, Starting):
            self._called_off.append(entry.name)
        self._detach(entry)
        del self._entries[entry.name]

    def _attach_all(self) -> None:
        self._attached = True
        for entry in self._entries.values():
            if entry.leased is None and entry.problem is None:
                self._attach(entry)
        # One that another thread has started may be ready: nobody says so once more.
        self._rebuild()

    def _attach(self, entry: _Entry) -> None:
        if not is_server_name(entry.name):
            entry.problem = McpStartError(
                f"Invalid MCP server name '{entry.name}': must match pattern ^[a-zA-Z0-9_-]+$"
            )
            return
        entry.listener = lambda: self._on_change(entry)
        server = self._owner.attach(entry.config, self._cwd, entry.listener)
        entry.leased = LeasedServer(name=entry.name, config=entry.config, server=server)

    def _detach(self, entry: _Entry) -> None:
        if entry.leased is not None:
            self._owner.detach(entry.leased.server, entry.listener)

    # Changes --------------------------------------------------------------

    def _on_change(self, entry: _Entry) -> None:
        if self._released or self._entries.get(entry.name) is not entry:
            return
        self._rebuild()
        self._report(entry)
        self._complete()

    def _report(self, entry: _Entry) -> None:
        """Tell a state that clients do not know; that its tools changed is none."""
        state = entry.state
        if self._tell is None or type(state) is type(entry.told):
            return
        if not isinstance(entry.told, Starting) and not isinstance(state, Starting):
            # Shared with a thread that started it before, or without any start at all.
            self._tell(McpStartupUpdate(server=entry.name, status=_STARTING))
        entry.told = state
        match state:
            case Starting():
                status: McpStartupState | McpStartupFailed = _STARTING
            case Ready():
                status = _READY
            case Failed(error=error):
                text = friendly_text(entry.name, entry.config, error)
                status = McpStartupFailed(error=text)
        self._tell(McpStartupUpdate(server=entry.name, status=status))

    def _complete(self) -> None:
        """
        Tell the sum, once after each start and refresh.

        Source:
            Codex, which tells an empty one to every thread that has no servers.
        """
        states = {entry.name: entry.state for entry in self._entries.values()}
        if self._tell is None or not self._completing or not all(map(is_settled, states.values())):
            return
        self._completing = False
        if not states and not self._called_off:
            return
        failed = tuple(
            McpServerFailure(server=name, error=state.error.text)
            for name, state in states.items()
            if isinstance(state, Failed)
        )
        self._tell(
            McpStartupComplete(
                ready=tuple(name for name, state in states.items() if isinstance(state, Ready)),
                failed=failed,
                cancelled=tuple(self._called_off),
            )
        )
        self._called_off.clear()

    def _rebuild(self) -> None:
        """Make the snapshot anew, and keep the old one when it is the same."""
        offered = {
            (leased.name, tool.name): (leased, tool)
            for leased in self._started()
            if isinstance(state := leased.server.state.value, Ready)
            for tool in state.tools
            if leased.offers(tool.name)
        }
        named = sorted((name, pair) for pair, name in qualified_names(offered).items())
        tools: tuple[Tool, ...] = tuple(
            McpTool(name=name, leased=offered[pair][0], listed=offered[pair][1])
            for name, pair in named
        )
        if self._entries:
            tools = (*self._resource_tools, *tools)
        if tools != self._tools:
            self._tools = tools

    def _started(self) -> list[LeasedServer]:
        return [entry.leased for entry in self._entries.values() if entry.leased is not None]

    def _by_name(self) -> dict[str, LeasedServer]:
        return {leased.name: leased for leased in self._started()}

    def __repr__(self) -> str:
        ready = sum(isinstance(entry.state, Ready) for entry in self._entries.values())
        state = "released" if self._released else "open"
        return f"<McpLease: {ready} of {len(self._entries)} servers ready, {state}>"


def _problem(state: ServerState) -> str:
    return state.error.text if isinstance(state, Failed) else "still starting"
