"""A regular turn, from the user's input to the model's last word."""

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import (
    Created,
    InvalidImage,
    InvalidRequest,
    ItemAdded,
    ItemDone,
    RateLimits,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ServerOverloaded,
    ServerReasoningIncluded,
    TextDelta,
)
from actors.models import (
    ReasoningContentDelta as RawDelta,
)
from actors.testing import ManualTool
from actors.thread import regular
from messages.content import InputImage, InputText, OutputText, TextInput
from messages.events import (
    AgentReasoningSectionBreak,
    Event,
    RateLimitSnapshot,
    ReasoningContentDelta,
    ReasoningRawContentDelta,
    TurnComplete,
    TurnStarted,
)
from messages.items import (
    FunctionCallOutput,
    Message,
    ReasoningItem,
    SummaryText,
)
from messages.ops import UserInput

from .stage import CONFIG, TURN_ENDS, drain, open_stage, request_lines


async def test_turn_is_told_and_recorded_in_order_when_the_model_just_answers(
    mock_clock: MockClock,
) -> None:
    """Events come in Codex's order, and the rollout holds what policy keeps of them."""
    async with open_stage() as stage:
        response = await stage.begin("hi")

        response.think("hm").say("hel", "lo").complete(12)
        told = await stage.until(TurnComplete)

        assert told == [
            "TurnStarted",
            "user: hi",
            "ItemStarted UserMessageItem",
            "ItemCompleted UserMessageItem",
            "ItemStarted ReasoningTurnItem",
            "ItemCompleted ReasoningTurnItem",
            "ItemStarted AgentMessageItem",
            "Delta hel",
            "Delta lo",
            "ItemCompleted AgentMessageItem",
            "reasoning: hm",
            "assistant: hello",
            "TokenCount 12",
            "TurnComplete hello",
        ]
        assert stage.rollout() == [
            "developer: <permissions instructions>",
            "user: <environment_context>",
            "TurnStarted",
            "user: hi",
            "UserMessage hi",
            "TurnContext scripted",
            "AgentReasoning",
            "AgentMessage hello",
            "reasoning: hm",
            "assistant: hello",
            "TokenCount 12",
            "TurnComplete hello",
        ]


async def test_every_event_of_a_turn_carries_the_id_of_the_submission_that_started_it(
    mock_clock: MockClock,
) -> None:
    """The turn's id is the submission's, and sequence numbers have no gap."""
    async with open_stage() as stage:
        submission_id = await stage.say("hi")
        response = await stage.model.next_request()
        response.say("hello").complete(1)

        events = await stage.events_until(TurnComplete)

        assert {event.id for event in events} == {submission_id}
        assert response.request.turn_id == submission_id
        assert events[0].msg == TurnStarted(turn_id=submission_id, model_context_window=258_400)
        first = events[0].seq
        assert [event.seq for event in events] == list(range(first, first + len(events)))


async def test_model_goes_on_with_the_outputs_when_it_called_tools(mock_clock: MockClock) -> None:
    """The next request holds calls, then outputs; the last words are those of the last request."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.say("let me see").call("manual", call_id="c1").complete(5)
        (await tool.next_call()).answer("42")

        second = await stage.model.next_request()
        second.say("it is 42").complete(9)
        told = await stage.until(TurnComplete)

        assert request_lines(second) == [
            "user: hi",
            "assistant: let me see",
            "call c1 manual",
            "output c1: 42",
        ]
        assert told[-1] == "TurnComplete it is 42"


async def test_tool_starts_as_soon_as_its_call_is_there(mock_clock: MockClock) -> None:
    """While the model still writes; what stood before the call is recorded with it."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.say("first").call("manual", call_id="c1")

        call = await tool.next_call()

        assert not response.ended.is_set()
        assert drain(stage.thread)[-2:] == ["assistant: first", "call c1 manual"]
        call.answer("done")
        response.complete()


