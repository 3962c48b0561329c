"""How the tests of this room ask a model and read its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.models import ModelProvider, ModelRequest, ResponseEvent
from messages.content import InputText
from messages.items import FunctionCall, FunctionCallOutput, Message, ResponseItem

__all__ = ["ask", "called", "request_of", "said"]


def said(text: str, role: str = "user") -> Message:
    return Message(role=role, content=(InputText(text=text),))


def called(output: str, call_id: str = "call_1") -> tuple[ResponseItem, ResponseItem]:
    call = FunctionCall(name="shell", arguments="{}", call_id=call_id)
    return call, FunctionCallOutput(call_id=call_id, output=output)


def request_of(*items: ResponseItem | str, **changes: Any) -> ModelRequest:
    values: dict[str, Any] = {
        "model": "gpt-5.2-codex",
        "instructions": "be good",
        "input": tuple(said(item) if isinstance(item, str) else item for item in items),
        "prompt_cache_key": "thread",
        "turn_id": "turn",
    }
    return ModelRequest(**{**values, **changes})


async def ask(provider: ModelProvider, request: ModelRequest) -> Sequence[ResponseEvent]:
    async with provider.stream(request) as events:
        return [event async for event in events]
