"""Showing the same thing again and again, in its place where there is a terminal."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

import attrs

from .output import STDOUT, Output
from .pieces import Look, Piece
from .screen import Screen, TerminalScreen

__all__ = ["View", "open_view"]

# What a terminal does at these, from the manual of xterm: a screen of its own and back
# (1049), no cursor (25), no breaking of lines that are too long (7).
_BEGIN: Final = b"\x1b[?1049h\x1b[?25l\x1b[?7l"
_FRAME: Final = b"\x1b[H\x1b[2J"
_END: Final = b"\x1b[?7h\x1b[?25h\x1b[?1049l"


class View(Protocol):
    """Where the same thing is shown as it changes."""

    def show(self, pieces: tuple[Piece, ...]) -> None:
        """Show how it is now; each piece is a line."""
        ...


@attrs.define(eq=False)
class _Pages:
    """One after another, with an empty line between them; for pipes and simple terminals."""

    _screen: Screen
    _shown: bool = attrs.field(default=False, init=False)

    def show(self, pieces: tuple[Piece, ...]) -> None:
        if self._shown:
            self._screen.show((Piece("\n"),))
        self._shown = True
        self._screen.show(pieces)


@attrs.define(eq=False)
class _Frames:
    """
    Each in the place of the one before, cut to what fits.

    Attributes:
        last: What was shown last.
    """

    _output: Output
    _screen: Screen
    last: tuple[Piece, ...] = attrs.field(default=(), init=False)

    def show(self, pieces: tuple[Piece, ...]) -> None:
        self.last = pieces
        # Asked each time: the user may have changed it.
        columns, lines = os.get_terminal_size(STDOUT)
        self._output.put(STDOUT, _FRAME)
        self._screen.show(_fitting(pieces, columns, lines))


def _fitting(pieces: tuple[Piece, ...], columns: int, lines: int) -> tuple[Piece, ...]:
    # The last line stays empty, because each piece ends its own.
    room = max(lines - 1, 1)
    if len(pieces) > room:
        left_out = len(pieces) - room + 1
        pieces = (*pieces[: room - 1], Piece(f"... {left_out} more lines\n", Look.FAINT))
    return tuple(attrs.evolve(piece, text=_cut(piece.text, columns)) for piece in pieces)


def _cut(line: str, columns: int) -> str:
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 -- only for terminals

    text = line.rstrip("\n")
    return line if cell_len(text) <= columns else f"{set_cell_size(text, columns)}\n"


@contextmanager
def open_view(output: Output, screen: Screen) -> Generator[View]:
    """
    Show something for as long as the block lasts.

    On a terminal what was there before comes back in the end, with what was shown last.
    """
    if not (isinstance(screen, TerminalScreen) and screen.can_redraw):
        yield _Pages(screen)
        return
    frames = _Frames(output, screen)
    output.put(STDOUT, _BEGIN)
    try:
        yield frames
    finally:
        output.put(STDOUT, _END)
        screen.show(frames.last)
