"""The tools by which models list and read what MCP servers have besides tools."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs
import trio

from messages.events import McpInvocation, McpToolResult
from messages.value import Json

from ..errors import ToolError
from ..tool import FunctionPayload, Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .call import run_told
from .connection import Connection
from .errors import McpCallError, McpServerLost
from .mcp_tool import LeasedServer
from .plain_json import dump_json, size_of
from .results import KEPT_BYTES, result_text, text_result
from .server import Ready

__all__ = ["RESOURCES_AT_MOST", "ResourceTool", "resource_tools"]

_logger = logging.getLogger(__name__)

RESOURCES_AT_MOST: Final = 1000
"""Resources or templates of one server that are listed together."""

_ANY_SERVER: Final = "codex"
"""What a call names that is for all servers.  Source: Codex."""

Servers: TypeAlias = Callable[[], Mapping[str, LeasedServer]]
"""Gives the servers of a thread, by name."""

_SERVER: Final = {
    "type": "string",
    "description": "Name of the MCP server, as in the names of its tools.",
}
_LIST_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "server": {**_SERVER, "description": "Only of this MCP server; of all when left out."},
        "cursor": {
            "type": "string",
            "description": "nextCursor of an earlier answer of the same server.",
        },
    },
    "additionalProperties": False,
}
_READ_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "server": _SERVER,
        "uri": {"type": "string", "description": "The resource's uri, as it was listed."},
    },
    "required": ["server", "uri"],
    "additionalProperties": False,
}


@attrs.frozen(kw_only=True)
class ResourceTool:
    """
    One of the three; they may run beside each other, since they only read.

    Attributes:
        name: What calls name it by.
        method: Of the protocol.
        key: Of the list in the answer of a server and in ours; empty for reading.
        description: For the model.
        parameters: For the model.
    """

    name: str
    method: str
    key: str
    description: str
    parameters: Json
    _servers: Servers = attrs.field(alias="servers")
    parallel: bool = attrs.field(default=True, init=False)

    def spec(self, offer: Offer) -> Json:  # noqa: ARG002 -- the same for every request
        """Describe it to the model."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "strict": False,
            "parameters": self.parameters,
        }

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Ask the server, or all of them.

        Raises:
            ToolError: The arguments are wrong, or the server did not do it.

        Cancellation:
            The end of the call is told to clients.

        Source:
            Codex, ``handlers/mcp_resource.rs``.
        """
        arguments = _arguments(call)
        server, cursor = _word(arguments, "server"), _word(arguments, "cursor")
        uri = _word(arguments, "uri")
        invocation = McpInvocation(
            server=server or _ANY_SERVER, tool=self.name, arguments=arguments or None
        )

        async def work() -> McpToolResult:
            try:
                return _checked(await self._answer(server, cursor, uri, context))
            except (McpCallError, McpServerLost) as error:
                raise McpCallError(f"{self.method} failed: {error.text}") from error

        try:
            result = await run_told(call.call_id, invocation, context, work)
        except McpCallError as error:
            raise ToolError(error.text) from error
        return ToolOutput(output=result_text(result), success=True)

    async def _answer(
        self, server: str | None, cursor: str | None, uri: str | None, context: ToolContext
    ) -> Mapping[str, Any]:
        if not self.key:
            return await self._read(server, uri, context)
        if server is None:
            if cursor is not None:
                raise McpCallError("cursor can only be used when a server is specified")
            return {self.key: await self._list_all(context)}
        return await self._list_one(server, cursor, context)

    async def _read(
        self, server: str | None, uri: str | None, context: ToolContext
    ) -> Mapping[str, Any]:
        if server is None:
            raise McpCallError("server must be provided")
        if uri is None:
            raise McpCallError("uri must be provided")
        raw = await self._leased(server).request(
            context, lambda connection: connection.read_resource(uri)
        )
        return {"server": server, "uri": uri, **_without_meta(raw)}

    async def _list_one(
        self, server: str, cursor: str | None, context: ToolContext
    ) -> Mapping[str, Any]:
        page = await self._leased(server).request(
            context, lambda connection: connection.page(self.method, cursor)
        )
        found = {"server": server, self.key: _marked(server, page.get(self.key, ()))}
        if page.get("nextCursor") is not None:
            found["nextCursor"] = page["nextCursor"]
        return found

    async def _list_all(self, context: ToolContext) -> list[Any]:
        """List those of all servers that are ready, by name; who fails is left out."""
        found: dict[str, list[Any]] = {}

        async def list_one(leased: LeasedServer) -> None:
            async def send(connection: Connection) -> list[dict[str, Any]]:
                return await connection.all_pages(self.method, self.key, RESOURCES_AT_MOST)

            try:
                entries = await leased.request(context, send)
            except (McpCallError, McpServerLost) as error:
                _logger.warning("%s of MCP server %r failed: %s", self.method, leased.name, error)
            else:
                found[leased.name] = _marked(leased.name, entries[:RESOURCES_AT_MOST])

        async with trio.open_nursery() as nursery:
            for leased in self._servers().values():
                if isinstance(leased.server.state.value, Ready):
                    nursery.start_soon(list_one, leased)
        return [entry for name in sorted(found) for entry in found[name]]

    def _leased(self, server: str) -> LeasedServer:
        leased = self._servers().get(server)
        if leased is None:
            raise McpCallError(f"unknown MCP server '{server}'")
        return leased


def resource_tools(servers: Servers) -> tuple[ResourceTool, ...]:
    """Make the three tools of one thread."""
    return (
        ResourceTool(
            name="list_mcp_resources",
            method="resources/list",
            key="resources",
            description=(
                "Lists the resources of MCP servers: files, tables and other things that a "
                "server can give as context. Prefer them to searching the web."
            ),
            parameters=_LIST_PARAMETERS,
            servers=servers,
        ),
        ResourceTool(
            name="list_mcp_resource_templates",
            method="resources/templates/list",
            key="resourceTemplates",
            description=(
                "Lists the resource templates of MCP servers: resources whose uri has "
                "placeholders to fill in before reading."
            ),
            parameters=_LIST_PARAMETERS,
            servers=servers,
        ),
        ResourceTool(
            name="read_mcp_resource",
            method="resources/read",
            key="",
            description="Reads one resource of an MCP server, by the server's name and the uri.",
            parameters=_READ_PARAMETERS,
            servers=servers,
        ),
    )


def _arguments(call: ToolCall) -> dict[str, Json]:
    if isinstance(call.payload, FunctionPayload) and not call.payload.arguments.strip():
        return {}
    return parse_arguments(call)


def _word(arguments: Mapping[str, Json], name: str) -> str | None:
    """Read a text; None when it is not given, or blank."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise ToolError(f"failed to parse function arguments: {name} is no text")
    return (value or "").strip() or None


def _marked(server: str, entries: Any) -> list[Any]:
    return [{"server": server, **entry} for entry in entries]


def _without_meta(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"contents": raw.get("contents", [])}


def _checked(answer: Mapping[str, Any]) -> McpToolResult:
    if size_of(answer) > KEPT_BYTES:
        limit = KEPT_BYTES // (1024 * 1024)
        raise McpCallError(f"the answer has more than {limit} MiB")
    return text_result(dump_json(answer))
