"""What the model can do: the tools, the router that finds them, and the processes they start."""

from .agents import AgentControl, AgentError
from .builtin import ToolParts, builtin_tools
from .dynamic import DynamicTool, usable_dynamic_tools, validate_dynamic_tools
from .errors import DynamicToolInvalid, FatalToolError, SpawnError, ToolError, ToolsError
from .mcp import RequiredServersFailed, open_mcp_pool
from .process import ProcessResult, open_launcher, run_process
from .router import RequestTools, ToolRouter
from .rules_source import RulesSource, show_prefix
from .sandbox_probe import SandboxProbe
from .shell import ShellTool, shell_tools
from .tool import (
    CustomPayload,
    FunctionPayload,
    Offer,
    Tool,
    ToolCall,
    ToolContext,
    ToolOutput,
    ToolPayload,
    ToolSource,
)
from .toolbox import Toolbox, ToolServices
from .user_shell import run_user_shell

__all__ = [
    "AgentControl",
    "AgentError",
    "CustomPayload",
    "DynamicTool",
    "DynamicToolInvalid",
    "FatalToolError",
    "FunctionPayload",
    "Offer",
    "ProcessResult",
    "RequestTools",
    "RequiredServersFailed",
    "RulesSource",
    "SandboxProbe",
    "ShellTool",
    "SpawnError",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolOutput",
    "ToolParts",
    "ToolPayload",
    "ToolRouter",
    "ToolServices",
    "ToolSource",
    "Toolbox",
    "ToolsError",
    "builtin_tools",
    "open_launcher",
    "open_mcp_pool",
    "run_process",
    "run_user_shell",
    "shell_tools",
    "show_prefix",
    "usable_dynamic_tools",
    "validate_dynamic_tools",
]
