"""
Lets the mock Responses server play a scenario file, over real HTTP and server-sent events.

What comes in is read back into the very request that the client had, the scripted model
answers it, and its answer goes out as the service would say it.  So a file can be played
both by the scripted model inside the program and by a server that the program talks to.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import attrs
import trio

from actors.models import (
    Completed,
    ContextWindowExceeded,
    Created,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    ModelError,
    ModelRequest,
    QuotaExceeded,
    RateLimited,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ScriptedProvider,
    ServerOverloaded,
    StreamDisconnected,
    TextDelta,
    UnexpectedStatus,
    UsageLimitReached,
    UsageNotIncluded,
    load_scenario,
)
from actors.models.performance import Pause
from messages.codec import from_json, to_json
from messages.events import TokenUsage
from messages.items import ResponseItem
from tests.interop.mock_responses import (
    Event,
    EventStream,
    RecordedRequest,
    Refusal,
    Reply,
    StreamEnd,
    Usage,
    open_mock_responses,
    refusal,
)

__all__ = ["Bridge", "open_bridge", "serving"]

_START_PATIENCE = 10.0


@attrs.frozen(eq=False)
class Bridge:
    """
    A server that plays a scenario.

    Attributes:
        base_url: What a provider is configured with.
        requests: What it was asked, as the client meant it, oldest first.
    """

    base_url: str
    requests: list[ModelRequest]


@asynccontextmanager
async def open_bridge(scenario: Path) -> AsyncGenerator[Bridge]:
    """Serve a scenario in this event loop until the block ends."""
    provider = ScriptedProvider(load_scenario(scenario))
    requests: list[ModelRequest] = []

    def choose(recorded: RecordedRequest) -> Reply:
        request = read_request(recorded)
        requests.append(request)
        try:
            actions = provider.play(request)
        except InvalidRequest as error:  # no reply is left
            return _refusal(error)
        return write_reply(actions, f"resp_{recorded.number}")

    async with open_mock_responses(choose) as server:
        yield Bridge(server.base_url, requests)


@contextmanager
def serving(scenario: Path) -> Iterator[Bridge]:
    """Serve a scenario from an OS thread, for programs that have, or are, their own loop."""
    up: SimpleQueue[tuple[Bridge, trio.Event, trio.lowlevel.TrioToken] | None] = SimpleQueue()
    failures: list[Exception] = []

    async def serve() -> None:
        async with open_bridge(scenario) as bridge:
            stop = trio.Event()
            up.put((bridge, stop, trio.lowlevel.current_trio_token()))
            await stop.wait()

    def run() -> None:
        try:
            trio.run(serve)
        except Exception as failure:  # noqa: BLE001 -- raised in the caller's thread
            failures.append(failure)
        finally:
            up.put(None)

    thread = threading.Thread(target=run, name="scenario bridge")
    thread.start()
    started = up.get(timeout=_START_PATIENCE)
    try:
        if started is not None:
            yield started[0]
    finally:
        if started is not None and thread.is_alive():
            _, stop, token = started
            trio.from_thread.run_sync(stop.set, trio_token=token)
        thread.join(_START_PATIENCE)
        if failures:  # the cause of what the client met with, if anything
            raise failures[0]


def read_request(recorded: RecordedRequest) -> ModelRequest:
    """Read back what the client asked; the turn's id, which is not sent, becomes a number."""
    body = recorded.json
    return ModelRequest(
        model=body["model"],
        instructions=body.get("instructions", ""),
        input=tuple(cast("ResponseItem", from_json(raw, ResponseItem)) for raw in body["input"]),
        tools=tuple(body["tools"]),
        parallel_tool_calls=body["parallel_tool_calls"],
        output_schema=body.get("text", {}).get("format", {}).get("schema"),
        prompt_cache_key=body["prompt_cache_key"],
        turn_id=f"http{recorded.number}",
        subagent=recorded.header("x-openai-subagent"),
    )


