"""Requests that fail: what is tried again, what is told, and what is kept."""

import pytest
import trio
from trio.testing import MockClock

from actors.models import (
    ConnectionFailed,
    ContextWindowExceeded,
    InternalServerError,
    InvalidRequest,
    ItemAdded,
    ModelError,
    ProviderInfo,
    RateLimited,
    StreamDisconnected,
    TextDelta,
    UnexpectedStatus,
    UsageLimitReached,
)
from actors.testing import ManualModel, ManualTool
from messages.events import (
    CodexErrorCode,
    ErrorEvent,
    HttpConnectionFailed,
    RateLimitSnapshot,
    ResponseStreamDisconnected,
    StreamError,
    TokenCount,
    TurnComplete,
)
from messages.items import Message

from .stage import open_stage, request_lines


async def test_broken_stream_is_tried_again_from_the_history(autojump_clock: MockClock) -> None:
    """What was not finished is dropped, and the model says it anew (L19)."""
    async with open_stage() as stage:
        first = await stage.begin("hi")
        half = Message(role="assistant", content=(), id="m")
        first.say("one").give(ItemAdded(half), TextDelta("tw")).fail(StreamDisconnected("gone"))

        second = await stage.model.next_request()
        second.say("one again").complete(5)
        told = await stage.until(TurnComplete)

        assert request_lines(second) == request_lines(first) == ["user: hi"]
        assert [line for line in told if line.startswith("assistant")] == ["assistant: one again"]
        assert "assistant: one" not in stage.rollout()
        assert "AgentMessage one" in stage.rollout()  # clients were told of it
        assert told[-1] == "TurnComplete one again"


async def test_finished_items_are_kept_when_a_broken_request_is_not_repeated(
    autojump_clock: MockClock,
) -> None:
    """Clients saw them, and nothing says them anew; the next request has them, too."""
    async with open_stage() as stage:
        (await stage.begin("hi")).say("one").fail(InvalidRequest("x"))
        await stage.until(TurnComplete)

        response = await stage.begin("again")

        assert request_lines(response) == ["user: hi", "assistant: one", "user: again"]
        response.complete()
        await stage.until(TurnComplete)


async def test_calls_of_a_broken_attempt_are_answered_and_kept(autojump_clock: MockClock) -> None:
    """They have run; the repeated request must know (L19)."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        first = await stage.begin("hi")
        first.call("manual", call_id="c").say("lost").fail(StreamDisconnected("gone"))
        (await tool.next_call()).answer("done")

        second = await stage.model.next_request()

        assert request_lines(second) == ["user: hi", "call c manual", "output c: done"]
        second.say("ok").complete()
        assert (await stage.until(TurnComplete))[-1] == "TurnComplete ok"


async def test_stream_that_ends_without_its_last_event_counts_as_broken(
    autojump_clock: MockClock,
) -> None:
    """Also when a provider forgets to say so."""
    async with open_stage() as stage:
        (await stage.begin()).say("lost").break_off()

        (await stage.model.next_request()).say("ok").complete()
        events = await stage.events_until(TurnComplete)

        [error] = [event.msg for event in events if isinstance(event.msg, StreamError)]
        assert error == StreamError(
            message="Reconnecting... 1/2",
            codex_error_info=ResponseStreamDisconnected(),
            additional_details=(
                "stream disconnected before completion: stream closed before response.completed"
            ),
        )


@pytest.mark.parametrize(
    ("error", "told", "status"),
    [
        (StreamDisconnected("x"), ["1/2", "2/2"], None),
        (ConnectionFailed("x"), ["1/1"], None),
        (UnexpectedStatus(503), ["1/1"], 503),
        (InternalServerError(), ["1/1"], None),
        (RateLimited(), ["1/1"], 429),
        (InvalidRequest("x"), [], None),
        (UnexpectedStatus(401), [], None),
    ],
)
async def test_turn_fails_when_its_budget_of_retries_is_used_up(
    autojump_clock: MockClock, error: ModelError, told: list[str], status: int | None
) -> None:
    """The budget that is told is the one that holds for the error."""
    async with open_stage() as stage:
        response = await stage.begin()
        for _ in told:
            response.fail(error)
            response = await stage.model.next_request()
        response.fail(error)
        events = await stage.events_until(TurnComplete)

        errors = [event.msg for event in events if isinstance(event.msg, StreamError)]
        assert errors == [
            StreamError(
                message=f"Reconnecting... {count}",
                codex_error_info=ResponseStreamDisconnected(http_status_code=status),
                additional_details=str(error),
            )
            for count in told
        ]
        assert events[-2].msg == ErrorEvent(message=str(error), codex_error_info=error.info)


async def test_each_request_of_a_turn_has_a_budget_of_its_own(autojump_clock: MockClock) -> None:
    """What one request used up does not count for the next."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin()
        for round_ in range(3):
            for _ in range(2):
                response.fail(StreamDisconnected("x"))
                response = await stage.model.next_request()
            response.call("manual", call_id=f"c{round_}").complete()
            (await tool.next_call()).answer("x")
            response = await stage.model.next_request()

        response.say("ok").complete()

        assert (await stage.until(TurnComplete))[-1] == "TurnComplete ok"


