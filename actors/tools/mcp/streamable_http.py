"""
Talks to a server over streamable HTTP.

Each message of ours is a POST of its own, and the answer to it comes back on that; what a
server says unasked comes on a GET that stays open.  The SDK has a transport for this.  Ours
bounds every answer, fails one call where one request failed instead of the session, knows
the status of a refusal, and logs no content.  A stream that a server breaks off in the
midst is not resumed: the call fails.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from .farewell import Farewell
from .http_body import AnswerTooLong, read_body, read_events
from .launch import HttpLaunch

if TYPE_CHECKING:
    import httpx2
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage
    from mcp_types import JSONRPCMessage

    Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
    Outgoing = MemoryObjectSendStream[SessionMessage]

__all__ = ["open_http"]

_CONNECT_PATIENCE: Final = 10.0

_SLACK: Final = 5.0
"""Seconds that an answer may take longer than its call: the call's own limit comes first."""

_OUTGOING: Final = 256
"""Messages that wait to be sent; see `stdio`."""

_LEAVE: Final = 1.0
"""Seconds for telling a server that its session is over."""

_AGAIN: Final = 1.0
"""Seconds before the stream of notices is opened again."""

_ATTEMPTS: Final = 3
"""Failures in a row to open it, after which the server is gone."""

_REDIRECTS: Final = 3

_SESSION: Final = "mcp-session-id"
_VERSION: Final = "mcp-protocol-version"

_ACCEPTED: Final = 202
_REFUSED: Final = 400
_NOT_FOUND: Final = 404
_MOVED: Final = frozenset({307, 308})


@contextlib.asynccontextmanager
async def open_http(
    launch: HttpLaunch, farewell: Farewell, ended: trio.Event, patience: float
) -> "AsyncGenerator[tuple[Incoming, Outgoing]]":
    """
    Open the streams of a session; nothing is sent before something is written.

    Args:
        ended: Set when the connection is over and *farewell* says how.
        patience: Seconds that the slowest call may take.

    Cancellation:
        The server is told that its session is over, for at most a second.
    """
    import anyio  # noqa: PLC0415 -- with the rest of mcp, when it is first needed
    from mcp.shared.message import SessionMessage  # noqa: PLC0415

    client = await trio.to_thread.run_sync(_open_client, launch, patience + _SLACK)
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, to_server = anyio.create_memory_object_stream[SessionMessage](_OUTGOING)
    async with client:
        with to_session, incoming, outgoing, to_server:
            async with trio.open_nursery() as nursery:
                talk = _Talk(client, launch.url, to_session, farewell, ended, nursery)
                nursery.start_soon(talk.speak, to_server)
                try:
                    yield incoming, outgoing
                finally:
                    with trio.move_on_after(_LEAVE, shield=True):
                        await talk.leave()
                    nursery.cancel_scope.cancel()


