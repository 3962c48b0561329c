"""Every call gets its answer, whatever the tool does."""

import logging

import attrs
import pytest
import trio

from actors.models import find_model_info
from actors.tools import FatalToolError, Offer, RequestTools, ToolError, ToolOutput, ToolRouter
from actors.tools.tool import parse_arguments
from messages.content import InputText
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellAction,
    LocalShellCall,
    LocalShellStatus,
    Message,
)
from messages.settings import ModeKind

from .fake_context import CALL, FakeContext, custom_call, function_call, raw_call


@attrs.define(eq=False)
class FakeTool:
    name: str = "fake"
    parallel: bool = False
    offered: bool = True
    does: object = ToolOutput(output="done", success=True)

    def spec(self, _offer):
        return {"name": self.name} if self.offered else None

    async def run(self, call, context):
        await trio.lowlevel.checkpoint()
        if isinstance(self.does, BaseException):
            raise self.does
        if callable(self.does):
            return await self.does(call)
        return self.does


OFFER = Offer(model=find_model_info("scripted"))


def fixed(tools, *sources) -> RequestTools:
    return ToolRouter(tools, sources).for_request(OFFER)


def answer(text: str) -> FunctionCallOutput:
    return FunctionCallOutput(call_id=CALL, output=text)


async def dispatch(does: object, call=None):
    call = call or function_call("fake")
    return await fixed([FakeTool(does=does)]).dispatch(call, FakeContext())


# --- finding the tool


def test_router_offers_tools_in_their_order_and_hides_those_that_are_only_understood():
    """The order is the model's to see."""
    tools = [FakeTool("b"), FakeTool("hidden", offered=False), FakeTool("a")]

    assert fixed(tools).specs == ({"name": "b"}, {"name": "a"})
    assert repr(ToolRouter(tools)) == "<ToolRouter b, hidden, a>"


def test_router_refuses_two_tools_of_one_name():
    """One of them would never run."""
    with pytest.raises(ValueError, match="two tools are called 'fake'"):
        ToolRouter([FakeTool(), FakeTool()])


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("offered", [True, False])
def test_call_runs_beside_others_only_if_its_tool_is_parallel_and_offered(parallel, offered):
    """A name that is merely understood runs alone, as does one that nobody knows."""
    router = fixed([FakeTool(parallel=parallel, offered=offered)])

    assert router.is_parallel(function_call("fake")) == (parallel and offered)
    assert not router.is_parallel(function_call("other"))


def test_function_and_custom_calls_are_read_as_calls():
    """With their names and texts as they are."""
    router = fixed([])

    function = FunctionCall(name="fake", arguments="{}", call_id=CALL)
    custom = CustomToolCall(name="fake", input="text", call_id=CALL)
    assert router.parse(function) == function_call("fake")
    assert router.parse(custom) == custom_call("fake", "text")


def test_items_that_are_no_calls_are_not_read():
    """They are none of the router's business."""
    message = Message(role="assistant", content=(InputText(text="hello"),))

    assert fixed([]).parse(message) is None


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (LocalShellAction(command=("ls", "-l")), {"command": ["ls", "-l"]}),
        (
            LocalShellAction(
                command=("ls",),
                timeout_ms=5,
                working_directory="/tmp",
                env={"A": "b"},
                user="root",
            ),
            {"command": ["ls"], "timeout_ms": 5, "workdir": "/tmp"},
        ),
    ],
)
def test_local_shell_call_becomes_a_call_of_the_local_shell_tool(action, arguments):
    """Its environment and user are not for the model to choose."""
    item = LocalShellCall(status=LocalShellStatus.COMPLETED, action=action, call_id=CALL, id="x")

    call = fixed([]).parse(item)

    assert call is not None
    assert (call.call_id, call.name, parse_arguments(call)) == (CALL, "local_shell", arguments)


def test_local_shell_call_without_call_id_goes_by_its_id():
    """Older models give only that."""
    action = LocalShellAction(command=("ls",))
    item = LocalShellCall(status=LocalShellStatus.COMPLETED, action=action, id=CALL)

    call = fixed([]).parse(item)

    assert call is not None
    assert call.call_id == CALL


