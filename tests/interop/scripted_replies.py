"""
What the mock Responses server answers: values for replies, builders for their events.

A reply is one of three things: an `EventStream`, a `Refusal`, or `Silence`.
An event stream is made of parts (`text_message`, `reasoning`, `function_call`
...), which `answer` puts between ``response.created`` and
``response.completed`` and numbers as the real service does.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import trio

__all__ = [
    "Event",
    "EventStream",
    "Part",
    "Pause",
    "Refusal",
    "Reply",
    "Silence",
    "Step",
    "StreamEnd",
    "Usage",
    "answer",
    "custom_tool_call",
    "failed_answer",
    "function_call",
    "incomplete_answer",
    "reasoning",
    "refusal",
    "text_message",
    "unfinished_answer",
]

Event: TypeAlias = Mapping[str, Any]
Part: TypeAlias = Sequence[Event]
Headers: TypeAlias = tuple[tuple[str, str], ...]


@attrs.frozen
class Pause:
    """
    A place where the stream waits until the test lets it go on.

    Attributes:
        until: Set by the test.  A client that leaves meanwhile ends the wait.
    """

    until: trio.Event


# An event is encoded as one server-sent event; bytes go out as they are, which
# is how a script sends rubbish, comments or half an event.
Step: TypeAlias = Event | bytes | Pause


class StreamEnd(enum.Enum):
    """How an event stream ends once its steps are sent."""

    CLOSE = "close"  # the body ends as HTTP wants it
    CUT = "cut"  # the connection ends in the middle of the body
    STALL = "stall"  # nothing more, until the client or the test leaves


@attrs.frozen(kw_only=True)
class EventStream:
    """
    Answer 200 with server-sent events.

    Attributes:
        steps: Sent in this order, each in a write of its own.
        end: What follows the last step.
        headers: Sent beside ``Content-Type``.
        slice_bytes:
            Cut every step into writes of at most so many bytes, so that a
            reader meets events in pieces.  None sends each step whole.
    """

    steps: tuple[Step, ...]
    end: StreamEnd = StreamEnd.CLOSE
    headers: Headers = ()
    slice_bytes: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )


@attrs.frozen(kw_only=True)
class Refusal:
    """
    Answer with a status and a plain body instead of a stream.

    Attributes:
        status: An HTTP status, from 200.
        body: Sent whole, with its length.
        headers: Sent beside ``Content-Length``; holds the content type, if any.
    """

    status: int = attrs.field(validator=[attrs.validators.ge(200), attrs.validators.le(599)])
    body: bytes = b""
    headers: Headers = ()


@attrs.frozen
class Silence:
    """Take the request and answer nothing, not even headers, until the client leaves."""


Reply: TypeAlias = EventStream | Refusal | Silence


@attrs.frozen(kw_only=True)
class Usage:
    """Tokens of one response, as ``response.completed`` tells them."""

    input_tokens: int = 100
    cached_input_tokens: int = 0
    output_tokens: int = 10
    reasoning_output_tokens: int = 0

    def to_wire(self) -> dict[str, Any]:
        """The member ``usage`` of a response."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_input_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_output_tokens},
            "total_tokens": self.input_tokens + self.output_tokens,
        }


def text_message(*deltas: str, item_id: str = "msg_1") -> Part:
    """One message of the assistant, streamed in *deltas*; none makes an empty message."""
    text = "".join(deltas)
    place = {"item_id": item_id, "content_index": 0}
    empty: Event = {"type": "output_text", "text": "", "annotations": []}
    item = {"type": "message", "id": item_id, "role": "assistant"}
    return [
        _added({**item, "status": "in_progress", "content": []}),
        {"type": "response.content_part.added", **place, "part": empty},
        *({"type": "response.output_text.delta", **place, "delta": delta} for delta in deltas),
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": {**empty, "text": text}},
        _done({**item, "status": "completed", "content": [{**empty, "text": text}]}),
    ]


def reasoning(
    *summary_parts: str, encrypted_content: str | None = None, item_id: str = "rs_1"
) -> Part:
    """
    One reasoning item, each part of its summary in one delta.

    Args:
        summary_parts: Oldest first; none makes a reasoning item without a summary.
        encrypted_content: Opaque; the client sends it back in later requests.
        item_id: The item's id in every event.
    """
    item = {"type": "reasoning", "id": item_id, "encrypted_content": encrypted_content}
    summary = [{"type": "summary_text", "text": text} for text in summary_parts]
    events: list[Event] = [_added({**item, "summary": []})]
    for index, text in enumerate(summary_parts):
        events += _summary_part({"item_id": item_id, "summary_index": index}, text)
    return [*events, _done({**item, "summary": summary})]


