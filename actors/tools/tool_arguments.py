"""Reads the members of a tool call's arguments, and says which of them does not fit."""

from collections.abc import Iterable, Mapping
from typing import Final, cast

from messages.value import Json

from .errors import ToolError

__all__ = ["optional_text", "read_list", "read_object", "read_text", "refuse_unknown", "unfit"]


def read_text(members: Mapping[str, Json], name: str, place: str = "") -> str:
    """
    Read a member that has to be a string.

    Args:
        place: Where *members* are, for example ``plan[0].``; empty for the arguments.

    Raises:
        ToolError: It is not there, or not a string.
    """
    value = _read(members, name, place)
    if not isinstance(value, str):
        raise unfit(place + name, "a string", value)
    return value


def optional_text(members: Mapping[str, Json], name: str) -> str | None:
    """
    Read a member that is a string if it is there; null is the same as nothing.

    Raises:
        ToolError: It is something else.
    """
    return None if members.get(name) is None else read_text(members, name)


def read_list(members: Mapping[str, Json], name: str, place: str = "") -> list[Json]:
    """
    Read a member that has to be a list.

    Raises:
        ToolError: It is not there, or not a list.
    """
    value = _read(members, name, place)
    if not isinstance(value, list):
        raise unfit(place + name, "a list", value)
    return cast("list[Json]", value)  # isinstance cannot say so


def read_object(value: Json, place: str) -> dict[str, Json]:
    """
    Read an entry of a list that has to be an object.

    Raises:
        ToolError: It is something else.
    """
    if not isinstance(value, dict):
        raise unfit(place, "an object", value)
    return cast("dict[str, Json]", value)  # keys of JSON objects are text


def refuse_unknown(members: Mapping[str, Json], known: Iterable[str], place: str = "") -> None:
    """
    Let nothing pass but the members that are known.

    Raises:
        ToolError: There is another one.
    """
    names = tuple(known)
    for name in members:
        if name not in names:
            raise _problem(f"unknown field {place}{name}, expected one of {', '.join(names)}")


def unfit(place: str, expected: str, value: Json) -> ToolError:
    """Say that the value at a place is not what was expected."""
    return _problem(f"{place}: expected {expected}, got {_NAMES.get(type(value), 'a number')}")


_NAMES: Final[Mapping[type, str]] = {
    str: "a string",
    bool: "a boolean",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _read(members: Mapping[str, Json], name: str, place: str) -> Json:
    if name not in members:
        raise _problem(f"missing field {place}{name}")
    return members[name]


def _problem(text: str) -> ToolError:
    return ToolError(f"failed to parse function arguments: {text}")
