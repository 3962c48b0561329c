"""From the events of a Responses stream to ours."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models import (
    Completed,
    ContextWindowExceeded,
    Created,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    ModelError,
    QuotaExceeded,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ServerOverloaded,
    StreamDisconnected,
    TextDelta,
    UsageNotIncluded,
)
from actors.models.stream_events import read_event
from messages.content import OutputText
from messages.events import TokenUsage
from messages.items import FunctionCall, Message, ReasoningItem, SummaryText, UnknownItem


def read(event: Any) -> ResponseEvent | None:
    return read_event(json.dumps(event).encode())


USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}


@pytest.mark.parametrize(
    ("event", "ours"),
    [
        ({"type": "response.created", "response": {}}, Created()),
        ({"type": "response.created"}, None),
        ({"type": "response.output_text.delta", "delta": "ü"}, TextDelta("ü")),
        ({"type": "response.output_text.delta", "delta": 5}, None),
        ({"type": "response.output_text.delta"}, None),
        (
            {"type": "response.reasoning_summary_text.delta", "delta": "d", "summary_index": 1},
            ReasoningSummaryDelta("d", 1),
        ),
        ({"type": "response.reasoning_summary_text.delta", "delta": "d"}, None),
        (
            {"type": "response.reasoning_text.delta", "delta": "d", "content_index": 2},
            ReasoningContentDelta("d", 2),
        ),
        ({"type": "response.reasoning_text.delta", "content_index": 2}, None),
        (
            {"type": "response.reasoning_summary_part.added", "summary_index": 3},
            ReasoningSummaryPartAdded(3),
        ),
        ({"type": "response.reasoning_summary_part.added"}, None),
        ({"type": "response.completed", "response": {"id": "r"}}, Completed("r", None)),
        (
            {"type": "response.completed", "response": {"id": "r", "usage": USAGE}},
            Completed(
                "r",
                TokenUsage(
                    input_tokens=10,
                    cached_input_tokens=4,
                    output_tokens=5,
                    reasoning_output_tokens=2,
                    total_tokens=15,
                ),
            ),
        ),
        (
            {"type": "response.completed", "response": {"id": "r", "usage": {"input_tokens": 3}}},
            Completed("r", TokenUsage(input_tokens=3)),
        ),
        ({"type": "response.done"}, Completed("", None)),
        ({"type": "response.done", "response": {"id": "r"}}, Completed("r", None)),
        ({"type": "response.output_text.done", "text": "all"}, None),
        ({"type": "response.brand_new"}, None),
        ({"type": 5}, None),
        ({}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_known_events_are_read_and_all_others_are_nothing(
    event: Any, ours: ResponseEvent | None
) -> None:
    """What is unknown or incomplete is skipped without a word."""
    assert read(event) == ours


@pytest.mark.parametrize(
    ("raw", "item"),
    [
        (
            {
                "type": "message",
                "id": "msg",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}
                ],
            },
            Message(id="msg", role="assistant", content=(OutputText(text="hi"),)),
        ),
        (
            {
                "type": "reasoning",
                "id": "rs",
                "summary": [{"type": "summary_text", "text": "s"}],
                "encrypted_content": "xyz",
            },
            ReasoningItem(id="rs", summary=(SummaryText(text="s"),), encrypted_content="xyz"),
        ),
        (
            {
                "type": "function_call",
                "status": "completed",
                "name": "shell",
                "arguments": "{",
                "call_id": "c",
            },
            FunctionCall(name="shell", arguments="{", call_id="c"),
        ),
        (
            {"type": "new_kind", "x": 1},
            UnknownItem(tag="new_kind", raw={"type": "new_kind", "x": 1}),
        ),
    ],
)
def test_items_are_read_without_members_that_say_nothing(raw: Any, item: Any) -> None:
    """States and empty lists go, unknown kinds come as they are."""
    assert read({"type": "response.output_item.added", "item": raw}) == ItemAdded(item)
    assert read({"type": "response.output_item.done", "item": raw}) == ItemDone(item)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        [],
        {"type": "message"},
        {"type": "function_call", "name": 3},
        {"type": "message", "role": "assistant", "content": [7]},
    ],
)
def test_items_that_make_no_sense_are_skipped(raw: Any) -> None:
    """One bad item does not cost the response."""
    assert read({"type": "response.output_item.done", "item": raw}) is None
    assert read({"type": "response.output_item.added", "item": raw}) is None


def test_annotations_that_say_something_stay() -> None:
    """Only empty lists are noise."""
    part = {"type": "output_text", "text": "hi", "annotations": [{"url": "x"}]}
    raw = {"type": "message", "role": "assistant", "content": [part]}

    event = read({"type": "response.output_item.done", "item": raw})

    assert isinstance(event, ItemDone)
    assert isinstance(event.item, Message)
    assert event.item.content[0].extra == {"annotations": [{"url": "x"}]}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, StreamDisconnected("response.failed event received")),
        ({"code": "context_length_exceeded"}, ContextWindowExceeded()),
        ({"code": "insufficient_quota"}, QuotaExceeded()),
        ({"code": "usage_not_included"}, UsageNotIncluded()),
        ({"code": "invalid_prompt", "message": "no"}, InvalidRequest("no")),
        ({"code": "invalid_prompt"}, InvalidRequest("Invalid request.")),
        ({"code": "server_is_overloaded"}, ServerOverloaded()),
        ({"code": "slow_down"}, ServerOverloaded()),
        ({"code": "other", "message": "try again in 5s"}, StreamDisconnected("try again in 5s")),
        ({"message": "m"}, StreamDisconnected("m")),
        ({}, StreamDisconnected("")),
        ("text", StreamDisconnected("")),
        (
            {"code": "rate_limit_exceeded", "message": "Try again in 1.5 Seconds."},
            StreamDisconnected("Try again in 1.5 Seconds.", 1.5),
        ),
        (
            {"code": "rate_limit_exceeded", "message": "try again in 28ms"},
            StreamDisconnected("try again in 28ms", 0.028),
        ),
        (
            {"code": "rate_limit_exceeded", "message": "try again in 11.054s"},
            StreamDisconnected("try again in 11.054s", 11.054),
        ),
        (
            {"code": "rate_limit_exceeded", "message": "try again in 3 minutes"},
            StreamDisconnected("try again in 3 minutes"),
        ),
    ],
)
def test_failed_response_is_an_error_at_once(error: Any, expected: ModelError) -> None:
    """The code says which; only a rate limit tells how long to wait."""
    with pytest.raises(ModelError) as caught:
        read({"type": "response.failed", "response": {"error": error}})

    assert type(caught.value) is type(expected)
    assert caught.value.args == expected.args
    assert caught.value.delay == expected.delay


def test_error_event_is_an_error_in_either_form() -> None:
    """Flat as documented, or nested as some servers send it."""
    with pytest.raises(QuotaExceeded):
        read({"type": "error", "code": "insufficient_quota", "message": "m"})
    with pytest.raises(ServerOverloaded):
        read({"type": "error", "error": {"code": "slow_down"}})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_incomplete_response_is_an_error_with_its_reason(response: Any, reason: str) -> None:
    """It is reported when it is read, not when the stream ends."""
    with pytest.raises(StreamDisconnected) as caught:
        read({"type": "response.incomplete", "response": response})

    assert caught.value.problem == f"Incomplete response returned, reason: {reason}"


@pytest.mark.parametrize("response", [None, {}, {"id": 5}])
def test_completion_without_id_is_an_error(response: Any) -> None:
    """A response that cannot be named did not complete."""
    with pytest.raises(StreamDisconnected, match="missing field `id`"):
        read({"type": "response.completed", "response": response})


KINDS = (
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_part.added",
    "response.completed",
    "response.done",
    "response.failed",
    "response.incomplete",
    "error",
)
KEYS = ("type", "item", "response", "id", "error", "code", "usage", "content", "input_tokens")

rubbish = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "message", "reasoning"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("kind", KINDS)
@given(item=rubbish, response=rubbish, other=rubbish)
def test_rubbish_is_skipped_or_is_a_model_error(
    kind: str, item: Any, response: Any, other: Any
) -> None:
    """Nothing a server says is a crash of ours."""
    event = {"type": kind, "item": item, "response": response, "delta": other, "error": other}

    with suppress(ModelError):
        read(event)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_json_are_skipped(data: bytes) -> None:
    """Also when they are half an event or no UTF-8."""
    read_event(data)
    read_event(b'{"type": "response.output_text.delta", "delta": "' + data)
