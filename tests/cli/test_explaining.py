"""What the user hears of an error."""

import errno
from pathlib import Path

import pytest

from actors.cli.errors import NoSuchThread, OutputUnusable, UsageError
from actors.cli.explaining import explained
from actors.cli.output import OutputFailed
from actors.config import ConfigError
from actors.models import ScenarioError
from actors.rollout import RolloutFull, RolloutLocked, RolloutNotWritten
from actors.supervisor import HomeError

PIPE = OSError(errno.EPIPE, "Broken pipe")
FULL = OSError(errno.ENOSPC, "No space left on device")
PATH = Path("/h/r.jsonl")


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (UsageError("no\nway"), "no way", 2),
        (NoSuchThread("x", "none"), "no thread 'x': none", 2),
        (OutputUnusable("f", "gone"), "cannot write 'f': gone", 1),
        (ConfigError("c.toml", "model", "bad"), "c.toml: model: bad", 2),
        (ScenarioError("s.toml", "reply 1", "bad", "mend it"), "reply 1", 2),
        (RolloutLocked(PATH, 7, same_process=False), "process 7", 2),
        (HomeError(Path("/h"), "it is not a folder"), "/h", 2),
        (RolloutNotWritten(PATH, 5, FULL), "No space left", 1),
        (RolloutFull(PATH, 5, 5), "make room", 1),
        (OutputFailed(FULL), "No space left", 1),
        (OSError(errno.EACCES, "Permission denied", "/x"), "'/x': Permission denied", 1),
        (FULL, "No space left on device", 1),
    ],
)
def test_an_error_of_the_user_has_a_line_and_an_exit_code(
    error: Exception, words: str, code: int
) -> None:
    """Alone and within groups."""
    grouped = ExceptionGroup("", [ExceptionGroup("", [RuntimeError("ours"), error])])

    for given in (error, grouped):
        known = explained(given)
        assert known is not None
        line, exit_code = known
        assert words in line
        assert "\n" not in line
        assert exit_code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OutputFailed(PIPE), 141),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141),
    ],
)
def test_an_end_that_the_user_wanted_needs_no_words(error: BaseException, code: int) -> None:
    """Only the exit code."""
    assert explained(error) == ("", code)
    assert explained(BaseExceptionGroup("", [error])) == ("", code)


def test_a_mistake_of_ours_is_not_explained_away() -> None:
    """It needs its traceback."""
    assert explained(RuntimeError("ours")) is None
    assert explained(ExceptionGroup("", [KeyError("ours")])) is None
