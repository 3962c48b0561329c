"""Compaction: asked for, when the window fills up, and in the midst of a turn."""

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import ContextWindowExceeded, InvalidRequest, StreamDisconnected, find_model_info
from actors.rollout import SUMMARY_PREFIX
from actors.testing import ManualModel, ManualTool
from messages.events import TurnAborted, TurnComplete
from messages.ops import Compact, Interrupt, OverrideTurnContext

from .stage import CONFIG, TURN_ENDS, drain, open_stage, recorded, request_lines

SMALL = attrs.evolve(CONFIG, auto_compact_token_limit=100)
LOSS = (
    "WarningEvent the conversation was compacted: the model goes on from a summary and may have "
    "lost details; start a new thread for a new subject"
)


def summary(text: str) -> str:
    return f"user: {SUMMARY_PREFIX}\n{text}"


async def test_compact_replaces_what_was_said_by_a_summary(mock_clock: MockClock) -> None:
    """The next request holds the user's words and the summary, and the rollout says so."""
    async with open_stage() as stage:
        await stage.run_turn("first", answer="one")
        await stage.do(Compact())
        asked = await stage.model.next_request()
        assert asked.request.subagent == "compact"
        assert asked.request.tools == ()
        assert request_lines(asked)[:-1] == ["user: first", "assistant: one"]
        asked.say("all is well").complete(70)
        told = await stage.until(*TURN_ENDS)

        assert [line for line in told if not line.startswith("TokenCount")] == [
            "TurnStarted",
            "ItemStarted ContextCompactionItem",
            "ItemCompleted ContextCompactionItem",
            "ContextCompacted",
            LOSS,
            "TurnComplete None",
        ]
        following = await stage.begin("second")
        assert request_lines(following) == ["user: first", summary("all is well"), "user: second"]
        assert "CompactedItem" in recorded(stage.thread.rollout_path)


async def test_turn_compacts_before_its_first_request_when_the_limit_is_reached(
    mock_clock: MockClock,
) -> None:
    """What the user says now is not part of what is summed up."""
    async with open_stage(config=SMALL) as stage:
        (await stage.begin("first")).say("one").complete(100)
        await stage.until(*TURN_ENDS)
        compaction = await stage.begin("second")
        assert compaction.request.subagent == "compact"
        assert "user: second" not in request_lines(compaction)
        compaction.say("short").complete(10)

        request = await stage.model.next_request()

        assert request_lines(request) == ["user: first", summary("short"), "user: second"]
        request.say("two").complete(20)
        told = await stage.until(*TURN_ENDS)
        assert told.index("ItemCompleted ContextCompactionItem") < told.index("user: second")


async def test_turn_compacts_between_two_requests_but_not_behind_the_last(
    mock_clock: MockClock,
) -> None:
    """A turn that is done needs no room."""
    tool = ManualTool()
    async with open_stage(tool, config=SMALL) as stage:
        (await stage.begin("go")).call("manual", call_id="c1").complete(100)
        await wait_all_tasks_blocked()
        tool_call = await tool.next_call()
        tool_call.answer("done")
        compaction = await stage.model.next_request()
        assert request_lines(compaction)[:3] == ["user: go", "call c1 manual", "output c1: done"]
        compaction.say("half way").complete(10)
        request = await stage.model.next_request()
        assert request_lines(request) == ["user: go", summary("half way")]
        request.say("finished").complete(5000)

        assert (await stage.until(*TURN_ENDS))[-1] == "TurnComplete finished"


async def test_compaction_leaves_out_the_oldest_when_not_even_it_fits(
    mock_clock: MockClock,
) -> None:
    """Ever more at once, and it says how many."""
    async with open_stage() as stage:
        for word in ("a", "b", "c", "d"):
            await stage.run_turn(word, answer=word)
        await stage.do(Compact())
        first = await stage.model.next_request()
        first.fail(ContextWindowExceeded())
        second = await stage.model.next_request()
        second.fail(ContextWindowExceeded())
        third = await stage.model.next_request()
        sizes = [len(asked.request.input) for asked in (first, second, third)]
        assert [sizes[0] - size for size in sizes] == [0, 1, 3]
        third.say("rest").complete()

        told = await stage.until(*TURN_ENDS)

        assert "BackgroundEvent" in told
        assert told[-1] == "TurnComplete None"


async def test_compaction_that_fails_changes_nothing_and_says_why(mock_clock: MockClock) -> None:
    """An error that no retry mends is not repeated (L23)."""
    async with open_stage() as stage:
        await stage.run_turn("first", answer="one")
        await stage.do(Compact())
        (await stage.model.next_request()).fail(InvalidRequest("no such thing"))

        told = await stage.until(*TURN_ENDS)

        assert any("no such thing" in line for line in told)
        following = await stage.begin("second")
        assert request_lines(following) == ["user: first", "assistant: one", "user: second"]


