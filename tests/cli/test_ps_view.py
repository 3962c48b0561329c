"""The same thing shown again and again."""

import os

import pytest

from actors.cli import ps_view, screen
from actors.cli.output import STDERR, STDOUT, Output
from actors.cli.pieces import Piece
from actors.cli.ps_view import open_view
from actors.cli.screen import Color, open_screen


class Written(Output):
    """What was put into it for standard output."""

    def take(self) -> str:
        text = b"".join(data for fd, data in self._pending if fd == STDOUT).decode()
        self._pending.clear()
        return text


def rows(*texts: str) -> tuple[Piece, ...]:
    return tuple(Piece(f"{text}\n") for text in texts)


def on_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, lines: int, *, term: str = "xterm"
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(screen.os, "isatty", lambda fd: fd in (STDOUT, STDERR))
    size = os.terminal_size((columns, lines))
    monkeypatch.setattr(ps_view.os, "get_terminal_size", lambda _fd: size)


def test_in_a_pipe_each_look_follows_the_one_before() -> None:
    """With an empty line between them, and nothing that acts on a terminal."""
    output = Written()
    with open_view(output, open_screen(output, Color.NEVER)) as view:
        view.show(rows("a", "b"))
        view.show(rows("c"))

    assert output.take() == "a\nb\n\nc\n"


def test_on_a_terminal_each_look_takes_the_place_of_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the end what was there comes back, with the last look below it."""
    on_terminal(monkeypatch, 80, 24)
    output = Written()
    with open_view(output, open_screen(output)) as view:
        view.show(rows("a", "b"))
        first = output.take()
        view.show(rows("c"))
        second = output.take()
    last = output.take()

    assert first == "\x1b[?1049h\x1b[?25l\x1b[?7l" + "\x1b[H\x1b[2J" + "a\nb\n"
    assert second == "\x1b[H\x1b[2J" + "c\n"
    assert last == "\x1b[?7h\x1b[?25h\x1b[?1049l" + "c\n"


def test_the_terminal_is_given_back_whatever_ends_the_looking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C before the first look, too."""
    on_terminal(monkeypatch, 80, 24)
    output = Written()
    with pytest.raises(KeyboardInterrupt), open_view(output, open_screen(output)):
        output.take()
        raise KeyboardInterrupt

    assert output.take() == "\x1b[?7h\x1b[?25h\x1b[?1049l"


def test_a_small_terminal_shows_what_fits_and_says_how_much_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No line is broken, and nothing scrolls; wide characters count twice."""
    on_terminal(monkeypatch, 6, 4)
    output = Written()
    with open_view(output, open_screen(output)) as view:
        output.take()
        view.show(rows("1234567", "漢字漢字", "c", "d"))
        shown = output.take()

    assert shown.replace("\x1b[2m", "").replace("\x1b[0m", "") == (
        "\x1b[H\x1b[2J123456\n漢字漢\n... 2\n"
    )


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_terminal_with_hardly_a_line_is_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    """Some say that they have none."""
    on_terminal(monkeypatch, 80, lines)
    output = Written()
    with open_view(output, open_screen(output)) as view:
        output.take()
        view.show(rows("a", "b"))

        assert "... 2 more lines" in output.take()


def test_a_terminal_that_cannot_redraw_is_treated_as_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody wants to read escape sequences."""
    on_terminal(monkeypatch, 80, 24, term="dumb")
    output = Written()
    with open_view(output, open_screen(output)) as view:
        view.show(rows("a"))
        view.show(rows("b"))

    assert output.take() == "a\n\nb\n"