def write_reply(actions: Iterable[ResponseEvent | Pause | ModelError], response_id: str) -> Reply:
    """
    Say over HTTP what the scripted model does.

    Only silence without an end is kept: what takes its time in a scenario does so to be
    watched, and here nobody watches.
    """
    events: list[Event] = []
    end = StreamEnd.CLOSE
    for action in actions:
        match action:
            case Pause(seconds=seconds):
                if seconds == float("inf"):
                    end = StreamEnd.STALL
                    break
            case ModelError() if not events:
                return _refusal(action)
            case StreamDisconnected(problem="stream closed before response.completed"):
                break  # it just ends
            case ModelError():
                events.append(_failed(action, response_id))
            case _:
                events.append(_event(action, response_id))
    numbered = tuple({**event, "sequence_number": n} for n, event in enumerate(events))
    return EventStream(steps=numbered, end=end)


def _event(event: ResponseEvent, response_id: str) -> Event:
    match event:
        case Created():
            return {"type": "response.created", "response": {"id": response_id}}
        case ItemAdded(item=item):
            return {"type": "response.output_item.added", "item": to_json(item)}
        case ItemDone(item=item):
            return {"type": "response.output_item.done", "item": to_json(item)}
        case TextDelta(delta=delta):
            return {"type": "response.output_text.delta", "delta": delta}
        case ReasoningSummaryPartAdded(summary_index=index):
            return {"type": "response.reasoning_summary_part.added", "summary_index": index}
        case ReasoningSummaryDelta(delta=delta, summary_index=index):
            kind = "response.reasoning_summary_text.delta"
            return {"type": kind, "delta": delta, "summary_index": index}
        case ReasoningContentDelta(delta=delta, content_index=index):
            kind = "response.reasoning_text.delta"
            return {"type": kind, "delta": delta, "content_index": index}
        case Completed(usage=usage):
            response = {"id": response_id, "usage": _usage(usage)}
            return {"type": "response.completed", "response": response}
        case _:
            raise AssertionError(f"the scripted model does not say {event!r}")


def _usage(usage: TokenUsage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    written = Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_output_tokens=usage.reasoning_output_tokens,
    )
    return {**written.to_wire(), "total_tokens": usage.total_tokens}


def _refusal(error: ModelError) -> Refusal:
    """Refuse a request so that the client comes to the same error."""
    match error:
        case InvalidRequest(message=message):
            return Refusal(status=400, body=message.encode())
        case InvalidImage():
            return refusal(400, "The image data you provided does not represent a valid image")
        case ContextWindowExceeded():
            return refusal(400, str(error), code="context_length_exceeded")
        case QuotaExceeded():
            return refusal(429, str(error), code="insufficient_quota")
        case UsageLimitReached():
            return refusal(429, str(error), kind="usage_limit_reached")
        case UsageNotIncluded():
            return refusal(429, str(error), kind="usage_not_included")
        case ServerOverloaded():
            return refusal(503, str(error), code="server_is_overloaded")
        case RateLimited(delay=delay):
            return refusal(429, headers=_retry_after(delay))
        case InternalServerError(delay=delay):
            return refusal(500, headers=_retry_after(delay))
        case UnexpectedStatus(status=status, body=body, delay=delay):
            return Refusal(status=status, body=body.encode(), headers=_retry_after(delay))
        case _:
            raise AssertionError(f"HTTP has no way to say {error!r} before a stream")


def _retry_after(delay: float | None) -> tuple[tuple[str, str], ...]:
    return () if delay is None else (("retry-after-ms", str(delay * 1000)),)


def _failed(error: ModelError, response_id: str) -> Event:
    """Let a response fail in its middle so that the client comes to the same error."""
    code, message = "", str(error)
    match error:
        case StreamDisconnected(problem=problem, delay=None):
            message = problem
        case StreamDisconnected(delay=delay):
            code, message = "rate_limit_exceeded", f"{error.problem}; try again in {delay} s"
        case InvalidRequest():
            code = "invalid_prompt"
        case ContextWindowExceeded():
            code = "context_length_exceeded"
        case QuotaExceeded():
            code = "insufficient_quota"
        case UsageNotIncluded():
            code = "usage_not_included"
        case ServerOverloaded():
            code = "server_is_overloaded"
        case _:
            raise AssertionError(f"HTTP has no way to say {error!r} within a stream")
    failure = {"id": response_id, "error": {"code": code, "message": message}}
    return {"type": "response.failed", "response": failure}
