"""The base of all values, and the carriers of what this version does not know."""

from collections.abc import Mapping
from typing import NewType, TypeAlias

import attrs

__all__ = ["Json", "Seconds", "Unknown", "Value"]

Json: TypeAlias = object
"""Any JSON value: None, bool, int, float, str, list or dict of the same."""

Seconds = NewType("Seconds", float)
"""A duration in seconds."""


@attrs.frozen(kw_only=True)
class Value:
    """
    Base of every message: immutable, compared by content.

    Attributes:
        extra:
            Members as they came, by wire name, that the fields do not hold: those
            this version does not know, and those that say what a field says in
            another way than we write it.  The first are written back unchanged, the
            others for as long as the field still says it.  None when there were none.
    """

    extra: Mapping[str, Json] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Unknown:
    """
    A variant that this version does not know, carried along unchanged.

    Attributes:
        tag: What the value calls itself; empty when it does not say.
        raw: The whole value as it came, tag included.
    """

    tag: str
    raw: Json
