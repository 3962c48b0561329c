"""Commands as one line."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.server.command_line import command_line


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ((), ""),
        (("ls", "-la", "/a/b.txt"), "ls -la /a/b.txt"),
        (("bash", "-lc", "echo hi"), "bash -lc 'echo hi'"),
        (("echo", ""), "echo ''"),
        (("echo", "it's"), 'echo "it\'s"'),
        (("echo", "it's $5"), """echo "it's "'$5'"""),
        (("echo", 'say "it\'s"'), 'echo "say \\"it\'s\\""'),
        (("a=b", "x,y", "a%"), "'a=b' 'x,y' 'a%'"),
        (("echo", "a^b"), "echo a'^b'"),
        (("echo", "ä"), "echo 'ä'"),
        (("x", "a\0b"), "<command included NUL byte>"),
    ],
)
def test_command_is_quoted_as_clients_know_it(argv: tuple[str, ...], line: str) -> None:
    """Single quotes, double quotes around single ones, nothing where nothing is needed."""
    assert command_line(argv) == line


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"))))
def test_shell_splits_the_line_into_the_same_arguments(argv: list[str]) -> None:
    """Whatever the arguments are."""
    assert shlex.split(command_line(argv)) == argv
