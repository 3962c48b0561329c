"""Readers and writers of what is no attrs class: words, numbers, durations, bytes."""

import base64
import binascii
import math
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

from ..value import Json
from .misfit import misfit

__all__ = [
    "as_is",
    "checked_json",
    "enum_reader",
    "finite",
    "only_member",
    "read_bool",
    "read_bytes",
    "read_float",
    "read_int",
    "read_seconds",
    "read_text",
    "write_bytes",
    "write_enum",
    "write_seconds",
]

_DURATION = "a duration of secs and nanos"
_PARTS = 2
_NANOS = 1_000_000_000
# Below this a float keeps nanoseconds apart: its steps are 0.23 ns at 24 days.
_SURELY_EXACT_SECONDS = 2**21


def as_is(raw: Json, _: object = None) -> Any:
    """Any JSON value."""
    return raw


def read_text(raw: Json, _: object = None) -> str:
    """Text, and nothing that could be made text."""
    if isinstance(raw, str):
        return raw
    raise misfit("text", raw)


def read_bool(raw: Json, _: object = None) -> bool:
    """True or false."""
    if isinstance(raw, bool):
        return raw
    raise misfit("true or false", raw)


def read_int(raw: Json, _: object = None) -> int:
    """A whole number; true and false are none."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    raise misfit("a whole number", raw)


def read_float(raw: Json, _: object = None) -> float:
    """A number; a whole one stays whole, so that it is written as it came."""
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return raw
    raise misfit("a number", raw)


def read_seconds(raw: Any, _: object = None) -> float:
    """A duration, from whole seconds and nanoseconds."""
    try:
        secs, nanos = raw["secs"], raw["nanos"]
    except (KeyError, TypeError):
        raise misfit(_DURATION, raw) from None
    if type(secs) is not int or type(nanos) is not int or len(raw) != _PARTS:
        raise misfit(_DURATION, raw)
    if secs < 0 or not 0 <= nanos < _NANOS:
        raise misfit(_DURATION, raw)
    seconds = secs + nanos / _NANOS
    if secs >= _SURELY_EXACT_SECONDS and write_seconds(seconds) != raw:
        raise misfit("a duration that a float can hold", raw)
    return seconds


def write_seconds(seconds: float) -> dict[str, int]:
    """A duration as whole seconds and nanoseconds."""
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{seconds!r} is no duration in seconds")
    secs = int(seconds)
    nanos = int((seconds - secs) * _NANOS + 0.5)
    if nanos == _NANOS:
        return {"secs": secs + 1, "nanos": 0}
    return {"secs": secs, "nanos": nanos}


def read_bytes(raw: Json, _: object = None) -> bytes:
    """Bytes, from Base64 in its one canonical form."""
    text = read_text(raw)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise misfit("base64", raw) from None
    if write_bytes(data) != text:
        raise misfit("base64 without stray bits", raw)
    return data


def write_bytes(data: bytes) -> str:
    """Bytes as Base64."""
    return base64.b64encode(data).decode("ascii")


def only_member(raw: Json) -> str | None:
    """The name of the only member of an object; None for anything else."""
    if not isinstance(raw, dict) or len(doc := cast("dict[str, Json]", raw)) != 1:
        return None
    return next(iter(doc))


def enum_reader(cls: type[Enum]) -> Callable[..., Enum]:
    """A reader for one of a closed set of words."""
    members = {member.value: member for member in cls}
    words = ", ".join(members)

    def read(raw: Json, _: object = None) -> Enum:
        member = members.get(raw) if isinstance(raw, str) else None
        if member is None:
            raise misfit(f"one of {words}", raw)
        return member

    return read


def write_enum(member: Enum) -> Json:
    """The word of a member of a closed set."""
    # `_value_` is a plain attribute; `value` is a descriptor that costs four times as much.
    return cast("Json", member._value_)


def checked_json(value: Json) -> Json:
    """
    JSON of whatever kind, as it is.

    What is no JSON at all is left to orjson to refuse.

    Raises:
        ValueError: There is a number in it that JSON has no form for; orjson would
            write null.
    """
    _check_numbers(value)
    return value


def _check_numbers(value: Json) -> None:
    if isinstance(value, float):
        finite(value)
    elif isinstance(value, list):
        for each in cast("list[Json]", value):
            _check_numbers(each)
    elif isinstance(value, dict):
        for each in cast("dict[str, Json]", value).values():
            _check_numbers(each)


def finite(number: float) -> float:
    """The number, which must be one: orjson would write null for anything else."""
    if number - number != 0:
        raise ValueError(f"{number!r} is no JSON number")
    return number
