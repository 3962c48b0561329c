"""Whole flows of a live thread: what its clients are told, and what reads back afterwards."""

import json

import trio
from trio.testing import MockClock

from actors.models import ContextWindowExceeded, InvalidRequest, StreamDisconnected
from messages.content import TextInput
from messages.events import (
    BaseBranchTarget,
    ErrorEvent,
    ThreadNameUpdated,
    ThreadRolledBack,
    TurnAborted,
)
from messages.ops import Compact, Interrupt, Review, ReviewRequest, SetThreadName, ThreadRollback
from messages.rpc.item_notifications import TurnCompletedNotification

from .flow_stage import BEGIN, END, SAID, USER, finish, same_read_back, shell
from .live import open_live


async def test_plain_turn_is_told_in_the_order_of_the_protocol(mock_clock: MockClock) -> None:
    """Status, turn, items with their pieces, usage, end."""
    async with open_live() as live:
        await live.say("hi")
        (await live.model.next_request()).think("hm").say("hel", "lo").complete(10)

        assert await live.turn() == [
            *BEGIN,
            "item/started reasoning",
            "item/completed reasoning",
            "item/started agentMessage",
            "item/agentMessage/delta 'hel'",
            "item/agentMessage/delta 'lo'",
            "item/completed agentMessage",
            "usage 10",
            *END,
        ]
        same_read_back(live)


async def test_compaction_is_a_turn_with_its_item(mock_clock: MockClock) -> None:
    """The deprecated notification follows the item, for those who know only that."""
    async with open_live() as live:
        await live.say("hi")
        await finish(live)
        await live.turn()
        await live.do(Compact())
        (await live.model.next_request()).say("summary").complete(7)
        told = await live.turn()

        assert told[:4] == [
            "status active",
            "turn/started inProgress",
            "item/started contextCompaction",
            "usage 7",
        ]
        assert told.count("item/completed contextCompaction") == 1
        assert told.index("thread/compacted") == told.index("item/completed contextCompaction") + 1
        assert told[-2:] == END
        same_read_back(live)


async def test_steered_input_is_another_message_of_the_same_turn(mock_clock: MockClock) -> None:
    """With the name that its client gave it."""
    async with open_live() as live:
        await live.say("hi")
        request = await live.model.next_request()
        content = (TextInput(text="more"),)
        live.projection.expect(content, "mine")
        await live.thread.steer_input(content)
        request.say("done").complete()
        await finish(live)

        assert await live.turn() == [*BEGIN, *SAID, *USER, *SAID, *END]
        [first, _, second, _] = live.live_turns()[0].items
        assert (first.client_id, second.client_id) == (None, "mine")  # type: ignore[union-attr]


async def test_review_is_told_under_the_turn_of_the_reviewed_thread(mock_clock: MockClock) -> None:
    """Its result as text twice: as the end of the review, and as a message."""
    finding = {
        "title": "Off by one",
        "body": "Lost.",
        "confidence_score": 0.9,
        "priority": 1,
        "code_location": {"absolute_file_path": "/a.py", "line_range": {"start": 1, "end": 2}},
    }
    output = {
        "findings": [finding],
        "overall_correctness": "patch is incorrect",
        "overall_explanation": "Bad.",
        "overall_confidence_score": 0.8,
    }
    async with open_live() as live:
        request = ReviewRequest(target=BaseBranchTarget(branch="main"))
        turn_id = await live.do(Review(review_request=request))
        first = await live.model.next_request()
        first.think("hm").say("Let me see.").call("shell", shell("true"), call_id="c1").complete()
        with trio.fail_after(10):
            (await live.model.next_request()).say(json.dumps(output)).complete()
            told = await live.turn()

        assert told == [
            "status active",
            "turn/started inProgress",
            "item/started enteredReviewMode",
            "item/completed enteredReviewMode",
            *USER,
            "item/started reasoning",
            "item/completed reasoning",
            "item/started commandExecution inProgress",
            "item/completed commandExecution completed",
            "item/started agentMessage",
            "item/completed agentMessage",
            "item/started exitedReviewMode",
            "item/completed exitedReviewMode",
            "item/started agentMessage",
            "item/completed agentMessage",
            *END,
        ]
        [turn] = live.live_turns()
        assert turn.id == turn_id
        assert turn.items[0].review == "changes against 'main'"  # type: ignore[union-attr]
        rendered = "Bad.\n\nReview comment:\n\n- Off by one — /a.py:1-2\n  Lost."
        assert turn.items[-2].review == rendered  # type: ignore[union-attr]
        assert turn.items[-1].text == rendered  # type: ignore[union-attr]
        same_read_back(live)