async def test_outputs_follow_the_calls_in_their_order_whoever_ends_first(
    mock_clock: MockClock,
) -> None:
    """Parallel calls run at once; their outputs are recorded together, in call order."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.call("manual", call_id="a").call("manual", call_id="b").complete()
        first, second = await tool.next_call(), await tool.next_call()

        second.answer("two")
        await wait_all_tasks_blocked()
        first.answer("one")
        following = await stage.model.next_request()

        assert request_lines(following) == [
            "user: hi",
            "call a manual",
            "call b manual",
            "output a: one",
            "output b: two",
        ]


async def test_call_of_a_tool_that_is_not_parallel_waits_for_the_earlier_ones(
    mock_clock: MockClock,
) -> None:
    """And later ones, parallel or not, wait for it."""
    many, single = ManualTool("many"), ManualTool("single", parallel=False)
    async with open_stage(many, single) as stage:
        response = await stage.begin("hi")
        response.call("many", call_id="a").call("single", call_id="b").call("many", call_id="c")
        response.complete()
        order: list[str] = []

        for tool in (many, single, many):
            call = await tool.next_call()
            await wait_all_tasks_blocked()
            order.append(call.call.call_id)
            call.answer("x")
        following = await stage.model.next_request()

        assert order == ["a", "b", "c"]
        assert request_lines(following)[-1] == "output c: x"


async def test_tool_that_refuses_or_crashes_is_answered_to_the_model(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad tool does not cost the turn."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        for call_id in "abc":
            response.call("manual" if call_id != "c" else "nothing", call_id=call_id)
        response.complete()
        (await tool.next_call()).refuse("not today")
        (await tool.next_call()).fail(RuntimeError("oh"))

        following = await stage.model.next_request()

        assert request_lines(following)[4:] == [
            "output a: not today",
            "output b: tool manual failed unexpectedly: RuntimeError",
            "output c: unsupported call: nothing",
        ]


async def test_turn_fails_when_a_tool_says_that_it_must_end(mock_clock: MockClock) -> None:
    """Its call is answered with the reason, the others with what they gave."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        response = await stage.begin("hi")
        response.call("manual", call_id="a").call("manual", call_id="b").complete()
        (await tool.next_call()).end_turn("the tools do not fit the model")
        (await tool.next_call()).answer("fine")

        told = await stage.until(TurnComplete)

        assert told[-4:] == [
            "output a: Fatal error: the tools do not fit the model",
            "output b: fine",
            "Error None: Fatal error: the tools do not fit the model",
            "TurnComplete None",
        ]


async def test_failed_turn_ends_once_and_leaves_its_error_as_the_status(
    mock_clock: MockClock,
) -> None:
    """The end of a failed turn says less than its error, which stays (L17)."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        response.fail(ServerOverloaded())

        told = await stage.until(TurnComplete)

        error = "Selected model is at capacity. Please try a different model."
        assert told[-2:] == [f"Error server_overloaded: {error}", "TurnComplete None"]
        assert stage.thread.agent_status().errored == error  # type: ignore[union-attr]


async def test_next_turn_works_when_the_one_before_failed(mock_clock: MockClock) -> None:
    """What the user said before is still in the history."""
    async with open_stage() as stage:
        (await stage.begin("one")).fail(InvalidRequest("no"))
        await stage.until(TurnComplete)

        response = await stage.begin("two")

        assert request_lines(response) == ["user: one", "user: two"]
        response.say("yes").complete()
        assert (await stage.until(TurnComplete))[-1] == "TurnComplete yes"


async def test_deltas_of_reasoning_go_to_the_item_announced_last(mock_clock: MockClock) -> None:
    """Summary parts, their breaks and raw thoughts; pieces of nothing are left out."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        thought = ReasoningItem(id="rs_1", summary=(SummaryText(text="hm"),))
        response.give(
            Created(),
            ServerReasoningIncluded(True),
            TextDelta("lost"),
            ReasoningSummaryPartAdded(0),
            ItemAdded(ReasoningItem(id=thought.id)),
            ReasoningSummaryPartAdded(0),
            ReasoningSummaryDelta("hm", 0),
            RawDelta("raw", 1),
            ItemDone(thought),
        ).complete()

        events = await stage.events_until(TurnComplete)

        told = [
            (type(event.msg), event.msg.item_id)
            for event in events
            if isinstance(
                event.msg,
                AgentReasoningSectionBreak | ReasoningContentDelta | ReasoningRawContentDelta,
            )
        ]
        assert told == [
            (AgentReasoningSectionBreak, "rs_1"),
            (ReasoningContentDelta, "rs_1"),
            (ReasoningRawContentDelta, "rs_1"),
        ]


