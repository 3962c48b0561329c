"""Makes what a server sent fit to be written down again."""

import math
from collections.abc import Mapping
from typing import Any, cast

import orjson

__all__ = ["dump_json", "plain_json", "size_of"]

_INTEGERS = range(-(2**63), 2**64)
"""What our codec writes."""


def plain_json(value: Any) -> Any:
    """
    Return *value* with nothing in it that our codec could not write.

    Integers beyond 64 bits become floats, as in most readers of JSON; what is no number
    becomes null.  Values that are fine are returned as they are.
    """
    try:
        orjson.dumps(value)
    except TypeError:
        return _tame(value)
    return value


def dump_json(value: Any) -> str:
    """Write a plain value as text."""
    return orjson.dumps(value).decode()


def size_of(value: Any) -> int:
    """Return how many bytes a plain value has when written."""
    return len(orjson.dumps(value))


def _tame(value: Any) -> Any:
    match value:
        case bool() | None:
            return value
        case int():
            return value if value in _INTEGERS else _to_float(value)
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.encode("utf-8", "replace").decode()
        case Mapping():
            members = cast("Mapping[str, Any]", value)
            return {_tame(str(name)): _tame(member) for name, member in members.items()}
        case _:
            return [_tame(entry) for entry in value]


def _to_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
