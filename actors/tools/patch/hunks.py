"""What a patch says: its parts as values."""

from enum import Enum
from typing import TypeAlias

import attrs

__all__ = ["AddHunk", "Chunk", "DeleteHunk", "Hunk", "Mark", "PatchLine", "UpdateHunk"]


class Mark(Enum):
    """What happens to a line; the value is the character it is written after."""

    KEEP = " "
    ADD = "+"
    REMOVE = "-"


@attrs.frozen
class PatchLine:
    """One line of a chunk, without its mark and its line end."""

    mark: Mark
    text: str


@attrs.frozen(kw_only=True)
class Chunk:
    """
    One place in a file, and what changes there.

    Attributes:
        context: A line of the file somewhere before the place; None when not given.
        lines: Never empty.
        at_end: Whether the place is said to be at the end of the file.
    """

    context: str | None = None
    lines: tuple[PatchLine, ...] = attrs.field(validator=attrs.validators.min_len(1))
    at_end: bool = False


@attrs.frozen(kw_only=True)
class AddHunk:
    """Write a file, which may exist already."""

    path: str
    content: str


@attrs.frozen(kw_only=True)
class DeleteHunk:
    """Remove a file."""

    path: str


@attrs.frozen(kw_only=True)
class UpdateHunk:
    """
    Change a file.

    Attributes:
        move_to: Where it goes afterwards; None when it stays.
        chunks: In the order of the file, never empty.
    """

    path: str
    move_to: str | None = None
    chunks: tuple[Chunk, ...] = attrs.field(validator=attrs.validators.min_len(1))


Hunk: TypeAlias = AddHunk | DeleteHunk | UpdateHunk
"""What a patch does to one file.  Paths are as written: relative or absolute."""
