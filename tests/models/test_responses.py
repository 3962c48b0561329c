"""The Responses provider against a real server on loopback."""

from __future__ import annotations

import logging
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from actors.models import (
    Completed,
    ConnectionFailed,
    ContextWindowExceeded,
    Created,
    InternalServerError,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    MissingKey,
    ModelError,
    ProviderInfo,
    RateLimited,
    RateLimits,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponsesProvider,
    ResponseStreamFailed,
    ServerReasoningIncluded,
    StreamDisconnected,
    TextDelta,
    TurnState,
    UnexpectedStatus,
)
from messages.content import OutputText
from messages.events import RateLimitSnapshot, RateLimitWindow, TokenUsage
from messages.items import FunctionCall, Message, ReasoningItem, SummaryText
from tests.interop.mock_responses import MockResponses, Outcome, open_mock_responses
from tests.interop.scripted_replies import (
    EventStream,
    Pause,
    Refusal,
    Reply,
    Silence,
    StreamEnd,
    Usage,
    answer,
    failed_answer,
    function_call,
    incomplete_answer,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)
from tests.models.asking import ask, request_of


@asynccontextmanager
async def serving(
    *replies: Reply, **changes: Any
) -> AsyncGenerator[tuple[ResponsesProvider, MockResponses]]:
    async with open_mock_responses(replies) as server:
        info = ProviderInfo(
            **{"id": "mock", "name": "Mock", "base_url": server.base_url, **changes}
        )
        async with ResponsesProvider(
            info=info, environ={"MOCK_KEY": "k3y"}, version="9"
        ) as provider:
            yield provider, server


async def error_of(*replies: Reply, **changes: Any) -> ModelError:
    async with serving(*replies, **changes) as (provider, _):
        with pytest.raises(ModelError) as caught:
            await ask(provider, request_of("hi"))
        return caught.value


async def test_provider_gives_everything_a_response_holds() -> None:
    """Deltas, reasoning with its encrypted part, calls and usage, in the server's order."""
    reply = answer(
        reasoning("why", "how", encrypted_content="opaque"),
        text_message("Hel", "lo"),
        function_call("shell", '{"command": ["ls"]}'),
        usage=Usage(
            input_tokens=7, cached_input_tokens=3, output_tokens=5, reasoning_output_tokens=2
        ),
    )

    async with serving(reply) as (provider, _):
        events = await ask(provider, request_of("hi"))

    assert events == [
        Created(),
        ItemAdded(ReasoningItem(id="rs_1", encrypted_content="opaque")),
        ReasoningSummaryPartAdded(0),
        ReasoningSummaryDelta("why", 0),
        ReasoningSummaryPartAdded(1),
        ReasoningSummaryDelta("how", 1),
        ItemDone(
            ReasoningItem(
                id="rs_1",
                summary=(SummaryText(text="why"), SummaryText(text="how")),
                encrypted_content="opaque",
            )
        ),
        ItemAdded(Message(id="msg_1", role="assistant", content=())),
        TextDelta("Hel"),
        TextDelta("lo"),
        ItemDone(Message(id="msg_1", role="assistant", content=(OutputText(text="Hello"),))),
        ItemAdded(FunctionCall(id="fc_1", name="shell", arguments="", call_id="call_1")),
        ItemDone(
            FunctionCall(id="fc_1", name="shell", arguments='{"command": ["ls"]}', call_id="call_1")
        ),
        Completed(
            "resp_1",
            TokenUsage(
                input_tokens=7,
                cached_input_tokens=3,
                output_tokens=5,
                reasoning_output_tokens=2,
                total_tokens=12,
            ),
        ),
    ]


async def test_encrypted_reasoning_goes_back_with_the_next_request() -> None:
    """The server has no memory of its own."""
    async with serving(answer(reasoning("why", encrypted_content="opaque")), answer()) as (
        provider,
        server,
    ):
        events = await ask(provider, request_of("hi"))
        done = [event.item for event in events if isinstance(event, ItemDone)]
        await ask(provider, request_of("hi", *done, "more"))

    assert server.requests[1].json["input"][1] == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "why"}],
        "content": None,
        "encrypted_content": "opaque",
    }