async def test_thread_waits_as_long_as_the_server_asks(autojump_clock: MockClock) -> None:
    """Otherwise 200 ms, doubled each time, plus or minus a tenth."""
    async with open_stage() as stage:
        begin = trio.current_time()
        (await stage.begin()).fail(StreamDisconnected("x", delay=7))
        response = await stage.model.next_request()
        assert trio.current_time() - begin == pytest.approx(7)

        begin = trio.current_time()
        response.fail(StreamDisconnected("x"))
        await stage.model.next_request()
        assert 0.36 <= trio.current_time() - begin <= 0.44


async def test_full_window_is_counted_before_the_turn_fails(mock_clock: MockClock) -> None:
    """Clients can tell the user to start anew."""
    async with open_stage() as stage:
        await stage.run_turn()
        (await stage.begin()).say("x").complete(100)
        await stage.until(TurnComplete)
        (await stage.begin()).fail(ContextWindowExceeded())

        events = await stage.events_until(TurnComplete)

        [count] = [event.msg for event in events if isinstance(event.msg, TokenCount)]
        assert count.info.total_token_usage.total_tokens == 258_400
        assert count.info.last_token_usage.total_tokens == 258_300
        assert events[-2].msg.codex_error_info is CodexErrorCode.CONTEXT_WINDOW_EXCEEDED


async def test_limits_that_an_error_tells_reach_the_client(mock_clock: MockClock) -> None:
    """With the tokens so far."""
    limits = RateLimitSnapshot(limit_id="codex")
    async with open_stage() as stage:
        (await stage.begin()).fail(UsageLimitReached("no more", rate_limits=limits))

        events = await stage.events_until(TurnComplete)

        assert [event.msg for event in events[-3:-1]] == [
            TokenCount(info=None, rate_limits=limits),
            ErrorEvent(message="no more", codex_error_info=CodexErrorCode.USAGE_LIMIT_EXCEEDED),
        ]


async def test_request_that_is_refused_at_once_is_tried_again(autojump_clock: MockClock) -> None:
    """Errors on entering the stream count like errors in it."""
    model = ManualModel(refusal=ConnectionFailed("down"))
    async with open_stage(model=model) as stage:
        await stage.say("hi")
        told = await stage.until(StreamError)
        model.refusal = None

        (await model.next_request()).say("ok").complete()

        assert told[-1] == "StreamError Reconnecting... 1/1"
        assert (await stage.until(TurnComplete))[-1] == "TurnComplete ok"


async def test_provider_without_retries_fails_at_the_first_error(mock_clock: MockClock) -> None:
    """Zero is a number of retries."""
    info = ProviderInfo(id="x", name="X", request_max_retries=0, stream_max_retries=0)
    async with open_stage(model=ManualModel(info=info)) as stage:
        (await stage.begin()).fail(ConnectionFailed("down"))

        events = await stage.events_until(TurnComplete)

        assert events[-2].msg == ErrorEvent(
            message="Connection failed: down", codex_error_info=HttpConnectionFailed()
        )


async def test_turn_state_is_shared_by_the_requests_of_a_turn_only(mock_clock: MockClock) -> None:
    """What the server wants to see again holds within the turn."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        first = await stage.begin()
        first.request.turn_state.value = "sticky"
        first.call("manual", call_id="c").complete()
        (await tool.next_call()).answer("x")
        second = await stage.model.next_request()
        second.say("x").complete()
        await stage.until(TurnComplete)

        third = await stage.begin()

        assert second.request.turn_state.value == "sticky"
        assert third.request.turn_state.value is None
