"""From the events of a Responses stream to ours: tolerant of what we do not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

import orjson

from messages.codec import from_json
from messages.errors import DecodeError
from messages.events import TokenUsage
from messages.items import ResponseItem
from messages.value import Json

from .classify import error_from_failure, incomplete_error
from .error_texts import text_member
from .errors import StreamDisconnected
from .provider import (
    Completed,
    Created,
    ItemAdded,
    ItemDone,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    TextDelta,
)

__all__ = ["read_event"]

_Members: TypeAlias = dict[str, Json]


def read_event(data: bytes) -> ResponseEvent | None:
    """
    Read the data of one server-sent event.

    Returns:
        None for everything that is nothing to us: other kinds of events, items
        that make no sense, bytes that are no JSON object.

    Raises:
        ModelError: The event says that the response failed.

    Source:
        Codex, ``process_responses_event``.  A failure is raised when it is read,
        not when the stream ends; the kind ``error``, which Codex skips, is one.
    """
    try:
        event: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict):
        return None
    members = cast("_Members", event)  # keys of JSON are strings
    kind = members.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return None if reader is None else reader(members)


def _created(event: _Members) -> ResponseEvent | None:
    return Created() if isinstance(event.get("response"), dict) else None


def _item_added(event: _Members) -> ResponseEvent | None:
    item = _item(event)
    return None if item is None else ItemAdded(item)


def _item_done(event: _Members) -> ResponseEvent | None:
    item = _item(event)
    return None if item is None else ItemDone(item)


def _text_delta(event: _Members) -> ResponseEvent | None:
    delta = event.get("delta")
    return TextDelta(delta) if isinstance(delta, str) else None


def _summary_delta(event: _Members) -> ResponseEvent | None:
    delta, index = event.get("delta"), event.get("summary_index")
    if not isinstance(delta, str) or not isinstance(index, int):
        return None
    return ReasoningSummaryDelta(delta, index)


def _content_delta(event: _Members) -> ResponseEvent | None:
    delta, index = event.get("delta"), event.get("content_index")
    if not isinstance(delta, str) or not isinstance(index, int):
        return None
    return ReasoningContentDelta(delta, index)


def _summary_part(event: _Members) -> ResponseEvent | None:
    index = event.get("summary_index")
    return ReasoningSummaryPartAdded(index) if isinstance(index, int) else None


def _completed(event: _Members) -> ResponseEvent:
    response_id = text_member(event.get("response"), "id")
    if response_id is None:
        raise StreamDisconnected("failed to parse ResponseCompleted: missing field `id`")
    return Completed(response_id, _usage(_member(event, "response", "usage")))


def _done(event: _Members) -> ResponseEvent:
    response_id = text_member(event.get("response"), "id") or ""
    return Completed(response_id, _usage(_member(event, "response", "usage")))


def _failed(event: _Members) -> ResponseEvent:
    raise error_from_failure(_member(event, "response", "error"))


def _error(event: _Members) -> ResponseEvent:
    # The documented form is flat; some servers nest it like a failed response.
    nested: Json = event.get("error")
    raise error_from_failure(event if nested is None else nested)


def _incomplete(event: _Members) -> ResponseEvent:
    raise incomplete_error(event.get("response"))


_READERS: Final[Mapping[str, Callable[[_Members], ResponseEvent | None]]] = {
    "response.created": _created,
    "response.output_item.added": _item_added,
    "response.output_item.done": _item_done,
    "response.output_text.delta": _text_delta,
    "response.reasoning_summary_text.delta": _summary_delta,
    "response.reasoning_text.delta": _content_delta,
    "response.reasoning_summary_part.added": _summary_part,
    "response.completed": _completed,
    "response.done": _done,
    "response.failed": _failed,
    "response.incomplete": _incomplete,
    "error": _error,
}


# Members that say nothing once the item is finished.  Codex's items do not have
# them, and every byte of an item is written to the rollout and sent again with
# each later request.
_KINDS_WITH_NOISE: Final = frozenset({"message", "reasoning", "function_call"})


def _item(event: _Members) -> ResponseItem | None:
    raw = event.get("item")
    if not isinstance(raw, dict):
        return None
    members = cast("_Members", raw)  # keys of JSON are strings
    kind = text_member(members, "type")
    if kind in _KINDS_WITH_NOISE:
        members.pop("status", None)
        _drop_empty_lists(members.get("content"))
    if kind == "reasoning":
        # Codex writes these two as null; its readers, and ours, tell that from a
        # member that is missing.
        members.setdefault("content", None)
        members.setdefault("encrypted_content", None)
    try:
        item: ResponseItem = from_json(members, ResponseItem)
    except DecodeError:
        return None
    return item


def _drop_empty_lists(content: Json) -> None:
    if not isinstance(content, list):
        return
    for part in cast("list[Json]", content):  # members of JSON lists are JSON
        if isinstance(part, dict):
            for name in ("annotations", "logprobs"):
                if cast("_Members", part).get(name) == []:
                    del part[name]


def _member(container: Json, *path: str) -> Json:
    for name in path:
        if not isinstance(container, dict):
            return None
        container = cast("_Members", container).get(name)
    return container


def _usage(raw: Json) -> TokenUsage | None:
    if raw is None:
        return None
    return TokenUsage(
        input_tokens=_count(_member(raw, "input_tokens")),
        cached_input_tokens=_count(_member(raw, "input_tokens_details", "cached_tokens")),
        output_tokens=_count(_member(raw, "output_tokens")),
        reasoning_output_tokens=_count(_member(raw, "output_tokens_details", "reasoning_tokens")),
        total_tokens=_count(_member(raw, "total_tokens")),
    )


def _count(value: Json) -> int:
    return value if isinstance(value, int) else 0
