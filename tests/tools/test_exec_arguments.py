"""What the session tools read of their calls."""

import pytest

from actors.tools import ToolError
from actors.tools.exec_arguments import (
    ExecRequest,
    StdinRequest,
    read_exec_request,
    read_stdin_request,
)

DEFAULT = ExecRequest(
    argv=("/bin/zsh", "-lc", "ls"),
    cwd="/project",
    tty=False,
    patience=10.0,
    max_output_tokens=10_000,
    escalated=False,
    justification=None,
    prefix_rule=None,
)


def read(**arguments):
    return read_exec_request({"cmd": "ls", **arguments}, cwd="/project", shell="/bin/zsh")


def test_script_alone_is_enough():
    """Login shell of the user, no terminal, ten seconds; what is not known is ignored."""
    assert read() == read(tty=None, workdir=None, other=1) == DEFAULT


def test_every_argument_counts():
    """Relative folders start at the turn's own."""
    assert read(
        workdir="sub/..",
        shell="/bin/sh",
        login=False,
        tty=True,
        yield_time_ms=1500,
        max_output_tokens=5.0,
        sandbox_permissions="require_escalated",
        justification="because",
        prefix_rule=["git", "pull"],
    ) == ExecRequest(
        argv=("/bin/sh", "-c", "ls"),
        cwd="/project/sub/..",
        tty=True,
        patience=1.5,
        max_output_tokens=5,
        escalated=True,
        justification="because",
        prefix_rule=("git", "pull"),
    )
    assert read(workdir="/abs").cwd == "/abs"


@pytest.mark.parametrize(
    ("wished", "patience"), [(-1, 0.25), (249, 0.25), (251, 0.251), (30_000, 30), (30_001, 30)]
)
def test_patience_is_between_a_quarter_and_thirty_seconds(wished, patience):
    """Whatever the model wishes."""
    assert read(yield_time_ms=wished).patience == patience
    assert read_stdin_request(
        {"session_id": 1, "chars": "x", "yield_time_ms": wished}
    ).patience == (patience)


@pytest.mark.parametrize(
    ("wished", "patience"), [(None, 5), (4999, 5), (5001, 5.001), (99_999, 30)]
)
def test_looking_without_typing_waits_five_seconds_at_least(wished, patience):
    """Polling more often than that only costs."""
    request = read_stdin_request({"session_id": 7, "yield_time_ms": wished, "chars": ""})

    assert request == StdinRequest(
        session_id=7, chars="", patience=patience, max_output_tokens=10_000
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"cmd": 1}, "cmd: expected a string, got a number"),
        ({"tty": "yes"}, "tty: expected a boolean, got a string"),
        ({"login": 1}, "login: expected a boolean, got a number"),
        ({"yield_time_ms": "1"}, "yield_time_ms: expected a number, got a string"),
        ({"max_output_tokens": True}, "max_output_tokens: expected a number, got a boolean"),
        ({"prefix_rule": "git"}, "prefix_rule: expected a list, got a string"),
        ({"prefix_rule": ["git", 1]}, "prefix_rule[1]: expected a string, got a number"),
        ({"workdir": []}, "workdir: expected a string, got a list"),
    ],
)
def test_argument_that_does_not_fit_is_named(arguments, problem):
    """With what was expected and what came."""
    with pytest.raises(ToolError) as caught:
        read(**arguments)

    assert str(caught.value) == f"failed to parse function arguments: {problem}"


def test_missing_arguments_are_named():
    """Those without a default."""
    with pytest.raises(ToolError, match="missing field cmd"):
        read_exec_request({}, cwd="/", shell="sh")
    with pytest.raises(ToolError, match="missing field session_id"):
        read_stdin_request({"chars": "x"})


def test_negative_room_is_no_room():
    """Not all but the last so many."""
    assert read(max_output_tokens=-5).max_output_tokens == 0
