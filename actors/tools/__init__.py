"""What the model can do: the tools, the router that finds them, and the processes they start."""

from collections.abc import Mapping

from .dynamic import DynamicTool, validate_dynamic_tools
from .errors import DynamicToolInvalid, FatalToolError, SpawnError, ToolError, ToolsError
from .process import ProcessResult, open_launcher, run_process
from .router import (
    CustomPayload,
    FunctionPayload,
    Tool,
    ToolCall,
    ToolContext,
    ToolOutput,
    ToolPayload,
    ToolRouter,
)
from .shell import ShellTool, shell_tools
from .user_shell import run_user_shell

__all__ = [
    "CustomPayload",
    "DynamicTool",
    "DynamicToolInvalid",
    "FatalToolError",
    "FunctionPayload",
    "ProcessResult",
    "ShellTool",
    "SpawnError",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolOutput",
    "ToolPayload",
    "ToolRouter",
    "ToolsError",
    "builtin_tools",
    "open_launcher",
    "run_process",
    "run_user_shell",
    "shell_tools",
    "validate_dynamic_tools",
]


def builtin_tools(environ: Mapping[str, str]) -> tuple[Tool, ...]:
    """
    Build the tools that every thread has; each thread needs its own.

    Args:
        environ: Variables for the commands that they run.
    """
    return shell_tools(environ)
