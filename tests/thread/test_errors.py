"""Errors of threads: each says who, what and the way out, and survives pickling."""

import pickle
from pathlib import Path

import pytest

from actors import supervisor
from actors.supervisor import HomeError, ThreadAlreadyLoaded, ThreadNotFound
from actors.thread import errors
from actors.thread.errors import (
    InvalidTransition,
    NoActiveTurn,
    SteerError,
    SteerInputEmpty,
    ThreadClosed,
    ThreadError,
    TurnFailed,
    TurnInputFull,
    TurnMismatch,
)
from messages.events import CodexErrorCode
from messages.ids import ThreadId, TurnId

EXAMPLES: dict[ThreadError, str] = {
    ThreadClosed(ThreadId("t")): (
        "thread t has ended and takes no more submissions; resume it from its rollout to go on"
    ),
    InvalidTransition("thread", "idle", "starting"): (
        "a thread cannot go from 'idle' to 'starting'"
    ),
    TurnFailed("no", CodexErrorCode.OTHER): "no",
    SteerInputEmpty(): "there is nothing to steer with: the input is empty; send at least one item",
    NoActiveTurn(): "no turn is running that input could join; submit it to start one",
    TurnMismatch(TurnId("a"), TurnId("b")): "expected turn a to be running, but b is",
    TurnInputFull(TurnId("a"), 64): (
        "turn a has 64 inputs waiting for its next model request already; send this again later"
    ),
    ThreadNotFound(ThreadId("t")): "no thread with id: t",
    ThreadAlreadyLoaded(ThreadId("t")): (
        "thread t is already loaded; use get_thread() to reach it"
    ),
    HomeError(Path("/x"), "it is a file"): (
        "cannot keep threads in '/x': it is a file; choose another home"
    ),
}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_error_says_what_is_wrong_and_survives_a_pickle(error: ThreadError) -> None:
    """With all its fields."""
    again = pickle.loads(pickle.dumps(error))

    assert str(error) == EXAMPLES[error]
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_every_error_has_an_example() -> None:
    """But the bases."""
    named = {getattr(errors, name) for name in errors.__all__}
    named |= {
        value
        for name in supervisor.__all__
        if isinstance(value := getattr(supervisor, name), type) and issubclass(value, ThreadError)
    }

    assert {type(error) for error in EXAMPLES} == named - {ThreadError, SteerError}
