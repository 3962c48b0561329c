"""What the user hears of an error, and with which exit code the command ends."""

from collections.abc import Iterator
from typing import cast

from actors.config import ConfigError
from actors.models import CredentialsError, ScenarioError
from actors.rollout import RolloutError, RolloutFull, RolloutNotWritten
from actors.thread import ThreadError

from .errors import BAD_INPUT, FAILED, HUNG_UP, INTERRUPTED, CliError
from .output import OutputFailed

__all__ = ["explained"]


def explained(error: BaseException) -> tuple[str, int] | None:
    """
    Find the line and the exit code for what a command ended with.

    Args:
        error: Anything; groups are searched.

    Returns:
        The line is empty when there is nothing to say.  None when nothing in the
        error is for the user: a mistake of ours.
    """
    for leaf in _leaves(error):
        match leaf:
            case KeyboardInterrupt():
                return "", INTERRUPTED
            case OutputFailed(is_hangup=True) | BrokenPipeError():
                return "", HUNG_UP
            case OutputFailed():
                return _one_line(leaf), FAILED
            case CliError():
                return _one_line(leaf), leaf.exit_code
            case RolloutNotWritten() | RolloutFull():
                return _one_line(leaf), FAILED
            case (
                ConfigError()
                | CredentialsError()
                | ScenarioError()
                | RolloutError()
                | ThreadError()
            ):
                return _one_line(leaf), BAD_INPUT
            case OSError(strerror=str(problem)):
                # Where an error of the system belongs to nothing that we know better.
                where = f"{leaf.filename!r}: " if leaf.filename else ""
                return f"{where}{problem}", FAILED
            case _:
                pass
    return None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for inner in group.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