def _open_client(launch: HttpLaunch, patience: float) -> "httpx2.AsyncClient":
    """Make a client; takes 0.1 s for certificates."""
    import httpx2  # noqa: PLC0415 -- with the rest of mcp, when it is first needed

    logger = logging.getLogger("httpx2")
    if logger.level == logging.NOTSET:  # it reports each request, with its address, at INFO
        logger.setLevel(logging.WARNING)
    return httpx2.AsyncClient(
        # Not compressed: a small answer could become as large as its server likes.
        headers={**launch.headers, "Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(None, connect=_CONNECT_PATIENCE, read=patience),
        limits=httpx2.Limits(max_connections=None),
    )


@attrs.define(eq=False)
class _Talk:
    """One conversation with a server: its session, its open requests, its notices."""

    _client: "httpx2.AsyncClient"
    _url: str
    _session: "MemoryObjectSendStream[SessionMessage | Exception]"
    _farewell: Farewell
    _ended: trio.Event
    _nursery: trio.Nursery
    _session_id: str | None = attrs.field(default=None, init=False)
    _version: str | None = attrs.field(default=None, init=False)
    # Around the POST of each question, by its id.  Bounded by the calls in flight.
    _posts: dict[str | int, trio.CancelScope] = attrs.field(
        factory=dict[str | int, trio.CancelScope], init=False
    )

    # Sending --------------------------------------------------------------

    async def speak(self, session: "MemoryObjectReceiveStream[SessionMessage]") -> None:
        """Send what the session says, each in a task of its own."""
        from mcp.shared.message import ClientMessageMetadata  # noqa: PLC0415 -- loaded already

        async for said in session:
            metadata = said.metadata
            own = metadata.headers if isinstance(metadata, ClientMessageMetadata) else None
            headers = dict(own or {})
            method = getattr(said.message, "method", None)
            if method == "initialize":
                self._version = None
            self._version = headers.get(_VERSION, self._version)
            if method == "notifications/cancelled" and self._call_off(said.message):
                continue
            if method == "notifications/initialized":
                # In its place: servers take no question before it.
                with trio.move_on_after(_CONNECT_PATIENCE):
                    await self._post(said.message, headers)
                self._nursery.start_soon(self._listen)
            else:
                self._nursery.start_soon(self._post, said.message, headers)

    def _call_off(self, message: "JSONRPCMessage") -> bool:
        """Give up on an answer; say whether that is all there is to do."""
        from mcp_types.version import MODERN_PROTOCOL_VERSIONS  # noqa: PLC0415 -- loaded already

        params: Any = getattr(message, "params", None) or {}
        post = self._posts.get(params.get("requestId"))
        if post is not None:
            post.cancel()
        # In the newer protocol the end of the request is what the server hears.
        return self._version in MODERN_PROTOCOL_VERSIONS

    async def _post(self, message: "JSONRPCMessage", headers: Mapping[str, str]) -> None:
        """Send one message, and hand on what comes back."""
        import httpx2  # noqa: PLC0415 -- loaded by the client
        from mcp_types import JSONRPCRequest  # noqa: PLC0415 -- loaded already

        question = message.id if isinstance(message, JSONRPCRequest) else None
        scope = trio.CancelScope()
        if question is not None:
            self._posts[question] = scope
        problem: str | None = None
        try:
            with scope:
                problem = await self._exchange(message, headers, question)
        except AnswerTooLong as error:
            problem = str(error)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            problem = f"the server could not be reached ({type(error).__name__})"
        finally:
            if question is not None:
                del self._posts[question]
        if problem is not None and question is not None:
            await self._fail(question, problem)

    async def _exchange(
        self, message: "JSONRPCMessage", headers: Mapping[str, str], question: str | int | None
    ) -> str | None:
        """Send one message; say what is wrong with the answer, None when nothing is."""
        body = message.model_dump_json(by_alias=True, exclude_unset=True).encode()
        for _ in range(_REDIRECTS):
            async with self._client.stream(
                "POST", self._url, content=body, headers={**self._headers(), **headers}
            ) as response:
                if response.status_code not in _MOVED or not self._follow(response):
                    return await self._read(response, question)
        return "the server sends us in circles"

    def _headers(self) -> dict[str, str]:
        headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
        }
        if self._session_id is not None:
            headers[_SESSION] = self._session_id
        if self._version is not None:
            headers[_VERSION] = self._version
        return headers

    def _follow(self, response: "httpx2.Response") -> bool:
        """Move to another address, which must be of the same server: it gets the token."""
        there = response.next_request
        if there is None:
            return False
        old, new = response.request.url, there.url
        if (old.scheme, old.host, old.port) != (new.scheme, new.host, new.port) or new.userinfo:
            return False
        self._url = str(new)
        return True

    # Reading --------------------------------------------------------------

    async def _read(self, response: "httpx2.Response", question: str | int | None) -> str | None:
        if response.status_code >= _REFUSED:
            return await self._read_refusal(response, question)
        if question is None:
            return None
        self._session_id = response.headers.get(_SESSION, self._session_id)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code == _ACCEPTED or response.status_code in _MOVED:
            return f"the server answered with status {response.status_code}"
        if kind == "application/json":
            answered = await self._take(await read_body(response), question)
            return None if answered else "the answer is not what the protocol says"
        if kind == "text/event-stream":
            return await self._read_stream(response, question)
        return "the server answered with something that is neither JSON nor a stream of events"

    async def _read_refusal(
        self, response: "httpx2.Response", question: str | int | None
    ) -> str | None:
        self._farewell.http_status = response.status_code
        if response.status_code == _NOT_FOUND and self._session_id is not None:
            self._end("the server has forgotten the session")
        kind = response.headers.get("content-type", "")
        in_json = question is not None and kind.startswith("application/json")
        # Newer servers say in the body what is wrong.
        if in_json and await self._take(await read_body(response), question):
            return None
        return f"the server answered with status {response.status_code}"

    async def _read_stream(self, response: "httpx2.Response", question: str | int) -> str | None:
        answered = False

        async def take(data: bytes) -> bool:
            nonlocal answered
            answered = await self._take(data, question) or answered
            return answered

        await read_events(response, take)
        return None if answered else "the server broke off before it answered"

    async def _take(self, data: bytes, question: str | int | None) -> bool:
        """Hand on a message; say whether it is the answer to *question*."""
        import anyio  # noqa: PLC0415 -- loaded already
        from mcp.shared.message import SessionMessage  # noqa: PLC0415
        from mcp_types import (  # noqa: PLC0415
            JSONRPCError,
            JSONRPCResponse,
            jsonrpc_message_adapter,
        )

        try:
            message = jsonrpc_message_adapter.validate_json(data, by_name=False)
        except ValueError:
            return False
        answers = isinstance(message, JSONRPCResponse | JSONRPCError)
        if answers and question is not None:
            # Some servers do not repeat the id of a question that they refuse.
            message = message.model_copy(update={"id": question})
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._session.send(SessionMessage(message))
        return answers

    async def _fail(self, question: str | int, problem: str) -> None:
        import anyio  # noqa: PLC0415 -- loaded already
        from mcp.shared.message import SessionMessage  # noqa: PLC0415
        from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError  # noqa: PLC0415

        error = ErrorData(code=INTERNAL_ERROR, message=problem)
        message = JSONRPCError(jsonrpc="2.0", id=question, error=error)
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._session.send(SessionMessage(message))

    # Notices --------------------------------------------------------------

    async def _listen(self) -> None:
        """Hear what the server says unasked; without a session there is nothing to hear."""
        import httpx2  # noqa: PLC0415 -- loaded by the client

        failures = 0
        while self._session_id is not None and failures < _ATTEMPTS:
            try:
                if not await self._hear():
                    return
                failures = 0
            except AnswerTooLong:
                return
            except httpx2.HTTPError:
                failures += 1
            await trio.sleep(_AGAIN)
        if failures:
            self._end("the server could not be reached")

    async def _hear(self) -> bool:
        """Hear notices until the server ends the stream; False when it has none."""
        import httpx2  # noqa: PLC0415 -- loaded by the client

        async def take(data: bytes) -> bool:
            await self._take(data, None)
            return False

        headers = {**self._headers(), "accept": "text/event-stream"}
        patience = httpx2.Timeout(None, connect=_CONNECT_PATIENCE)
        async with self._client.stream(
            "GET", self._url, headers=headers, timeout=patience
        ) as response:
            kind = response.headers.get("content-type", "")
            if not response.is_success or not kind.startswith("text/event-stream"):
                return False
            await read_events(response, take)
        return True

    def _end(self, problem: str) -> None:
        self._farewell.problem = problem
        self._ended.set()

    async def leave(self) -> None:
        """Tell the server that its session is over."""
        import httpx2  # noqa: PLC0415 -- loaded by the client

        if self._session_id is None or self._farewell.problem is not None:
            return
        with contextlib.suppress(httpx2.HTTPError):
            async with self._client.stream("DELETE", self._url, headers=self._headers()):
                pass  # whatever it says to that