async def test_input_is_kept_when_the_compaction_before_it_fails(mock_clock: MockClock) -> None:
    """It was accepted, so the next turn's model reads it."""
    async with open_stage(config=SMALL) as stage:
        (await stage.begin("first")).say("one").complete(100)
        await stage.until(*TURN_ENDS)
        (await stage.begin("second")).fail(InvalidRequest("no"))
        await stage.until(*TURN_ENDS)

        compaction = await stage.begin("third")

        assert "user: second" in request_lines(compaction)


async def test_compaction_is_repeated_like_any_request(autojump_clock: MockClock) -> None:
    """With the same notices to clients."""
    async with open_stage() as stage:
        await stage.run_turn()
        await stage.do(Compact())
        (await stage.model.next_request()).fail(StreamDisconnected("gone"))
        (await stage.model.next_request()).break_off()
        (await stage.model.next_request()).say("s").complete()

        told = await stage.until(*TURN_ENDS)

        assert [line for line in told if line.startswith("StreamError")] == [
            "StreamError Reconnecting... 1/2",
            "StreamError Reconnecting... 2/2",
        ]


async def test_interrupted_compaction_changes_nothing(mock_clock: MockClock) -> None:
    """It can be stopped at any time (L23)."""
    async with open_stage() as stage:
        await stage.run_turn("first", answer="one")
        await stage.do(Compact())
        await stage.model.next_request()
        await stage.do(Interrupt())

        assert (await stage.until(TurnAborted))[-1] == "TurnAborted interrupted"
        following = await stage.begin("second")
        assert request_lines(following)[:2] == ["user: first", "assistant: one"]


async def test_compact_replaces_the_running_turn(mock_clock: MockClock) -> None:
    """The turn ends as replaced, without a marker for the model, and then comes the compaction."""
    async with open_stage() as stage:
        running = await stage.begin("first")
        running.say("one")
        await wait_all_tasks_blocked()
        await stage.do(Compact())
        (await stage.model.next_request()).say("s").complete()

        told = [line for line in await stage.until(TurnComplete) if "Turn" in line]

        assert told == ["TurnStarted", "TurnAborted replaced", "TurnStarted", "TurnComplete None"]
        following = await stage.begin("second")
        assert request_lines(following) == ["user: first", summary("s"), "user: second"]


async def test_input_that_waits_in_a_replaced_turn_starts_the_turn_after(
    mock_clock: MockClock,
) -> None:
    """Nobody stopped it: it is not lost (L13)."""
    async with open_stage() as stage:
        await stage.begin("first")
        await stage.say("joined")
        await stage.do(Compact())
        (await stage.model.next_request()).say("s").complete()

        following = await stage.model.next_request()

        assert request_lines(following)[-1] == "user: joined"


async def test_only_the_last_of_several_tasks_that_wait_for_the_end_of_a_turn_runs(
    mock_clock: MockClock,
) -> None:
    """The others are refused, and an interrupt refuses the last one, too."""
    tool = ManualTool(stubborn=1)
    async with open_stage(tool) as stage:
        (await stage.begin("first")).call("manual", call_id="c1").complete()
        await tool.next_call()
        drain(stage.thread)
        await stage.do(Compact())
        await stage.do(Compact())
        await wait_all_tasks_blocked()
        await stage.do(Interrupt())
        await wait_all_tasks_blocked()

        assert drain(stage.thread) == [
            "Error bad_request: nothing was done: another task took its place",
            "Error bad_request: nothing was done: it was interrupted before it began",
        ]
        mock_clock.jump(2)
        with trio.fail_after(5):
            assert (await stage.until(TurnAborted))[-1] == "TurnAborted interrupted"


async def test_model_with_the_bigger_window_sums_up_before_the_smaller_one_goes_on(
    mock_clock: MockClock,
) -> None:
    """The smaller one could not even read it."""
    info = find_model_info("gpt-5")
    model = ManualModel(
        models=(
            attrs.evolve(info, slug="big", context_window=1000),
            attrs.evolve(info, slug="small", context_window=100),
        )
    )
    async with open_stage(model=model, config=attrs.evolve(CONFIG, model="big")) as stage:
        (await stage.begin("first")).say("one").complete(500)
        await stage.until(*TURN_ENDS)
        await stage.do(OverrideTurnContext(model="small"))
        compaction = await stage.begin("second")
        assert (compaction.request.subagent, compaction.request.model) == ("compact", "big")
        compaction.say("s").complete(10)

        request = await stage.model.next_request()

        assert (request.request.subagent, request.request.model) == (None, "small")


async def test_resumed_thread_goes_on_from_the_summary(mock_clock: MockClock) -> None:
    """As the file says."""
    async with open_stage() as stage:
        await stage.run_turn("first", answer="one")
        await stage.do(Compact())
        (await stage.model.next_request()).say("short").complete()
        await stage.until(*TURN_ENDS)
        path = stage.thread.rollout_path
        assert path is not None
        await stage.supervisor.remove_thread(stage.thread.thread_id)
        new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        again = attrs.evolve(stage, new=new)

        request = await again.begin("second")

        assert request_lines(request) == ["user: first", summary("short"), "user: second"]
