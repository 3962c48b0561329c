"""Pieces of output for a person: text, where it goes, and how it is to look."""

import re
from enum import Enum
from typing import Final

import attrs

__all__ = ["Look", "Piece", "Stream", "head", "indented", "shortened", "tail", "visible"]

_SEQUENCE: Final = re.compile(
    # Escape sequences as ECMA-48 has them: control sequences, operating system
    # commands and their kin with a text of their own, and those of two characters.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL: Final = re.compile(
    # All control characters but tab and line feed, and the marks that turn the
    # direction of writing: output of a command must not rearrange the screen.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_LINE_LIMIT: Final = 400
"""Characters of one line of a command's output that are shown."""


class Stream(Enum):
    """Standard output for the conversation, standard error for notes about it."""

    OUT = 1
    ERR = 2


class Look(Enum):
    """What a piece is; a terminal gives each a style, and a pipe none."""

    PLAIN = "plain"
    FAINT = "faint"
    HEAD = "head"
    COMMAND = "command"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"


@attrs.frozen
class Piece:
    """
    Some text for a person.

    Attributes:
        text: Without control characters other than tab and line feed.
    """

    text: str
    look: Look = Look.PLAIN
    stream: Stream = Stream.OUT


def visible(text: str) -> str:
    """Take out of *text* what would act on a terminal instead of being read."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub("", _SEQUENCE.sub("", text).replace("\r\n", "\n"))


def shortened(text: str, limit: int) -> str:
    """Make one line of *text*, of at most *limit* characters."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else f"{line[: max(limit - 3, 0)]}..."


def tail(text: str, lines: int) -> str:
    """Return the last lines of a command's output, and how many are not shown."""
    shown = visible(text).rstrip().split("\n")
    left_out = len(shown) - lines
    if left_out == 1:  # saying so would take as much room as showing it
        left_out = 0
    cut = [_cut(line) for line in shown[max(left_out, 0) :]]
    if left_out > 0:
        cut.insert(0, f"... {left_out} lines before")
    return "\n".join(cut)


def head(text: str, lines: int) -> str:
    """Return the first lines of a text, and how many are not shown."""
    shown = visible(text).split("\n")
    left_out = len(shown) - lines
    if left_out <= 1:
        return "\n".join(map(_cut, shown))
    return "\n".join([*map(_cut, shown[:lines]), f"... {left_out} more lines"])


def indented(text: str) -> str:
    """Move every line two columns to the right; ends with a line feed unless empty."""
    return "".join(f"  {line}".rstrip() + "\n" for line in text.split("\n")) if text else ""


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_LIMIT else f"{line[:_LINE_LIMIT]}..."
