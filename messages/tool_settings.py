"""Settings of tools: what commands find around them, and the MCP servers of a thread."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

__all__ = [
    "EnvironmentPolicy",
    "Inherit",
    "McpHttp",
    "McpServerConfig",
    "McpStdio",
    "McpTransport",
    "ToolFeatures",
]


class Inherit(Enum):
    """Which of our own variables a command starts from."""

    ALL = "all"
    CORE = "core"
    NONE = "none"


@attrs.frozen(kw_only=True)
class EnvironmentPolicy:
    """
    Which variables commands get; applied in the order of the attributes.

    Patterns are globs (``*`` and ``?``) without regard to case.

    Attributes:
        inherit: What to start from.
        ignore_default_excludes: Whether names with KEY, SECRET or TOKEN stay in.
        exclude: Patterns of names to leave out.
        set: Variables to add or replace; may hold secrets.
        include_only: Patterns of which a name must fit one to stay; empty keeps all.
    """

    inherit: Inherit = Inherit.ALL
    ignore_default_excludes: bool = True
    exclude: tuple[str, ...] = ()
    set: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    include_only: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class McpStdio:
    """
    An MCP server that is a child process and speaks over its standard streams.

    Attributes:
        command: Program, found by PATH.
        env: Variables to set, besides a few that every program needs.
        env_vars: Names of our own variables to hand on.
        cwd: Where it runs; None for the thread's own working directory.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    env_vars: tuple[str, ...] = ()
    cwd: str | None = None


@attrs.frozen(kw_only=True)
class McpHttp:
    """
    An MCP server that speaks streamable HTTP.

    Attributes:
        bearer_token_env_var: Name of the variable that holds the token.
        http_headers: Headers to send.
        env_http_headers: Headers whose values are in the named variables.
    """

    url: str
    bearer_token_env_var: str | None = None
    http_headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    env_http_headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


McpTransport: TypeAlias = McpStdio | McpHttp


@attrs.frozen(kw_only=True)
class McpServerConfig:
    """
    One MCP server; two threads whose configurations are equal share it.

    Attributes:
        enabled: Whether it is used at all.
        required: Whether a turn fails when the server does not start.
        startup_timeout: Seconds for the handshake, and again for the list of its tools.
        tool_timeout: Seconds for one call.
        enabled_tools: Only these, by their own names; None for all.
        disabled_tools: Not these; wins over `enabled_tools`.
    """

    transport: McpTransport
    enabled: bool = True
    required: bool = False
    startup_timeout: float = attrs.field(default=10.0, validator=attrs.validators.gt(0))
    tool_timeout: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))
    enabled_tools: tuple[str, ...] | None = None
    disabled_tools: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ToolFeatures:
    """
    Which optional tools a thread has; the names are the keys of ``[features]``.

    Attributes:
        shell_tool: Any tool that runs commands.
        unified_exec:
            ``exec_command`` and ``write_stdin`` are offered; otherwise ``shell``.
            The names that are not offered are understood all the same.
        apply_patch_freeform: The patch tool takes free text where a model says nothing of it.
        collab: Tools that start and steer sub-agents.
        request_user_input: The tool that asks the user; offered in Plan mode.
        skill_env_var_dependency_prompt: Ask for variables that a skill needs and nobody has set.
    """

    shell_tool: bool = True
    unified_exec: bool = True
    apply_patch_freeform: bool = True
    collab: bool = False
    request_user_input: bool = True
    skill_env_var_dependency_prompt: bool = False
