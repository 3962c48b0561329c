"""Counting tokens, and the older forms of events."""

import pytest

from actors.thread.legacy import legacy_events
from actors.thread.usage import Usage, estimated_tokens
from messages.codec import encode
from messages.content import ByteRange, ImageInput, LocalImageInput, TextElement, TextInput
from messages.events import (
    AgentMessage,
    AgentMessageContentDelta,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContentDelta,
    CreditsSnapshot,
    EventMsg,
    ItemCompleted,
    ItemStarted,
    RateLimitSnapshot,
    ReasoningContentDelta,
    ReasoningRawContentDelta,
    TokenUsage,
    TokenUsageInfo,
    UserMessage,
    WarningEvent,
    WebSearchBegin,
    WebSearchEnd,
)
from messages.ids import CallId, ThreadId, TurnId
from messages.items import Compaction, GhostCommit, GhostSnapshot, ReasoningItem, SearchAction
from messages.turn_items import (
    AgentMessageItem,
    AgentText,
    PlanItem,
    ReasoningTurnItem,
    TurnItem,
    UserMessageItem,
    WebSearchItem,
)

IDS = {"thread_id": ThreadId("t"), "turn_id": TurnId("u")}


def tokens(total: int) -> TokenUsage:
    return TokenUsage(
        input_tokens=total,
        cached_input_tokens=1,
        output_tokens=2,
        reasoning_output_tokens=3,
        total_tokens=total,
    )


def test_totals_grow_and_a_known_window_stays() -> None:
    """A response that does not say how large the window is changes nothing."""
    usage = Usage()
    usage.add(tokens(10), 1000)
    usage.add(tokens(5), None)

    assert usage.info == TokenUsageInfo(
        total_token_usage=TokenUsage(
            input_tokens=15,
            cached_input_tokens=2,
            output_tokens=4,
            reasoning_output_tokens=6,
            total_tokens=15,
        ),
        last_token_usage=tokens(5),
        model_context_window=1000,
    )


def test_window_of_a_new_count_may_be_unknown() -> None:
    """None is the honest answer."""
    usage = Usage()
    usage.add(tokens(10), None)

    assert usage.info is not None
    assert usage.info.model_context_window is None


def test_full_window_counts_what_was_missing_as_last() -> None:
    """Also when nothing was counted before."""
    fresh, used = Usage(), Usage()
    used.add(tokens(90), 100)

    fresh.fill(100)
    used.fill(100)

    assert fresh.info is not None
    assert used.info is not None
    assert fresh.info.last_token_usage.total_tokens == 100
    assert used.info.last_token_usage.total_tokens == 10
    assert used.info.total_token_usage == TokenUsage(total_tokens=100)


def test_limits_keep_what_a_new_snapshot_does_not_say() -> None:
    """Credits and plan; a missing name is Codex's."""
    usage = Usage()
    credit = CreditsSnapshot(has_credits=True, unlimited=False)
    usage.heard(RateLimitSnapshot(credits=credit, limit_id="x"))
    usage.heard(RateLimitSnapshot())

    assert usage.rate_limits == RateLimitSnapshot(credits=credit, limit_id="codex")


def test_estimate_is_a_token_for_four_bytes() -> None:
    """Rounded up; encrypted text counts less, snapshots nothing."""
    item = ReasoningItem()
    snapshot = GhostSnapshot(ghost_commit=GhostCommit(id="x"))

    assert estimated_tokens("12345", ()) == 2
    assert estimated_tokens("", (snapshot,)) == 0
    assert estimated_tokens("", (item,)) == -(-len(encode(item)) // 4)
    assert estimated_tokens("", (Compaction(encrypted_content="x" * 2000),)) == 213
    assert estimated_tokens("", (ReasoningItem(encrypted_content="x"),)) == 0


def started(item: TurnItem) -> ItemStarted:
    return ItemStarted(item=item, **IDS)


def completed(item: TurnItem) -> ItemCompleted:
    return ItemCompleted(item=item, **IDS)


SEARCH = WebSearchItem(id="w", query="q", action=SearchAction(query="q"))


@pytest.mark.parametrize(
    ("event", "older"),
    [
        (WarningEvent(message="x"), ()),
        (
            AgentMessageContentDelta(item_id="i", delta="d", **IDS),
            (AgentMessageDelta(delta="d"),),
        ),
        (
            ReasoningContentDelta(item_id="i", delta="d", summary_index=0, **IDS),
            (AgentReasoningDelta(delta="d"),),
        ),
        (
            ReasoningRawContentDelta(item_id="i", delta="d", content_index=0, **IDS),
            (AgentReasoningRawContentDelta(delta="d"),),
        ),
        (started(SEARCH), (WebSearchBegin(call_id=CallId("w")),)),
        (started(AgentMessageItem(id="a", content=())), ()),
        (
            completed(SEARCH),
            (WebSearchEnd(call_id=CallId("w"), query="q", action=SearchAction(query="q")),),
        ),
        (
            completed(AgentMessageItem(id="a", content=(AgentText(text="1"), AgentText(text="2")))),
            (AgentMessage(message="1"), AgentMessage(message="2")),
        ),
        (
            completed(ReasoningTurnItem(id="r", summary_text=("s",), raw_content=("raw",))),
            (AgentReasoning(text="s"),),
        ),
        (completed(PlanItem(id="p", text="x")), ()),
    ],
)
def test_older_forms_follow_the_table(event: EventMsg, older: tuple[EventMsg, ...]) -> None:
    """Row by row; most events have none."""
    assert legacy_events(event) == older


def test_user_message_joins_texts_and_moves_their_marks() -> None:
    """In UTF-8 bytes; the marked text is the placeholder if there is none."""
    first = TextInput(text="é", text_elements=(element(0, 2, None),))
    second = TextInput(text="see @a", text_elements=(element(4, 6, "file a"),))
    item = UserMessageItem(
        id="u",
        content=(
            first,
            ImageInput(image_url="u1"),
            second,
            LocalImageInput(path="/p.png"),
        ),
    )

    assert legacy_events(completed(item)) == (
        UserMessage(
            message="ésee @a",
            images=("u1",),
            local_images=("/p.png",),
            text_elements=(element(0, 2, "é"), element(6, 8, "file a")),
        ),
    )


def element(start: int, end: int, placeholder: str | None) -> TextElement:
    return TextElement(byte_range=ByteRange(start=start, end=end), placeholder=placeholder)
