"""Replaying a rollout into the history, and what a crash left open."""

from actors.rollout import (
    SUMMARY_PREFIX,
    build_compacted_history,
    collect_user_messages,
    history_item,
    is_response_item,
    is_summary,
    missing_turn_ends,
    reconstruct,
)
from actors.rollout.reconstruction import COMPACTED_USER_TOKENS
from messages.content import InputText
from messages.events import TurnAborted, TurnAbortReason
from messages.ids import TurnId
from messages.items import (
    CustomToolCallOutput,
    FunctionCallOutput,
    GhostCommit,
    GhostSnapshot,
    Message,
    ReasoningItem,
    UnknownItem,
)
from messages.rollout import CompactedItem, RolloutItem, UnknownRecord
from messages.settings import TruncationMode, TruncationPolicy

from .samples import (
    POLICY,
    assistant,
    completed,
    meta,
    rolled_back,
    said,
    started,
    turn_context,
    user,
)

CONTEXT = (user("<environment_context>"),)
SUMMARY = f"{SUMMARY_PREFIX}\nall that happened"


def replay(*items: RolloutItem) -> list[object]:
    return list(reconstruct(items, initial_context=CONTEXT, policy=POLICY))


def interrupted(turn: str) -> TurnAborted:
    return TurnAborted(reason=TurnAbortReason.INTERRUPTED, turn_id=TurnId(turn))


def test_response_items_are_replayed_and_nothing_else() -> None:
    """Metas, contexts, events and unknown records are no history."""
    assert replay(
        meta(),
        CONTEXT[0],
        started("t"),
        user("a"),
        said("a"),
        turn_context("m"),
        ReasoningItem(),
        assistant("b"),
        completed("t"),
        UnknownRecord(kind="future", payload={}),
    ) == [CONTEXT[0], user("a"), ReasoningItem(), assistant("b")]


def test_history_leaves_out_system_messages_and_unknown_items() -> None:
    """They stay in the rollout."""
    system = Message(role="system", content=())
    unknown = UnknownItem(tag="x", raw={"type": "x"})
    assert history_item(system, POLICY) is None
    assert history_item(unknown, POLICY) is None
    assert replay(system, unknown, user("a")) == [user("a")]


def test_outputs_are_cut_with_a_fifth_more_than_the_policy() -> None:
    """Functions and custom tools alike; what fits is the very same item."""
    policy = TruncationPolicy(mode=TruncationMode.BYTES, limit=10)
    fits = FunctionCallOutput(call_id="c", output="x" * 12)
    custom = CustomToolCallOutput(call_id="c", output=(InputText(text="x" * 13),))

    assert history_item(fits, policy) is fits
    assert history_item(FunctionCallOutput(call_id="c", output="x" * 13), policy) == (
        FunctionCallOutput(call_id="c", output="xxxxxx…1 chars truncated…xxxxxx")
    )
    assert history_item(custom, policy) == CustomToolCallOutput(
        call_id="c", output=(InputText(text="xxxxxx…1 chars truncated…xxxxxx"),)
    )


def test_compaction_with_its_history_is_taken_verbatim() -> None:
    """Whatever is in it, also stale context."""
    replacement = (Message(role="developer", content=()), user("summary"))
    compacted = CompactedItem(message="", replacement_history=replacement)
    assert replay(user("a"), compacted, user("b")) == [*replacement, user("b")]
    assert replay(user("a"), CompactedItem(message="", replacement_history=())) == []


def test_compaction_without_its_history_is_rebuilt() -> None:
    """The present context, what the user said, and the summary; twice gives no double summary."""
    ghost = GhostSnapshot(ghost_commit=GhostCommit(id="g"))
    compacted = CompactedItem(message=SUMMARY)

    once = replay(user("<environment_context>old"), user("a"), ghost, assistant("b"), compacted)
    assert once == [*CONTEXT, user("a"), user(SUMMARY)]

    again = replay(user("a"), compacted, user("b"), assistant("c"), compacted)
    assert again == [*CONTEXT, user("a"), user("b"), user(SUMMARY)]


def test_rollback_after_a_compaction_takes_the_last_user_messages() -> None:
    """A summary counts as one."""
    compacted = CompactedItem(message=SUMMARY)
    items = (user("a"), compacted, user("b"), assistant("c"))
    assert replay(*items, rolled_back(1)) == [*CONTEXT, user("a"), user(SUMMARY)]
    assert replay(*items, rolled_back(2)) == [*CONTEXT, user("a")]


def test_summaries_are_recognised_ours_and_codexs() -> None:
    """By their beginning, in files of both."""
    assert is_summary(SUMMARY)
    assert not is_summary(SUMMARY_PREFIX)
    assert is_summary("Another language model started to solve this problem and so on")
    assert not is_summary("Another question")
    messages = [user("a"), user(SUMMARY), assistant("b"), user(""), user("<turn_aborted>")]
    assert collect_user_messages(messages) == ["a"]


def test_compacted_history_keeps_the_latest_messages_that_fit() -> None:
    """The budget is spent from the end; the first that does not fit is cut, the rest is gone."""
    half = "x" * (COMPACTED_USER_TOKENS // 2 * 4)

    def texts(*messages: str, summary: str = "s") -> list[str]:
        history = build_compacted_history((), messages, summary)
        parts = [part for item in history if isinstance(item, Message) for part in item.content]
        return [part.text for part in parts if isinstance(part, InputText)]

    assert texts() == ["s"]
    assert texts(summary="") == ["(no summary available)"]
    assert texts("a", "b") == ["a", "b", "s"]
    assert texts("gone", half, half) == [half, half, "s"]
    assert texts("gone", "y" + half, half) == [
        "y" + half[: len(half) // 2 - 1] + "…1 tokens truncated…" + half[: len(half) // 2],
        half,
        "s",
    ]


def test_every_turn_that_began_gets_exactly_one_end() -> None:
    """Turns that ended need none; those that did not are interrupted, oldest first."""
    assert missing_turn_ends(()) == ()
    assert missing_turn_ends((started("1"), completed("1"))) == ()
    assert missing_turn_ends((started("1"), interrupted("1"))) == ()
    assert missing_turn_ends((started("1"), user("a"))) == (interrupted("1"),)
    assert missing_turn_ends((started("1"), started("2"), completed("1"), started("3"))) == (
        interrupted("2"),
        interrupted("3"),
    )
    ends = missing_turn_ends((started("1"),))
    assert missing_turn_ends((started("1"), *ends)) == ()


def test_ends_under_another_name_end_the_running_turn() -> None:
    """Old files lack the id; in Codex's reviews the end has another one."""
    nameless = TurnAborted(reason=TurnAbortReason.INTERRUPTED)
    assert missing_turn_ends((started("1"), started("2"), nameless)) == (interrupted("1"),)
    assert missing_turn_ends((nameless,)) == ()
    assert missing_turn_ends((started("1"), completed("review"))) == ()
    assert missing_turn_ends((started("1"), completed("1"), started("2"), completed("1"))) == (
        interrupted("2"),
    )


def test_turns_before_a_rollback_need_no_end() -> None:
    """No turn runs while one is rolled back; an end now would hit another turn."""
    assert missing_turn_ends((started("1"), rolled_back(1))) == ()
    assert missing_turn_ends((started("1"), rolled_back(1), started("2"))) == (interrupted("2"),)


def test_response_items_are_told_from_other_records() -> None:
    """By their class alone."""
    assert is_response_item(user("a"))
    assert not is_response_item(said("a"))
    assert not is_response_item(meta())
