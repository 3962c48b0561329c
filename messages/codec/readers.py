"""Generates, for one class, the function that makes a value of JSON."""

import itertools
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, cast

import attrs

from ..value import Json, Value
from .fields import Field, Presence, alternatives, element_type, fields_of, value_type
from .misfit import Misfit, misfit, missing
from .presence import ABSENT, note, unknown_members
from .shape import Beside, Shape
from .source import Source

__all__ = ["Reader", "ReaderSource", "TaggedUnion", "make_object_reader"]

Reader = Callable[[Json], Any]
"""Makes a value of JSON; raises `Misfit`."""

# Kinds that are checked in place, and what they are called in errors.
_WORDS: dict[Any, str] = {str: "text", int: "a whole number", bool: "true or false"}


@attrs.frozen(kw_only=True)
class TaggedUnion:
    """
    A union whose members say by a tag which class they are.

    Attributes:
        key: Name of the member with the tag.
        readers: Readers by tag, of those tags that were met; grows no further than
            the tags that are known.
        find: The reader of an object whose tag is not in there; raises `Misfit`.
    """

    key: str
    readers: dict[str, Reader]
    find: Callable[[Json], Reader]

    def reader(self) -> Reader:
        """One function that does it all."""
        key, readers, find = self.key, self.readers, self.find

        def read(raw: Any, _: object = None) -> object:
            try:
                reader = readers[raw[key]]
            except (KeyError, TypeError):
                reader = find(raw)
            return reader(raw)

        return read


class ReaderSource(Protocol):
    """Where a generator gets the readers of other types from."""

    def reader(self, kind: Any) -> Reader:
        """The reader of a type."""
        ...

    def tagged_union(self, kind: Any) -> TaggedUnion | None:
        """The type as a tagged union; None when it is none."""
        ...


def make_object_reader(cls: type, shape: Shape, others: ReaderSource) -> Reader:
    """
    Generate the reader of one class.

    The function checks each member's kind in field order, and remembers in ``extra``
    what would otherwise be lost (see `presence`). It looks neither at the tag nor at
    the wrapper: whoever calls it has done that.

    It says ``at = member`` before each member and keeps in ``sub`` the elements read
    so far, so that a `Misfit` learns its path and nothing is paid while all is well.
    """
    return _ObjectReader(cls, shape, others).generate()


