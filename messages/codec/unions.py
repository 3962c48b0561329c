"""Readers of unions: by tag, by the only member's name, by kind of JSON."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeGuard, cast

import attrs

from ..value import Json, Unknown
from .fields import element_type, fields_of
from .misfit import Misfit, misfit
from .readers import Reader, TaggedUnion
from .scalars import enum_reader, only_member
from .shape import Shape

__all__ = [
    "make_keyed_reader",
    "make_kind_reader",
    "make_tagged_union",
    "tagged_classes",
    "words",
]

ShapeOf = Callable[[type], Shape]


def tagged_classes(members: tuple[Any, ...], shape_of: ShapeOf) -> tuple[type, ...] | None:
    """The members of a union that goes by tags; None when it does not."""
    if not all(map(_is_class, members)):
        return None
    classes = cast("tuple[type, ...]", members)
    return classes if any(shape_of(cls).tag is not None for cls in classes) else None


def words(members: tuple[Any, ...]) -> list[type[Enum]]:
    """The closed sets of words among the members of a union."""
    return [member for member in members if _is_enum(member)]


def make_tagged_union(
    classes: tuple[type, ...], shape_of: ShapeOf, bare_reader_of: Callable[[type], Reader]
) -> TaggedUnion:
    """
    Make a union that goes by tags.

    What has an unknown tag goes to the union's `Unknown` class, or to its one class
    without a tag, or is refused. Readers of classes are made when their tag is first
    met; unknown tags are not remembered.
    """
    by_tag: dict[str, type] = {}
    other: type | None = None
    key = "type"
    for cls in classes:
        shape = shape_of(cls)
        if shape.tag is None and other is not None:
            raise TypeError(f"no tag tells {cls.__name__} and {other.__name__} apart")
        if shape.tag is None:
            other = cls
        else:
            key = shape.tag_key
            by_tag.update(dict.fromkeys((shape.tag, *shape.aliases), cls))
    readers: dict[str, Reader] = {}

    def find(raw: Json) -> Reader:
        tag = _tag(raw, key)
        if tag in by_tag:
            return readers.setdefault(tag, bare_reader_of(by_tag[tag]))
        if other is None:
            raise _at(key, misfit(f"one of {', '.join(by_tag)}", tag))
        return _unknown_reader(other, tag) if _is_unknown(other) else bare_reader_of(other)

    return TaggedUnion(key=key, readers=readers, find=find)


def _unknown_reader(cls: type[Unknown], tag: str) -> Reader:
    return lambda raw: cls(tag=tag, raw=raw)


def _tag(raw: Json, key: str) -> str:
    if not isinstance(raw, dict):
        raise misfit("an object", raw)
    doc = cast("dict[str, Json]", raw)  # a JSON object has text keys
    if key not in doc:
        raise _at(key, Misfit("required member is missing"))
    tag = doc[key]
    if not isinstance(tag, str):
        raise _at(key, misfit("text", tag))
    return tag


def _at(member: str, problem: Misfit) -> Misfit:
    problem.within(member, None)
    return problem


def make_keyed_reader(
    members: tuple[Any, ...], shape_of: ShapeOf, reader_of: Callable[[Any], Reader]
) -> Reader:
    """Make the reader of words, and of objects whose only member's name tells the class."""
    read_word = next(map(enum_reader, words(members)), None)
    by_key = {_key(cls, shape_of): cls for cls in members if not _is_enum(cls)}
    expected = f"an object with one of {', '.join(by_key)}"

    def read(raw: Json, _: object = None) -> object:
        if read_word is not None and isinstance(raw, str):
            return read_word(raw)
        key = only_member(raw)
        if key not in by_key:
            raise misfit(expected, raw)
        return reader_of(by_key[key])(raw)

    return read


def _key(cls: type, shape_of: ShapeOf) -> str:
    shape = shape_of(cls)
    if shape.wrapper is not None:
        return shape.wrapper
    (field,) = fields_of(cls, shape)
    return field.member


_KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}


def make_kind_reader(members: tuple[Any, ...], reader_of: Callable[[Any], Reader]) -> Reader:
    """Make the reader that chooses by the kind of JSON: text, number, list or object."""
    readers: Mapping[type, Reader] = {_kind(member): reader_of(member) for member in members}
    expected = " or ".join(_KINDS[kind] for kind in readers)

    def read(raw: Json, _: object = None) -> object:
        reader = readers.get(raw.__class__)
        if reader is None:
            raise misfit(expected, raw)
        return reader(raw)

    return read


def _kind(member: Any) -> type:
    """What orjson makes of the JSON of a member: of lists and objects, there is one each."""
    if element_type(member) is not None:
        return list
    return dict if _is_class(member) else member


def _is_class(member: Any) -> TypeGuard[type]:
    return isinstance(member, type) and attrs.has(member)


def _is_unknown(member: type) -> TypeGuard[type[Unknown]]:
    return issubclass(member, Unknown)


def _is_enum(member: Any) -> TypeGuard[type[Enum]]:
    return isinstance(member, type) and issubclass(member, Enum)
