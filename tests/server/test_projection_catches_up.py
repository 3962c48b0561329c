"""What clients are told of when events were lost."""

from typing import Any

import attrs
import pytest

from messages import events
from messages.events import Completed, Errored
from messages.ids import CallId

from .outgoing import outline
from .projection_stage import ASK, BEGIN, TURN, Fed, in_turn, snapshot

WARN = events.WarningEvent(message="w")


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Completed(completed=None), "completed"),
        (Errored(errored="Interrupted"), "interrupted"),
        (Errored(errored="no model"), "failed"),
    ],
)
def test_turn_whose_end_was_lost_ends_when_that_is_sure(status: Any, end: str) -> None:
    """As the thread's status says it went."""
    fed = in_turn()
    fed.projection.lagged(snapshot(13, status=status))
    fed.seq = 10

    assert outline(fed.take(WARN)) == ["warning w"]
    told = outline(fed.take(WARN))

    assert told[0] == "warning w"
    assert told[-1] == f"turn/completed {end}"


def test_turn_whose_start_was_lost_begins_with_its_next_event() -> None:
    """And the one before it has ended then, too."""
    fed = in_turn()
    fed.projection.lagged(snapshot(20, "v"))
    fed.seq = 10

    assert outline(fed.take(BEGIN, of="v")) == [
        "status idle",
        "turn/completed completed",
        "status active",
        "turn/started inProgress",
        "item/started commandExecution inProgress",
    ]


def test_questions_that_were_lost_are_asked_and_answered_ones_withdrawn() -> None:
    """Otherwise a turn would wait for ever."""
    fed = in_turn()
    fed.take(ASK)
    other = attrs.evolve(ASK, call_id=CallId("d"))
    fed.projection.lagged(snapshot(12, TURN, questions=(other,)))
    fed.seq = 10

    assert outline(fed.take(WARN)) == [
        "warning w",
        "resolved c",
        "status active",
        "item/started commandExecution inProgress",
        "status active waitingOnApproval",
        "[REQ] item/commandExecution/requestApproval d",
    ]


def test_turn_that_began_and_ended_unseen_is_told_with_its_end() -> None:
    """Whoever started it waits for that."""
    assert outline(Fed().take(events.TurnComplete(turn_id=TURN))) == [
        "status active",
        "turn/started inProgress",
        "status idle",
        "turn/completed completed",
    ]
