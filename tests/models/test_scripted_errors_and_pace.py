"""Errors, pauses and use of tokens that a script plays."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from actors.models import (
    Completed,
    ConnectionFailed,
    ContextWindowExceeded,
    Created,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    ModelError,
    QuotaExceeded,
    RateLimited,
    ResponseEvent,
    ServerOverloaded,
    StreamDisconnected,
    TextDelta,
    UnexpectedStatus,
    UsageLimitReached,
    UsageNotIncluded,
)
from messages.events import TokenUsage
from messages.items import CustomToolCall, ReasoningItem, WebSearchCall
from tests.models.asking import ask, called, request_of, said

from .scripted_stage import playing, text_of

ERRORS: list[tuple[str, ModelError]] = [
    ("{error: connection}", ConnectionFailed("connection refused")),
    ("{error: connection, message: m}", ConnectionFailed("m")),
    ("{error: context_window}", ContextWindowExceeded()),
    ("{error: internal, delay: 2}", InternalServerError(2.0)),
    ("{error: invalid_image}", InvalidImage()),
    ("{error: invalid_request, message: m}", InvalidRequest("m")),
    ("{error: invalid_request, message: 'not {user}'}", InvalidRequest("not hi")),
    ("{error: overloaded}", ServerOverloaded()),
    ("{error: quota}", QuotaExceeded()),
    ("{error: rate_limit, delay: 3}", RateLimited(None, 3.0)),
    ("{error: stream, message: m, delay: 1}", StreamDisconnected("m", 1.0)),
    ("{error: usage_limit}", UsageLimitReached("You've hit your usage limit. Try again later.")),
    ("{error: usage_limit, message: m}", UsageLimitReached("m")),
    ("{error: usage_not_included}", UsageNotIncluded()),
    ("{error: 401, message: m}", UnexpectedStatus(401, '{"error":{"message":"m"}}')),
    ("{error: 404}", UnexpectedStatus(404)),
    ("{error: 429, delay: 1.5}", RateLimited(None, 1.5)),
    ("{error: 503, delay: 4}", UnexpectedStatus(503, delay=4.0)),
    ("{cut: true}", StreamDisconnected("stream closed before response.completed")),
]


@pytest.mark.parametrize(("step", "expected"), ERRORS)
async def test_errors_of_the_script_are_those_of_a_server(step: str, expected: ModelError) -> None:
    """First or later in the reply; what was said before stands."""
    provider = playing(f"reply: [{{steps: [{step}]}}, {{steps: [{{say: x}}, {step}]}}]")
    events: list[ResponseEvent] = []

    with pytest.raises(ModelError) as first:
        await ask(provider, request_of("hi"))
    with pytest.raises(ModelError) as second:
        async with provider.stream(request_of("hi")) as stream:
            async for event in stream:
                events.append(event)

    for caught in (first, second):
        assert type(caught.value) is type(expected)
        assert vars(caught.value) == vars(expected)
    assert text_of(events) == "x"


async def test_error_before_a_stream_comes_on_entering() -> None:
    """As from a server that refuses."""
    provider = playing("reply: [{steps: [{error: 500}]}, {steps: [{error: stream}]}]")

    with pytest.raises(InternalServerError):
        async with provider.stream(request_of("hi")):
            pytest.fail("it must not come so far")
    async with provider.stream(request_of("hi")) as events:
        assert await anext(events) == Created()
        with pytest.raises(StreamDisconnected):
            await anext(events)
        assert [event async for event in events] == []


async def test_retry_goes_on_with_the_next_reply() -> None:
    """A failed reply was played."""
    provider = playing("reply: [{steps: [{error: 503}]}, {steps: [{say: there}]}]")

    with pytest.raises(UnexpectedStatus):
        await ask(provider, request_of("hi"))

    assert text_of(await ask(provider, request_of("hi"))) == "there"


async def test_pace_waits_before_each_piece(autojump_clock: MockClock) -> None:
    """On the clock of trio."""
    provider = playing("{pace: 0.5, delta_chars: 2, reply: [{steps: [{say: abcde}]}]}")
    seen: list[tuple[float, str]] = []

    async with provider.stream(request_of("hi")) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                seen.append((trio.current_time(), event.delta))

    assert seen == [(0.5, "ab"), (1.0, "cd"), (1.5, "e")]


async def test_stall_is_silence_and_then_goes_on(autojump_clock: MockClock) -> None:
    """As long as patience lasts."""
    provider = playing("reply: [{steps: [{stall: 299}, {say: late}]}]")

    assert text_of(await ask(provider, request_of("hi"))) == "late"
    assert trio.current_time() == 299


@pytest.mark.parametrize("stall", ["300", "forever"])
async def test_stall_beyond_patience_is_an_idle_timeout(
    autojump_clock: MockClock, stall: str
) -> None:
    """After the provider's longest silence, and then the stream has ended."""
    provider = playing(f"reply: [{{steps: [{{say: a}}, {{stall: {stall}}}, {{say: b}}]}}]")
    events: list[ResponseEvent] = []

    async with provider.stream(request_of("hi")) as stream:
        with pytest.raises(StreamDisconnected, match="idle timeout waiting for SSE"):
            async for event in stream:
                events.append(event)
        assert [event async for event in stream] == []

    assert text_of(events) == "a"
    assert trio.current_time() == 300


async def test_stall_can_be_cancelled(autojump_clock: MockClock) -> None:
    """At any moment."""
    provider = playing("reply: [{steps: [{stall: forever}]}]")

    with trio.move_on_after(7) as scope:
        await ask(provider, request_of("hi"))

    assert scope.cancelled_caught
    assert trio.current_time() == 7


async def test_usage_is_estimated_when_the_script_does_not_tell() -> None:
    """Four characters to a token, reasoning within the output."""
    provider = playing("reply: [{steps: [{think: abcd}, {say: abcdefgh}]}]")
    items = [
        said("x" * 40),
        ReasoningItem(encrypted_content="x" * 8),
        *called("x" * 10),
        CustomToolCall(call_id="c", name="n", input="xx"),
        WebSearchCall(),
    ]

    events = await ask(provider, request_of(*items, instructions="12345678"))

    # 8 + 40 + 8 + 2 + 10 + 2 characters asked
    assert events[-1] == Completed(
        "resp_turn_6",
        TokenUsage(input_tokens=18, output_tokens=3, reasoning_output_tokens=1, total_tokens=21),
    )


async def test_long_reply_lets_other_tasks_run() -> None:
    """It plays without waiting, but not without checkpoints."""
    provider = playing(f"{{delta_chars: 1, reply: [{{steps: [{{say: {'x' * 1000}}}]}}]}}")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await ask(provider, request_of("hi"))
        seen = turns
        nursery.cancel_scope.cancel()

    assert seen >= 1000 // 64
