"""Generates, for one class, the function that makes JSON of a value."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from ..value import Json, Seconds, Value
from .fields import Field, Presence, alternatives, element_type, fields_of, value_type
from .presence import Member, restore
from .scalars import checked_json, finite, write_bytes, write_seconds
from .shape import Shape
from .source import Source

__all__ = ["Writer", "make_object_writer"]

Writer = Callable[[Any], Json]
"""Makes JSON of a value; raises `ValueError` when it has none."""


def make_object_writer(
    cls: type,
    shape: Shape,
    writers: Mapping[type, Writer],
    members: Callable[[], Mapping[str, Member]],
) -> Writer:
    """
    Generate the writer of one class.

    What is always there makes one dict display, tag first; the rest is added when
    there is something to add. Parts find their writer by class.

    Args:
        cls: The class.
        shape: Its row of the tables.
        writers: All writers by class; makes them when asked for.
        members: The class's members, for what came differently; asked for at need.
    """
    return _ObjectWriter(cls, shape, writers, members).generate()


class _ObjectWriter:
    def __init__(
        self,
        cls: type,
        shape: Shape,
        writers: Mapping[type, Writer],
        members: Callable[[], Mapping[str, Member]],
    ) -> None:
        self._shape = shape
        self._fields = fields_of(cls, shape)
        self._keeps_extra = issubclass(cls, Value)
        self._source = Source(
            f"<writer of {cls.__name__}>",
            checked_json=checked_json,
            finite=finite,
            members=members,
            restore=restore,
            write_bytes=write_bytes,
            write_seconds=write_seconds,
            writers=writers,
        )

    def generate(self) -> Writer:
        add = self._source.add
        add(0, "def write(value):")
        pairs = [self._pair(field) for field in self._fields if field.presence is Presence.ALWAYS]
        if self._shape.tag is not None:
            pairs.insert(0, f"{self._shape.tag_key!r}: {self._shape.tag!r}")
        add(1, f"doc = {{{', '.join(pairs)}}}")
        for field in self._fields:
            if field.presence is not Presence.ALWAYS:
                self._add_sometimes(field)
        if self._keeps_extra:
            add(1, "if value.extra is not None:", "    restore(doc, value, members())")
        wrapper = self._shape.wrapper
        add(1, "return doc" if wrapper is None else f"return {{{wrapper!r}: doc}}")
        return self._source.function("write")

    def _pair(self, field: Field) -> str:
        """A member that is always there, as part of the dict display."""
        if field.rule.beside is not None:
            write = self._source.name(field.rule.beside.write, "write")
            self._source.add(1, f"kind, it = {write}(value.{field.name})")
            return f"{field.rule.beside.key!r}: kind, {field.member!r}: it"
        return f"{field.member!r}: {self._written(1, field, f'value.{field.name}')}"

    def _add_sometimes(self, field: Field) -> None:
        add = self._source.add
        add(1, f"it = value.{field.name}")
        if field.presence is Presence.CONDITIONAL:
            add(1, f"if {self._source.name(field.rule.written_when, 'written')}(it):")
        else:
            add(1, f"if {self._differs(field)}:")
        text = self._written(2, field, "it")
        add(2, f"doc[{field.member!r}] = {text}")

    def _differs(self, field: Field) -> str:
        default = field.default() if field.default is not None else None
        if default is None:
            return "it is not None"
        name = self._source.name(default, "default")
        return f"it is not {name}" if isinstance(default, (Enum, bool)) else f"it != {name}"

    def _written(self, depth: int, field: Field, var: str) -> str:
        """An expression that makes JSON of a field's value; may add lines before it."""
        text = self._expression(depth, field.type, var)
        if field.rule.leaving is not None:
            text = f"{self._source.name(field.rule.leaving, 'leaving')}({text})"
        return text

    # -- types

    def _expression(self, depth: int, kind: Any, var: str) -> str:
        members, optional = alternatives(kind)
        element = element_type(members[0]) if len(members) == 1 else None
        if not optional and element is not None and not _written_as_is(element):
            return self._list_of_parts(depth, element, var)
        text = self._one(members[0], var) if len(members) == 1 else _part(members, var)
        return f"(None if {var} is None else {text})" if optional and text != var else text

    def _one(self, kind: Any, var: str) -> str:
        if _written_as_is(kind):
            return var
        if kind is object:
            return f"checked_json({var})"
        if kind is float:
            return f"finite({var})"
        if kind is Seconds:
            return f"write_seconds({var})"
        if kind is bytes:
            return f"write_bytes({var})"
        if (element := element_type(kind)) is not None:
            inner = self._one_of(element, "each")
            return f"[*{var}]" if inner == "each" else f"[{inner} for each in {var}]"
        if (element := value_type(kind)) is not None:
            inner = self._one_of(element, "each")
            return f"{{key: {inner} for key, each in {var}.items()}}"
        if issubclass(kind, Enum):
            # `_value_` is a plain attribute; `value` is a descriptor, and four times as slow.
            return f"{var}._value_"
        return _part((kind,), var)

    def _one_of(self, kind: Any, var: str) -> str:
        members, _ = alternatives(kind)
        return self._one(members[0], var) if len(members) == 1 else _part(members, var)

    def _list_of_parts(self, depth: int, element: Any, var: str) -> str:
        """A list by a loop before the expression: half the time of a comprehension."""
        name = self._source.name(None, "parts")
        self._source.add(depth, f"{name} = []", f"for each in {var}:")
        self._source.add(depth + 1, f"{name}.append({self._one_of(element, 'each')})")
        return name


def _part(members: tuple[Any, ...], var: str) -> str:
    if all(map(_written_as_is, members)):
        return var
    return f"writers[{var}.__class__]({var})"


def _written_as_is(kind: Any) -> bool:
    return kind in (str, int, bool)
