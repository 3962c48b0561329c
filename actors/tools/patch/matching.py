"""Finds lines in a file, strictly first and then more and more loosely."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

__all__ = ["LineSearch"]

_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_SINGLE_QUOTES: Final = "\u2018\u2019\u201a\u201b"
_DOUBLE_QUOTES: Final = "\u201c\u201d\u201e\u201f"
_SPACES: Final = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_PLAIN: Final = str.maketrans(
    dict.fromkeys(_DASHES, "-")
    | dict.fromkeys(_SINGLE_QUOTES, "'")
    | dict.fromkeys(_DOUBLE_QUOTES, '"')
    | dict.fromkeys(_SPACES, " ")
)


def _plain(line: str) -> str:
    return line.strip().translate(_PLAIN)


_PASSES: Final[tuple[Callable[[str], str] | None, ...]] = (None, str.rstrip, str.strip, _plain)
"""How lines are read in each pass; None takes them as they are."""


@attrs.define(eq=False)
class LineSearch:
    """
    The lines of one file, to be searched many times.

    Four passes, each over the whole file before the next: exact, without trailing
    space, without surrounding space, and with typographic dashes, quotes and spaces
    taken for plain ones.  Each pass takes time in proportion to the file, whatever
    repeats in it.

    Source:
        Codex, ``apply-patch/src/seek_sequence.rs``.
    """

    _lines: Sequence[str]
    # Of the passes so far: reading all lines of a large file again costs more than a search.
    _forms: list[list[str]] = attrs.field(factory=list[list[str]], init=False)

    def find(self, pattern: Sequence[str], start: int, *, at_end: bool = False) -> int | None:
        """
        Return where *pattern* begins, at *start* or after it; None when it is nowhere.

        Args:
            pattern: Lines, at least one.
            at_end:
                Look at the very end first, in all four passes; when it is not there, as
                without.  Codex's fall-back never worked (L40).
        """
        end = len(self._lines) - len(pattern)
        if end < start:
            return None
        starts = (end, start) if at_end else (start,)
        for first in starts:
            for number, form in enumerate(_PASSES):
                wanted = [form(line) for line in pattern] if form else list(pattern)
                found = _find(self._form(number), wanted, first)
                if found is not None:
                    return found
        return None

    def _form(self, number: int) -> list[str]:
        while len(self._forms) <= number:
            form = _PASSES[len(self._forms)]
            self._forms.append([form(line) for line in self._lines] if form else list(self._lines))
        return self._forms[number]


def _find(lines: list[str], pattern: list[str], start: int) -> int | None:
    """Find *pattern* as Knuth, Morris and Pratt do, leaping to where its first line is."""
    last = len(lines) - len(pattern)
    borders = _borders(pattern)
    matched = 0
    index = start
    while True:
        if not matched:
            try:
                index = lines.index(pattern[0], index, last + 1)
            except ValueError:
                return None
        while matched < len(pattern) and index < len(lines) and lines[index] == pattern[matched]:
            index += 1
            matched += 1
        if matched == len(pattern):
            return index - matched
        if index >= len(lines):
            return None
        matched = borders[matched - 1]


def _borders(pattern: list[str]) -> list[int]:
    """For each beginning of *pattern*, how long the beginning is that it also ends with."""
    borders = [0]
    length = 0
    for line in pattern[1:]:
        while length and line != pattern[length]:
            length = borders[length - 1]
        length += line == pattern[length]
        borders.append(length)
    return borders
