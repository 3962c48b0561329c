"""Breaking lines between words, for text that comes in pieces."""

import re
from collections.abc import Callable
from typing import Final

import attrs

__all__ = ["WordWrap"]

_RUN: Final = re.compile(r"\n|[ \t]+|[^ \t\n]+")
_BULLET: Final = re.compile(r"[-*+]|\d{1,3}[.)]")


@attrs.define(eq=False)
class WordWrap:
    """
    Breaks lines between words.

    A long line goes on below its first word, or below its first word behind a bullet.

    The last word is kept back until it is known to be whole, because it decides
    where the line breaks.  A word that is longer than half a line is let through:
    some scripts write without blanks.

    Attributes:
        measure: Tells how many columns a text takes.
    """

    measure: Callable[[str], int]
    _column: int = attrs.field(default=0, init=False)
    _indent: str = attrs.field(default="", init=False)
    _gap: str = attrs.field(default="", init=False)
    _word: str = attrs.field(default="", init=False)

    def feed(self, text: str, width: int) -> str:
        """Take the next piece; returns what can be written."""
        parts: list[str] = []
        for run in _RUN.findall(text):
            if run == "\n":
                parts.append(self.flush(width) + run)
                self._column, self._indent, self._gap = 0, "", ""
            elif not run.isspace():
                self._word += run
                if self.measure(self._word) > width // 2:
                    parts.append(self.flush(width))
            elif self._column == len(self._indent) and not self._word:
                self._indent += " " * self.measure(run)
                self._column = len(self._indent)
                parts.append(run)
            else:
                is_bullet = self._column == len(self._indent) and _BULLET.fullmatch(self._word)
                parts.append(self.flush(width))
                if is_bullet:
                    parts.append(run)
                    self._column += self.measure(run)
                    self._indent = " " * self._column
                else:
                    self._gap += run
        return "".join(parts)

    def flush(self, width: int) -> str:
        """Let go of the last word, because there will be no more of it."""
        word, gap = self._word, self._gap
        if not word:
            return ""
        self._word = self._gap = ""
        indent = len(self._indent)
        end = self._column + self.measure(gap) + self.measure(word)
        if end > width and self._column > indent:
            self._column = indent + self.measure(word)
            return f"\n{self._indent}{word}"
        self._column = end
        return gap + word
