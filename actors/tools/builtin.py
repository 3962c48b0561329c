"""The list of the tools that every thread has, in the order in which models see them."""

from collections.abc import Mapping

import attrs

from messages.tool_settings import EnvironmentPolicy, ToolFeatures

from .agents import AgentControl, agent_tools
from .command_gate import CommandGate
from .exec_command import ExecCommandTool
from .exec_sessions import ExecSessions
from .patch import ApplyPatchTool, Patcher
from .request_user_input import RequestUserInputTool
from .shell import shell_tools
from .tool import Tool
from .update_plan import UpdatePlanTool
from .view_image import ViewImageTool
from .write_stdin import WriteStdinTool

__all__ = ["ToolParts", "builtin_tools"]

# These keep nothing, so that all threads share them.
_STATELESS = (UpdatePlanTool(), RequestUserInputTool())
_VIEW_IMAGE = ViewImageTool()


@attrs.frozen(kw_only=True)
class ToolParts:
    """
    What the tools of one thread are built from, and share.

    Attributes:
        environ: Our own variables.
        shell: Path of the shell that runs scripts.
        agents: Starts and steers sub-agents; None where there are none.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)
    environment_policy: EnvironmentPolicy
    features: ToolFeatures
    shell: str
    gate: CommandGate
    sessions: ExecSessions
    patcher: Patcher
    agents: AgentControl | None = None


def builtin_tools(parts: ToolParts) -> tuple[Tool, ...]:
    """Build the tools that every thread has; what they share is in *parts*."""
    return (
        *_session_tools(parts),
        *shell_tools(
            gate=parts.gate,
            environ=parts.environ,
            environment_policy=parts.environment_policy,
            shell=parts.shell,
            patcher=parts.patcher,
            enabled=parts.features.shell_tool,
        ),
        *_STATELESS,
        ApplyPatchTool(parts.patcher),
        _VIEW_IMAGE,
        *(() if parts.agents is None else agent_tools(parts.agents)),
    )


def _session_tools(parts: ToolParts) -> tuple[Tool, ...]:
    if not parts.features.shell_tool:
        return ()
    command = ExecCommandTool(
        sessions=parts.sessions,
        gate=parts.gate,
        environ=parts.environ,
        environment_policy=parts.environment_policy,
        shell=parts.shell,
        patcher=parts.patcher,
    )
    return (command, WriteStdinTool(sessions=parts.sessions))
