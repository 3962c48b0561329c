"""In Plan mode clients see the plan as an item of its own, and messages without it."""

import attrs
import pytest
from trio.testing import MockClock

from actors.models import SCRIPTED_MODEL, ItemAdded, ItemDone, StreamDisconnected, TextDelta
from actors.testing import ManualTool
from actors.thread.plan_messages import PlanMessages
from messages.content import OutputText
from messages.events import (
    AgentMessage,
    AgentMessageContentDelta,
    AgentMessageDelta,
    Event,
    EventMsg,
    ItemCompleted,
    ItemStarted,
    PlanDelta,
    TurnAborted,
    TurnComplete,
)
from messages.items import (
    Message,
    MessagePhase,
    ReasoningItem,
    SearchAction,
    SummaryText,
    WebSearchCall,
)
from messages.ops import Interrupt
from messages.settings import CollaborationMode, CollaborationSettings, ModeKind
from messages.turn_items import AgentMessageItem, PlanItem, UserMessageItem

from .stage import CONFIG, Stage, open_stage, request_lines

PLANNING = attrs.evolve(
    CONFIG,
    collaboration_mode=CollaborationMode(
        mode=ModeKind.PLAN, settings=CollaborationSettings(model=SCRIPTED_MODEL)
    ),
)

BLOCK = "<proposed_plan>\n- look\n- leap\n</proposed_plan>\n"


def message(item_id: str | None, *texts: str) -> Message:
    content = tuple(OutputText(text=text) for text in texts)
    return Message(role="assistant", id=item_id, content=content)


def streamed(item_id: str, *pieces: str) -> list[object]:
    """A message, announced, in pieces, and finished."""
    return [
        ItemAdded(message(item_id)),
        *(TextDelta(piece) for piece in pieces),
        ItemDone(message(item_id, "".join(pieces))),
    ]


def course(events: list[Event]) -> list[str]:
    """What was told of the agent's items, in a line each; ids of plans without the turn's."""
    return [line for event in events if (line := told(event)) is not None]


def told(event: Event) -> str | None:
    msg: EventMsg = event.msg
    match msg:
        case ItemStarted(item=UserMessageItem()) | ItemCompleted(item=UserMessageItem()):
            return None
        case ItemStarted(item=item) | ItemCompleted(item=item):
            verb = "started" if isinstance(msg, ItemStarted) else "completed"
            if isinstance(item, PlanItem):
                assert item.id == f"{event.id}-plan"
                return f"{verb} plan {item.text!r}"
            if isinstance(item, AgentMessageItem):
                return f"{verb} {item.id} {'|'.join(part.text for part in item.content)!r}"
            return f"{verb} {type(item).__name__}"
        case PlanDelta(item_id=item_id, delta=delta):
            assert item_id == f"{event.id}-plan"
            return f"plan {delta!r}"
        case AgentMessageContentDelta(item_id=item_id, delta=delta):
            return f"{item_id} {delta!r}"
        case AgentMessage(message=text):
            return f"older {text!r}"
        case _:
            return None


async def play(stage: Stage, *items: object) -> list[str]:
    """Play a turn of one request; return what was told of the agent's items."""
    response = await stage.begin("hi")
    response.give(*items).complete()
    events = await stage.events_until(TurnComplete)
    last = events[-1].msg
    return [*course(events), f"last {last.last_agent_message!r}"]


