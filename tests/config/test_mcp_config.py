"""MCP servers in the op that refreshes them."""

from typing import Any

import pytest

from actors.config import ConfigError, mcp_servers_from_json
from messages.tool_settings import McpHttp, McpServerConfig, McpStdio


def test_servers_are_read_as_from_the_file() -> None:
    """Null is as good as missing, as programs write it; other members are left alone."""
    servers = mcp_servers_from_json(
        {
            "mcp_oauth_credentials_store_mode": "auto",
            "mcp_servers": {
                "a": {"command": "x", "args": ["-v"], "url": None, "tool_timeout_sec": None},
                "b": {"url": "http://b.test", "http_headers": None, "enabled_tools": None},
            },
        }
    )

    assert servers == {
        "a": McpServerConfig(transport=McpStdio(command="x", args=("-v",))),
        "b": McpServerConfig(transport=McpHttp(url="http://b.test")),
    }


def test_no_servers_are_no_servers() -> None:
    """That ends all of them."""
    assert mcp_servers_from_json({"mcp_servers": {}}) == {}


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (None, "config.mcp_servers: is missing; give a table of servers by name, which may be empty"),
        ({}, "config.mcp_servers: is missing; give a table of servers by name, which may be empty"),
        ([], "config: expected a table, got a list"),
        ({"mcp_servers": []}, "config.mcp_servers: expected a table, got a list"),
        ({"mcp_servers": {"": {"command": "x"}}}, "config.mcp_servers.: invalid MCP server name '': must match pattern ^[a-zA-Z0-9_-]+$; rename the server"),
        ({"mcp_servers": {"a": {"command": ["x"]}}}, "config.mcp_servers.a.command: expected a text, got a list"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_told(config: Any, problem: str) -> None:
    """With the place in it."""
    with pytest.raises(ConfigError) as caught:
        mcp_servers_from_json(config)

    assert str(caught.value) == problem
