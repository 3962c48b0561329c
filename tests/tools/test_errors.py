"""Errors say who, what and the way out, and survive the way between processes."""

import errno
import pickle

import pytest

from actors.tools import DynamicToolInvalid, FatalToolError, SpawnError, ToolError, ToolsError

ERRORS = [
    ToolError("text"),
    FatalToolError("problem"),
    SpawnError("ls", "/", "exec", errno.ENOENT),
    DynamicToolInvalid("name", "problem"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_survives_pickle(error):
    """With its fields and its text."""
    copy = pickle.loads(pickle.dumps(error))

    assert isinstance(copy, ToolsError)
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))


@pytest.mark.parametrize(
    ("stage", "code", "text"),
    [
        ("exec", errno.ENOENT, "command not found: 'ls'"),
        ("exec", errno.EACCES, "no permission to run 'ls'"),
        ("exec", errno.ENOEXEC, "'ls' did not start (exec): Exec format error"),
        ("cwd", errno.ENOENT, "working directory '/x' does not exist"),
        ("cwd", errno.ENOTDIR, "working directory '/x' is not a directory"),
        ("cwd", errno.EACCES, "no permission to enter working directory '/x'"),
        ("cwd", errno.ELOOP, "'ls' did not start (cwd): Too many levels of symbolic links"),
        ("words", 0, "'ls' cannot run: a word or variable has a forbidden character"),
        ("launcher", 0, "'ls' did not start: the process that starts commands ended"),
        ("fork", errno.EAGAIN, "'ls' did not start (fork): Resource temporarily unavailable"),
        ("setup", 0, "'ls' did not start (setup): unknown reason"),
    ],
)
def test_failed_start_says_what_failed(stage, code, text):
    """In words for whoever typed the command."""
    assert str(SpawnError("ls", "/x", stage, code)) == text
