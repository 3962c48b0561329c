"""
One session with a server: all that knows how the SDK is used.

Calls go by the session's plain requests rather than the SDK's client.  That one checks
results against the schemas of the very server that sent them, whose regular expressions
would run on the event loop; and it first asks new questions that older servers hang on
or die of.  Here the handshake is the one that all know, and the newer one comes when a
server asks for it.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio

from .errors import McpCallError, McpServerLost, McpStartError, StartProblem
from .farewell import Farewell
from .launch import HttpLaunch, Launch, StdioLaunch
from .plain_json import plain_json
from .sdk import own_version
from .stdio import open_stdio
from .streamable_http import open_http

if TYPE_CHECKING:
    import mcp_types as types
    from mcp import ClientSession
    from mcp.client.session import ClientRequestContext, IncomingMessage
    from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
    from mcp.shared.transport_context import TransportContext

__all__ = ["PAGES_AT_MOST", "Connection", "Elicit", "open_connection"]

PAGES_AT_MOST: Final = 100
"""Pages of one list, after which it is taken as it is."""

_ROUNDS: Final = 10
"""How often one call may come back with questions before it is given up."""

Elicit = Callable[[str | int, str], Awaitable[str]]
"""Asks a person: id and message of the question; ``accept``, ``decline`` or ``cancel``."""


@attrs.define(eq=False)
class Connection:
    """
    An open session.

    Attributes:
        farewell: How it ended, once it did.
        ended: Set when the connection is over.
    """

    _session: "ClientSession"
    _dispatcher: "JSONRPCDispatcher[TransportContext]"
    farewell: Farewell
    ended: trio.Event

    async def list_tools(self, at_most: int) -> list[dict[str, Any]]:
        """
        List the tools as the server describes them, page by page.

        Raises:
            Exception: See `explain`.
        """
        from mcp_types import METHOD_NOT_FOUND  # noqa: PLC0415 -- loaded already

        try:
            return await _all_pages(self._page_of_tools, "tools", at_most)
        except Exception as error:
            if getattr(error, "code", None) == METHOD_NOT_FOUND:
                return []  # a server of resources only
            raise

    async def _page_of_tools(self, cursor: str | None) -> dict[str, Any]:
        from mcp_types import PaginatedRequestParams  # noqa: PLC0415 -- loaded already

        if self._session.initialize_result is not None:
            # Unchecked: one tool that is not as it should be must not cost the others.
            params = {} if cursor is None else {"cursor": cursor}
            return await self._dispatcher.send_raw_request("tools/list", params)
        # The session remembers which arguments the newer protocol wants as headers.
        page = await self._session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        return page.model_dump(by_alias=True, mode="json", exclude_unset=True)

    async def call_tool(self, name: str, arguments: dict[str, Any] | None) -> dict[str, Any]:
        """
        Call a tool; return the result as it came.

        Raises:
            Exception: See `explain`.

        Cancellation:
            The server is told to give it up; the session stays usable.
        """
        params: dict[str, Any] = {"name": name}
        if arguments is not None:
            params["arguments"] = arguments
        return await self._ask("tools/call", params)

    async def page(self, method: str, cursor: str | None) -> dict[str, Any]:
        """
        Get one page of a list of resources.

        Raises:
            Exception: See `explain`.
        """
        return await self._ask(method, {} if cursor is None else {"cursor": cursor})

    async def all_pages(self, method: str, key: str, at_most: int) -> list[dict[str, Any]]:
        """
        Get all pages of a list of resources.

        Raises:
            Exception: See `explain`.
        """
        return await _all_pages(lambda cursor: self.page(method, cursor), key, at_most)

    async def read_resource(self, uri: str) -> dict[str, Any]:
        """
        Read a resource; return the result as it came.

        Raises:
            Exception: See `explain`.
        """
        return await self._ask("resources/read", {"uri": uri})

    async def follow_tools(self, on_change: Callable[[], None]) -> None:
        """
        Open the stream of notices that newer servers want opened, and follow it to its end.

        Servers of the older kind send them unasked.

        Raises:
            Exception: The server does not do this.
        """
        from mcp.client.subscriptions import listen  # noqa: PLC0415 -- loaded already

        if self._session.discover_result is None:
            return
        async with listen(self._session, tools_list_changed=True) as notices:
            async for _ in notices:
                on_change()

    def explain(self, error: BaseException) -> McpCallError | McpServerLost:
        """Say in a stable text, without secrets, what went wrong with a request."""
        from mcp import MCPError  # noqa: PLC0415 -- loaded already

        match error:
            case McpCallError() | McpServerLost():
                return error
            case MCPError() if self.ended.is_set():
                return McpServerLost(self.farewell.text())
            case MCPError():
                return McpCallError(self.farewell.secrets.hide(error.message) or "unknown error")
            case ValueError():  # what pydantic raises; its own text quotes the whole answer
                return McpCallError("the answer is not what the protocol says")
            case _:
                return McpCallError(f"the request failed ({type(error).__name__})")

    def start_error(self, error: Exception) -> McpStartError:
        """Say why a request of the start failed."""
        if isinstance(error, McpStartError):
            return error
        if self.farewell.wants_login:
            status = self.farewell.http_status
            return McpStartError(f"the server wants a login (status {status})", StartProblem.LOGIN)
        return McpStartError(self.explain(error).text)

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask, and answer what the server asks back, until there is a result."""
        from mcp_types import Request  # noqa: PLC0415 -- loaded already
        from pydantic import TypeAdapter  # noqa: PLC0415 -- loaded with it

        anything: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
        more: dict[str, Any] = {}
        for _ in range(_ROUNDS):
            request = Request[Any, Any](method=method, params={**params, **more})
            result = plain_json(await self._session.send_request(request, anything))
            if result.get("resultType") != "input_required":
                return cast("dict[str, Any]", result)
            more = await self._answer(result)
        raise McpCallError(f"the server came back with questions more than {_ROUNDS} times")

    async def _answer(self, result: dict[str, Any]) -> dict[str, Any]:
        """Answer the questions inside a result of the newer kind."""
        from mcp.client.session import ClientRequestContext  # noqa: PLC0415 -- loaded already
        from mcp_types import ErrorData, InputRequiredResult  # noqa: PLC0415

        required = InputRequiredResult.model_validate(result, by_name=False)
        responses: dict[str, Any] = {}
        for key, question in (required.input_requests or {}).items():
            context = ClientRequestContext(session=self._session, request_id=key)
            answer = await self._session.dispatch_input_request(context, question)
            if isinstance(answer, ErrorData):
                raise McpCallError(answer.message)
            responses[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        more: dict[str, Any] = {"inputResponses": responses} if responses else {}
        if required.request_state is not None:
            more["requestState"] = required.request_state
        return more


@contextlib.asynccontextmanager
async def open_connection(
    launch: Launch, *, elicit: Elicit, on_tools_changed: Callable[[], None]
) -> AsyncGenerator[Connection]:
    """
    Reach a server and shake hands; nothing of it is left when the block is left.

    The limit of time is the caller's.

    Raises:
        McpStartError: There is no session.
        ExceptionGroup: The connection broke; see `Connection.farewell`.
    """
    from mcp import ClientSession  # noqa: PLC0415 -- `load_sdk` was called
    from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher  # noqa: PLC0415
    from mcp_types import Implementation  # noqa: PLC0415

    async def on_message(message: "IncomingMessage") -> None:
        await trio.lowlevel.checkpoint()
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            on_tools_changed()

    async def on_elicitation(
        context: "ClientRequestContext", params: "types.ElicitRequestParams"
    ) -> "types.ElicitResult | types.ErrorData":
        return await _elicit(elicit, context, params)

    farewell, ended = Farewell(launch.secrets), trio.Event()
    async with (
        _open_transport(launch, farewell, ended) as (incoming, outgoing),
        ClientSession(
            dispatcher=(dispatcher := JSONRPCDispatcher(incoming, outgoing)),
            elicitation_callback=on_elicitation,
            message_handler=on_message,
            client_info=Implementation(name="treadle", version=own_version()),
        ) as session,
    ):
        connection = Connection(session, dispatcher, farewell, ended)
        await _shake_hands(connection, session)
        yield connection


@contextlib.asynccontextmanager
async def _open_transport(
    launch: Launch, farewell: Farewell, ended: trio.Event
) -> AsyncGenerator[tuple[Any, Any]]:
    match launch.way:
        case StdioLaunch() as stdio:
            async with open_stdio(stdio, farewell, ended) as streams:
                yield streams
        case HttpLaunch() as http:
            async with open_http(http, farewell, ended, launch.tool_timeout) as streams:
                yield streams


async def _shake_hands(connection: Connection, session: "ClientSession") -> None:
    from mcp import MCPError  # noqa: PLC0415 -- loaded already
    from mcp_types import UNSUPPORTED_PROTOCOL_VERSION  # noqa: PLC0415

    try:
        try:
            await session.initialize()
        except MCPError as error:
            if error.code != UNSUPPORTED_PROTOCOL_VERSION:
                raise
            await session.discover()
    except RuntimeError:  # the SDK's own: the server's version is none it knows
        text = "the server speaks no version of the protocol that we know"
        raise McpStartError(text) from None
    except Exception as error:
        raise connection.start_error(error) from error


async def _elicit(
    elicit: Elicit, context: "ClientRequestContext", params: "types.ElicitRequestParams"
) -> "types.ElicitResult":
    from mcp_types import ElicitRequestURLParams, ElicitResult  # noqa: PLC0415 -- loaded already

    if isinstance(params, ElicitRequestURLParams):
        # Nobody can agree to open an address without seeing it.
        action = await elicit(context.request_id, f"{params.message}\n{params.url}")
        return ElicitResult(action=cast("Any", action))
    action = await elicit(context.request_id, params.message)
    content: dict[str, Any] | None = {} if action == "accept" else None
    return ElicitResult(action=cast("Any", action), content=content)


async def _all_pages(
    fetch: Callable[[str | None], Awaitable[dict[str, Any]]], key: str, at_most: int
) -> list[dict[str, Any]]:
    """
    Follow the cursors of a list to its end, or until there is enough.

    Raises:
        McpCallError: A cursor came twice: the list has no end.
    """
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(PAGES_AT_MOST):
        page = plain_json(await fetch(cursor))
        entries: object = page.get(key)
        if not isinstance(entries, list) or not all(map(_is_object, cast("list[object]", entries))):
            raise McpCallError("the answer is not what the protocol says")
        found.extend(cast("list[dict[str, Any]]", entries))
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or len(found) > at_most:
            break
        if cursor in seen:
            raise McpCallError("the server returned duplicate cursor")
        seen.add(cursor)
    return found


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
