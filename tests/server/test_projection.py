"""Events of turns to notifications: how they begin, fail and end, and what they used."""

from typing import Any

import attrs
import pytest

from messages import events
from messages.codec import to_json
from messages.ids import TurnId

from .outgoing import outline
from .projection_stage import ASK, TURN, Fed, in_turn, said


def test_turn_begins_and_ends_with_status_and_times() -> None:
    """Nothing is said of its items, which clients have."""
    fed = Fed()

    [active, started] = fed.take(events.TurnStarted(turn_id=TURN))
    [idle, completed] = fed.take(events.TurnComplete(turn_id=TURN))

    turn = {
        "id": "u",
        "items": [],
        "itemsView": "notLoaded",
        "error": None,
        "rootTurnId": None,
        "startedAt": 1_800_000_000,
        "status": "inProgress",
        "completedAt": None,
        "durationMs": None,
    }
    done = {**turn, "status": "completed", "completedAt": 1_800_000_000, "durationMs": 0}
    assert said([active, started, idle, completed]) == [
        (
            "thread/status/changed",
            {"threadId": "t", "status": {"type": "active", "activeFlags": []}},
        ),
        ("turn/started", {"threadId": "t", "turn": turn}),
        ("thread/status/changed", {"threadId": "t", "status": {"type": "idle"}}),
        ("turn/completed", {"threadId": "t", "turn": done}),
    ]


def test_usage_and_limits_are_told_when_they_are_news() -> None:
    """The thread repeats the one when the other changes."""
    fed = in_turn()
    usage = events.TokenUsage(input_tokens=3, output_tokens=4, total_tokens=7)
    info = events.TokenUsageInfo(
        total_token_usage=usage, last_token_usage=usage, model_context_window=100
    )
    limits = events.RateLimitSnapshot(
        primary=events.RateLimitWindow(used_percent=12.6, window_minutes=5, resets_at=9),
        credits=events.CreditsSnapshot(has_credits=True, unlimited=False, balance="1"),
    )

    first = said(fed.take(events.TokenCount(rate_limits=limits)))
    second = said(fed.take(events.TokenCount(info=info, rate_limits=limits)))

    assert [method for method, _ in first] == ["account/rateLimits/updated"]
    assert first[0][1]["rateLimits"]["primary"] == {
        "usedPercent": 13,
        "windowDurationMins": 5,
        "resetsAt": 9,
    }
    [(method, body)] = second
    assert method == "thread/tokenUsage/updated"
    assert body["turnId"] == "u"
    assert body["tokenUsage"]["total"]["totalTokens"] == 7
    assert body["tokenUsage"]["modelContextWindow"] == 100
    assert fed.take(events.TokenCount(info=info, rate_limits=limits)) == ()
    assert fed.projection.last_usage is not None


def test_limits_of_which_nothing_is_known_are_not_told() -> None:
    """A provider that refuses without numbers says only whose limits they are."""
    fed = in_turn()
    limits = events.RateLimitSnapshot(limit_id="codex")
    known = attrs.evolve(limits, plan_type="pro")

    unknown = fed.take(events.TokenCount(rate_limits=limits))
    told = [fed.take(events.TokenCount(rate_limits=each)) for each in (known, limits)]

    assert unknown == ()
    assert [len(each) for each in told] == [1, 1]


@pytest.mark.parametrize(
    ("info", "written"),
    [
        (None, None),
        (events.CodexErrorCode.CONTEXT_WINDOW_EXCEEDED, "contextWindowExceeded"),
        (events.CodexErrorCode.OTHER, "other"),
        (
            events.HttpConnectionFailed(http_status_code=401),
            {"httpConnectionFailed": {"httpStatusCode": 401}},
        ),
        (
            events.ResponseStreamConnectionFailed(),
            {"responseStreamConnectionFailed": {"httpStatusCode": None}},
        ),
        (
            events.ResponseStreamDisconnected(),
            {"responseStreamDisconnected": {"httpStatusCode": None}},
        ),
        (
            events.ResponseTooManyFailedAttempts(http_status_code=429),
            {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
        ),
    ],
    ids=str,
)
def test_error_says_for_programs_what_it_was(info: Any, written: object) -> None:
    """And the turn fails with the identical error."""
    fed = in_turn()

    told = fed.take(
        events.ErrorEvent(message="m", codex_error_info=info), events.TurnComplete(turn_id=TURN)
    )

    error = {"message": "m", "codexErrorInfo": written, "additionalDetails": None}
    assert outline(told) == ["status systemError", "error final: m", "turn/completed failed"]
    bodies = [body for _, body in said(told)]
    assert bodies[1]["error"] | error == bodies[1]["error"] == bodies[2]["turn"]["error"]


def test_last_error_counts_and_a_stop_outweighs_it() -> None:
    """An interrupted turn has no error."""
    fed = in_turn()
    fed.take(events.ErrorEvent(message="one"), events.ErrorEvent(message="two"))

    [completed] = fed.take(events.TurnComplete(turn_id=TURN))
    fed.take(events.TurnStarted(turn_id=TurnId("v")), of="v")
    fed.take(events.ErrorEvent(message="three"), of="v")
    told = fed.take(
        events.TurnAborted(reason=events.TurnAbortReason.INTERRUPTED, turn_id=TurnId("v")), of="v"
    )

    assert to_json(completed)["turn"]["error"]["message"] == "two"  # type: ignore[index]
    assert outline(told) == ["status idle", "turn/completed interrupted"]
    assert to_json(told[-1])["turn"]["error"] is None  # type: ignore[index]


def test_refused_submission_fails_no_turn() -> None:
    """It is told under its own id; that a rollback failed is told by its answer."""
    fed = in_turn()

    told = fed.take(events.ErrorEvent(message="no"), of="other")
    nothing = fed.take(
        events.ErrorEvent(
            message="no", codex_error_info=events.CodexErrorCode.THREAD_ROLLBACK_FAILED
        )
    )

    assert outline(told) == ["error final: no"]
    assert to_json(told[0])["turnId"] == "other"  # type: ignore[index]
    assert nothing == ()
    assert outline(fed.take(events.TurnComplete(turn_id=TURN)))[-1] == "turn/completed completed"


def test_thread_that_ends_leaves_nothing_open() -> None:
    """A turn is told as interrupted, and its questions as withdrawn."""
    fed = in_turn()
    fed.take(ASK)
    assert [item.id for item in fed.projection.open_items()] == ["c"]  # type: ignore[union-attr]

    told = fed.projection.close()

    assert outline(told) == ["status idle", "turn/completed interrupted", "resolved c"]
    assert fed.projection.close() == ()
    assert fed.projection.turn_id is None


# When events are lost ---------------------------------------------------------


def test_turn_that_begins_before_the_last_one_ended_ends_that() -> None:
    """One runs at a time; its start is told once."""
    fed = in_turn()

    assert fed.take(events.TurnStarted(turn_id=TURN)) == ()
    assert outline(fed.take(events.TurnStarted(turn_id=TurnId("v")), of="v")) == [
        "status idle",
        "turn/completed interrupted",
        "status active",
        "turn/started inProgress",
    ]