async def test_plan_is_cut_out_of_the_message_and_told_as_an_item(mock_clock: MockClock) -> None:
    """In the order that clients know: the plan ends when its message does, before it."""
    async with open_stage(config=PLANNING) as stage:
        text = f"Preface\n{BLOCK}Postscript"
        pieces = (
            "Pre",
            "face\n<propo",
            "sed_plan>\n- look\n",
            "- leap\n</proposed_plan",
            ">\nPost",
        )

        lines = await play(stage, *streamed("m1", *pieces, "script"))

        assert lines == [
            "started m1 ''",
            "m1 'Pre'",
            "m1 'face\\n'",
            "started plan ''",
            "plan '- look\\n'",
            "plan '- leap\\n'",
            "m1 'Post'",
            "m1 'script'",
            "completed plan '- look\\n- leap\\n'",
            "completed m1 'Preface\\nPostscript'",
            "older 'Preface\\nPostscript'",
            "last 'Preface\\nPostscript'",
        ]
        following = await stage.begin("go")
        assert request_lines(following) == ["user: hi", f"assistant: {text}", "user: go"]


async def test_plan_and_message_are_recorded_as_the_model_wrote_them(
    mock_clock: MockClock,
) -> None:
    """The plan's own item besides, as nobody could cut it out again."""
    async with open_stage(config=PLANNING) as stage:
        await play(stage, *streamed("m1", f"so\n{BLOCK}"))

        recorded = stage.rollout()

        told = ["ItemCompleted PlanItem", "AgentMessage so\n", f"assistant: so\n{BLOCK}"]
        assert recorded[recorded.index(told[0]) :][:3] == told


async def test_message_of_a_plan_only_is_no_item(mock_clock: MockClock) -> None:
    """Nothing to see but the plan; white space around it does not count."""
    async with open_stage(config=PLANNING) as stage:
        lines = await play(stage, *streamed("m1", "\n \n", BLOCK, "\n"))

        assert lines == [
            "started plan ''",
            "plan '- look\\n- leap\\n'",
            "completed plan '- look\\n- leap\\n'",
            "last None",
        ]


async def test_white_space_waits_for_visible_text(mock_clock: MockClock) -> None:
    """Then it is told, so that the pieces make the whole."""
    async with open_stage(config=PLANNING) as stage:
        lines = await play(stage, *streamed("m1", "\n", " ", "a", " ", "b"))

        assert lines == [
            "started m1 ''",
            "m1 '\\n a'",
            "m1 ' '",
            "m1 'b'",
            "completed m1 '\\n a b'",
            "older '\\n a b'",
            "last '\\n a b'",
        ]


@pytest.mark.parametrize("text", ["", " \n"])
async def test_empty_message_is_no_item(mock_clock: MockClock, text: str) -> None:
    """Clients hear nothing of it, but the history has it."""
    async with open_stage(config=PLANNING) as stage:
        assert await play(stage, *streamed("m1", text)) == ["last None"]

        assert request_lines(await stage.begin("go"))[1] == f"assistant: {text}"


async def test_message_that_comes_as_a_whole_is_announced_when_it_is_there(
    mock_clock: MockClock,
) -> None:
    """The plan before the message; several parts are one text, unless there is no plan."""
    async with open_stage(config=PLANNING) as stage:
        lines = await play(
            stage,
            ItemDone(message("m1", "no ", "plan")),
            ItemDone(message("m2", "so\n<proposed", "_plan>\n- look")),
        )

        assert lines == [
            "started m1 'no |plan'",
            "completed m1 'no |plan'",
            "older 'no '",
            "older 'plan'",
            "started plan ''",
            "completed plan '- look'",
            "started m2 'so\\n'",
            "completed m2 'so\\n'",
            "older 'so\\n'",
            "last 'so\\n'",
        ]


async def test_plan_without_an_end_runs_to_the_end_of_the_message(mock_clock: MockClock) -> None:
    """What was held back as a possible tag is told then."""
    async with open_stage(config=PLANNING) as stage:
        lines = await play(stage, *streamed("m1", "<proposed_plan>\n- look\n</prop"))

        assert lines == [
            "started plan ''",
            "plan '- look\\n'",
            "plan '</prop'",
            "completed plan '- look\\n</prop'",
            "last None",
        ]


