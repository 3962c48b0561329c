"""Text that can be written as UTF-8, wherever it came from."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

import attrs

__all__ = ["cleaned"]

T = TypeVar("T")


def cleaned(value: T) -> T:
    """
    Replace what UTF-8 cannot say by ``?``, in all texts of a value.

    That is lone surrogates: from a client's own program, a file name that is not UTF-8,
    a tool or a provider of the embedder's.  They cannot be recorded or sent, and one of
    them in the history would make every later request of the thread fail.

    Returns:
        The very value when there is nothing to replace; else a copy of the same class.
    """
    return cast("T", _cleaned(value))  # each branch keeps the class


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return value if value.isascii() else _cleaned_text(value)
    if isinstance(value, tuple | list):
        return _cleaned_parts(cast("tuple[object, ...] | list[object]", value))
    if isinstance(value, Mapping):
        return _cleaned_members(cast("Mapping[object, object]", value))
    kind: Any = type(value)  # as a type it is not hashable to mypy
    fields = _fields(kind)
    return _cleaned_fields(value, fields) if fields else value


def _cleaned_parts(
    value: tuple[object, ...] | list[object],
) -> tuple[object, ...] | list[object]:
    parts = [_cleaned(part) for part in value]
    same = all(new is old for new, old in zip(parts, value, strict=True))
    return value if same else type(value)(parts)


def _cleaned_members(value: Mapping[object, object]) -> Mapping[object, object]:
    members = {_cleaned(key): _cleaned(part) for key, part in value.items()}
    same = all(members.get(key) is part for key, part in value.items())
    return value if same else members


def _cleaned_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, str], ...]:
    """List a class's fields with the names by which its copies take them; none without attrs."""
    if not attrs.has(kind):
        return ()
    return tuple((field.name, field.alias or field.name) for field in attrs.fields(kind))


def _cleaned_fields(value: Any, fields: tuple[tuple[str, str], ...]) -> object:
    changes: dict[str, object] = {}
    for name, alias in fields:
        old: object = getattr(value, name)
        new = _cleaned(old)
        if new is not old:
            changes[alias] = new
    return attrs.evolve(value, **changes) if changes else value
