"""How the tables of this room say what a class looks like in JSON."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..value import Json

__all__ = ["Beside", "FieldRule", "Shape", "Shapes"]


@attrs.frozen(kw_only=True)
class Beside:
    """
    A value whose kind is written in a member beside it, outside of the value.

    Attributes:
        key: Name of the member with the kind.
        read: Makes the value of its kind and its JSON.
        write: Gives the kind and the JSON of a value.
    """

    key: str
    read: Callable[[str, Json], object]
    write: Callable[[Any], tuple[str, Json]]


@attrs.frozen(kw_only=True)
class FieldRule:
    """
    What is special about one field.

    Attributes:
        arriving: Changes the JSON that came before it is read.  None: nothing to change.
        leaving: Changes the JSON that was written.  None: nothing to change.
        lossy:
            Several JSON forms are read as one value; the one that came is kept
            beside it and written back.
        lenient:
            A member of any other kind than this is not ours: the field stays None, and
            what came is kept.  None: it is an error.
        beside: The kind of the value stands beside it.  None: it does not.
        written_when: The member is left out while this says no.  None: by the rule.
    """

    arriving: Callable[[Json], Json] | None = None
    leaving: Callable[[Json], Json] | None = None
    lossy: bool = False
    lenient: type | None = None
    beside: Beside | None = None
    written_when: Callable[[object], bool] | None = None


@attrs.frozen(kw_only=True)
class Shape:
    """
    Where a class differs from the rule.

    The rule: a value is an object, its members are named like the fields, a field
    without default is required, one with a default may be missing; None is left
    out, every other default is written.

    Attributes:
        tag: Member that names the class, and its value there; None for none.
        tag_key: Name of that member.
        aliases: Further tags that are read; never written.
        wrapper: The object stands alone under this name in another object.
        names: Member names of fields that are called differently.
        nulls: Fields whose None is written as null.
        omitted: Fields that are left out while they hold their default.
        rules: Fields with something special about them.
    """

    tag: str | None = None
    tag_key: str = "type"
    aliases: tuple[str, ...] = ()
    wrapper: str | None = None
    names: Mapping[str, str] = attrs.field(factory=dict[str, str])
    nulls: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()
    rules: Mapping[str, FieldRule] = attrs.field(factory=dict[str, FieldRule])


Shapes = Mapping[type, Shape]
"""Shapes by class; a class that follows the rule need not be in there."""
