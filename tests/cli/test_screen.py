"""What is shown on pipes and on terminals."""

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Final

import pytest
import trio
from rich.console import Console
from rich.spinner import Spinner

from actors.cli.output import STDERR, STDOUT, Output
from actors.cli.pieces import Look, Piece, Stream
from actors.cli.screen import PlainScreen, TerminalScreen, encoded, open_screen
from actors.cli.tellers import PersonTeller
from actors.cli.terminal import Terminal, open_terminal

from .said import command_begin, completed, event, started

CLEAR: Final = "\x1b[2K\r"


class Written(Output):
    """An output that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def put(self, fd: int, data: bytes) -> None:
        self.text += data.decode()


def terminal(width: int = 20, **environ: str) -> Terminal:
    collected = StringIO()
    console = Console(
        file=collected,
        force_terminal=True,
        width=width,
        highlight=False,
        color_system="standard",
        _environ={"TERM": "xterm", **environ},
    )
    return Terminal(console, collected, Spinner("line", style="cyan"), lambda: 0.0)


def screen(written: Written, *fds: int, width: int = 20, **environ: str) -> TerminalScreen:
    return TerminalScreen(written, {fd: terminal(width, **environ) for fd in fds})


def test_a_pipe_gets_text_and_nothing_else() -> None:
    """Whatever the look is, and however long the line."""
    written = Written()
    plain = PlainScreen(written)

    plain.show((Piece("a" * 300), Piece("b\n", Look.BAD), Piece("c\n", Look.FAINT, Stream.ERR)))
    plain.spin("x", 1)

    assert written.text == "a" * 300 + "b\nc\n"
    assert (plain.width, plain.has_spinner) == (None, False)


def test_what_cannot_be_encoded_is_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old terminal must not end a turn."""

    class Ascii(StringIO):
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Ascii())
    monkeypatch.setattr(sys, "stderr", None)

    assert encoded("grün", STDOUT) == b"gr?n"
    assert encoded("grün\udcff", STDERR) == "grün?".encode()


def test_a_terminal_gets_each_look_in_its_style() -> None:
    """And plain text without any."""
    written = Written()
    out = screen(written, STDOUT, STDERR)

    out.show((Piece("plain\n"), Piece("head\n", Look.HEAD), Piece("bad\n", Look.BAD, Stream.ERR)))

    assert written.text == "plain\n\x1b[1mhead\x1b[0m\n\x1b[31mbad\x1b[0m\n"
    assert (out.width, out.has_spinner) == (20, True)


def test_a_word_keeps_the_look_it_came_in() -> None:
    """It may be kept back until the next piece, which looks different."""
    written = Written()

    screen(written, STDOUT).show((Piece("a word", Look.FAINT), Piece("\nnext\n")))

    assert written.text == "\x1b[2ma\x1b[0m\x1b[2m word\x1b[0m\nnext\n"


def test_only_the_stream_that_is_a_terminal_is_styled() -> None:
    """The other one may be a file."""
    written = Written()
    err_only = screen(written, STDERR)

    err_only.show((Piece("x " * 30 + "\n", Look.BAD), Piece("y\n", Look.WARN, Stream.ERR)))

    assert written.text == "x " * 30 + "\n\x1b[33my\x1b[0m\n"
    assert err_only.width is None


def test_the_spinner_goes_before_anything_is_shown() -> None:
    """And nothing is erased when there is none."""
    written = Written()
    out = screen(written, STDOUT, STDERR, width=30)

    out.show((Piece("a\n"),))
    out.spin("a label that is too long for this", 3.4)
    out.show(())
    out.show((Piece("b\n"),))
    out.show((Piece("c\n"),))

    spinner = f"{CLEAR}\x1b[36m-\x1b[0m \x1b[2ma label that is... 3 s\x1b[0m\r"
    assert written.text == f"a\n{spinner}{CLEAR}b\nc\n"


def test_there_is_no_spinner_where_the_cursor_cannot_move() -> None:
    """Nor where standard error is no terminal."""
    written = Written()

    assert not screen(written, STDERR, TERM="dumb").has_spinner
    assert not screen(written, STDOUT).has_spinner


@contextmanager
def our_stderr(fd: int) -> Iterator[None]:
    before = os.dup(STDERR)
    os.dup2(fd, STDERR)
    try:
        yield
    finally:
        os.dup2(before, STDERR)
        os.close(before)


def test_the_screen_is_chosen_by_what_our_streams_are(capfd: pytest.CaptureFixture[str]) -> None:
    """Pytest's are files; a terminal has its size from the system."""
    master, slave = pty.openpty()
    assert isinstance(open_screen(Written()), PlainScreen)
    try:
        with our_stderr(slave):
            assert isinstance(open_screen(Written()), TerminalScreen)
            assert open_terminal(STDERR).width > 0
    finally:
        os.close(master)
        os.close(slave)


async def test_the_spinner_turns_while_a_person_waits(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After a moment of silence, with the seconds of the wait; never within a line."""
    written = Written()
    teller = PersonTeller(screen(written, STDOUT, STDERR, width=40))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(teller.keep_alive)
        await trio.sleep(5)
        assert written.text == ""
        teller.tell(event(started()))
        await trio.sleep(1.15)
        assert written.text.endswith("\x1b[2mthinking 1 s\x1b[0m\r")
        teller.tell(event(command_begin("sleep", "9")))
        await trio.sleep(0.25)
        assert written.text.endswith("$ sleep 9\x1b[0m\n")
        await trio.sleep(2.1)
        assert written.text.endswith("$ sleep 9 2 s\x1b[0m\r")
        teller.tell(event(completed()))
        before = written.text
        await trio.sleep(5)
        assert written.text == before
        teller.finish("bye")
        nursery.cancel_scope.cancel()

    assert written.text == f"{before}{CLEAR}\x1b[2mbye\x1b[0m\n"


async def test_nothing_turns_where_there_is_no_spinner(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A pipe is left in peace."""
    written = Written()
    teller = PersonTeller(PlainScreen(written))

    with trio.move_on_after(60):
        teller.tell(event(started()))
        await teller.keep_alive()

    assert written.text == ""
