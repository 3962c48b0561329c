"""The history as a model may see it: every call answered, no answer without a call."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from messages.content import InputImage, InputText
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    FunctionOutput,
    GhostSnapshot,
    LocalShellCall,
    Message,
    ReasoningItem,
    ResponseItem,
)

__all__ = ["ABORTED_OUTPUT", "call_id_of", "for_model", "without_images"]

ABORTED_OUTPUT: Final = "aborted"
_NO_IMAGES: Final = InputText(text="image content omitted because you do not support image input")


def for_model(items: Sequence[ResponseItem], *, images: bool) -> tuple[ResponseItem, ...]:
    """
    Prepare a history for a request; *items* stay as they are.

    A call without an output behind it gets one that says `ABORTED_OUTPUT`, right
    behind it; an output without a call of its own before it is left out, as are
    ghost snapshots; without *images* each image becomes a line of text.

    Source:
        Codex, ``ContextManager::for_prompt``.
    """
    # Outputs that still come, and calls kept so far whose output is one of them.
    coming = Counter(item.call_id for item in items if isinstance(item, _OUTPUTS))
    waiting: Counter[str] = Counter()
    kept: list[ResponseItem] = []
    for item in items:
        if item.__class__ in _PLAIN:  # most are, and histories are long
            kept.append(item)
            continue
        call_id = call_id_of(item)
        if call_id is not None:
            kept.append(item)
            if coming[call_id] > waiting[call_id]:
                waiting[call_id] += 1
            else:
                kept.append(_aborted(item, call_id))
        elif isinstance(item, _OUTPUTS):
            coming[item.call_id] -= 1
            if waiting[item.call_id]:
                waiting[item.call_id] -= 1
                kept.append(item)
        elif not isinstance(item, GhostSnapshot):
            kept.append(item)
    return tuple(kept) if images else tuple(map(_described, kept))


def call_id_of(item: ResponseItem) -> str | None:
    """Tell the id of a tool call; None for everything else."""
    return item.call_id if isinstance(item, _CALLS) else None


def without_images(items: Sequence[ResponseItem], text: str) -> tuple[ResponseItem, ...] | None:
    """
    Replace the images of the last tool output by *text*.

    Returns:
        The new history, or None when the last of tool output and user message is
        not a tool output with an image.
    """
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if isinstance(item, Message) and item.role == "user":
            return None
        if isinstance(item, _OUTPUTS):
            output = _replaced(item.output, InputText(text=text))
            if output is item.output:
                return None
            return (*items[:index], attrs.evolve(item, output=output), *items[index + 1 :])
    return None


_CALLS = (FunctionCall, CustomToolCall, LocalShellCall)
_OUTPUTS = (FunctionCallOutput, CustomToolCallOutput)
_PLAIN = frozenset({Message, ReasoningItem})


def _aborted(call: ResponseItem, call_id: str) -> ResponseItem:
    if isinstance(call, CustomToolCall):
        return CustomToolCallOutput(call_id=call_id, output=ABORTED_OUTPUT)
    return FunctionCallOutput(call_id=call_id, output=ABORTED_OUTPUT)


def _described(item: ResponseItem) -> ResponseItem:
    if isinstance(item, Message) and _has_image(item.content):
        content = tuple(_NO_IMAGES if isinstance(p, InputImage) else p for p in item.content)
        return attrs.evolve(item, content=content)
    if isinstance(item, _OUTPUTS):
        output = _replaced(item.output, _NO_IMAGES)
        return item if output is item.output else attrs.evolve(item, output=output)
    return item


def _replaced(output: FunctionOutput, by: InputText) -> FunctionOutput:
    if isinstance(output, str) or not _has_image(output):
        return output
    return tuple(by if isinstance(part, InputImage) else part for part in output)


def _has_image(parts: Iterable[object]) -> bool:
    return any(isinstance(part, InputImage) for part in parts)