async def test_request_carries_key_headers_and_query() -> None:
    """As configured, below any base path."""
    async with serving(
        answer(),
        env_key="MOCK_KEY",
        http_headers={"X-Own": "1"},
        query_params={"api-version": "2026 & on"},
    ) as (provider, server):
        await ask(provider, request_of("hi", subagent="review"))

    (request,) = server.requests
    assert request.target == "/v1/responses?api-version=2026+%26+on"
    assert request.method == "POST"
    assert {
        name: request.header(name)
        for name in (
            "authorization",
            "x-own",
            "session_id",
            "x-openai-subagent",
            "user-agent",
            "accept",
        )
    } == {
        "authorization": "Bearer k3y",
        "x-own": "1",
        "session_id": "thread",
        "x-openai-subagent": "review",
        "user-agent": "treadle/9",
        "accept": "text/event-stream",
    }


async def test_missing_key_sends_nothing() -> None:
    """It is known before."""
    async with serving(answer(), env_key="OTHER_KEY") as (provider, server):
        with pytest.raises(MissingKey):
            await ask(provider, request_of("hi"))

    assert server.requests == []


async def test_headers_of_a_response_come_first() -> None:
    """Limits and whether reasoning is counted, before what the model says."""
    headers = (("X-Codex-Primary-Used-Percent", "50"), ("X-Reasoning-Included", "true"))

    async with serving(answer(headers=headers)) as (provider, _):
        events = await ask(provider, request_of("hi"))

    assert events[:3] == [
        RateLimits(RateLimitSnapshot(limit_id="codex", primary=RateLimitWindow(used_percent=50.0))),
        ServerReasoningIncluded(included=True),
        Created(),
    ]


async def test_turn_state_is_taken_once_and_replayed() -> None:
    """The first response of a turn sets it, later ones do not change it."""
    state = TurnState()
    first = answer(headers=(("x-codex-turn-state", "one"),))
    second = answer(headers=(("x-codex-turn-state", "two"),))

    async with serving(first, second, answer()) as (provider, server):
        for _ in range(3):
            await ask(provider, request_of("hi", turn_state=state))

    sent = [request.header("x-codex-turn-state") for request in server.requests]
    assert sent == [None, "one", "one"]


async def test_connection_serves_one_request_after_the_other() -> None:
    """One connection, also after a refusal that was read to its end."""
    ports: set[object] = set()

    def seen(stream: trio.SocketStream) -> None:
        ports.add(stream.socket.getpeername())

    async with open_listener(seen, _OK) as url, provider_for(url) as provider:
        for _ in range(5):
            await ask(provider, request_of("hi"))

    assert len(ports) == 1


async def test_completed_ends_reading_though_the_connection_stays_open() -> None:
    """What a server does afterwards does not matter."""
    stalled = EventStream(steps=answer(text_message("hi")).steps, end=StreamEnd.STALL)

    async with serving(stalled, answer()) as (provider, server):
        with trio.fail_after(5):
            events = await ask(provider, request_of("hi"))
            outcome = await server.requests[0].wait_ended()
            again = await ask(provider, request_of("hi"))

    assert isinstance(events[-1], Completed)
    assert outcome is Outcome.CLIENT_LEFT
    assert isinstance(again[-1], Completed)


async def test_events_behind_completed_are_not_given() -> None:
    """It is always the last."""
    reply = answer()
    late = {"type": "response.output_text.delta", "delta": "late"}

    async with serving(EventStream(steps=(*reply.steps, late))) as (provider, _):
        events = await ask(provider, request_of("hi"))

    assert [type(event) for event in events] == [Created, Completed]


