"""Text that cannot be written as UTF-8 costs a character, not the thread."""

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import ItemDone
from actors.testing import ManualTool
from actors.thread import ThreadState
from actors.thread.clean_text import cleaned
from messages.content import ByteRange, InputText, OutputText, TextElement, TextInput
from messages.errors import EncodeError
from messages.events import (
    ExecCommandEnd,
    ExecCommandStatus,
    ThreadNameUpdated,
    TurnComplete,
    UserMessage,
)
from messages.ids import CallId
from messages.items import FunctionCall, Message
from messages.ops import SetThreadName, UserInput
from messages.settings import DynamicToolSpec

from .stage import CONFIG, open_stage, recorded, request_lines

LONE = "a\ud800b"


@pytest.mark.parametrize("ephemeral", [False, True])
async def test_lone_surrogates_are_replaced_wherever_they_come_from(
    mock_clock: MockClock, *, ephemeral: bool
) -> None:
    """User, model, tools and working directory; recorded or not."""
    tool = ManualTool()
    config = attrs.evolve(CONFIG, ephemeral=ephemeral, cwd=f"/{LONE}", base_instructions=LONE)
    async with open_stage(tool, config=config) as stage:
        response = await stage.begin(LONE)
        said = Message(role="assistant", content=(OutputText(text=LONE),))
        response.give(ItemDone(said))
        response.give(ItemDone(FunctionCall(name="manual", arguments=f'"{LONE}"', call_id="c")))
        response.complete()
        (await tool.next_call()).answer(LONE)
        following = await stage.model.next_request()
        following.say("ok").complete()
        told = await stage.until(TurnComplete)

        assert "user: a?b" in told
        assert "assistant: a?b" in told
        assert "output c: a?b" in told
        for item in following.request.input:
            str(item).encode()
        if not ephemeral:
            assert "output c: a?b" in stage.rollout()


async def test_event_that_cannot_be_written_is_told_as_it_is_recorded(
    mock_clock: MockClock,
) -> None:
    """Clients and the rollout read the same."""
    tool = ManualTool()
    async with open_stage(tool) as stage:
        (await stage.begin()).call("manual", call_id="c").complete()
        call = await tool.next_call()
        call.context.emit(UserMessage(message=LONE))

        events = await stage.events_until(UserMessage)
        events = await stage.events_until(UserMessage)

        assert events[-1].msg == UserMessage(message="a?b")
        call.answer("x")


async def test_what_has_no_form_in_json_at_all_fails_the_turn_or_is_left_out(
    autojump_clock: MockClock,
) -> None:
    """A schema with a number beyond 64 bits is not recorded, and the thread stays."""
    async with open_stage() as stage:
        items = (TextInput(text="hi"),)
        await stage.do(UserInput(items=items, final_output_json_schema={"x": 2**70}))
        (await stage.model.next_request()).fail(EncodeError("dict", "too big"))
        told = await stage.until(TurnComplete)

        assert told[-2:] == [
            "Error None: the turn cannot be recorded: dict cannot be written as JSON: too big",
            "TurnComplete None",
        ]
        assert stage.thread.state is ThreadState.IDLE
        assert "TurnContext scripted" not in stage.rollout()
        assert (await stage.run_turn())[-1] == "TurnComplete hello"


async def test_name_with_a_lone_surrogate_is_set_without_it(mock_clock: MockClock) -> None:
    """As any text."""
    async with open_stage() as stage:
        await stage.do(SetThreadName(name=LONE))

        assert (await stage.until(ThreadNameUpdated))[-1] == "ThreadNameUpdated a?b"


async def test_thread_starts_with_texts_that_cannot_be_written(mock_clock: MockClock) -> None:
    """In instructions and in the client's tools."""
    spec = DynamicToolSpec(
        name="x", description=LONE, input_schema={"type": "object", LONE: [LONE]}
    )
    config = attrs.evolve(CONFIG, developer_instructions=LONE, base_instructions=LONE)
    async with open_stage(config=config, dynamic_tools=(spec,)) as stage:
        assert (await stage.run_turn())[-1] == "TurnComplete hello"
        assert recorded(stage.thread.rollout_path)[1] == "developer: a?b"


def test_clean_values_stay_the_very_same() -> None:
    """Nothing is copied without need."""
    value = Message(role="user", content=(InputText(text="ümlaut"), InputText(text="x")))

    assert cleaned(value) is value
    assert cleaned((value, [1, None], {"a": 1.5})) is not None
    listed = [value]
    assert cleaned(listed) is listed
    mapping = {"a": listed}
    assert cleaned(mapping) is mapping


def test_texts_are_replaced_at_any_depth() -> None:
    """In fields, tuples, lists, keys and values; all else stays."""
    element = TextElement(byte_range=ByteRange(start=0, end=1), placeholder=LONE)
    value = TextInput(text="ok", text_elements=(element,))

    clean = cleaned(value)

    assert clean == TextInput(text="ok", text_elements=(attrs.evolve(element, placeholder="a?b"),))
    assert cleaned({LONE: [LONE, 1]}) == {"a?b": ["a?b", 1]}
    end = ExecCommandEnd(
        call_id=CallId("c"),
        turn_id="t",
        command=("x", LONE),
        cwd="/",
        parsed_cmd=(),
        stdout="",
        stderr="",
        aggregated_output="",
        exit_code=0,
        duration=0.0,
        formatted_output="",
        status=ExecCommandStatus.COMPLETED,
    )
    assert cleaned(end).command == ("x", "a?b")


async def test_steered_text_is_replaced_too(mock_clock: MockClock) -> None:
    """It is input like any other."""
    async with open_stage() as stage:
        response = await stage.begin("x")
        await stage.thread.steer_input((TextInput(text=LONE),))
        response.say("y").complete()
        await wait_all_tasks_blocked()

        following = await stage.model.next_request()

        assert request_lines(following)[-1] == "user: a?b"
