"""The MCP servers that the user configured, in the file or in an op."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from messages.tool_settings import McpHttp, McpServerConfig, McpStdio, McpTransport
from messages.value import Json

from .config_layer import ConfigLayer
from .config_table import ConfigTable
from .masking import masked_text
from .variables import read_variables

__all__ = ["mcp_servers_from_json", "name_problem", "read_mcp_servers"]

_KEY: Final = "mcp_servers"
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_ONLY_HTTP: Final = (
    "url",
    "bearer_token",
    "bearer_token_env_var",
    "http_headers",
    "env_http_headers",
)
_ONLY_STDIO: Final = ("args", "env", "env_vars", "cwd")
_DEFAULT: Final = McpServerConfig(transport=McpStdio(command=""))
_MS: Final = 1000


def read_mcp_servers(table: ConfigTable) -> Mapping[str, McpServerConfig]:
    """
    Read ``[mcp_servers.*]``, by name.

    Raises:
        ConfigError: A server has a name or a value that it cannot have, or settings
            of both kinds of servers or of none.

    Source:
        Codex, ``RawMcpServerConfig``; there a wrong name is told when the server
        starts.  ``scopes`` is not read: no server is logged in to.
    """
    return {name: _server(name, entry) for name, entry in table.tables(_KEY)}


def mcp_servers_from_json(config: Json) -> Mapping[str, McpServerConfig]:
    """
    Read the configuration of the op that refreshes MCP servers.

    Args:
        config: An object with ``mcp_servers``; what else it holds is left alone.

    Raises:
        ConfigError: As for `read_mcp_servers`; or it is no such object.
    """
    # Relative paths cannot begin at a file's folder, and nothing here asks for it.
    layer = ConfigLayer(raw={"config": config}, source=None, folder=Path("/"))
    table = ConfigTable((layer,)).table("config")
    if not table.has(_KEY):
        table.refuse(_KEY, "is missing; give a table of servers by name, which may be empty")
    return read_mcp_servers(table)


def name_problem(name: str) -> str | None:
    """Say what is wrong with the name of a server; None when it is a good one."""
    if _NAME.fullmatch(name):
        return None
    return (
        f"invalid MCP server name {name!r}: must match pattern ^[a-zA-Z0-9_-]+$; rename the server"
    )


def _server(name: str, table: ConfigTable) -> McpServerConfig:
    problem = name_problem(name)
    if problem is not None:
        table.refuse("", problem)
    return McpServerConfig(
        transport=_transport(table),
        enabled=table.flag("enabled", default=_DEFAULT.enabled),
        required=table.flag("required", default=_DEFAULT.required),
        startup_timeout=_startup_timeout(table),
        tool_timeout=table.seconds("tool_timeout_sec") or _DEFAULT.tool_timeout,
        enabled_tools=table.text_list("enabled_tools") if table.has("enabled_tools") else None,
        disabled_tools=table.text_list("disabled_tools"),
    )


def _transport(table: ConfigTable) -> McpTransport:
    command, url = table.text("command"), table.text("url")
    if command is not None:
        _refuse_others(table, _ONLY_HTTP, "stdio", "command")
        return McpStdio(
            command=command,
            args=table.text_list("args", empty=True),
            env=read_variables(table, "env"),
            env_vars=table.text_list("env_vars"),
            cwd=table.text("cwd"),
        )
    if url is None:
        table.refuse("", "invalid transport; give it a command to run, or a url to connect to")
    _refuse_others(table, _ONLY_STDIO, "streamable_http", "url")
    return McpHttp(
        url=_checked(table, url),
        bearer_token_env_var=_token_variable(table),
        http_headers=table.texts("http_headers"),
        env_http_headers=table.texts("env_http_headers"),
    )


def _refuse_others(table: ConfigTable, keys: tuple[str, ...], kind: str, own: str) -> None:
    for key in keys:
        if table.has(key):
            table.refuse(key, f"{key} is not supported for {kind}; leave out {own} or it")


def _checked(table: ConfigTable, url: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+\S*", url):
        table.refuse("url", f"expected a URL with http or https, got {masked_text(url)!r}")
    return url


def _token_variable(table: ConfigTable) -> str | None:
    if table.has("bearer_token"):
        table.refuse(
            "bearer_token",
            "bearer_token is not supported for streamable_http; put the token into an "
            "environment variable and name that with bearer_token_env_var",
        )
    return table.text("bearer_token_env_var")


def _startup_timeout(table: ConfigTable) -> float:
    milliseconds = table.limit("startup_timeout_ms")
    seconds = table.seconds("startup_timeout_sec")
    if seconds is not None:
        return seconds
    return _DEFAULT.startup_timeout if milliseconds is None else milliseconds / _MS