@pytest.mark.parametrize("slice_bytes", [1, 7])
async def test_events_may_come_in_pieces(slice_bytes: int) -> None:
    """Also cut inside of a character."""
    async with serving(answer(text_message("häl", "lö"), slice_bytes=slice_bytes)) as (provider, _):
        events = await ask(provider, request_of("hi"))

    assert [event.delta for event in events if isinstance(event, TextDelta)] == ["häl", "lö"]
    assert isinstance(events[-1], Completed)


async def test_rubbish_between_events_is_skipped() -> None:
    """Comments, bad JSON, unknown kinds, half items, bytes that are no UTF-8."""
    start, *rest = answer(text_message("hi")).steps
    rubbish = (
        b": keep-alive\n\n",
        b"data: {not json}\n\n",
        b"data: \xff\xfe\n\n",
        b"event: x\ndata: [1, 2]\n\n",
        {"type": "response.brand_new_event"},
        {"type": "response.output_item.done", "item": {"type": "message"}},
        b"data: [DONE]\n\n",
    )

    async with serving(EventStream(steps=(start, *rubbish, *rest))) as (provider, _):
        events = await ask(provider, request_of("hi"))

    async with serving(answer(text_message("hi"))) as (provider, _):
        assert events == await ask(provider, request_of("hi"))


@pytest.mark.slow
async def test_event_of_megabytes_is_read() -> None:
    """Images and encrypted reasoning are that long."""
    huge = "x" * (2 * 1024 * 1024)

    async with serving(answer(reasoning("s", encrypted_content=huge))) as (provider, _):
        events = await ask(provider, request_of("hi"))

    done = [event.item for event in events if isinstance(event, ItemDone)]
    assert done == [
        ReasoningItem(id="rs_1", summary=(SummaryText(text="s"),), encrypted_content=huge)
    ]


async def test_compressed_stream_is_read_though_nobody_asked_for_it() -> None:
    """A proxy may compress what it likes."""
    packer = zlib.compressobj(wbits=31)  # with the frame of gzip
    packed = packer.compress(_BODY) + packer.flush()
    headers = (("Content-Encoding", "gzip"), ("Content-Type", "text/event-stream"))

    async with serving(Refusal(status=200, body=packed, headers=headers)) as (provider, _):
        assert await ask(provider, request_of("hi")) == [Completed("r", None)]


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
        with trio.fail_after(5), pytest.raises(ContextWindowExceeded):
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


async def test_cancellation_in_the_middle_closes_the_connection() -> None:
    """The server sees it at once, and the provider goes on working."""
    never = trio.Event()
    start = answer(text_message("a", "b")).steps[:3]

    async with serving(EventStream(steps=(*start, Pause(never))), answer()) as (provider, server):
        with trio.fail_after(5):
            with trio.CancelScope() as scope:
                async with provider.stream(request_of("hi")) as stream:
                    async for event in stream:
                        if isinstance(event, ItemAdded):
                            scope.cancel()
            outcome = await server.requests[0].wait_ended()
            again = await ask(provider, request_of("hi"))

    assert scope.cancelled_caught
    assert outcome is Outcome.CLIENT_LEFT
    assert isinstance(again[-1], Completed)


async def test_cancellation_before_the_answer_closes_the_connection() -> None:
    """Also while nothing has come yet."""
    async with serving(Silence()) as (provider, server), trio.open_nursery() as nursery:
        with trio.fail_after(5):
            nursery.start_soon(ask, provider, request_of("hi"))
            (request,) = await server.wait_requests(1)
            nursery.cancel_scope.cancel()

    assert request.outcome is Outcome.CLIENT_LEFT


async def test_leaving_early_closes_the_connection() -> None:
    """A reader need not read to the end; leaving the block is enough."""
    never = trio.Event()
    steps = (*answer(text_message("a")).steps[:3], Pause(never))

    async with serving(EventStream(steps=steps), answer()) as (provider, server):
        with trio.fail_after(5):
            async with provider.stream(request_of("hi")) as stream:
                assert await anext(stream) == Created()
            assert await server.requests[0].wait_ended() is Outcome.CLIENT_LEFT
            await ask(provider, request_of("hi"))


