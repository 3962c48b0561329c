"""The provider of the Responses API against a real server: what it asks and what it gives."""

from __future__ import annotations

import logging
import zlib

import pytest
import trio

from actors.models import (
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    MissingKey,
    RateLimits,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ServerReasoningIncluded,
    TextDelta,
    TurnState,
)
from messages.content import OutputText
from messages.events import RateLimitSnapshot, RateLimitWindow, TokenUsage
from messages.items import FunctionCall, Message, ReasoningItem, SummaryText
from tests.interop.mock_responses import Outcome
from tests.interop.scripted_replies import (
    EventStream,
    Refusal,
    StreamEnd,
    Usage,
    answer,
    function_call,
    reasoning,
    text_message,
)
from tests.models.asking import ask, request_of
from tests.waiting import PATIENCE

from .responses_stage import open_listener, provider_for, serving


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
        with trio.fail_after(PATIENCE):
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
