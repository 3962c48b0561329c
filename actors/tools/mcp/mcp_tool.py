"""One tool of an MCP server, as models call it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import attrs
import orjson
import trio

from messages.events import McpInvocation, McpToolResult
from messages.tool_settings import McpServerConfig
from messages.value import Json

from ..errors import FatalToolError
from ..tool import FunctionPayload, Offer, ToolCall, ToolContext, ToolOutput
from .call import run_told
from .connection import Connection
from .errors import McpCallError, McpServerLost
from .listing import ListedTool
from .results import read_result, tool_output, without_images
from .server import McpServer

__all__ = ["LeasedServer", "McpTool"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class LeasedServer:
    """
    A server as one thread knows it.

    Attributes:
        name: In the thread's configuration.
        config: What else the thread says of it.
        server: The shared one behind it.
    """

    name: str
    config: McpServerConfig
    server: McpServer

    def offers(self, tool: str) -> bool:
        """Whether the thread may use this tool, by its own name."""
        allowed = self.config.enabled_tools
        return (allowed is None or tool in allowed) and tool not in self.config.disabled_tools

    async def request(self, context: ToolContext, send: Callable[[Connection], Awaitable[T]]) -> T:
        """
        Send the server a request on behalf of a turn, which answers its questions.

        Raises:
            McpCallError: It did not do it, or not in time.
            McpServerLost: It ended.

        Cancellation:
            At once; the server is told.
        """
        limit = self.config.tool_timeout
        with (
            self.server.elicitations.during(context, self.name),
            trio.move_on_after(limit),
        ):
            return await self.server.request(send)
        raise McpCallError(f"timed out after {limit:g} seconds")


@attrs.frozen(kw_only=True)
class McpTool:
    """
    A tool of a server.

    Never parallel: what it does may depend on the order.  The call of a server that is
    being restarted waits for it.

    Attributes:
        name: What calls name it by.
        leased: Whose it is.
        listed: As the server describes it.
    """

    name: str
    leased: LeasedServer
    listed: ListedTool
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:  # noqa: ARG002 -- the same for every request
        """Describe it to the model as the server does."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.listed.description,
            "strict": False,
            "parameters": self.listed.parameters,
        }

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Let the server do it.

        What goes wrong is text for the model, beginning with ``err:``.

        Cancellation:
            The server is told to give it up; the end of the call is told to clients.

        Source:
            Codex, ``mcp_tool_call.rs``.  There errors are quoted as debug output.
        """
        try:
            arguments = _read_arguments(call)
        except ValueError as error:
            return _failure(str(error))
        invocation = McpInvocation(
            server=self.leased.name, tool=self.listed.name, arguments=arguments
        )
        try:
            result = await run_told(
                call.call_id, invocation, context, lambda: self._call(arguments, context)
            )
        except (McpCallError, McpServerLost) as error:
            return _failure(error.text)
        return tool_output(result)

    async def _call(self, arguments: dict[str, Any] | None, context: ToolContext) -> McpToolResult:
        server, tool = self.leased.name, self.listed.name
        if not self.leased.offers(tool):
            text = f"tool call error: tool '{tool}' is disabled for MCP server '{server}'"
            raise McpCallError(text)
        try:
            raw = await self.leased.request(
                context, lambda connection: connection.call_tool(tool, arguments)
            )
        except (McpCallError, McpServerLost) as error:
            text = f"tool call error: tool call failed for `{server}/{tool}`: {error.text}"
            raise type(error)(text) from error
        result = read_result(raw)
        return result if context.model_info.supports_images else without_images(result)


def _read_arguments(call: ToolCall) -> dict[str, Any] | None:
    """
    Read the arguments; None when the model gave none.

    Raises:
        ValueError: They are not a JSON object.
        FatalToolError: It is not a function call.
    """
    if not isinstance(call.payload, FunctionPayload):
        raise FatalToolError(f"tool {call.name} invoked with incompatible payload")
    if not call.payload.arguments.strip():
        return None
    arguments: object = orjson.loads(call.payload.arguments)
    if arguments is None:
        return None
    if not isinstance(arguments, dict):
        raise ValueError(f"expected an object as arguments, got {type(arguments).__name__}")  # noqa: TRY004 -- as the parser's own
    return cast("dict[str, Any]", arguments)  # keys of JSON objects are text


def _failure(text: str) -> ToolOutput:
    return ToolOutput(output=f"err: {text}", success=False)