async def test_error_of_the_reader_passes_through() -> None:
    """It is not replaced by anything the clean-up does."""
    never = trio.Event()
    steps = (*answer(text_message("a")).steps[:3], Pause(never))

    async with serving(EventStream(steps=steps)) as (provider, _):
        with pytest.raises(LookupError):
            async with provider.stream(request_of("hi")) as stream:
                await anext(stream)
                raise LookupError


@pytest.mark.slow
async def test_many_streams_are_open_at_once() -> None:
    """More than the hundred that HTTP clients usually allow."""
    go = trio.Event()
    count = 120
    start, *rest = answer(text_message("hi")).steps
    results: list[Sequence[object]] = []

    async def ask_and_keep(provider: ResponsesProvider) -> None:
        results.append(await ask(provider, request_of("hi")))

    replies = [EventStream(steps=(start, Pause(go), *rest)) for _ in range(count)]
    async with serving(*replies) as (provider, server), trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask_and_keep, provider)
        with trio.fail_after(20):
            await server.wait_requests(count)
        go.set()

    assert len(results) == count
    assert all(isinstance(result[-1], Completed) for result in results)


async def test_many_streams_can_be_cancelled_at_once() -> None:
    """The server sees each of them go, and the provider goes on working."""
    count = 40
    never = trio.Event()
    start = answer(text_message("a", "b")).steps[:4]
    replies = [EventStream(steps=(*start, Pause(never))) for _ in range(count)]

    async with serving(*replies, answer()) as (provider, server):
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(count):
                    nursery.start_soon(ask, provider, request_of("hi"))
                await server.wait_requests(count)
                nursery.cancel_scope.cancel()
            outcomes = [await request.wait_ended() for request in server.requests]
            await ask(provider, request_of("hi"))

    assert outcomes == [Outcome.CLIENT_LEFT] * count


async def test_closing_breaks_off_what_is_open() -> None:
    """The reader gets an error like any other, and the server sees it go."""
    never = trio.Event()
    start = answer(text_message("a")).steps[:3]

    async with serving(EventStream(steps=(*start, Pause(never)))) as (provider, server):
        with trio.fail_after(5), pytest.raises(StreamDisconnected):
            async with provider.stream(request_of("hi")) as events:
                assert await anext(events) == Created()
                await provider.aclose()
                async for _ in events:
                    pass
        assert await server.requests[0].wait_ended() is Outcome.CLIENT_LEFT


async def test_closed_provider_refuses_and_closes_twice() -> None:
    """What was open broke off; nothing new starts."""
    async with serving(answer()) as (provider, _):
        await ask(provider, request_of("hi"))
        await provider.aclose()
        await provider.aclose()

        with pytest.raises(trio.ClosedResourceError, match="provider 'mock' is closed"):
            await ask(provider, request_of("hi"))


async def test_requests_are_not_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """The client library would report each of them."""
    with caplog.at_level(logging.INFO):
        async with serving(answer()) as (provider, _):
            await ask(provider, request_of("hi"))

    assert [record for record in caplog.records if record.name.startswith("httpx2")] == []


_BODY = b'data: {"type": "response.completed", "response": {"id": "r"}}\n\n'
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)


def provider_for(url: str) -> ResponsesProvider:
    return ResponsesProvider(info=ProviderInfo(id="mock", name="Mock", base_url=url))


async def received_request(stream: trio.SocketStream) -> bool:
    """Read one whole request; False when there is none any more."""
    received = b""
    while not received.endswith(b"}"):
        chunk = await stream.receive_some()
        if not chunk:
            return False
        received += chunk
    return True


@asynccontextmanager
async def open_listener(seen: Any, reply: bytes) -> AsyncGenerator[str]:
    """Answer each request with the same bytes on a connection that stays open; no bytes close it."""

    async def serve(stream: trio.SocketStream) -> None:
        seen(stream)
        async with stream:
            while await received_request(stream):
                await stream.send_all(reply)
                if not reply:
                    return

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, serve, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()
