"""Answers of the Responses API that are none: which are final, which may be tried again."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.models import (
    ConnectionFailed,
    ContextWindowExceeded,
    InternalServerError,
    InvalidRequest,
    ModelError,
    RateLimited,
    ResponseStreamFailed,
    StreamDisconnected,
    TextDelta,
    UnexpectedStatus,
)
from tests.interop.scripted_replies import (
    EventStream,
    Refusal,
    Reply,
    StreamEnd,
    answer,
    failed_answer,
    incomplete_answer,
    refusal,
    text_message,
    unfinished_answer,
)
from tests.models.asking import ask, request_of
from tests.waiting import PATIENCE

from .responses_stage import open_listener, provider_for, serving


async def error_of(*replies: Reply, **changes: Any) -> ModelError:
    async with serving(*replies, **changes) as (provider, _):
        with pytest.raises(ModelError) as caught:
            await ask(provider, request_of("hi"))
        return caught.value


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_refusals_for_good_are_final(status: int) -> None:
    """Trying again would only come to the same."""
    error = await error_of(refusal(status, "no", headers=(("x-request-id", "req"),)))

    assert isinstance(error, UnexpectedStatus)
    assert (error.status, error.retryable, error.request_id) == (status, False, "req")
    assert ": no, url: http://127.0.0.1:" in str(error)


async def test_url_in_an_error_has_no_query() -> None:
    """It may hold a key."""
    error = await error_of(refusal(404), query_params={"key": "SECRET"})

    assert "SECRET" not in str(error)


@pytest.mark.parametrize(
    ("reply", "kind", "delay"),
    [
        (refusal(429, "slow", headers=(("Retry-After", "7"),)), RateLimited, 7.0),
        (refusal(429, "Please try again in 1.5s."), RateLimited, 1.5),
        (refusal(500, "oops"), InternalServerError, None),
        (refusal(503, "later", headers=(("Retry-After", "2"),)), UnexpectedStatus, 2.0),
    ],
)
async def test_passing_refusals_are_retryable_with_their_delay(
    reply: Reply, kind: type[ModelError], delay: float | None
) -> None:
    """The provider itself does not wait."""
    error = await error_of(reply)

    assert type(error) is kind
    assert (error.retryable, error.delay, error.before_stream) == (True, delay, True)


async def test_invalid_request_gives_the_servers_words() -> None:
    """The whole body, as Codex shows it."""
    error = await error_of(Refusal(status=400, body=b'{"detail": "bad tool"}'))

    assert isinstance(error, InvalidRequest)
    assert str(error) == '{"detail": "bad tool"}'


async def test_endless_refusal_is_cut() -> None:
    """An error text of gigabytes is not read to its end."""
    error = await error_of(Refusal(status=404, body=b"x" * 3_000_000))

    assert isinstance(error, UnexpectedStatus)
    assert len(error.body) == 64 * 1024


async def test_failed_response_is_reported_while_the_stream_is_open() -> None:
    """Not when the server closes it, which may take minutes."""
    failed = failed_answer("context_length_exceeded", "too long", text_message("part"))
    reply = EventStream(steps=failed.steps, end=StreamEnd.STALL)

    async with serving(reply) as (provider, _):
        events: list[object] = []
        with trio.fail_after(PATIENCE), pytest.raises(ContextWindowExceeded):
            async with provider.stream(request_of("hi")) as stream:
                async for event in stream:
                    events.append(event)

    assert TextDelta("part") in events


async def test_incomplete_response_is_an_error() -> None:
    """With the server's reason."""
    error = await error_of(incomplete_answer("content_filter", text_message("part")))

    assert str(error).endswith("Incomplete response returned, reason: content_filter")


@pytest.mark.parametrize("end", [StreamEnd.CLOSE, StreamEnd.CUT])
async def test_stream_without_completion_is_an_error(end: StreamEnd) -> None:
    """Whether it ends properly or in the middle, and what came before stands."""
    events: list[object] = []

    async with serving(unfinished_answer(text_message("part"), end=end)) as (provider, _):
        with pytest.raises(StreamDisconnected) as caught:
            async with provider.stream(request_of("hi")) as stream:
                async for event in stream:
                    events.append(event)

    assert caught.value.retryable
    assert not caught.value.before_stream
    assert TextDelta("part") in events


async def test_error_is_given_once_and_then_the_stream_has_ended() -> None:
    """A reader that goes on gets nothing more."""
    async with (
        serving(failed_answer("other", "m")) as (provider, _),
        provider.stream(request_of("hi")) as stream,
    ):
        with pytest.raises(StreamDisconnected):
            async for _ in stream:
                pass

        assert [event async for event in stream] == []


async def test_answer_that_is_no_event_stream_is_named() -> None:
    """As from a web server at the wrong address; trying again does not help."""
    page = Refusal(status=200, body=b"<html>", headers=(("Content-Type", "text/html; x=y"),))

    error = await error_of(page)

    assert isinstance(error, ResponseStreamFailed)
    assert not error.retryable
    assert "expected a text/event-stream from http://127.0.0.1:" in str(error)
    assert "got text/html" in str(error)


async def test_refused_connection_is_retryable() -> None:
    """Nobody listens; somebody may later."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()

    async with provider_for(f"http://127.0.0.1:{port}") as provider:
        with pytest.raises(ConnectionFailed) as caught:
            await ask(provider, request_of("hi"))

    assert caught.value.retryable
    assert caught.value.before_stream
    assert f"(http://127.0.0.1:{port}/responses)" in str(caught.value)


async def test_connection_that_closes_without_an_answer_is_retryable() -> None:
    """The server may have restarted."""
    async with open_listener(lambda _: None, b"") as url, provider_for(url) as provider:
        with pytest.raises(ConnectionFailed) as caught:
            await ask(provider, request_of("hi"))

    assert caught.value.retryable


@pytest.mark.parametrize("token", ["half\nkey", "schlüssel\x00"])
async def test_key_that_no_header_can_hold_is_final_and_stays_secret(token: str) -> None:
    """The error names the place, not the key."""
    error = await error_of(answer(), experimental_bearer_token=token)

    assert isinstance(error, ConnectionFailed)
    assert not error.retryable
    assert "half" not in str(error)
    assert "schl" not in str(error)
