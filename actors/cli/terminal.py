"""A terminal, as rich knows it; imported only when there is one."""

import io
import sys
import time
from collections.abc import Callable
from typing import Final

import attrs
from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.spinner import Spinner
from rich.text import Text

from .output import STDOUT
from .pieces import Look
from .wrapping import WordWrap

__all__ = ["Terminal", "open_file", "open_terminal"]

_STYLES: Final = {
    Look.PLAIN: "",
    Look.FAINT: "dim",
    Look.HEAD: "bold",
    Look.COMMAND: "bold cyan",
    Look.GOOD: "green",
    Look.BAD: "red",
    Look.WARN: "yellow",
}


@attrs.define(eq=False)
class Terminal:
    """
    Makes the text that a terminal shows in a style.

    Nothing is written here: what rich would write is collected and handed out.
    """

    _console: Console
    _collected: io.StringIO
    _spinner: Spinner
    _now: Callable[[], float]
    _is_terminal: bool = attrs.field(default=True, alias="is_terminal")
    _wrap: WordWrap = attrs.field(factory=lambda: WordWrap(cell_len), init=False)
    _look: Look = attrs.field(default=Look.PLAIN, init=False)

    @property
    def width(self) -> int:
        """Columns."""
        return self._console.width

    @property
    def moves_cursor(self) -> bool:
        """Whether a line can be written again; ``TERM=dumb`` and files cannot."""
        return self._is_terminal and not self._console.is_dumb_terminal

    def shown(self, text: str, look: Look) -> str:
        """
        Write text in a style, with its lines broken between words.

        A last word that may go on is kept back; the next text brings it.
        """
        before = "" if look is self._look else self._styled(self._wrap.flush(self.width))
        self._look = look
        return before + self._styled(self._wrap.feed(text, self.width))

    def _styled(self, text: str) -> str:
        # The user may have limited the styles with NO_COLOR.
        style = _STYLES[self._look]
        if not style or not text:
            return text
        self._console.print(Text(text, style=style, end=""), end="", soft_wrap=True)
        return self._take()

    def spinner(self, words: str) -> str:
        """Write the next frame of the spinner; the cursor goes back to its first column."""
        self._spinner.update(text=Text(words, style="dim"))
        frame = self._spinner.render(self._now())
        self._console.control(_ERASE)
        self._console.print(frame, end="\r", soft_wrap=True)
        return self._take()

    def erased_line(self) -> str:
        """Write what takes a spinner away."""
        self._console.control(_ERASE)
        return self._take()

    def _take(self) -> str:
        text = self._collected.getvalue()
        self._collected.seek(0)
        self._collected.truncate()
        return text


_ERASE: Final = Control((ControlType.ERASE_IN_LINE, 2), ControlType.CARRIAGE_RETURN)


def open_terminal(fd: int) -> Terminal:
    """Look at the environment and at what the terminal can show."""
    collected = io.StringIO()
    console = Console(
        file=collected, force_terminal=True, highlight=False, markup=False, emoji=False
    )
    stream = sys.stdout if fd == STDOUT else sys.stderr
    # Frames of Braille dots, where they can be encoded.
    name = "dots" if (stream.encoding or "").lower().startswith("utf") else "line"
    return Terminal(console, collected, Spinner(name, style="cyan"), time.monotonic)


_ENDLESS: Final = 1 << 20
"""Columns of what has none."""


def open_file() -> Terminal:
    """Make what shows styles where there is no terminal: no spinner, and no line is broken."""
    collected = io.StringIO()
    console = Console(
        file=collected,
        force_terminal=True,
        color_system="standard",
        width=_ENDLESS,
        highlight=False,
        markup=False,
        emoji=False,
    )
    return Terminal(console, collected, Spinner("line"), time.monotonic, is_terminal=False)
