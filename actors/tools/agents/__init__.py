"""
Agents that work for an agent: the tools by which a model starts and steers them.

The tools only read arguments, tell clients and write results.  What they do is done by an
`AgentControl`, which keeps the registry of threads and lives some floors above.
"""

from ..tool import Tool
from .close_agent import CloseAgentTool
from .control import AgentControl, ParentTurn, is_final
from .errors import (
    AgentClosed,
    AgentDepthReached,
    AgentError,
    AgentFailed,
    AgentLimitReached,
    AgentNotFound,
    AgentsUnavailable,
)
from .resume_agent import ResumeAgentTool
from .roles import AgentRole
from .send_input import SendInputTool
from .spawn_agent import SpawnAgentTool
from .wait import WaitTool

__all__ = [
    "AgentClosed",
    "AgentControl",
    "AgentDepthReached",
    "AgentError",
    "AgentFailed",
    "AgentLimitReached",
    "AgentNotFound",
    "AgentRole",
    "AgentsUnavailable",
    "ParentTurn",
    "agent_tools",
    "is_final",
]


def agent_tools(control: AgentControl) -> tuple[Tool, ...]:
    """Build the tools of agents; they keep nothing and may serve any number of threads."""
    return (
        SpawnAgentTool(control),
        SendInputTool(control),
        ResumeAgentTool(control),
        WaitTool(control),
        CloseAgentTool(control),
    )
