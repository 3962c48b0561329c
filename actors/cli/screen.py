"""Showing pieces: as plain text, or on a terminal with styles and a spinner."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from .output import STDERR, STDOUT, Output
from .pieces import Piece, shortened

if TYPE_CHECKING:
    from .terminal import Terminal  # noqa: TC004 -- nothing reads the annotations

__all__ = ["Color", "Screen", "TerminalScreen", "encoded", "open_screen"]


class Color(Enum):
    """When there are styles: always, never, or where there is a terminal."""

    ALWAYS = "always"
    NEVER = "never"
    AUTO = "auto"


class Screen(Protocol):
    """Where a command shows what it has to say."""

    @property
    def width(self) -> int | None:
        """Columns of standard output; None if it is no terminal."""
        ...

    @property
    def has_spinner(self) -> bool:
        """Whether `spin` shows anything."""
        ...

    def show(self, pieces: tuple[Piece, ...]) -> None:
        """Show pieces, in order."""
        ...

    def spin(self, label: str, seconds: float) -> None:
        """Show or move the spinner; what is shown next takes it away."""
        ...


def encoded(text: str, fd: int) -> bytes:
    """Encode text for a standard stream; what cannot be encoded becomes ``?``."""
    stream = sys.stdout if fd == STDOUT else sys.stderr
    return text.encode(getattr(stream, "encoding", None) or "utf-8", "replace")


@attrs.define(eq=False)
class PlainScreen:
    """Text and nothing else, for pipes and files."""

    _output: Output
    width: None = attrs.field(default=None, init=False)
    has_spinner: bool = attrs.field(default=False, init=False)

    def show(self, pieces: tuple[Piece, ...]) -> None:
        """Write the text of the pieces."""
        for piece in pieces:
            self._output.put(piece.stream.value, encoded(piece.text, piece.stream.value))

    def spin(self, label: str, seconds: float) -> None:
        """Show nothing."""


@attrs.define(eq=False)
class TerminalScreen:
    """Styles where a stream is a terminal, and a spinner on standard error."""

    _output: Output
    _terminals: Mapping[int, Terminal]
    _spinning: bool = attrs.field(default=False, init=False)

    @property
    def width(self) -> int | None:
        """Columns of standard output; None if it is no terminal."""
        return self._terminals[STDOUT].width if STDOUT in self._terminals else None

    @property
    def has_spinner(self) -> bool:
        """Whether standard error can move its cursor."""
        return STDERR in self._terminals and self._terminals[STDERR].moves_cursor

    @property
    def can_redraw(self) -> bool:
        """Whether standard output can move its cursor."""
        return STDOUT in self._terminals and self._terminals[STDOUT].moves_cursor

    def show(self, pieces: tuple[Piece, ...]) -> None:
        """Take the spinner away, and write the pieces in their styles."""
        if pieces:
            self._stop_spinning()
        for piece in pieces:
            fd = piece.stream.value
            terminal = self._terminals.get(fd)
            text = piece.text if terminal is None else terminal.shown(piece.text, piece.look)
            self._output.put(fd, encoded(text, fd))

    def spin(self, label: str, seconds: float) -> None:
        """Show the spinner, unless another program has the terminal now."""
        terminal = self._terminals[STDERR]
        if not _in_foreground():
            return
        self._spinning = True
        words = f"{shortened(label, terminal.width - _SPINNER_ROOM)} {int(seconds)} s"
        self._output.put(STDERR, encoded(terminal.spinner(words), STDERR))

    def _stop_spinning(self) -> None:
        if self._spinning:
            self._spinning = False
            self._output.put(STDERR, encoded(self._terminals[STDERR].erased_line(), STDERR))


_SPINNER_ROOM: Final = 12
"""Columns for the spinner itself and the seconds."""


def open_screen(output: Output, color: Color = Color.AUTO) -> Screen:
    """Look which of our streams are terminals, and choose the screen for them."""
    terminals = {fd: os.isatty(fd) for fd in (STDOUT, STDERR)}
    descriptors = [fd for fd in terminals if terminals[fd] or color is Color.ALWAYS]
    if not descriptors or color is Color.NEVER:
        return PlainScreen(output)
    # 60 ms that a pipe does not need.
    from .terminal import open_file, open_terminal  # noqa: PLC0415

    opened = {fd: open_terminal(fd) if terminals[fd] else open_file() for fd in descriptors}
    return TerminalScreen(output, opened)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(STDERR) == os.getpgrp()
    except OSError:  # a terminal, but not the one that controls us
        return True
