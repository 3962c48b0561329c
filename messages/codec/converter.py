"""Puts readers and writers together in one cattrs converter."""

import functools
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, cast

import attrs
from cattrs import Converter

from ..value import Json, Seconds, Unknown
from .fields import alternatives, element_type, fields_of, is_union, plain_type, value_type
from .misfit import Misfit, misfit
from .presence import Member
from .readers import Reader, TaggedUnion, make_object_reader
from .scalars import (
    as_is,
    enum_reader,
    finite,
    only_member,
    read_bool,
    read_bytes,
    read_float,
    read_int,
    read_seconds,
    read_text,
    write_bytes,
    write_enum,
)
from .shape import FieldRule, Shape
from .unions import (
    make_keyed_reader,
    make_kind_reader,
    make_tagged_union,
    tagged_classes,
    words,
)
from .writers import Writer, make_object_writer

__all__ = ["Codec"]

_PLAIN = Shape()

# Several times what this package has; further ones, made by whoever builds unions on the
# fly, are looked up the long way.
_REMEMBERED_TYPES = 1024

_SCALARS: dict[Any, Reader] = {
    str: read_text,
    bool: read_bool,
    int: read_int,
    float: read_float,
    bytes: read_bytes,
    Seconds: read_seconds,
}

_WRITTEN_AS: dict[type, Writer] = {
    types.NoneType: as_is,
    str: as_is,
    bool: as_is,
    int: as_is,
    float: finite,
    bytes: write_bytes,
}


