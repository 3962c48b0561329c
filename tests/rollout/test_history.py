"""What the three kinds of beginning say about a thread."""

from array import array
from pathlib import Path

from actors.rollout import ForkedHistory, LoadedRollout, NewHistory, ResumedHistory
from messages.events import TokenCount, TokenUsage, TokenUsageInfo
from messages.ids import ThreadId
from messages.rollout import BaseInstructions, RolloutItem
from messages.settings import DynamicToolSpec

from .samples import OTHER, THREAD, meta, said, turn_context, user

PATH = Path("/somewhere/rollout.jsonl")
TOOL = DynamicToolSpec(name="t", description="d", input_schema={})
INFO = TokenUsageInfo(
    total_token_usage=TokenUsage(total_tokens=7), last_token_usage=TokenUsage(total_tokens=3)
)
GRANDPARENT = ThreadId("0" * 8)
OWN = meta(cwd="/own")
PARENT = meta(
    OTHER,
    cwd="/parent",
    forked_from_id=GRANDPARENT,
    base_instructions=BaseInstructions(text="be kind"),
    dynamic_tools=(TOOL,),
)
ITEMS: tuple[RolloutItem, ...] = (
    OWN,
    PARENT,
    user("a"),
    said("a"),
    turn_context("model-a"),
    TokenCount(info=INFO),
    turn_context("model-b"),
    TokenCount(),
)


def test_new_thread_has_no_past() -> None:
    """Everything about it is nothing."""
    new = NewHistory()
    assert new.items == ()
    assert new.event_msgs is None
    assert new.forked_from_id is None
    assert new.session_cwd is None
    assert new.base_instructions is None
    assert new.dynamic_tools == ()
    assert new.last_model is None
    assert new.last_token_info is None


def test_resumed_thread_knows_its_past() -> None:
    """The first meta that has something counts; the last model and the last known usage."""
    resumed = ResumedHistory(items=ITEMS, thread_id=THREAD, path=PATH)

    assert resumed.event_msgs == (said("a"), TokenCount(info=INFO), TokenCount())
    assert resumed.forked_from_id == GRANDPARENT
    assert resumed.session_cwd == "/own"
    assert resumed.base_instructions == BaseInstructions(text="be kind")
    assert resumed.dynamic_tools == (TOOL,)
    assert resumed.last_model == "model-b"
    assert resumed.last_token_info == INFO
    assert "8 items" in repr(resumed)


def test_resumed_thread_of_a_rollout_carries_it_along() -> None:
    """What was read is what is resumed."""
    loaded = LoadedRollout(
        path=PATH, meta=OWN, items=(OWN,), offsets=array("Q", [0]), next_seq=1, size=1
    )
    assert ResumedHistory.of(loaded) == ResumedHistory(
        items=(OWN,), thread_id=THREAD, path=PATH, loaded=loaded
    )


def test_fork_comes_from_the_first_thread_it_holds() -> None:
    """Its parent is whose items these are, also when it takes none of them."""
    loaded = LoadedRollout(path=PATH, meta=OWN, items=ITEMS, offsets=array("Q"), next_seq=1, size=1)
    assert ForkedHistory(items=ITEMS).forked_from_id == THREAD
    assert ForkedHistory(items=(), source=loaded).forked_from_id == THREAD
    assert ForkedHistory(items=()).forked_from_id is None
    assert ForkedHistory(items=ITEMS).event_msgs == (
        said("a"),
        TokenCount(info=INFO),
        TokenCount(),
    )
    assert ForkedHistory(items=()).event_msgs == ()
