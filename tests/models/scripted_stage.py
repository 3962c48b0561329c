"""A provider that plays a text, and what came of it."""

from __future__ import annotations

import json
from typing import Any

import attrs

from actors.models import SCRIPTED_PROVIDER, ItemDone, ScriptedProvider, TextDelta, parse_scenario
from messages.items import FunctionCall


def playing(text: str, **changes: Any) -> ScriptedProvider:
    info = attrs.evolve(SCRIPTED_PROVIDER, **changes)
    return ScriptedProvider(parse_scenario(text, syntax="yaml"), info)


def text_of(events: Any) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextDelta))


def calls_of(events: Any) -> list[FunctionCall]:
    done = (event.item for event in events if isinstance(event, ItemDone))
    return [item for item in done if isinstance(item, FunctionCall)]


def shell_output(output: str, exit_code: int) -> str:
    return json.dumps({"output": output, "metadata": {"exit_code": exit_code}})
