"""What servers have besides tools, and how one logs in to them; for people."""

import logging
from collections.abc import Iterable
from typing import Any, TypeAlias

import trio

from messages.tool_settings import McpHttp, McpServerConfig

from .connection import Connection
from .errors import McpCallError, McpServerLost
from .mcp_tool import LeasedServer
from .resource_tools import RESOURCES_AT_MOST
from .server import Ready

__all__ = ["auth_status", "list_resources"]

_logger = logging.getLogger(__name__)

_Found: TypeAlias = dict[str, list[dict[str, Any]]]


async def list_resources(servers: Iterable[LeasedServer]) -> tuple[_Found, _Found]:
    """
    List the resources and the resource templates of all servers that are ready, by name.

    All are asked at once, each for as long as one of its calls may take; who does not
    answer is left out.
    """
    resources: _Found = {}
    templates: _Found = {}
    async with trio.open_nursery() as nursery:
        for leased in servers:
            if isinstance(leased.server.state.value, Ready):
                nursery.start_soon(_fetch, leased, "resources/list", "resources", resources)
                method = "resources/templates/list"
                nursery.start_soon(_fetch, leased, method, "resourceTemplates", templates)
    return dict(sorted(resources.items())), dict(sorted(templates.items()))


def auth_status(config: McpServerConfig) -> str:
    """Say how one logs in: ``bearer_token``, or ``unsupported`` where there is nothing to do."""
    http = config.transport
    if not isinstance(http, McpHttp):
        return "unsupported"
    headers = {name.lower() for name in (*http.http_headers, *http.env_http_headers)}
    has_token = http.bearer_token_env_var is not None or "authorization" in headers
    return "bearer_token" if has_token else "unsupported"


async def _fetch(leased: LeasedServer, method: str, key: str, found: _Found) -> None:
    async def send(connection: Connection) -> list[dict[str, Any]]:
        return await connection.all_pages(method, key, RESOURCES_AT_MOST)

    with trio.move_on_after(leased.config.tool_timeout):
        try:
            found[leased.name] = await leased.server.request(send)
        except (McpCallError, McpServerLost) as error:
            _logger.debug("%s of MCP server %r: %s", method, leased.name, error)