async def test_last_plan_of_a_message_counts(mock_clock: MockClock) -> None:
    """The item stays one; its end says what it is."""
    async with open_stage(config=PLANNING) as stage:
        again = "<proposed_plan>\nnew\n</proposed_plan>"

        lines = await play(stage, *streamed("m1", f"{BLOCK}or\n", again))

        assert lines == [
            "started plan ''",
            "plan '- look\\n- leap\\n'",
            "started m1 ''",
            "m1 'or\\n'",
            "plan 'new\\n'",
            "completed plan 'new\\n'",
            "completed m1 'or\\n'",
            "older 'or\\n'",
            "last 'or\\n'",
        ]


async def test_later_messages_of_the_response_are_left_as_they_are(mock_clock: MockClock) -> None:
    """One plan for each response, and nothing is lost."""
    async with open_stage(config=PLANNING) as stage:
        again = "<proposed_plan>\nnew"

        lines = await play(
            stage, *streamed("m1", BLOCK), *streamed("m2", again), ItemDone(message("m3", again))
        )

        assert lines[3:] == [
            "started m2 ''",
            "m2 '<proposed_plan>\\nnew'",
            "completed m2 '<proposed_plan>\\nnew'",
            "older '<proposed_plan>\\nnew'",
            "started m3 '<proposed_plan>\\nnew'",
            "completed m3 '<proposed_plan>\\nnew'",
            "older '<proposed_plan>\\nnew'",
            "last '<proposed_plan>\\nnew'",
        ]


async def test_plan_of_a_later_response_is_a_plan_again(mock_clock: MockClock) -> None:
    """With a tool call in between; the item has the same id, as it is the turn's."""
    tool = ManualTool()
    async with open_stage(tool, config=PLANNING) as stage:
        response = await stage.begin("hi")
        response.give(*streamed("m1", BLOCK)).call("manual", call_id="c").complete()
        (await tool.next_call()).answer("x")
        response = await stage.model.next_request()
        response.give(*streamed("m2", "<proposed_plan>\nnew")).complete()

        lines = course(await stage.events_until(TurnComplete))

        assert [line for line in lines if line.startswith("completed")] == [
            "completed plan '- look\\n- leap\\n'",
            "completed plan 'new'",
        ]


async def test_plan_is_told_again_when_its_response_broke_off(mock_clock: MockClock) -> None:
    """It is recorded as often as clients saw it; the model is told of it once."""
    async with open_stage(config=PLANNING) as stage:
        response = await stage.begin("hi")
        response.give(*streamed("m1", BLOCK)).fail(StreamDisconnected("gone"))
        mock_clock.rate = 1000
        response = await stage.model.next_request()
        response.give(*streamed("m2", BLOCK)).complete()

        lines = course(await stage.events_until(TurnComplete))

        assert lines.count("completed plan '- look\\n- leap\\n'") == 2
        assert stage.rollout().count("ItemCompleted PlanItem") == 2
        assert len([line for line in stage.rollout() if line.startswith("assistant: ")]) == 1


async def test_whole_message_counts_where_its_pieces_say_something_else(
    mock_clock: MockClock,
) -> None:
    """What began has an end all the same."""
    async with open_stage(config=PLANNING) as stage:
        lines = await play(
            stage,
            ItemAdded(message("m1")),
            TextDelta("seen\n<proposed_plan>\nold"),
            ItemDone(message("m1", "")),
        )

        assert lines == [
            "started m1 ''",
            "m1 'seen\\n'",
            "started plan ''",
            "plan 'old'",
            "completed plan 'old'",
            "completed m1 ''",
            "older ''",
            "last None",
        ]


