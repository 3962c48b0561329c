"""The tools of one thread, and what all threads of a supervisor share for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

import attrs

from actors.safety import ApprovalCache
from messages.events import EventMsg, McpListToolsResponse
from messages.ids import TurnId
from messages.settings import DynamicToolSpec
from messages.tool_settings import EnvironmentPolicy, McpServerConfig, ToolFeatures

from .agents import AgentControl
from .builtin import ToolParts, builtin_tools
from .command_gate import CommandGate
from .dynamic import DynamicTool
from .environment import choose_shell
from .exec_sessions import ExecSessions
from .mcp import McpLease, McpPool
from .patch import Patcher
from .router import ToolRouter
from .rules_source import RulesSource
from .sandbox_probe import SandboxProbe
from .tool import Tool

__all__ = ["ToolServices", "Toolbox"]

_RESOURCE_TOOLS: Final = frozenset(
    {"list_mcp_resources", "list_mcp_resource_templates", "read_mcp_resource"}
)
"""There when a thread has MCP servers."""


@attrs.define(eq=False, kw_only=True, slots=False)
class ToolServices:
    """
    Shared by all threads of a supervisor; none of it is closed by a thread.

    Attributes:
        environ: Our own variables, from which those of commands are made.
        sandbox: Says what builds sandboxes here.
        rules: Says which commands are allowed or forbidden by their first words.
        mcp: The MCP servers, by configuration.
        agents: Starts and steers sub-agents; None where there are none.
        make_tools: Builds the tools of one thread.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)
    sandbox: SandboxProbe
    rules: RulesSource
    mcp: McpPool
    agents: AgentControl | None = None
    make_tools: Callable[[ToolParts], Sequence[Tool]] = builtin_tools

    @cached_property
    def shell(self) -> str:
        """Path of the shell that runs scripts."""
        return choose_shell(self.environ)

    @cached_property
    def reserved_names(self) -> frozenset[str]:
        """Names that a client's own tools must not have."""
        nobody = self.open(
            cwd="/",
            approvals=ApprovalCache(),
            features=ToolFeatures(),
            environment_policy=EnvironmentPolicy(),
            mcp_servers={},
            dynamic_tools=(),
        )
        nobody.close()
        return nobody.router.names | _RESOURCE_TOOLS

    def open(
        self,
        *,
        cwd: str,
        approvals: ApprovalCache,
        features: ToolFeatures,
        environment_policy: EnvironmentPolicy,
        mcp_servers: Mapping[str, McpServerConfig],
        dynamic_tools: Iterable[DynamicToolSpec],
        rule_folders: tuple[str, ...] = (),
    ) -> "Toolbox":
        """
        Build the tools of one life of a thread; starts nothing.

        Args:
            cwd: Where the thread's MCP servers run.
            approvals: What the user allowed for the session, and will.
            rule_folders: See `ThreadConfig`.
        """
        sessions = ExecSessions()
        rules = self.rules.with_folders(rule_folders)
        patcher = Patcher(approvals=approvals, environ=self.environ, guarded=rules.folders)
        lease = self.mcp.lease(mcp_servers, cwd=cwd)
        gate = CommandGate(
            environ=self.environ,
            environment_policy=environment_policy,
            sandbox=self.sandbox,
            rules=rules,
            approvals=approvals,
        )
        parts = ToolParts(
            environ=self.environ,
            environment_policy=environment_policy,
            features=features,
            shell=self.shell,
            gate=gate,
            sessions=sessions,
            patcher=patcher,
            agents=self.agents,
        )
        dynamic = _Fixed(tuple(DynamicTool(spec) for spec in dynamic_tools))
        return Toolbox(
            router=ToolRouter(self.make_tools(parts), (lease, dynamic)),
            sessions=sessions,
            patcher=patcher,
            rules=rules,
            mcp=lease,
        )


@attrs.frozen(eq=False)
class _Fixed:
    """A source of tools that never change, behind those of the MCP servers."""

    _tools: tuple[Tool, ...]

    def tools(self) -> Sequence[Tool]:
        return self._tools


@attrs.frozen(eq=False)
class Toolbox:
    """
    The tools of one life of a thread.

    Attributes:
        router: Finds them.
        sessions: Processes that outlive the calls that started them.
        mcp: Its part in the MCP servers.
    """

    router: ToolRouter
    sessions: ExecSessions
    mcp: McpLease
    _patcher: Patcher = attrs.field(alias="patcher")
    _rules: RulesSource = attrs.field(alias="rules")

    def start(self, tell: Callable[[EventMsg], None]) -> None:
        """
        Begin what a turn needs, such as MCP servers; never waits.

        Args:
            tell: Gets events about it, from now on until the end.
        """
        self.mcp.start(tell)

    async def wait_ready(self) -> None:
        """
        Wait, within bounds, until what was begun can be offered.

        Raises:
            RequiredServersFailed: An MCP server that the user cannot do without.
        """
        await self.mcp.wait_ready()

    async def approved_prefixes(self) -> tuple[tuple[str, ...], ...]:
        """List the beginnings of commands that rules allow now."""
        return await self._rules.approved()

    def turn_diff(self, turn_id: TurnId) -> str | None:
        """Say what patches of this turn changed in files so far; None when nothing."""
        return self._patcher.turn_diff(turn_id)

    def use_mcp_servers(self, servers: Mapping[str, McpServerConfig]) -> None:
        """Use other MCP servers; those that are the same go on."""
        self.mcp.refresh(servers)

    async def mcp_listing(self) -> McpListToolsResponse:
        """List what the MCP servers offer."""
        return await self.mcp.listing()

    def stop_background(self) -> None:
        """End what calls of earlier turns left running; never waits."""
        self.sessions.stop_all()

    def close(self) -> None:
        """Let go of what is shared; never waits."""
        self.mcp.release()
