"""Errors keep their fields and say what to do."""

import copy
import pickle

import pytest
import trio

from actors import runtime
from actors.runtime import errors

EXAMPLES: tuple[errors.ActorError, ...] = (
    errors.ActorError("a"),
    errors.MailboxFull("thread/1", 64),
    errors.MailboxClosed("thread/1"),
    errors.ChannelClosed("event channel"),
    errors.AlreadyClosed("subscription"),
    errors.DuplicateChild("threads", "1"),
    errors.UnknownChild("threads", "1"),
    errors.NotStarted("threads", "1"),
    errors.SupervisorStopped("threads"),
    errors.IntensityExceeded("threads", "1", 1, 5.0),
    errors.ReplyLost("registry"),
)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_error_survives_pickle_and_copy(error: errors.ActorError) -> None:
    """A copy has the same fields and the same text."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert vars(other) == vars(error)
        assert str(other) == str(error)


@pytest.mark.parametrize("error", EXAMPLES[1:], ids=lambda error: type(error).__name__)
def test_error_text_names_who_and_is_a_phrase(error: errors.ActorError) -> None:
    """Lower case, no full stop, and the first field is in it."""
    text = str(error)

    assert str(error.args[0]) in text
    assert text[0].islower()
    assert not text.endswith(".")


def test_every_error_has_an_example() -> None:
    """A new error must join the list above."""
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__)


def test_conditions_are_trios_own_where_the_meaning_is_the_same() -> None:
    """Code written for trio's channels handles ours."""
    assert issubclass(errors.MailboxFull, trio.WouldBlock)
    assert issubclass(errors.MailboxClosed, trio.ClosedResourceError)
    assert issubclass(errors.ChannelClosed, trio.EndOfChannel)
    assert issubclass(errors.AlreadyClosed, trio.ClosedResourceError)


def test_kernel_exports_every_error_and_sorted_names() -> None:
    """`actors.runtime` is where others import from."""
    assert runtime.__all__ == sorted(runtime.__all__)
    assert set(errors.__all__) <= set(runtime.__all__)
    assert all(hasattr(runtime, name) for name in runtime.__all__)