async def test_local_shell_call_without_any_id_is_answered_not_run():
    """The model reads why."""
    action = LocalShellAction(command=("ls",))
    item = LocalShellCall(status=LocalShellStatus.COMPLETED, action=action)
    router = fixed([FakeTool("local_shell")])
    call = router.parse(item)
    assert call is not None

    output = await router.dispatch(call, FakeContext())

    text = "LocalShellCall without call_id or id"
    assert output == FunctionCallOutput(call_id="", output=text)


# --- answers


async def test_output_of_a_tool_is_the_answer_in_the_form_of_its_call():
    """A function call gets a function output, a custom call a custom one."""
    parts = (InputText(text="a"),)

    assert await dispatch(ToolOutput(output=parts)) == FunctionCallOutput(
        call_id=CALL, output=parts
    )
    custom = await dispatch(ToolOutput(output="x"), custom_call("fake", "text"))
    assert custom == CustomToolCallOutput(call_id=CALL, output="x")


async def test_call_of_an_unknown_tool_is_answered():
    """In the words of the reference."""
    router = fixed([])

    assert await router.dispatch(function_call("nope"), FakeContext()) == answer(
        "unsupported call: nope"
    )
    assert await router.dispatch(custom_call("nope", ""), FakeContext()) == CustomToolCallOutput(
        call_id=CALL, output="unsupported custom tool call: nope"
    )


async def test_refusal_of_a_tool_is_the_answer_word_for_word():
    """`ToolError` speaks to the model."""
    assert await dispatch(ToolError("not like this")) == answer("not like this")


async def test_fatal_error_goes_to_the_turn():
    """The model cannot make up for it."""
    with pytest.raises(FatalToolError, match=r"^Fatal error: broken$"):
        await dispatch(FatalToolError("broken"))


async def test_crash_of_a_tool_is_answered_and_logged(caplog):
    """One bad tool does not cost the turn, and its content does not reach the log's text."""
    with caplog.at_level(logging.ERROR):
        output = await dispatch(LookupError("secret"))

    assert output == answer("tool fake failed unexpectedly: LookupError")
    (record,) = caplog.records
    assert record.getMessage() == "tool 'fake' crashed in call 'call-1'"
    assert isinstance(record.exc_info[1], LookupError)


async def test_crashes_in_a_nursery_of_a_tool_are_answered(caplog):
    """They come as a group."""
    output = await dispatch(ExceptionGroup("", [LookupError("a"), ToolError("b")]))

    assert output == answer("tool fake failed unexpectedly: ExceptionGroup")
    assert len(caplog.records) == 1


async def test_refusals_in_a_nursery_of_a_tool_are_answered_with_the_first():
    """No crash, so nothing unexpected."""
    group = ExceptionGroup("", [ExceptionGroup("", [ToolError("a")]), ToolError("b")])

    assert await dispatch(group) == answer("a")


async def test_fatal_error_in_a_nursery_of_a_tool_goes_to_the_turn_alone():
    """So that the turn need not look into groups."""
    with pytest.raises(FatalToolError, match="broken"):
        await dispatch(ExceptionGroup("", [LookupError("a"), FatalToolError("broken")]))


async def test_interrupt_of_the_program_in_a_nursery_of_a_tool_goes_on():
    """Ctrl-C is nobody's crash."""
    with pytest.RaisesGroup(KeyboardInterrupt, LookupError):
        await dispatch(BaseExceptionGroup("", [KeyboardInterrupt(), LookupError()]))


async def test_cancellation_of_a_call_goes_on():
    """And gives no answer: that is for `aborted`."""

    async def forever(_call):
        await trio.sleep_forever()

    with trio.move_on_after(0) as scope:
        await dispatch(forever)

    assert scope.cancelled_caught


