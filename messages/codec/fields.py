"""What the generators ask about a class, its fields and their types."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, cast

import attrs

from ..settings import Keep
from ..value import Seconds
from .shape import FieldRule, Shape

__all__ = [
    "Field",
    "Presence",
    "alternatives",
    "element_type",
    "fields_of",
    "is_union",
    "plain_type",
    "value_type",
]

_SECONDS: Any = Seconds
_NO_RULE = FieldRule()


class Presence(Enum):
    """When a member is written."""

    ALWAYS = "always"
    """Whatever it holds, also null; required on reading when there is no default."""

    UNLESS_DEFAULT = "unless default"
    """Left out while it holds its default, which most often is None."""

    CONDITIONAL = "conditional"
    """As `FieldRule.written_when` says."""


@attrs.frozen(kw_only=True)
class Field:
    """
    One field, with all that the tables say of it.

    Attributes:
        name: Name of the attribute.
        member: Its name in JSON.
        type: Its type; never an alias or a `typing.NewType` of text or a number.
        default: Makes its default; None when it has none.
        presence: When it is written.
        rule: What is special about it.
    """

    name: str
    member: str
    type: Any
    default: Callable[[], object] | None
    presence: Presence
    rule: FieldRule


def fields_of(cls: type, shape: Shape) -> tuple[Field, ...]:
    """All fields of a class in order, without ``extra``."""
    attributes = cast("tuple[attrs.Attribute[Any], ...]", attrs.fields(cast("Any", cls)))
    return tuple(_field(each, shape) for each in attributes if each.name != "extra")


def _field(attribute: "attrs.Attribute[Any]", shape: Shape) -> Field:
    rule = shape.rules.get(attribute.name, _NO_RULE)
    default = _default(attribute)
    return Field(
        name=attribute.name,
        member=shape.names.get(attribute.name, attribute.name),
        type=plain_type(attribute.type),
        default=default,
        presence=_presence(attribute, shape, rule, default),
        rule=rule,
    )


def _default(attribute: "attrs.Attribute[Any]") -> Callable[[], object] | None:
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return None
    factory = getattr(default, "factory", None)
    return factory if callable(factory) else lambda: default


def _presence(
    attribute: "attrs.Attribute[Any]",
    shape: Shape,
    rule: FieldRule,
    default: Callable[[], object] | None,
) -> Presence:
    if rule.written_when is not None:
        return Presence.CONDITIONAL
    if default is None or attribute.name in shape.nulls:
        return Presence.ALWAYS
    if attribute.name in shape.omitted or default() is None:
        return Presence.UNLESS_DEFAULT
    return Presence.ALWAYS


def plain_type(kind: Any) -> Any:
    """A type without its `typing.NewType`; durations stay what they are."""
    while isinstance(kind, typing.NewType) and kind is not _SECONDS:
        kind = kind.__supertype__
    return kind


def is_union(kind: Any) -> bool:
    """Whether a type is a union, of any spelling."""
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def alternatives(kind: Any) -> tuple[tuple[Any, ...], bool]:
    """
    The members of a union, or the type alone; and whether None is among them.

    `Keep` is not counted: it is a default that is never written.
    """
    if not is_union(kind):
        return (kind,), False
    members = typing.get_args(kind)
    optional = types.NoneType in members
    return (
        tuple(plain_type(member) for member in members if member not in (types.NoneType, Keep)),
        optional,
    )


def element_type(kind: Any) -> Any:
    """The element type of ``tuple[X, ...]`` or ``Sequence[X]``; None for any other type."""
    listed = typing.get_origin(kind) in (tuple, Sequence)
    return plain_type(typing.get_args(kind)[0]) if listed else None


def value_type(kind: Any) -> Any:
    """The value type of ``Mapping[str, X]``; None for any other type."""
    return plain_type(typing.get_args(kind)[1]) if typing.get_origin(kind) is Mapping else None