class _ObjectReader:
    def __init__(self, cls: type, shape: Shape, others: ReaderSource) -> None:
        self._cls = cls
        self._others = others
        self._fields = fields_of(cls, shape)
        self._tagged = shape.tag is not None
        # Members that are no fields: the tag, and kinds beside their values.
        self._keys = {field.rule.beside.key for field in self._fields if field.rule.beside}
        if self._tagged:
            self._keys.add(shape.tag_key)
        self._keeps_extra = issubclass(cls, Value)
        self._source = Source(
            f"<reader of {cls.__name__}>",
            ABSENT=ABSENT,
            before=_before,
            Misfit=Misfit,
            misfit=misfit,
            missing=missing,
            note=note,
            unknown_members=unknown_members,
        )

    def generate(self) -> Reader:
        add = self._source.add
        add(0, "def read(raw, _=None):")
        if not self._tagged:  # where there is a tag, it was found in an object
            add(1, "if raw.__class__ is not dict:", "    raise misfit('an object', raw)")
        add(1, "at = sub = odd = None")
        required = [field for field in self._fields if field.default is None]
        add(1, f"size = {len(required) + len(self._keys)}")
        if self._fields:
            add(1, "try:")
            for number, field in enumerate(self._fields):
                self._add_member(field, f"v{number}")
            add(1, "except KeyError:")
            add(2, "problem = missing()", "problem.within(at, None)", "raise problem from None")
            add(1, "except Misfit as problem:", "    problem.within(at, sub)", "    raise")
        self._add_unknown()
        self._add_construction()
        return self._source.function("read")

    # -- members

    def _add_member(self, field: Field, var: str) -> None:
        add = self._source.add
        member = repr(field.member)
        if field.rule.beside is not None:
            self._add_beside(field.rule.beside, member, var)
            return
        if field.default is None:
            add(2, f"at = {member}", f"{var} = raw[{member}]")
            self._add_value(2, field, var)
            return
        add(2, f"if {member} in raw:")
        add(3, "size += 1", f"at = {member}", f"{var} = raw[{member}]")
        self._add_value(3, field, var)
        add(2, "else:", f"    {var} = {self._default(field.default)}")
        if field.presence is not Presence.UNLESS_DEFAULT:
            add(3, f"odd = note(odd, {member}, ABSENT)")

    def _add_beside(self, beside: Beside, member: str, var: str) -> None:
        add = self._source.add
        read = self._source.name(beside.read, "read")
        add(2, f"at = {beside.key!r}", f"kind = raw[{beside.key!r}]")
        self._add_read_one(2, str, "kind")
        add(2, f"at = {member}", f"{var} = {read}(kind, raw[{member}])")

    def _default(self, make: Callable[[], object]) -> str:
        """An expression for a default."""
        default = make()
        if default is None or default == () or isinstance(default, (bool, int, str)):
            return repr(default)
        if isinstance(default, (Enum, float)):
            return self._source.name(default, "default")
        return self._source.name(make, "make_default") + "()"

    def _add_value(self, depth: int, field: Field, var: str) -> None:
        """Check and convert a member that is there, and note it if need be."""
        add = self._source.add
        rule = field.rule
        noted = f"odd = note(odd, {field.member!r}, raw[{field.member!r}])"
        if rule.lenient is not None:
            add(depth, f"if {var}.__class__ is not {rule.lenient.__name__}:")
            add(depth + 1, noted, f"{var} = None")
            return
        if rule.arriving is not None:
            add(depth, f"{var} = {self._source.name(rule.arriving, 'arriving')}({var})")
        if rule.lossy:
            add(depth, f"if {var} != raw[{field.member!r}]:", f"    {noted}")
        self._add_read(depth, field.type, var)
        if field.presence is Presence.UNLESS_DEFAULT and field.default is not None:
            default = self._default(field.default)
            same = "is" if default == "None" else "=="
            add(depth, f"if {var} {same} {default}:", f"    {noted}")
        elif field.presence is Presence.CONDITIONAL:
            written = self._source.name(rule.written_when, "written")
            add(depth, f"if not {written}({var}):", f"    {noted}")

    # -- types

    def _add_read(self, depth: int, kind: Any, var: str) -> None:
        """Turn the JSON in *var* into a value of the given type."""
        members, optional = alternatives(kind)
        if members == (object,):
            return
        if optional:
            self._source.add(depth, f"if {var} is not None:")
            depth += 1
        if len(members) == 1:
            self._add_read_one(depth, members[0], var)
        else:
            # None was dealt with; the reader of the whole union does no harm.
            self._add_call(depth, kind, var)

    def _add_read_one(self, depth: int, kind: Any, var: str) -> None:
        add = self._source.add
        if kind in _WORDS:
            add(depth, f"if {var}.__class__ is not {kind.__name__}:")
            add(depth + 1, f"raise misfit({_WORDS[kind]!r}, {var})")
        elif isinstance(kind, type) and issubclass(kind, Enum):
            words = self._source.name({each.value: each for each in kind}, "words")
            add(depth, "try:", f"    {var} = {words}[{var}]", "except (KeyError, TypeError):")
            self._add_call(depth + 1, kind, var)  # says what is wrong
        elif (element := element_type(kind)) is not None:
            self._add_read_list(depth, element, var)
        elif (element := value_type(kind)) is not None:
            self._add_read_mapping(depth, element, var)
        else:
            self._add_call(depth, kind, var)

    def _add_read_list(self, depth: int, element: Any, var: str) -> None:
        add = self._source.add
        add(depth, f"if {var}.__class__ is not list:", f"    raise misfit('a list', {var})")
        if element is object:
            add(depth, f"{var} = tuple({var})")
            return
        if element in _WORDS:
            name = element.__name__
            add(depth, f"for each in {var}:", f"    if each.__class__ is not {name}:")
            add(depth + 2, f"sub = before({var}, {name})")
            add(depth + 2, f"raise misfit({_WORDS[element]!r}, each)")
            add(depth, f"{var} = tuple({var})")
            return
        add(depth, "sub = []", f"for each in {var}:")
        self._add_element(depth + 1, element)
        add(depth + 1, "sub.append(each)")
        add(depth, f"{var} = tuple(sub)", "sub = None")

    def _add_read_mapping(self, depth: int, element: Any, var: str) -> None:
        add = self._source.add
        add(depth, f"if {var}.__class__ is not dict:", f"    raise misfit('an object', {var})")
        if element is object:
            return
        add(depth, "found = {}", f"for sub, each in {var}.items():")
        self._add_element(depth + 1, element)
        add(depth + 1, "found[sub] = each")
        add(depth, f"{var} = found", "sub = None")

    def _add_element(self, depth: int, element: Any) -> None:
        if element in _WORDS:
            self._add_read_one(depth, element, "each")
        else:
            self._add_call(depth, element, "each")

    def _add_call(self, depth: int, kind: Any, var: str) -> None:
        """Have another reader do it; a tagged union is looked up in place."""
        add = self._source.add
        union = self._others.tagged_union(kind)
        if union is None:
            add(depth, f"{var} = {self._source.name(self._others.reader(kind), 'read')}({var})")
            return
        readers = self._source.name(union.readers, "readers")
        find = self._source.name(union.find, "find")
        add(depth, "try:", f"    reader = {readers}[{var}[{union.key!r}]]")
        add(depth, "except (KeyError, TypeError):", f"    reader = {find}({var})")
        add(depth, f"{var} = reader({var})")

    # -- the rest

    def _add_unknown(self) -> None:
        add = self._source.add
        known = self._keys | {field.member for field in self._fields}
        name = self._source.name(frozenset(known), "known")
        add(1, "if len(raw) != size:")
        add(2, f"odd = unknown_members(raw, {name}, odd)")
        if not self._keeps_extra:
            add(2, "if odd:", "    raise misfit('no further members', raw)")

    def _add_construction(self) -> None:
        """
        Build the value.

        Most classes are built by way of their twin: 0.15 us for six fields, where
        ``__init__`` of a frozen class takes 0.78 us. It would do nothing but set the
        fields, all of which were checked above. A class with validators is called; so
        is one outside of `Value`, since the interpreter compares no slots beside a
        ``__weakref__``, which each class at a root brings.
        """
        add = self._source.add
        cls = self._source.name(self._cls, "cls")
        pairs = [(field.name, f"v{number}") for number, field in enumerate(self._fields)]
        if self._keeps_extra:
            pairs.append(("extra", "odd"))
        if not self._keeps_extra or _is_checked(self._cls):
            given = ", ".join(f"{name}={var}" for name, var in pairs)
            add(1, "try:", f"    return {cls}({given})")
            add(1, "except ValueError as problem:", "    raise Misfit(str(problem)) from None")
            return
        add(1, f"self = {self._source.name(_twin(self._cls), 'twin')}()")
        add(1, *(f"self.{name} = {var}" for name, var in pairs))
        add(1, f"self.__class__ = {cls}", "return self")


def _before(elements: list[Json], kind: type) -> list[Json]:
    """The elements in front of the first one that is of another kind."""
    return list(itertools.takewhile(lambda each: each.__class__ is kind, elements))


def _is_checked(cls: type) -> bool:
    attributes = cast("tuple[attrs.Attribute[Any], ...]", attrs.fields(cast("Any", cls)))
    return any(each.validator is not None for each in attributes)


def _twin(cls: type) -> type:
    """
    A class of the same base and slots as a frozen one, but not frozen.

    Its instances may therefore change their class to the frozen one. With both
    methods set back to those of `object`, the interpreter sets slots at full speed.
    """
    return type(
        f"{cls.__name__}Twin",
        cls.__bases__,
        {
            "__slots__": cls.__dict__["__slots__"],
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__init__": object.__init__,
        },
    )
