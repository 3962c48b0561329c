"""
What came that writing the fields alone would not bring back.

The one rule of losslessness: `Value.extra` holds, by member name, every member as
it came that we would have written differently. That is

- a member this version does not know;
- a null or a default where we leave the member out;
- `ABSENT` where the member was not there although we write it;
- a form that was read as something more general (`FieldRule.lossy`).

On writing, the first kind goes back as it came. The others go back for as long as
the field still holds what they stand for, so a changed field always wins.

Only the tag is exempt: an alias is read, and the present name is written.
"""

from collections.abc import Callable, Mapping
from enum import Enum

import attrs

from ..value import Json, Value

__all__ = ["ABSENT", "Absent", "Member", "note", "restore", "unknown_members"]


class Absent(Enum):
    """Says that a member was not there at all."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@attrs.frozen(kw_only=True)
class Member:
    """
    A known member of an object.

    Attributes:
        field: Name of the attribute that holds it.
        default: Makes the value that a missing member stands for.
        read: Reads the member.
    """

    field: str
    default: Callable[[], object]
    read: Callable[[Json], object]


def note(odd: dict[str, Json] | None, member: str, raw: Json) -> dict[str, Json]:
    """Remember how a member came."""
    if odd is None:
        return {member: raw}
    odd[member] = raw
    return odd


def unknown_members(
    raw: dict[str, Json], known: frozenset[str], odd: dict[str, Json] | None
) -> dict[str, Json] | None:
    """Remember the members that are not known."""
    for member in raw.keys() - known:
        odd = note(odd, member, raw[member])
    return odd


def restore(doc: dict[str, Json], value: Value, members: Mapping[str, Member]) -> None:
    """Write back what was remembered, where it still holds."""
    for name, raw in (value.extra or {}).items():
        member = members.get(name)
        if member is None:
            doc[name] = raw
        elif getattr(value, member.field) != (
            member.default() if raw is ABSENT else member.read(raw)
        ):
            continue
        elif raw is ABSENT:
            doc.pop(name, None)
        else:
            doc[name] = raw
