"""Text for people."""

import pytest

from actors.cli.page import command_line
from actors.cli.pieces import indented, shortened, tail, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b(Bcharset\x1b7", "charset"),
        ("\x1bPdevice control\x1b\\text", "text"),
        ("cut \x1b[3", "cut 3"),
        ("lone \x1b", "lone "),
        ("a\r\nb\rc", "a\nbc"),
        ("bell\x07 \x00\x08\x7f\x9b", "bell "),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("日本 ünï 🙂", "日本 ünï 🙂"),
    ],
)
def test_what_acts_on_a_terminal_is_taken_out(text: str, shown: str) -> None:
    """And what can be read stays."""
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [("a  b\n c", 10, "a b c"), ("12345", 5, "12345"), ("123456", 5, "12..."), ("", 5, "")],
)
def test_a_text_is_shortened_to_one_line(text: str, limit: int, line: str) -> None:
    """At, below and above the limit."""
    assert shortened(text, limit) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1\n2\n", "1\n2"),
        ("1\n2\n3\n", "1\n2\n3"),
        ("1\n2\n3\n4", "... 2 lines before\n3\n4"),
        ("x" * 500, "x" * 400 + "..."),
    ],
)
def test_a_tail_is_the_last_lines(text: str, shown: str) -> None:
    """One line more than the limit is shown rather than counted."""
    assert tail(text, 2) == shown


def test_indented_lines_have_no_blanks_at_their_end() -> None:
    """An empty line stays empty, and nothing stays nothing."""
    assert indented("a\n\nb ") == "  a\n\n  b\n"
    assert indented("") == ""


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("/bin/bash", "-lc", " ls | wc\n"), "$ ls | wc"),
        (("sh", "-c", "x"), "$ x"),
        (("bash", "-x", "a b"), "$ bash -x 'a b'"),
        (("bash", "-lc", "x", "y"), "$ bash -lc x y"),
        (("python", "-c", "print(1)"), "$ python -c 'print(1)'"),
    ],
)
def test_a_command_is_written_as_one_would_type_it(command: tuple[str, ...], line: str) -> None:
    """A script without the shell that runs it."""
    assert command_line(command) == line