class Codec:
    """
    All readers and writers of one set of shapes, each made at first need.

    cattrs finds the hook for a type and keeps it; the hooks are ours: generated
    functions for attrs classes, closures for unions and containers.

    Args:
        shapes: Of all classes that do not follow the rule.
        other_shape:
            Asked once for each class that is not in there; None when the class
            follows the rule.

    Attributes:
        writers: Writers by class.
    """

    def __init__(
        self,
        shapes: Mapping[type, Shape],
        other_shape: Callable[[type], Shape | None] = lambda _: None,
    ) -> None:
        self._shapes = dict(shapes)
        self._other_shape = other_shape
        # By id of the type, which is kept with its reader: so the id stays its own.
        self._readers: dict[int, tuple[object, Reader]] = {}
        self._bare_readers: dict[type, Reader] = {}
        self._tagged_unions: dict[tuple[Any, ...], TaggedUnion] = {}
        self._converter = Converter()
        self.writers: Mapping[type, Writer] = _Writers(self._converter.get_unstructure_hook)
        add = self._converter.register_structure_hook_factory
        factories: list[tuple[Callable[[Any], bool], Callable[[Any], Reader]]] = [
            (_is_enum, enum_reader),
            (_is_class, self._make_class_reader),
            (lambda kind: element_type(kind) is not None, self._make_list_reader),
            (lambda kind: value_type(kind) is not None, self._make_mapping_reader),
            (is_union, self._make_union_reader),
            (lambda kind: kind is object, lambda _: as_is),
        ]
        for applies, factory in factories:
            add(applies, cast("Any", factory))  # it asks for two arguments, and gives one
        for scalar, reader in _SCALARS.items():
            self._converter.register_structure_hook(scalar, cast("Any", reader))
        self._converter.register_unstructure_hook_factory(lambda _: True, self._make_writer)
        for scalar, writer in _WRITTEN_AS.items():
            self._converter.register_unstructure_hook(scalar, writer)

    def add(self, cls: type, shape: Shape) -> None:
        """Add the shape of one more class, before its first use."""
        self._shapes[cls] = shape

    # -- reading

    def reader(self, kind: Any) -> Reader:
        """
        The reader of a type; made once.

        Unions are looked up by identity first, since hashing one hashes all of its
        members: 3 us for the events.
        """
        known = self._readers.get(id(kind))
        if known is None:
            reader = cast("Reader", self._converter.get_structure_hook(plain_type(kind)))
            if len(self._readers) < _REMEMBERED_TYPES:
                self._readers[id(kind)] = (kind, reader)
            return reader
        return known[1]

    def bare_reader(self, cls: type) -> Reader:
        """The reader of a class that does not look at its tag; made once."""
        reader = self._bare_readers.get(cls)
        if reader is None:
            reader = make_object_reader(cls, self.shape(cls), self)
            self._bare_readers[cls] = reader
        return reader

    def tagged_union(self, kind: Any) -> TaggedUnion | None:
        """The type as a tagged union, None not counted; None when it is none."""
        members, _ = alternatives(kind)
        if members not in self._tagged_unions:
            classes = tagged_classes(members, self.shape) if len(members) > 1 else None
            if classes is None:
                return None
            union = make_tagged_union(classes, self.shape, self.bare_reader)
            self._tagged_unions[members] = union
        return self._tagged_unions[members]

    def shape(self, cls: type) -> Shape:
        """The row of a class in the tables; the plain rule when it has none."""
        shape = self._shapes.get(cls)
        if shape is None:
            shape = self._shapes[cls] = self._other_shape(cls) or _PLAIN
        return shape

    def _make_class_reader(self, cls: type) -> Reader:
        shape = self.shape(cls)
        bare = self.bare_reader(cls)
        if shape.tag is not None:
            return make_tagged_union((cls,), self.shape, self.bare_reader).reader()
        if shape.wrapper is not None:
            return _unwrapped(bare, shape.wrapper)
        return bare

    def _make_list_reader(self, kind: Any) -> Reader:
        read_one = self.reader(element_type(kind))

        def read(raw: Json, _: object = None) -> object:
            if not isinstance(raw, list):
                raise misfit("a list", raw)
            found: list[object] = []
            try:
                for each in cast("list[Json]", raw):
                    found.append(read_one(each))  # noqa: PERF401 -- its length is the index
            except Misfit as problem:
                problem.within(None, found)
                raise
            return tuple(found)

        return read

    def _make_mapping_reader(self, kind: Any) -> Reader:
        read_one = self.reader(value_type(kind))

        def read(raw: Json, _: object = None) -> object:
            if not isinstance(raw, dict):
                raise misfit("an object", raw)
            found: dict[str, object] = {}
            key = None
            try:
                for key, each in cast("dict[str, Json]", raw).items():
                    found[key] = read_one(each)
            except Misfit as problem:
                problem.within(None, key)
                raise
            return found

        return read

    def _make_union_reader(self, kind: Any) -> Reader:
        members, optional = alternatives(kind)
        tagged = self.tagged_union(kind)
        if len(members) == 1:
            reader = self.reader(members[0])
        elif tagged is not None:
            reader = tagged.reader()
        elif words(members) or all(map(_is_class, members)):
            reader = make_keyed_reader(members, self.shape, self.reader)
        else:
            reader = make_kind_reader(members, self.reader)
        return _or_none(reader) if optional else reader

    # -- writing

    def _make_writer(self, cls: type) -> Writer:
        if _is_class(cls):
            return self._make_class_writer(cls)
        if issubclass(cls, Enum):
            return write_enum
        if issubclass(cls, (tuple, list)):
            return lambda value: [self.writers[each.__class__](each) for each in value]
        if issubclass(cls, Mapping):
            return lambda value: {
                key: self.writers[each.__class__](each) for key, each in value.items()
            }
        raise ValueError(f"{cls.__name__} is no message")

    def _make_class_writer(self, cls: type) -> Writer:
        if _is_unknown(cls):
            return lambda value: value.raw
        members = functools.cache(lambda: self._members(cls))
        return make_object_writer(cls, self.shape(cls), self.writers, members)

    def _members(self, cls: type) -> Mapping[str, Member]:
        return {
            field.member: Member(
                field=field.name,
                default=field.default or object,  # equal to nothing that a field can hold
                read=_by_rule(field.rule, self.reader(field.type)),
            )
            for field in fields_of(cls, self.shape(cls))
            if field.rule.beside is None
        }


class _Writers(dict[type, Writer]):
    """Writers by class; one that is not there is made."""

    def __init__(self, make: Callable[[type], Writer]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, cls: type) -> Writer:
        writer = self[cls] = self._make(cls)
        return writer


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type) and attrs.has(kind)


def _is_unknown(cls: type) -> bool:
    return issubclass(cls, Unknown)


def _by_rule(rule: FieldRule, read: Reader) -> Reader:
    """The reader of a field of a class, as the generated function has it in line."""
    arriving, lenient = rule.arriving, rule.lenient
    if arriving is not None:
        return lambda raw: read(arriving(raw))
    if lenient is not None:
        return lambda raw: raw if raw.__class__ is lenient else None
    return read


def _or_none(reader: Reader) -> Reader:
    def read(raw: Json, _: object = None) -> object:
        return None if raw is None else reader(raw)

    return read


def _unwrapped(bare: Reader, wrapper: str) -> Reader:
    def read(raw: Json, _: object = None) -> object:
        if only_member(raw) != wrapper:
            raise misfit(f"an object with {wrapper}", raw)
        try:
            return bare(cast("dict[str, Json]", raw)[wrapper])
        except Misfit as problem:
            problem.within(wrapper, None)
            raise

    return read
