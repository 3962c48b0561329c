"""Events about a thread as a whole to notifications, and those that nobody is told of."""

import pytest

from messages import events
from messages.events import EventMsg
from messages.turn_items import UnknownTurnItem

from .projection_stage import TURN, Fed, T, in_turn, said

NOTES: list[tuple[EventMsg, str, dict[str, object]]] = [
    (
        events.PlanUpdate(plan=(events.PlanStep(step="s", status=events.StepStatus.IN_PROGRESS),)),
        "turn/plan/updated",
        {"turnId": "u", "explanation": None, "plan": [{"step": "s", "status": "inProgress"}]},
    ),
    (events.TurnDiff(unified_diff="d"), "turn/diff/updated", {"turnId": "u", "diff": "d"}),
    (events.ContextCompacted(), "thread/compacted", {"turnId": "u"}),
    (events.WarningEvent(message="w"), "warning", {"message": "w"}),
    (
        events.ModelReroute(from_model="a", to_model="b", reason="high_risk_cyber_activity"),
        "model/rerouted",
        {"turnId": "u", "fromModel": "a", "toModel": "b", "reason": "highRiskCyberActivity"},
    ),
    (
        events.ModelReroute(from_model="a", to_model="b", reason="odd"),
        "warning",
        {"message": "b answers instead of a: odd"},
    ),
    (
        events.McpStartupUpdate(
            server="s",
            status=events.McpStartupState(state=events.McpStartupStateKind.READY),
        ),
        "mcpServer/startupStatus/updated",
        {"name": "s", "status": "ready", "error": None},
    ),
    (
        events.McpStartupUpdate(server="s", status=events.McpStartupFailed(error="e")),
        "mcpServer/startupStatus/updated",
        {"name": "s", "status": "failed", "error": "e"},
    ),
]


@pytest.mark.parametrize(("msg", "method", "body"), NOTES, ids=lambda value: str(value)[:30])
def test_event_about_the_thread_is_told(
    msg: EventMsg, method: str, body: dict[str, object]
) -> None:
    """With its thread."""
    [(told, params)] = said(in_turn().take(msg))

    assert told == method
    assert params | {"threadId": "t"} | body == params


def test_notices_about_everything_name_no_thread() -> None:
    """Skills and deprecations."""
    told = Fed().take(
        events.SkillsUpdateAvailable(), events.DeprecationNotice(summary="s", details="d")
    )

    assert said(told) == [
        ("skills/changed", {}),
        ("deprecationNotice", {"summary": "s", "details": "d"}),
    ]


@pytest.mark.parametrize(
    "msg",
    [
        events.ShutdownComplete(),
        events.BackgroundEvent(message="b"),
        events.UndoStarted(),
        events.UndoCompleted(success=True),
        events.ThreadRolledBack(num_turns=1),
        events.McpStartupComplete(),
        events.UserMessage(message="m"),
        events.AgentMessage(message="m"),
        events.AgentReasoning(text="t"),
        events.ListSkillsResponse(skills=()),
        events.UnknownEvent(tag="odd", raw={}),
        events.ItemStarted(
            thread_id=T, turn_id=TURN, item=UnknownTurnItem(tag="Odd", raw={"type": "Odd"})
        ),
    ],
    ids=str,
)
def test_event_that_is_no_business_of_clients_is_not_told(msg: EventMsg) -> None:
    """Or that says again what an item said."""
    assert in_turn().take(msg) == ()