def function_call(
    name: str,
    arguments: Mapping[str, Any] | str,
    *,
    call_id: str = "call_1",
    item_id: str = "fc_1",
) -> Part:
    """One call of a function tool; *arguments* as a string go out as they are, broken or not."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    item = {"type": "function_call", "id": item_id, "call_id": call_id, "name": name}
    return [
        _added({**item, "status": "in_progress", "arguments": ""}),
        {"type": "response.function_call_arguments.delta", "item_id": item_id, "delta": text},
        {"type": "response.function_call_arguments.done", "item_id": item_id, "arguments": text},
        _done({**item, "status": "completed", "arguments": text}),
    ]


def custom_tool_call(
    name: str, text: str, *, call_id: str = "call_1", item_id: str = "ctc_1"
) -> Part:
    """One call of a freeform tool with *text* as its input."""
    item = {"type": "custom_tool_call", "id": item_id, "call_id": call_id, "name": name}
    return [
        _added({**item, "status": "in_progress", "input": ""}),
        {"type": "response.custom_tool_call_input.delta", "item_id": item_id, "delta": text},
        {"type": "response.custom_tool_call_input.done", "item_id": item_id, "input": text},
        _done({**item, "status": "completed", "input": text}),
    ]


def answer(
    *parts: Part,
    response_id: str = "resp_1",
    usage: Usage | None = None,
    headers: Headers = (),
    slice_bytes: int | None = None,
) -> EventStream:
    """A whole response: *parts*, one after the other, then ``response.completed``."""
    completed = _response(response_id, "completed")
    completed["output"] = [part[-1]["item"] for part in parts]
    completed["usage"] = (usage or Usage()).to_wire()
    last = {"type": "response.completed", "response": completed}
    return _stream(parts, last, response_id, headers, slice_bytes)


def failed_answer(
    code: str, message: str, *parts: Part, response_id: str = "resp_1", headers: Headers = ()
) -> EventStream:
    """A response that fails after *parts* with ``response.failed``."""
    failed = _response(response_id, "failed")
    failed["error"] = {"code": code, "message": message}
    last = {"type": "response.failed", "response": failed}
    return _stream(parts, last, response_id, headers, None)


def incomplete_answer(
    reason: str, *parts: Part, response_id: str = "resp_1", headers: Headers = ()
) -> EventStream:
    """A response that the service ends after *parts* with ``response.incomplete``."""
    incomplete = _response(response_id, "incomplete")
    incomplete["incomplete_details"] = {"reason": reason}
    last = {"type": "response.incomplete", "response": incomplete}
    return _stream(parts, last, response_id, headers, None)


def unfinished_answer(
    *parts: Part, end: StreamEnd, response_id: str = "resp_1", headers: Headers = ()
) -> EventStream:
    """A response whose stream ends as *end* says after *parts*, never completed."""
    return attrs.evolve(_stream(parts, None, response_id, headers, None), end=end)


def refusal(
    status: int,
    message: str = "",
    *,
    code: str | None = None,
    kind: str | None = None,
    headers: Headers = (),
) -> Refusal:
    """A refusal with the body the service gives: ``{"error": {message, type, code}}``."""
    error = {"message": message, "type": kind, "code": code}
    return Refusal(
        status=status,
        body=json.dumps({"error": error}).encode(),
        headers=(("Content-Type", "application/json"), *headers),
    )


def _stream(
    parts: tuple[Part, ...],
    last: Event | None,
    response_id: str,
    headers: Headers,
    slice_bytes: int | None,
) -> EventStream:
    started = _response(response_id, "in_progress")
    events: list[Event] = [{"type": "response.created", "response": started}]
    for index, part in enumerate(parts):
        events += ({**event, "output_index": index} for event in part)
    if last is not None:
        events.append(last)
    numbered = tuple({**event, "sequence_number": n} for n, event in enumerate(events))
    return EventStream(steps=numbered, headers=headers, slice_bytes=slice_bytes)


def _response(response_id: str, status: str) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "response",
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def _summary_part(place: Event, text: str) -> list[Event]:
    kind = "response.reasoning_summary"
    part = {"type": "summary_text", "text": text}
    return [
        {"type": f"{kind}_part.added", **place, "part": {**part, "text": ""}},
        {"type": f"{kind}_text.delta", **place, "delta": text},
        {"type": f"{kind}_text.done", **place, "text": text},
        {"type": f"{kind}_part.done", **place, "part": part},
    ]


def _added(item: Event) -> Event:
    return {"type": "response.output_item.added", "item": item}


def _done(item: Event) -> Event:
    return {"type": "response.output_item.done", "item": item}