def message(item_id: str | None, text: str) -> Message:
    content = (OutputText(text=text),) if text else ()
    return Message(role="assistant", id=item_id, content=content)


async def told_items(stage, *items) -> list[tuple[str, str]]:
    response = await stage.begin("hi")
    response.give(*items).complete()
    events = await stage.events_until(TurnComplete)
    return [
        (type(event.msg).__name__, event.msg.item.id)
        for event in events
        if type(event.msg).__name__ in ("ItemStarted", "ItemCompleted")
        and type(event.msg.item).__name__ == "AgentMessageItem"
    ]


async def test_items_keep_their_ids_when_they_overlap(mock_clock: MockClock) -> None:
    """Each has one start and one end under its own id, whatever the order."""
    async with open_stage() as stage:
        told = await told_items(
            stage,
            ItemAdded(message("m1", "")),
            ItemAdded(message("m2", "")),
            ItemDone(message("m1", "one")),
            ItemDone(message("m2", "two")),
            ItemDone(message("m3", "three")),
        )

        assert told == [
            ("ItemStarted", "m1"),
            ("ItemStarted", "m2"),
            ("ItemCompleted", "m1"),
            ("ItemCompleted", "m2"),
            ("ItemStarted", "m3"),
            ("ItemCompleted", "m3"),
        ]


async def test_item_without_a_name_ends_under_the_id_it_was_announced_with(
    mock_clock: MockClock,
) -> None:
    """Clients can put the end to the beginning."""
    async with open_stage() as stage:
        told = await told_items(stage, ItemAdded(message(None, "")), ItemDone(message(None, "one")))

        (_, started), (_, completed) = told
        assert started == completed


async def test_user_messages_of_the_model_are_no_items(mock_clock: MockClock) -> None:
    """A model that echoes the user does not make the client see double."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        echo = Message(role="user", content=(InputText(text="hi"),))
        response.give(ItemDone(echo)).complete()

        told = await stage.until(TurnComplete)

        assert told.count("ItemCompleted UserMessageItem") == 1


async def test_rate_limits_are_told_with_the_tokens_so_far(mock_clock: MockClock) -> None:
    """What a later snapshot does not say is kept from the one before."""
    async with open_stage() as stage:
        response = await stage.begin("hi")
        response.give(RateLimits(RateLimitSnapshot(plan_type=None)))
        response.say("hello").complete(7)

        told = await stage.until(TurnComplete)

        assert [line for line in told if line.startswith("TokenCount")] == [
            "TokenCount None",
            "TokenCount 7",
        ]


async def test_tokens_add_up_over_requests_and_turns(mock_clock: MockClock) -> None:
    """The total grows and the last is replaced; a silent server changes nothing."""
    async with open_stage() as stage:
        await stage.run_turn()
        for tokens in (10, 5):
            (await stage.begin()).say("x").complete(tokens)
            events = await stage.events_until(TurnComplete)

        info = next(e.msg.info for e in events if type(e.msg).__name__ == "TokenCount")
        assert info.total_token_usage.total_tokens == 15
        assert info.last_token_usage.total_tokens == 5


async def test_long_output_is_cut_for_the_model_and_whole_in_the_rollout(
    mock_clock: MockClock,
) -> None:
    """Truncation is a matter of the history in memory only."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        (await tool.next_call()).answer("x" * 100_000)

        following = await stage.model.next_request()
        told = drain(stage.thread)

        seen = next(i for i in following.request.input if isinstance(i, FunctionCallOutput))
        assert len(seen.output) < 60_000
        whole = f"output c: {'x' * 100_000}"
        assert whole in told
        following.say("ok").complete()
        await stage.until(TurnComplete)
        assert whole in stage.rollout()


