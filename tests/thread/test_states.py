"""The tables of states: every pair is allowed or refused, and ends are final."""

import itertools

import pytest

from actors.thread.errors import InvalidTransition
from actors.thread.states import (
    THREAD_MOVES,
    TURN_MOVES,
    ThreadState,
    TurnPhase,
    TurnProgress,
    next_state,
    status_after,
)
from messages.events import (
    Completed,
    Errored,
    ErrorEvent,
    ShutdownComplete,
    StatusKind,
    TurnAborted,
    TurnAbortReason,
    TurnComplete,
    TurnStarted,
    WarningEvent,
)
from messages.ids import TurnId

TURN = TurnId("t1")


@pytest.mark.parametrize(("before", "after"), list(itertools.product(ThreadState, ThreadState)))
def test_thread_moves_as_its_table_says_over_all_pairs(
    before: ThreadState, after: ThreadState
) -> None:
    """Staying is allowed, a listed move happens, any other raises."""
    if after is before or after in THREAD_MOVES[before]:
        assert next_state(before, after) is after
    else:
        with pytest.raises(InvalidTransition, match=before.value):
            next_state(before, after)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TurnPhase, TurnPhase)))
def test_turn_moves_as_its_table_says_over_all_pairs(before: TurnPhase, after: TurnPhase) -> None:
    """A refused move leaves the phase as it was."""
    progress = TurnProgress(before)

    if after is before or after in TURN_MOVES[before]:
        progress.move(after)
        assert progress.phase is after
    else:
        with pytest.raises(InvalidTransition):
            progress.move(after)
        assert progress.phase is before


def test_every_state_has_a_row_and_ends_have_no_way_out() -> None:
    """The tables are total, and what has ended stays so."""
    assert set(THREAD_MOVES) == set(ThreadState)
    assert set(TURN_MOVES) == set(TurnPhase)
    assert {s for s, moves in THREAD_MOVES.items() if not moves} == {
        ThreadState.CLOSED,
        ThreadState.FAILED,
    }
    assert {p for p in TurnPhase if TurnProgress(p).ended} == {
        p for p, moves in TURN_MOVES.items() if not moves
    }


def test_every_living_thread_can_be_closed() -> None:
    """Cancellation may come in any state."""
    living = [state for state, moves in THREAD_MOVES.items() if moves]

    assert all(ThreadState.CLOSED in THREAD_MOVES[state] for state in living)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (TurnStarted(turn_id=TURN), StatusKind.RUNNING),
        (TurnComplete(turn_id=TURN, last_agent_message="hi"), Completed(completed="hi")),
        (TurnComplete(turn_id=TURN), Completed(completed=None)),
        (TurnAborted(reason=TurnAbortReason.INTERRUPTED), Errored(errored="Interrupted")),
        (TurnAborted(reason=TurnAbortReason.REPLACED), Errored(errored="Replaced")),
        (TurnAborted(reason=TurnAbortReason.REVIEW_ENDED), Errored(errored="ReviewEnded")),
        (ErrorEvent(message="oh"), Errored(errored="oh")),
        (ShutdownComplete(), StatusKind.SHUTDOWN),
        (WarningEvent(message="hm"), None),
    ],
)
def test_status_follows_from_the_event(event: object, status: object) -> None:
    """The table of the dossier, row by row."""
    assert status_after(event) == status  # type: ignore[arg-type]
