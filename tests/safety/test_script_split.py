"""Which commands a command line runs, and how surely that is known."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.safety.script_split import ScriptForm, Split, commands_within, split_command

PLAIN, PATTERNS, HEREDOC, OPAQUE = ScriptForm


@pytest.mark.parametrize(
    ("argv", "split"),
    [
        (["ls", "*"], Split((("ls", "*"),), PLAIN)),
        (["bash", "-lc", "ls; pwd"], Split((("ls",), ("pwd",)), PLAIN, in_shell=True)),
        (["sh", "-c", "ls *"], Split((("ls", "*"),), PATTERNS, in_shell=True)),
        (
            ["bash", "-c", "python3 - <<'E'\n$x `y`\nE"],
            Split((("python3", "-"),), HEREDOC, in_shell=True),
        ),
        (["bash", "-c", "cat <<-E\nx\n\tE\n"], Split((("cat",),), HEREDOC, in_shell=True)),
        (["bash", "-c", ""], Split((("bash", "-c", ""),), OPAQUE)),
        (["bash", "-c", "ls > x"], Split((("bash", "-c", "ls > x"),), OPAQUE)),
    ],
)
def test_command_line_is_taken_apart_as_far_as_it_is_known(argv, split):
    """A list of words is itself; a script is its commands, or nobody knows what."""
    assert split_command(argv) == split


@pytest.mark.parametrize(
    "script",
    [
        "cat <<E\n$(rm x)\nE",
        "cat <<E\n`rm x`\nE",
        "cat <<E\n\\$x\nE",
        "cat <<E",
        "cat <<E\nx",
        "cat <<E\nE\nrm x\nE",
        "cat <<E\nx\nE\nrm x",
        "cat <<E; rm x\nx\nE",
        "cat <<E > f\nx\nE",
        "cat > f <<E\nx\nE",
        "cat; rm x <<E\nx\nE",
        "cat <<<E\nx\nE",
        "cat <<A <<B\nx\nA\ny\nB",
        "cat <<'E\"\nx\nE",
        "<<E\nx\nE",
        "cat <<E\nx\nE ",
        "cat <<E\nx\n  E",
    ],
)
def test_text_that_the_shell_touches_or_that_has_company_is_opaque(script):
    """Expansions, a second command, a redirection, or an end that comes early or never."""
    assert split_command(["bash", "-c", script]).form is OPAQUE


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(alphabet="ab $`\\'\"E\t", max_size=6), max_size=4),
    st.sampled_from(["E", "'E'", '"E"']),
)
def test_text_of_a_heredoc_is_the_text_that_bash_gives(lines, end):
    """Whatever is taken for one reaches the command letter by letter."""
    body = "".join(line + "\n" for line in lines)
    script = f"cat <<{end}\n{body}E"

    if split_command(["bash", "-c", script]).form is HEREDOC:
        run = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
        assert run.stdout.decode() == body


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("ls; pwd", [("ls",), ("pwd",)]),
        ("(cd x && make) > log", [("cd", "x"), ("make",)]),
        ("for f in a b; do rm $f; done", [("for", "f", "in", "a", "b"), ("rm", "$f"), ("done",)]),
        ("X=1 Y=2 make > a < b", [("make",)]),
        ("a 2>&1 | b", [("a", "2"), ("b",)]),
        ("a $(b c)", [("a", "$"), ("b", "c")]),
        ('a "x$(b c)"', [("a", "x$(b c)"), ("b", "c")]),
        ("a <<E\nb\nE\nc", [("a",), ("c",)]),
        ("a $x # b; c\nd", [("a", "$x"), ("d",)]),
        ("a 'open $x", [("a", "open", "$x")]),
    ],
)
def test_whatever_looks_like_a_command_is_listed(script, commands):
    """In any script, as a guess."""
    assert list(commands_within(script)) == commands


def test_endless_script_is_looked_through_in_part():
    """So that nobody waits for it."""
    commands = list(commands_within("a $x\n" * 100_000))

    assert 1000 < len(commands) < 100_000


def test_many_texts_without_end_take_no_time():
    """Each is looked up, not searched for."""
    assert len(list(commands_within("\n".join(f"<<a{n} $x" for n in range(8000))))) > 1000