async def test_history_is_the_same_when_it_is_loaded_again(mock_clock: MockClock) -> None:
    """What the model sees after a resume is what it saw before."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin("one")).call("manual", call_id="c").complete()
        (await tool.next_call()).answer("x" * 100_000)
        (await stage.model.next_request()).say("ok").complete()
        await stage.until(TurnComplete)
        before = (await stage.begin("two")).say("bye").complete()
        await stage.until(TurnComplete)
        path = stage.thread.rollout_path
        await stage.supervisor.remove_thread(stage.thread.thread_id)

        stage.new = await stage.supervisor.resume_thread_from_rollout(CONFIG, path)
        after = await stage.begin("three")

        assert after.request.input[: len(before.request.input)] == before.request.input
        assert request_lines(after)[-2:] == ["assistant: bye", "user: three"]


async def test_bad_image_in_the_last_output_is_taken_out_and_the_request_made_again(
    mock_clock: MockClock,
) -> None:
    """The turn goes on; the rollout keeps the image."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        (await tool.next_call()).answer((InputImage(image_url="data:image/png;base64,AA"),))
        (await stage.model.next_request()).fail(InvalidImage())

        again = await stage.model.next_request()

        output = again.request.input[-1]
        assert output == FunctionCallOutput(call_id="c", output=(InputText(text="Invalid image"),))
        again.say("ok").complete()
        assert (await stage.until(TurnComplete))[-1] == "TurnComplete ok"


async def test_turn_fails_with_a_way_out_when_the_users_own_image_is_bad(
    mock_clock: MockClock,
) -> None:
    """There is nothing to mend in what the user sent."""
    async with open_stage() as stage:
        (await stage.begin()).fail(InvalidImage())

        told = await stage.until(TurnComplete)

        assert told[-2:] == [
            "Error bad_request: Invalid image in your last message. "
            "Please remove it and try again.",
            "TurnComplete None",
        ]


async def test_turn_ends_when_it_makes_more_requests_than_a_turn_may(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that never stops calling goes round in circles (L23)."""
    monkeypatch.setattr(regular, "MAX_REQUESTS", 3)
    async with open_stage() as stage:
        response = await stage.begin()
        for _ in range(2):
            response.call("nothing", call_id="c").complete()
            response = await stage.model.next_request()
        response.call("nothing", call_id="c").complete()

        told = await stage.until(TurnComplete)

        assert told[-2:] == [
            "Error None: the turn made 3 model requests without coming to an end; say how to go on",
            "TurnComplete None",
        ]


async def test_schema_and_model_reach_the_request_and_the_record(mock_clock: MockClock) -> None:
    """The answer's schema holds for one turn only."""
    schema = {"type": "object"}
    async with open_stage() as stage:
        items = (TextInput(text="hi"),)
        await stage.do(UserInput(items=items, final_output_json_schema=schema))
        first = await stage.model.next_request()
        first.say("{}").complete()
        await stage.until(TurnComplete)

        second = await stage.begin()

        assert first.request.output_schema == schema
        assert second.request.output_schema is None


async def test_two_threads_run_turns_side_by_side(mock_clock: MockClock) -> None:
    """Each has its own events, history and rollout."""
    async with open_stage() as stage:
        other = await stage.supervisor.start_thread(CONFIG)
        drain(other.thread)
        first = await stage.begin("one")
        await other.thread.submit(UserInput(items=(TextInput(text="two"),)))
        second = await stage.model.next_request()

        second.say("2").complete()
        while True:
            event = await other.thread.next_event()
            if isinstance(event, Event) and isinstance(event.msg, TURN_ENDS):
                break
        first.say("1").complete()

        assert (await stage.until(TurnComplete))[-1] == "TurnComplete 1"
        assert request_lines(first) == ["user: one"]
        assert request_lines(second) == ["user: two"]
