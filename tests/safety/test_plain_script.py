"""Which scripts are plain commands, and what these are."""

import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.safety import plain_commands, shell_script


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("ls", [["ls"]]),
        ("  ls   -l\t ", [["ls", "-l"]]),
        ("ls && pwd || true; echo x | cat", [["ls"], ["pwd"], ["true"], ["echo", "x"], ["cat"]]),
        ("ls;", [["ls"]]),
        ("ls\npwd\n\n", [["ls"], ["pwd"]]),
        ("ls &&\n\n pwd", [["ls"], ["pwd"]]),
        ("ls |\n cat", [["ls"], ["cat"]]),
        ("ls;\npwd", [["ls"], ["pwd"]]),
        ("echo 'a b' \"c d\" e'f'\"g\"", [["echo", "a b", "c d", "efg"]]),
        ("echo ''", [["echo", ""]]),
        ("echo '$HOME && rm'", [["echo", "$HOME && rm"]]),
        ("echo a#b", [["echo", "a#b"]]),
        ("echo A=b", [["echo", "A=b"]]),
        ("'A=b' x", [["A=b", "x"]]),
        ("echo if then", [["echo", "if", "then"]]),
    ],
)
def test_plain_script_is_split_into_commands_and_words(script, commands):
    """As the shell would."""
    assert plain_commands(script) == tuple(map(tuple, commands))


@pytest.mark.parametrize(
    "script",
    [
        "",
        "   \n ",
        ";",
        "&& ls",
        "ls &&",
        "ls |",
        "ls ;; pwd",
        "ls\n; pwd",
        "ls & pwd",
        "ls &",
        "(ls)",
        "{ ls; }",
        "ls > x",
        "cat < x",
        "cat <<EOF\nx\nEOF",
        "echo $HOME",
        'echo "$HOME"',
        'echo "`ls`"',
        "echo `ls`",
        "echo $(ls)",
        "echo a\\ b",
        'echo "a\\"b"',
        'echo "hi!"',
        "A=b ls",
        "A+=b ls",
        "A='b c' ls",
        "ls # comment",
        "# comment",
        "if true",
        "! ls",
        "time ls",
        "echo 'open",
        'echo "open',
        "ls *.py",
        "ls ~",
        "ls {a,b}",
        "ls a?",
        "ls [ab]",
        "ls\rpwd",
        "ls\u00a0pwd",
        "ls\x0cpwd",
    ],
)
def test_script_that_takes_a_shell_to_understand_is_not_plain(script):
    """Refused, never guessed at."""
    assert plain_commands(script) is None


def test_globs_are_words_for_display_only():
    """The shell may make other words of them."""
    assert plain_commands("ls *.py ~/x", globs=True) == (("ls", "*.py", "~/x"),)
    assert plain_commands("! ls", globs=True) is None


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        (["bash", "-lc", "ls"], "ls"),
        (["/usr/bin/zsh", "-c", "ls"], "ls"),
        (["sh", "-c", ""], ""),
        (["fish", "-c", "ls"], None),
        (["bash", "-c"], None),
        (["bash", "-ic", "ls"], None),
        (["bash", "-c", "ls", "x"], None),
        ([], None),
    ],
)
def test_script_is_found_where_a_shell_runs_one(argv, script):
    """Three words: the shell, the flag, the script."""
    assert shell_script(argv) == script


@given(st.text(alphabet="ab =#'\"$;&|\\*~!()<>-\n", max_size=12))
@example("a 'b' \"\"")
def test_words_of_a_plain_command_are_those_of_the_standard_library(script):
    """Where there is one command, shlex reads the same words."""
    commands = plain_commands(script)

    if commands is not None and len(commands) == 1:
        assert list(commands[0]) == shlex.split(script.strip().removesuffix(";"), comments=False)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["x", "-n", "'a  b'", '"c;d"', "e'f'", "''", "a=b"]), max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([";", "&&", "\n", " ; "]),
)
def test_words_of_plain_commands_are_those_of_bash(arguments, operator):
    """Bash itself runs the same commands with the same words."""
    script = operator.join(" ".join(["show", *words]) for words in arguments)
    commands = plain_commands(script)
    assert commands is not None

    show = 'show() { printf \'%s\\0\' "$#" "$@"; }\n'
    output = subprocess.run(["bash", "-c", show + script], capture_output=True, check=True).stdout

    expected = [part for _, *words in commands for part in (str(len(words)), *words)]
    assert output.decode().split("\0")[:-1] == expected


def test_script_longer_than_any_word_of_a_command_is_not_read() -> None:
    """It could not run, and reading it would take seconds."""
    longest = "echo a; " * (128 * 1024 // 8)

    assert plain_commands(longest) is not None
    assert plain_commands(longest + "echo b") is None