async def test_interrupted_review_is_left_before_the_turn_ends(mock_clock: MockClock) -> None:
    """With the words that say so."""
    async with open_live() as live:
        await live.say("hi")
        await finish(live)
        await live.turn()
        target = ReviewRequest(target=BaseBranchTarget(branch="main"))
        await live.do(Review(review_request=target))
        await live.model.next_request()
        await live.do(Interrupt())
        told = await live.turn()

        assert told[-6:] == [
            "item/started exitedReviewMode",
            "item/completed exitedReviewMode",
            "item/started agentMessage",
            "item/completed agentMessage",
            "status idle",
            "turn/completed interrupted",
        ]
        same_read_back(live)


async def test_failed_turn_ends_with_the_error_that_was_told(mock_clock: MockClock) -> None:
    """The identical error; retries are told before, and the turn goes on."""
    async with open_live() as live:
        await live.say("hi")
        (await live.model.next_request()).fail(StreamDisconnected("gone"))
        mock_clock.rate = 1000
        (await live.model.next_request()).fail(InvalidRequest("no such model"))
        told = await live.turn()

        assert told[4].startswith("error again: Reconnecting... 1/")
        assert told[5:] == [
            "status systemError",
            "error final: no such model",
            "turn/completed failed",
        ]
        ended = live.find(TurnCompletedNotification).turn
        assert ended.error == live.sent[-2].error  # type: ignore[union-attr]
        assert ended.items == ()
        same_read_back(live)


async def test_full_window_is_told_as_usage_before_the_error(mock_clock: MockClock) -> None:
    """Clients see that the window is full, and programs why the turn failed."""
    async with open_live() as live:
        await live.say("hi")
        (await live.model.next_request()).fail(ContextWindowExceeded("full"))
        told = await live.turn()

        assert told[4].startswith("usage ")
        assert told[-1] == "turn/completed failed"


async def test_name_rollback_and_refusals_are_told_outside_of_turns(
    mock_clock: MockClock,
) -> None:
    """A refused rollback is the answer to a request and no error of anybody's turn."""
    async with open_live() as live:
        await live.do(SetThreadName(name="Neu"))
        assert await live.until(ThreadNameUpdated) == ["name Neu"]
        await live.say("hi")
        request = await live.model.next_request()
        await live.do(ThreadRollback(num_turns=1))
        assert await live.until(ErrorEvent) == BEGIN
        request.say("done").complete(5)
        await live.turn()
        await live.do(ThreadRollback(num_turns=1))
        [usage] = await live.until(ThreadRolledBack)
        assert usage.startswith("usage ")
        assert live.read_turns() == []


async def test_raw_items_are_told_to_those_who_want_them(mock_clock: MockClock) -> None:
    """In the order of the history, beside the items."""
    async with open_live() as live:
        live.projection.raw_items = True
        await live.say("hi")
        await finish(live)

        assert (await live.turn()).count("rawResponseItem/completed") >= 2


async def test_interrupted_turn_reads_back_as_interrupted(mock_clock: MockClock) -> None:
    """What was said until then stays."""
    async with open_live() as live:
        await live.say("hi")
        await live.model.next_request()
        await live.do(Interrupt())

        assert await live.until(TurnAborted) == [
            *BEGIN,
            "status idle",
            "turn/completed interrupted",
        ]
        same_read_back(live)
