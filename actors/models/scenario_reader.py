"""From plain JSON values to a scenario, strictly: a misspelt word is an error."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar, cast

import attrs

from messages.events import TokenUsage
from messages.value import Json

from .scenario import (
    ERROR_NAMES,
    Call,
    CustomCall,
    Cut,
    Fail,
    LastItem,
    Reply,
    Say,
    Scenario,
    ScenarioError,
    Stall,
    Step,
    Think,
    When,
)

__all__ = ["read_scenario"]

T = TypeVar("T")

_STATUS_RANGE: Final = range(300, 600)
_LONGEST_PACE: Final = 60.0


def read_scenario(raw: Json, source: str) -> Scenario:
    """
    Read a scenario from plain JSON values.

    Args:
        raw: Of JSON types only, as `parse` returns them.
        source: What to call it in errors.

    Raises:
        ScenarioError: It is no scenario.
    """
    table = _Table.of(raw, source, "")
    table.only("name", "pace", "delta_chars", "reply")
    name = table.text("name", default="")
    pace = table.number("pace", default=0.0, most=_LONGEST_PACE)
    delta_chars = table.integer("delta_chars", default=24, least=1)
    replies = [_reply(reply, pace=pace, delta_chars=delta_chars) for reply in table.tables("reply")]
    return Scenario(name=name or source, replies=tuple(replies))


def _reply(table: _Table, *, pace: float, delta_chars: int) -> Reply:
    table.only("when", "times", "pace", "delta_chars", "usage", "steps")
    when, usage = table.table("when"), table.table("usage")
    return Reply(
        when=When() if when is None else _when(when),
        times=_times(table),
        pace=table.number("pace", default=pace, most=_LONGEST_PACE),
        delta_chars=table.integer("delta_chars", default=delta_chars, least=1),
        usage=None if usage is None else _usage(usage),
        steps=tuple(_step(step) for step in table.tables("steps", word="step")),
    )


def _times(table: _Table) -> int | None:
    if table.raw.get("times") == "always":
        return None
    if isinstance(table.raw.get("times"), str):
        table.refuse("times", 'is neither a number nor "always"', 'write 1 or "always"')
    return table.integer("times", default=1, least=1)


def _when(table: _Table) -> When:
    table.only(*(field.name for field in attrs.fields(When)))
    last = table.optional_text("last")
    if last is not None and last not in {item.value for item in LastItem}:
        table.refuse("last", f"is {last!r}", 'write "user" or "output"')
    return When(
        user=table.optional_text("user"),
        user_matches=_pattern(table, "user_matches"),
        output=table.optional_text("output"),
        output_matches=_pattern(table, "output_matches"),
        exit_code=table.integer("exit_code") if "exit_code" in table.raw else None,
        last=None if last is None else LastItem(last),
        model=table.optional_text("model"),
        subagent=table.optional_text("subagent"),
    )


def _pattern(table: _Table, key: str) -> re.Pattern[str] | None:
    text = table.optional_text(key)
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of syntax that a later Python reads otherwise
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        table.refuse(key, f"is no regular expression: {exc}", "correct it")


def _usage(table: _Table) -> TokenUsage:
    table.only(*(field.name for field in attrs.fields(TokenUsage) if field.name != "extra"))
    read = table.integer("input_tokens", default=0, least=0)
    written = table.integer("output_tokens", default=0, least=0)
    return TokenUsage(
        input_tokens=read,
        cached_input_tokens=table.integer("cached_input_tokens", default=0, least=0),
        output_tokens=written,
        reasoning_output_tokens=table.integer("reasoning_output_tokens", default=0, least=0),
        total_tokens=table.integer("total_tokens", default=read + written, least=0),
    )


def _step(table: _Table) -> Step:
    kinds = [kind for kind in _STEPS if kind in table.raw]
    if len(kinds) != 1:
        found = "has no kind" if not kinds else f"has several kinds ({', '.join(kinds)})"
        table.refuse("", found, f"write exactly one of {', '.join(_STEPS)}")
    return _STEPS[kinds[0]](table)


def _say(table: _Table) -> Step:
    table.only("say")
    return Say(table.text("say"))


def _think(table: _Table) -> Step:
    table.only("think", "raw", "encrypted")
    summary = table.raw["think"]
    parts = cast("list[Json]", summary) if isinstance(summary, list) else [summary]
    texts = [part for part in parts if isinstance(part, str)]
    if not texts or len(texts) != len(parts):
        table.refuse("think", "is neither a text nor a list of texts", "write a text")
    return Think(
        summary=tuple(texts),
        raw=table.optional_text("raw"),
        encrypted=table.optional_text("encrypted"),
    )


def _call(table: _Table) -> Step:
    table.only("call", "arguments", "input", "call_id")
    tool, call_id = table.text("call"), table.optional_text("call_id")
    if not tool:
        table.refuse("call", "is empty", "name a tool")
    if "input" in table.raw:
        if "arguments" in table.raw:
            table.refuse("", "has both arguments and input", "keep one of them")
        return CustomCall(tool=tool, input=table.text("input"), call_id=call_id)
    arguments = table.raw.get("arguments", {})
    if not isinstance(arguments, dict | str):
        table.refuse("arguments", "is neither a table nor a text", "write a table")
    return Call(tool=tool, arguments=cast("Json", arguments), call_id=call_id)


def _stall(table: _Table) -> Step:
    table.only("stall")
    return Stall(math.inf if table.raw["stall"] == "forever" else table.number("stall"))


def _fail(table: _Table) -> Step:
    error = table.raw["error"]
    if isinstance(error, str):
        if error not in ERROR_NAMES:
            table.refuse("error", f"is {error!r}", f"write a status or {', '.join(ERROR_NAMES)}")
        table.only("error", *sorted(ERROR_NAMES[error]))
    elif not isinstance(error, int) or isinstance(error, bool) or error not in _STATUS_RANGE:
        table.refuse("error", "is no HTTP status of a failure", "write a number from 300 to 599")
    else:
        table.only("error", "message", "delay")
    delay = table.number("delay") if "delay" in table.raw else None
    return Fail(error=error, message=table.text("message", default=""), delay=delay)


def _cut(table: _Table) -> Step:
    table.only("cut")
    if table.raw["cut"] is not True:
        table.refuse("cut", "is not true", "write true, or leave the step out")
    return Cut()


@attrs.frozen
class _Table:
    """One table of a scenario, with its place for errors."""

    raw: Mapping[str, Json]
    source: str
    place: str

    @classmethod
    def of(cls, raw: Json, source: str, place: str) -> _Table:
        if not isinstance(raw, dict):
            raise ScenarioError(source, place, "it is no table", "write keys and values")
        return cls(cast("dict[str, Json]", raw), source, place)  # keys of JSON are strings

    def refuse(self, key: str, problem: str, way_out: str) -> NoReturn:
        raise ScenarioError(
            self.source, self.place, f"{key} {problem}" if key else f"it {problem}", way_out
        )

    def only(self, *known: str) -> None:
        for key in self.raw:
            if key not in known:
                self.refuse("", f"has a key {key!r}", f"known here: {', '.join(known)}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.raw.get(key, default)
        if not isinstance(value, str):
            self.refuse(key, "is no text" if key in self.raw else "is missing", "write a text")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self.raw else None

    def number(self, key: str, default: float | None = None, most: float = math.inf) -> float:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            limit = "" if most == math.inf else f" up to {most:g}"
            self.refuse(key, "is no number of seconds", f"write a number from 0{limit}")
        return float(value)

    def integer(self, key: str, default: int | None = None, least: int | None = None) -> int:
        value = self.raw.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(key, "is no whole number", "write one")
        if least is not None and value < least:
            self.refuse(key, f"is {value}", f"write a number from {least}")
        return value

    def table(self, key: str) -> _Table | None:
        if key not in self.raw:
            return None
        return _Table.of(self.raw[key], self.source, self._inside(key))

    def tables(self, key: str, word: str | None = None) -> list[_Table]:
        value = self.raw.get(key)
        if not isinstance(value, list) or not value:
            problem = "is missing" if key not in self.raw else "is no list with something in it"
            self.refuse(key, problem, f"write at least one {word or key}")
        elements = cast("list[Json]", value)  # members of JSON lists are JSON
        return [
            _Table.of(element, self.source, self._inside(f"{word or key} {number}"))
            for number, element in enumerate(elements, start=1)
        ]

    def _inside(self, what: str) -> str:
        return f"{self.place}, {what}" if self.place else what


_STEPS: Final[Mapping[str, Callable[[_Table], Step]]] = {
    "say": _say,
    "think": _think,
    "call": _call,
    "stall": _stall,
    "error": _fail,
    "cut": _cut,
}
