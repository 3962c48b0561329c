"""What is kept of a thread, over every class of record."""

from typing import get_args

import pytest

from actors.rollout import PersistMode, persisted
from actors.rollout.policy import kept_whole
from messages.events import EventMsg, ExecCommandEnd, ItemCompleted
from messages.ids import ThreadId, TurnId
from messages.items import ResponseItem
from messages.rollout import RolloutItem
from messages.turn_items import (
    AgentMessageItem,
    ContextCompactionItem,
    PlanItem,
    ReasoningTurnItem,
    TurnItem,
    UnknownTurnItem,
    UserMessageItem,
)

from .samples import command_end

# As the dossier lists them; whatever is not named here is never kept.
LIMITED_EVENTS = {
    "UserMessage",
    "AgentMessage",
    "AgentReasoning",
    "AgentReasoningRawContent",
    "TokenCount",
    "ContextCompacted",
    "EnteredReviewMode",
    "ExitedReviewMode",
    "ThreadRolledBack",
    "UndoCompleted",
    "TurnAborted",
    "TurnStarted",
    "TurnComplete",
    "UnknownEvent",  # carried along; see P4
}
EXTENDED_EVENTS = LIMITED_EVENTS | {
    "ErrorEvent",
    "WebSearchEnd",
    "PatchApplyEnd",
    "McpToolCallEnd",
    "ViewImageToolCall",
    "CollabAgentSpawnEnd",
    "CollabAgentInteractionEnd",
    "CollabWaitingEnd",
    "CollabCloseEnd",
    "CollabResumeEnd",
}
SPECIAL = {"ItemCompleted", "ExecCommandEnd"}


@pytest.mark.parametrize("cls", get_args(RolloutItem), ids=lambda cls: cls.__name__)
def test_every_class_is_kept_or_dropped_as_the_table_says(cls: type[RolloutItem]) -> None:
    """No class is forgotten, in either mode, and what is kept is kept unchanged."""
    item = cls.__new__(cls)  # only the class counts
    if cls.__name__ in SPECIAL:
        return
    is_event = cls in get_args(EventMsg)

    limited, extended = (persisted(item, mode) for mode in PersistMode)

    assert limited is (item if not is_event or cls.__name__ in LIMITED_EVENTS else None)
    assert extended is (item if not is_event or cls.__name__ in EXTENDED_EVENTS else None)


def test_table_names_only_classes_that_exist() -> None:
    """A renamed event does not fall out of the test above."""
    names = {cls.__name__ for cls in get_args(EventMsg)}
    assert names >= EXTENDED_EVENTS | SPECIAL
    assert not set(get_args(EventMsg)) & set(get_args(ResponseItem))


@pytest.mark.parametrize("mode", PersistMode)
def test_completed_items_are_kept_only_when_they_are_plans(mode: PersistMode) -> None:
    """All other completed items can be told from other records."""
    plan = PlanItem(id="p", text="first this, then that")
    others: list[TurnItem] = [
        UserMessageItem(id="u", content=()),
        AgentMessageItem(id="a", content=()),
        ReasoningTurnItem(id="r", summary_text=()),
        ContextCompactionItem(id="c"),
    ]

    def event(item: TurnItem) -> ItemCompleted:
        return ItemCompleted(thread_id=ThreadId("t"), turn_id=TurnId("1"), item=item)

    unknown = UnknownTurnItem(tag="Dream", raw={"type": "Dream"})

    assert persisted(event(plan), mode) == event(plan)
    assert persisted(event(unknown), mode) == event(unknown)  # out of a file; carried along
    assert [persisted(event(item), mode) for item in others] == [None] * len(others)


def test_end_of_a_command_is_dropped_when_limited() -> None:
    """A limited rollout does not show commands."""
    assert persisted(command_end("out"), PersistMode.LIMITED) is None


@pytest.mark.parametrize("size", [0, 9_999, 10_000])
def test_extended_keeps_a_commands_output_up_to_its_limit(size: int) -> None:
    """Only the aggregated output is kept, and whole up to 10,000 bytes."""
    kept = persisted(command_end("x" * size), PersistMode.EXTENDED)

    expected = command_end("")
    assert type(kept) is type(expected)
    assert (kept.stdout, kept.stderr, kept.formatted_output) == ("", "", "")
    assert kept.aggregated_output == "x" * size
    assert kept.duration == expected.duration


def test_extended_cuts_the_middle_out_of_a_longer_output() -> None:
    """What is over 10,000 bytes loses its middle; the marker comes on top."""
    kept = persisted(command_end("a" * 5_000 + "-" + "z" * 5_000), PersistMode.EXTENDED)

    assert type(kept) is type(command_end(""))
    assert kept.aggregated_output == "a" * 5_000 + "…1 chars truncated…" + "z" * 5_000


@pytest.mark.parametrize("mode", PersistMode)
def test_classes_that_are_kept_whole_are_those_that_no_rule_looks_into(mode: PersistMode) -> None:
    """Whoever asks for classes instead of items comes to the same."""
    whole = kept_whole(mode)
    for cls in get_args(RolloutItem):
        looked_into = cls in (ItemCompleted, *([ExecCommandEnd] * (mode is PersistMode.EXTENDED)))
        item = object.__new__(cls)
        assert (cls in whole) is (not looked_into and persisted(item, mode) is item)
