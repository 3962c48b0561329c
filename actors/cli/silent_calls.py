"""Calls that no event tells of, because they came to nothing."""

import re
from typing import Final

import attrs

from messages.events import EventMsg, RawResponseItem, TurnStarted
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
)

from .block_words import Block
from .item_words import output_text, unframed
from .pieces import Look, shortened

__all__ = ["SilentCalls"]

_LINE_LIMIT: Final = 200
_NAME_LIMIT: Final = 60

_NO_TOOL: Final = re.compile(r"unsupported (?:custom tool )?call: ")
_STOPPED: Final = re.compile(r"(?:Wall time: [\d.]+ seconds\n)?aborted by user(?: after [\d.]+s)?")


@attrs.define(eq=False)
class SilentCalls:
    """
    Finds the calls of a turn that are answered without any event of their own.

    These are calls that a tool refused at once: there is none of that name, or the
    arguments do not fit.  Only what the model reads tells of them.
    """

    # Of this turn: what calls are to, and those that an event told of.
    _names: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _told: set[str] = attrs.field(factory=set[str], init=False)

    def take(self, msg: EventMsg) -> Block | None:
        """Look at one event; give a line when it answers a call that nothing was told of."""
        match msg:
            case TurnStarted():
                self._names.clear()
                self._told.clear()
            case RawResponseItem(item=FunctionCall() | CustomToolCall() as call):
                self._names[call.call_id] = call.name
            case RawResponseItem(item=LocalShellCall() as call):
                self._names[call.call_id or call.id or ""] = "local_shell"
            case RawResponseItem(item=FunctionCallOutput() | CustomToolCallOutput() as answer):
                name = self._names.pop(answer.call_id, None)
                if name is not None and answer.call_id not in self._told:
                    return _line(name, output_text(answer.output))
            case _:
                self._told.add(getattr(msg, "call_id", ""))
        return None


def _line(name: str, answer: str) -> Block | None:
    if _STOPPED.fullmatch(answer) or _is_success(name, answer):
        return None
    why = "there is no such tool" if _NO_TOOL.match(answer) else answer
    why = why.removeprefix(f"{name} failed: ")
    words = f"tool {shortened(name, _NAME_LIMIT)}: {shortened(why, _LINE_LIMIT)}"
    return Block(words, look=Look.BAD)


def _is_success(name: str, answer: str) -> bool:
    """Whether it is the answer of one of the tools whose events name no call, or another."""
    if name == "update_plan":
        return answer == "Plan updated"
    return name == "write_stdin" and unframed(answer) != (answer, None)
