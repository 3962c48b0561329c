"""
A mock of the OpenAI Responses service on 127.0.0.1, for tests that need a model endpoint.

Every ``POST .../responses``, below any base path, takes the next reply of a
script; the builders of `scripted_replies` are here too.  ``GET .../models``
answers an empty list, everything else 404.  Plain trio and h11: no task
outlives the block, and a client that leaves in the middle of anything ends
only its own connection.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import attrs
import trio

from tests.interop.background import open_background
from tests.interop.mock_connection import Connection
from tests.interop.recorded_request import Outcome, RecordedRequest
from tests.interop.scripted_replies import (
    Event,
    EventStream,
    Part,
    Pause,
    Refusal,
    Reply,
    Silence,
    Step,
    StreamEnd,
    Usage,
    answer,
    custom_tool_call,
    failed_answer,
    function_call,
    incomplete_answer,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)

if TYPE_CHECKING:
    import h11

__all__ = [
    "Event",
    "EventStream",
    "MockResponses",
    "Outcome",
    "Part",
    "Pause",
    "RecordedRequest",
    "Refusal",
    "Reply",
    "Script",
    "Silence",
    "Step",
    "StreamEnd",
    "Usage",
    "answer",
    "custom_tool_call",
    "failed_answer",
    "function_call",
    "incomplete_answer",
    "open_mock_responses",
    "reasoning",
    "refusal",
    "text_message",
    "unfinished_answer",
]

Script: TypeAlias = Iterable[Reply] | Callable[[RecordedRequest], Reply]

# Harmless for a client that asks for models: both the service's own member and
# the one Codex reads are empty lists.
_NO_MODELS = Refusal(
    status=200,
    body=json.dumps({"object": "list", "data": [], "models": []}).encode(),
    headers=(("Content-Type", "application/json"),),
)


@attrs.define(eq=False)
class MockResponses:
    """
    A running mock server.

    Attributes:
        base_url: What a provider is configured with; ends in ``/v1``, without a slash.
        requests: Requests that took a reply of the script, oldest first.
        other_requests: All others, for example for the list of models.
    """

    base_url: str
    _choose: Callable[[RecordedRequest], Reply] = attrs.field(repr=False)
    _request_limit: int
    requests: list[RecordedRequest] = attrs.field(factory=list[RecordedRequest], init=False)
    other_requests: list[RecordedRequest] = attrs.field(factory=list[RecordedRequest], init=False)
    _arrival: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)

    async def wait_requests(self, count: int) -> tuple[RecordedRequest, ...]:
        """Wait until *count* requests took a reply of the script; return the first *count*."""
        while len(self.requests) < count:
            await self._arrival.wait()
        return tuple(self.requests[:count])

    def decide(self, request: h11.Request, body: bytes) -> tuple[RecordedRequest, Reply]:
        """Record a request and say what to answer.  For the connections."""
        method, target = request.method.decode(), request.target.decode("latin-1")
        path = target.partition("?")[0]
        scripted = method == "POST" and path.endswith("/responses")
        shelf = self.requests if scripted else self.other_requests
        recorded = RecordedRequest(
            number=len(shelf),
            method=method,
            target=target,
            headers=tuple((k.decode(), v.decode("latin-1")) for k, v in request.headers),
            body=body,
        )
        # Bounded, because a client that retries without end must not fill the
        # memory; what does not fit is refused, so that the test sees it.
        if len(shelf) >= self._request_limit:
            return recorded, refusal(400, f"the mock takes only {self._request_limit} requests")
        shelf.append(recorded)
        if not scripted:
            return recorded, _unscripted(method, path)
        arrival, self._arrival = self._arrival, trio.Event()
        arrival.set()
        return recorded, self._choose(recorded)


@asynccontextmanager
async def open_mock_responses(
    script: Script,
    *,
    request_limit: int = 1_000,
    body_limit_bytes: int = 64 * 1024 * 1024,
    connection_limit: int = 512,
) -> AsyncGenerator[MockResponses]:
    """
    Run a mock Responses server for the length of the block.

    Args:
        script:
            Replies in the order of the requests, taken one by one as they come
            (an endless iterator is fine), or a function that decides by the
            request.  A request beyond the script is recorded and refused with
            400, which clients do not retry.
        request_limit: Requests recorded; further ones are refused with 400.
        body_limit_bytes: A longer request body is refused with 413, unrecorded.
        connection_limit: Open at once; a further one is closed unanswered.

    Raises:
        ExceptionGroup:
            A function given as the script crashed; the block was cancelled.

    Cancellation:
        Closes every connection at once, also in the middle of an answer; so
        does the end of the block.
    """
    choose = script if callable(script) else _one_by_one(iter(script))
    # The backlog holds a burst of clients until they are accepted.
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=connection_limit)
    port: int = listeners[0].socket.getsockname()[1]
    server = MockResponses(f"http://127.0.0.1:{port}/v1", choose, request_limit)
    open_connections = 0
    crashes: list[Exception] = []

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal open_connections
        if open_connections >= connection_limit:
            return
        open_connections += 1
        try:
            await Connection(stream, server.decide, body_limit_bytes).run()
        except Exception as crash:  # noqa: BLE001 -- raised below, when the block has ended
            # Not left to the nursery: closing the stream can be cancelled, by a
            # client in the block that fails for the same reason, and the
            # cancellation would take the crash's place.
            crashes.append(crash)
            nursery.cancel_scope.cancel()
        finally:
            open_connections -= 1

    try:
        async with open_background() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, listeners)
            yield server
    finally:
        if crashes:
            raise ExceptionGroup("the mock server crashed", crashes)


def _one_by_one(replies: Iterator[Reply]) -> Callable[[RecordedRequest], Reply]:
    def choose(request: RecordedRequest) -> Reply:
        reply = next(replies, None)
        return reply or refusal(400, f"the script has no reply for request {request.number}")

    return choose


def _unscripted(method: str, path: str) -> Reply:
    if method == "GET" and path.endswith("/models"):
        return _NO_MODELS
    if method == "HEAD":
        return Refusal(status=404)  # may have no body
    return refusal(404, "the mock knows only /responses and /models")
