"""What people read when a server did not start."""

from typing import Final

from messages.tool_settings import McpHttp, McpServerConfig

from .errors import McpStartError, StartProblem

__all__ = ["friendly_text"]

_GITHUB: Final = "https://api.githubcopilot.com/mcp"


def friendly_text(name: str, config: McpServerConfig, error: McpStartError) -> str:
    """Say what is wrong with a server and, where we know it, the way out."""
    if _is_bare_github(config):
        return (
            "GitHub's MCP server takes no interactive login. Create a personal access token, "
            f"put it into an environment variable, and name that under [mcp_servers.{name}] as "
            "`bearer_token_env_var`."
        )
    match error.problem:
        case StartProblem.TIMED_OUT:
            seconds = f"{config.startup_timeout:g}"
            return (
                f"MCP client for `{name}` timed out after {seconds} seconds. Add or raise "
                f"`startup_timeout_sec` under [mcp_servers.{name}] in config.toml."
            )
        case StartProblem.LOGIN:
            return f"{_failed(name, error)}. {_login_hint(name, config)}"
        case StartProblem.OTHER:
            return _failed(name, error)


def _failed(name: str, error: McpStartError) -> str:
    return f"MCP client for `{name}` failed to start: {error.text}"


def _login_hint(name: str, config: McpServerConfig) -> str:
    variable = (
        config.transport.bearer_token_env_var if isinstance(config.transport, McpHttp) else None
    )
    if variable is None:
        return (
            "Put an access token into an environment variable, and name that under "
            f"[mcp_servers.{name}] as `bearer_token_env_var`."
        )
    return f"Set {variable} to a token that the server accepts."


def _is_bare_github(config: McpServerConfig) -> bool:
    http = config.transport
    return (
        isinstance(http, McpHttp)
        and http.url.rstrip("/") == _GITHUB
        and http.bearer_token_env_var is None
        and not http.http_headers
        and not http.env_http_headers
    )