async def test_crash_on_the_way_out_of_a_cancellation_is_logged(caplog):
    """The scope that was cancelled does not see a stranger's error."""
    started = trio.Event()

    async def crash_when_cancelled(_call):
        async def crash() -> None:
            started.set()
            try:
                await trio.sleep_forever()
            finally:
                raise LookupError("on the way out")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(crash)
            nursery.start_soon(trio.sleep_forever)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dispatch, crash_when_cancelled)
        await started.wait()
        nursery.cancel_scope.cancel()

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("name", "elapsed", "text"),
    [
        ("shell", 1.26, "Wall time: 1.3 seconds\naborted by user"),
        ("container.exec", 0, "Wall time: 0.1 seconds\naborted by user"),
        ("local_shell", 60, "Wall time: 60.0 seconds\naborted by user"),
        ("shell_command", 2, "Wall time: 2.0 seconds\naborted by user"),
        ("exec_command", 2, "aborted by user after 2.0s"),
        ("fake", 0.01, "aborted by user after 0.1s"),
    ],
)
def test_stopped_call_says_how_long_it_ran(name, elapsed, text):
    """Shells in their own words; at least a tenth of a second."""
    assert fixed([]).aborted(function_call(name), elapsed) == answer(text)


def test_stopped_custom_call_is_answered_in_its_form():
    """As any custom call."""
    assert fixed([]).aborted(custom_call("fake", ""), 1) == CustomToolCallOutput(
        call_id=CALL, output="aborted by user after 1.0s"
    )


# --- arguments


@pytest.mark.parametrize("arguments", ["", "{", "nope", '{"a": NaN}', '"\\ud800"'])
def test_arguments_that_are_no_json_are_refused(arguments):
    """With what the parser says."""
    with pytest.raises(ToolError, match=r"^failed to parse function arguments: "):
        parse_arguments(raw_call("fake", arguments))


@pytest.mark.parametrize(
    ("arguments", "kind"), [("[]", "list"), ("null", "NoneType"), ('"x"', "str"), ("1", "int")]
)
def test_arguments_that_are_no_object_are_refused(arguments, kind):
    """A tool's arguments have names."""
    with pytest.raises(ToolError) as caught:
        parse_arguments(raw_call("fake", arguments))

    expected = f"failed to parse function arguments: expected an object, got {kind}"
    assert str(caught.value) == expected


def test_custom_call_of_a_function_tool_is_fatal():
    """The model and we disagree about what the tool is."""
    with pytest.raises(FatalToolError) as caught:
        parse_arguments(custom_call("fake", "text"))

    assert caught.value.problem == "tool fake invoked with incompatible payload"


# --- one request


@attrs.define(eq=False)
class FakeSource:
    now: tuple = ()

    def tools(self):
        return self.now


def test_tools_that_come_and_go_are_those_of_the_request():
    """A request keeps what it began with; the next one sees what there is then."""
    source = FakeSource((FakeTool("late"),))
    router = ToolRouter([FakeTool("always")], [source])

    first = router.for_request(OFFER)
    source.now = ()
    second = router.for_request(OFFER)

    assert first.specs == ({"name": "always"}, {"name": "late"})
    assert second.specs == ({"name": "always"},)
    assert first.parse(FunctionCall(name="late", arguments="{}", call_id=CALL)) is not None


def test_specs_are_built_anew_only_when_something_changed():
    """Requests are many, and most are alike."""
    source = FakeSource((FakeTool("late"),))
    router = ToolRouter([FakeTool("always")], [source])
    first = router.for_request(OFFER)

    assert router.for_request(attrs.evolve(OFFER)) is first
    source.now = (FakeTool("late"),)
    assert router.for_request(OFFER) is not first
    assert router.for_request(attrs.evolve(OFFER, mode=ModeKind.PLAN)) is not first


def test_tool_of_a_source_never_shadows_another(caplog: pytest.LogCaptureFixture):
    """The first of a name stays; the other is left out with a warning."""
    mine, other = FakeTool("a"), FakeTool("a")
    tools = ToolRouter([mine], [FakeSource((other,))]).for_request(OFFER)

    assert tools.specs == ({"name": "a"},)
    assert "tool 'a' is left out" in caplog.text
