"""Errors of the pool."""

import copy
import pickle

import pytest

from actors.workers import errors
from actors.workers.errors import (
    AdoptFailed,
    NotSavedYet,
    NoWorkers,
    PoolDraining,
    PoolError,
    PoolFailed,
    ReleaseFailed,
    WorkerDied,
    WorkerLost,
    WorkerNotStarted,
)
from messages.ids import ThreadId

T = ThreadId("01a1fad3-e9a3-77df-86ee-000000000001")

TEXTS = {
    WorkerLost(3, 77): (
        "worker 3 (pid 77) has died; another worker goes on with its threads, ask again"
    ),
    WorkerLost(3, 78, begun=True): (
        "worker 3 (pid 78) has died; another worker goes on with its threads, ask again"
    ),
    WorkerDied(3, 77, "was killed by SIGKILL"): "worker 3 (pid 77) was killed by SIGKILL",
    WorkerNotStarted(3, "no room"): "worker 3 did not start: no room",
    AdoptFailed(3, T, "it is ephemeral"): (
        f"worker 3 cannot go on with thread {T}: it is ephemeral"
    ),
    ReleaseFailed(3, T, "it is not here"): (
        f"worker 3 cannot let go of thread {T}: it is not here"
    ),
    NotSavedYet(3, T, "the disk is full"): (
        f"worker 3 cannot let go of thread {T}: the disk is full"
    ),
    NoWorkers(2): "none of 2 workers is up; try again in a moment",
    PoolDraining(): "the pool is shutting down; start a new one, it goes on with the threads",
    PoolFailed(2, 10, 60.0, "worker 9 (pid 77) has ended"): (
        "the pool gave up: each of its 2 workers died more often than 10 times within 60 s; "
        "the last one: worker 9 (pid 77) has ended"
    ),
}


@pytest.mark.parametrize("error", TEXTS, ids=lambda error: type(error).__name__)
def test_each_error_says_who_what_and_the_way_out(error: PoolError) -> None:
    """In one line."""
    assert str(error) == TEXTS[error]


@pytest.mark.parametrize("error", TEXTS, ids=lambda error: type(error).__name__)
def test_each_error_survives_being_copied_and_pickled(error: PoolError) -> None:
    """With all its fields."""
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert other.__dict__ == error.__dict__
        assert str(other) == str(error)


def test_every_error_is_one_of_these() -> None:
    """No class without a test."""
    tested = {type(error).__name__ for error in TEXTS} | {"PoolError"}

    assert tested == set(errors.__all__)
