"""Laying out a conversation for a person: blocks with an empty line between them."""

import shlex
from typing import Final

import attrs

from messages.events import ExecCommandEnd, ExecCommandStatus

from .pieces import Look, Piece, Stream, head, indented, tail, visible

__all__ = ["TAIL_LINES", "Page", "command_line", "command_result", "output_tail"]

TAIL_LINES: Final = 10
"""Lines of a command, and of its output, that are shown."""

_SHELLS: Final = ("bash", "sh", "zsh")
_SCRIPT_FLAGS: Final = ("-c", "-lc")
_SCRIPT_WORDS: Final = 3


@attrs.define(eq=False)
class Page:
    """
    A page under way: knows where the cursor is and collects what is to be written.

    Attributes:
        at_line_start: Whether the last thing written ended its line.
    """

    at_line_start: bool = True
    _pieces: list[Piece] = attrs.field(factory=list[Piece], init=False)
    _empty: bool = attrs.field(default=True, init=False)
    # What was last written on standard error joins a block of standard output
    # without ending it, so only that stream counts for the layout.
    _look: Look = attrs.field(default=Look.PLAIN, init=False)

    def take(self) -> tuple[Piece, ...]:
        """Hand out what was written since the last call."""
        pieces, self._pieces = tuple(self._pieces), []
        return pieces

    def begin(self, heading: str = "", look: Look = Look.PLAIN) -> None:
        """Begin a block, with a line of its own for the heading if there is one."""
        self.end_line()
        if not self._empty:
            self._pieces.append(Piece("\n"))
        self._empty = False
        if heading:
            self.write(f"{heading}\n", look)

    def write(self, text: str, look: Look = Look.PLAIN) -> None:
        """Go on in the block."""
        text = visible(text)
        if text:
            self._pieces.append(Piece(text, look))
            self.at_line_start = text.endswith("\n")
            self._empty = False

    def write_lines(self, text: str, look: Look = Look.PLAIN) -> None:
        """Go on in the block with whole, indented lines."""
        self.write(indented(visible(text)), look)

    def end_line(self) -> None:
        """Make sure that the cursor is at the beginning of a line."""
        if not self.at_line_start:
            self.write("\n")

    def note(self, text: str, look: Look = Look.WARN) -> None:
        """Write one line to standard error."""
        self.end_line()
        self._pieces.append(Piece(visible(text).rstrip() + "\n", look, Stream.ERR))


def command_line(command: tuple[str, ...]) -> str:
    """Write a command as a person would type it; a shell's script without the shell."""
    return f"$ {head(_typed(command), TAIL_LINES)}"


def _typed(command: tuple[str, ...]) -> str:
    if (
        len(command) == _SCRIPT_WORDS
        and command[0].rpartition("/")[2] in _SHELLS
        and command[1] in _SCRIPT_FLAGS
    ):
        return command[2].strip()
    return shlex.join(command)


def command_result(event: ExecCommandEnd) -> tuple[str, Look]:
    """Say in a few words how a command ended."""
    if event.status is ExecCommandStatus.DECLINED:
        return "not allowed", Look.BAD
    if event.exit_code < 0:
        return "stopped", Look.BAD
    words = f"exit {event.exit_code}, {event.duration:.1f} s"
    return words, Look.GOOD if event.exit_code == 0 else Look.BAD


def output_tail(text: str) -> str:
    """Return what is shown of a command's output, empty when it wrote nothing."""
    return tail(text, TAIL_LINES) if text.strip() else ""