async def test_message_without_a_name_keeps_the_id_that_it_was_told_with(
    mock_clock: MockClock,
) -> None:
    """And its phase."""
    async with open_stage(config=PLANNING) as stage:
        done = attrs.evolve(message(None, f"so\n{BLOCK}"), phase=MessagePhase.COMMENTARY)
        response = await stage.begin("hi")
        response.give(ItemAdded(message(None)), TextDelta("so\n"), ItemDone(done)).complete()

        events = await stage.events_until(TurnComplete)

        items = [
            event.msg.item
            for event in events
            if isinstance(event.msg, ItemStarted | ItemCompleted)
            and isinstance(event.msg.item, AgentMessageItem)
        ]
        started, completed = items
        assert started.id == completed.id
        assert completed.phase is MessagePhase.COMMENTARY


async def test_messages_that_overlap_have_one_plan_together(mock_clock: MockClock) -> None:
    """The one that begins it first."""
    whole = f"one\n{BLOCK}"
    async with open_stage(config=PLANNING) as stage:
        lines = await play(
            stage,
            ItemAdded(message("m1")),
            TextDelta("one\n"),
            ItemAdded(message("m2")),
            TextDelta("<proposed_plan>\ntwo"),
            ItemDone(message("m1", whole)),
            ItemDone(message("m2", "<proposed_plan>\ntwo")),
        )

        assert lines == [
            "started m1 ''",
            "m1 'one\\n'",
            "started plan ''",
            "plan 'two'",
            f"completed m1 {whole!r}",
            f"older {whole!r}",
            "completed plan 'two'",
            f"last {whole!r}",
        ]


async def test_other_items_are_told_as_ever(mock_clock: MockClock) -> None:
    """Reasoning and searches, with their older forms."""
    async with open_stage(config=PLANNING) as stage:
        response = await stage.begin("hi")
        thought = ReasoningItem(id="r", summary=(SummaryText(text=BLOCK),))
        search = WebSearchCall(id="w", action=SearchAction(query="q"))
        response.give(ItemAdded(thought), TextDelta("lost?"), ItemDone(thought))
        response.give(ItemDone(search)).complete()

        told = await stage.until(TurnComplete)

        first = told.index("ItemStarted ReasoningTurnItem")
        assert [
            line for line in told[first:] if line.startswith(("Item", "WebSearchB", "WebSearchE"))
        ] == [
            "ItemStarted ReasoningTurnItem",
            "ItemCompleted ReasoningTurnItem",
            "ItemStarted WebSearchItem",
            "WebSearchBegin",
            "ItemCompleted WebSearchItem",
            "WebSearchEnd",
        ]


async def test_older_deltas_are_of_the_visible_text(mock_clock: MockClock) -> None:
    """Older clients see no plan."""
    async with open_stage(config=PLANNING) as stage:
        response = await stage.begin("hi")
        response.give(*streamed("m1", f"so\n{BLOCK}", "go")).complete()

        events = await stage.events_until(TurnComplete)

        deltas = [event.msg.delta for event in events if isinstance(event.msg, AgentMessageDelta)]
        assert deltas == ["so\n", "go"]


async def test_interrupted_plan_leaves_what_was_told(mock_clock: MockClock) -> None:
    """As an interrupted message does: its item has no end, and nothing is recorded."""
    async with open_stage(config=PLANNING) as stage:
        response = await stage.begin("hi")
        response.give(ItemAdded(message("m1")), TextDelta("<proposed_plan>\nold"))
        await stage.events_until(PlanDelta)
        await stage.do(Interrupt())

        told = await stage.until(TurnAborted)

        assert "ItemCompleted PlanItem" not in [*told, *stage.rollout()]


async def test_tags_are_text_in_other_modes(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked at."""

    def fail(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(PlanMessages, "take", fail)
    monkeypatch.setattr(PlanMessages, "finish", fail)
    async with open_stage() as stage:
        lines = await play(stage, *streamed("m1", BLOCK, "so"))

        assert lines == [
            "started m1 ''",
            f"m1 {BLOCK!r}",
            "m1 'so'",
            f"completed m1 {f'{BLOCK}so'!r}",
            f"older {f'{BLOCK}so'!r}",
            f"last {f'{BLOCK}so'!r}",
        ]
