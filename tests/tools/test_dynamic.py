"""Tools of the client: checked at the start, and answered by the client."""

import contextlib

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.tools.dynamic import DynamicTool, usable_dynamic_tools, validate_dynamic_tools
from actors.tools.errors import DynamicToolInvalid, ToolError
from actors.tools.tool import Tool
from actors.tools.tool_schema import SchemaUnsupported
from messages.content import InputImage, InputText
from messages.events import DynamicToolCallRequest
from messages.ops import DynamicToolResult
from messages.settings import DynamicToolSpec

from .fake_context import CALL, TURN, FakeContext, function_call, offer, raw_call

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Oslo"]}}}


def tool(
    name: str = "weather", schema: object = None, description: str = "Tells the weather."
) -> DynamicToolSpec:
    return DynamicToolSpec(name=name, description=description, input_schema=schema or SCHEMA)


@pytest.mark.parametrize(
    "specs",
    [
        (),
        (tool(),),
        (tool("a"), tool("A"), tool("a-b_9"), tool("x" * 64)),
        (tool(schema={"properties": {}}),),
        (tool(schema={"type": "object"}),),
        (tool(schema={"type": ["null", "object"]}),),
        (tool(schema={"type": None, "title": "x"}),),
        (tool(description="", schema={"title": "\ud800"}),),
    ],
)
def test_tools_that_can_be_used_are_accepted(specs):
    """Up to 64 characters, each name once, a schema of objects."""
    validate_dynamic_tools(specs, ["shell"])


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ((tool(""),), "dynamic tool '' has a name that models do not accept"),
        ((tool("x" * 65),), "has a name that models do not accept; use 1 to 64"),
        ((tool("a b"),), "dynamic tool 'a b' has a name that models do not accept"),
        ((tool("a\n"),), "models do not accept"),
        ((tool("grün"),), "models do not accept"),
        ((tool("mcp"),), "reserved for MCP servers"),
        ((tool("mcp__x__y"),), "reserved for MCP servers"),
        ((tool("shell"),), "dynamic tool 'shell' has the name of a built-in tool; choose another"),
        ((tool("a"), tool("a")), "dynamic tool 'a' is offered twice; give each"),
        (
            (tool(schema=[1]),),
            "dynamic tool 'weather' has an input schema that is not supported: "
            "a schema is a JSON object, not list",
        ),
        ((tool(schema=True),), "is of type 'string'; arguments are \"object\""),
        ((tool(schema={"type": "integer"}),), "is of type 'number'; arguments are"),
        ((tool(schema={"type": "null"}),), "not supported: type 'null' is none of object"),
        ((tool(schema={"properties": 1}),), "properties: expected an object, got int"),
        (
            (tool(schema={"properties": {"city": {"type": "null"}}}),),
            "not supported: at properties.city: type 'null' is none of",
        ),
    ],
)
def test_tools_that_cannot_be_used_are_refused_with_name_and_way_out(specs, message):
    """At the start of the thread, not at the first call."""
    with pytest.raises(DynamicToolInvalid) as caught:
        validate_dynamic_tools(specs, ["shell"])

    assert message in str(caught.value)
    assert caught.value.name == specs[-1].name


@given(st.lists(st.sampled_from(["a", "b", "shell", "no name", "number"])))
def test_usable_tools_are_those_that_each_fit_behind_the_usable_ones_before(names):
    """Such as the first of two with one name, unless it is no good itself."""
    specs = [tool(name, {"type": "number"} if name == "number" else SCHEMA) for name in names]
    expected: tuple[DynamicToolSpec, ...] = ()
    for spec in specs:
        with contextlib.suppress(DynamicToolInvalid):
            validate_dynamic_tools((*expected, spec), ["shell"])
            expected = (*expected, spec)

    usable, problems = usable_dynamic_tools(specs, ["shell"])

    assert usable == expected
    assert len(usable) + len(problems) == len(specs)


def test_each_tool_is_looked_at_once_however_many_there_are():
    """A rollout may hold thousands, and schemas are long."""
    looked = []

    class Watched(dict):
        def get(self, key, default=None):
            looked.append(key)
            return super().get(key, default)

    specs = [tool(f"tool{number}", Watched(SCHEMA)) for number in range(50)]

    usable_dynamic_tools(specs[:1], ["shell"])
    once = len(looked)
    assert usable_dynamic_tools(specs, ["shell"]) == (tuple(specs), ())

    assert len(looked) == once + 50 * once


def test_dynamic_tool_is_described_with_what_models_take_of_its_schema():
    """Clients may leave out that arguments are objects."""
    described: Tool = DynamicTool(tool())

    assert described.spec(offer()) == {
        "type": "function",
        "name": "weather",
        "description": "Tells the weather.",
        "strict": False,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    filled = DynamicTool(tool(schema={"title": "x", "items": {}})).spec(offer())
    assert filled["parameters"] == {"type": "object", "properties": {}}
    assert (described.name, described.parallel) == ("weather", False)
    assert described == DynamicTool(tool())
    assert DynamicTool(tool(description="a\ud800")).spec(offer())["description"] == "a?"


def test_dynamic_tool_that_was_never_checked_is_no_tool():
    """It is found out before a model reads of it."""
    with pytest.raises(SchemaUnsupported):
        DynamicTool(tool(schema={"type": "null"}))


async def test_dynamic_tool_asks_the_client_and_hands_its_answer_to_the_model():
    """Texts and images in their order, with the client's word on success."""
    parts = (InputText(text="rain"), InputImage(image_url="data:x"))
    context = FakeContext()
    context.client_answers.append(DynamicToolResult(content_items=parts, success=False))

    output = await DynamicTool(tool()).run(function_call("weather", city="Oslo"), context)

    assert context.events == [
        DynamicToolCallRequest(
            call_id=CALL, turn_id=TURN, tool="weather", arguments={"city": "Oslo"}
        )
    ]
    assert (output.output, output.success) == (parts, False)


async def test_dynamic_tool_says_so_when_no_answer_will_come():
    """The model goes on without."""
    context = FakeContext()
    context.client_answers.append(None)

    output = await DynamicTool(tool()).run(function_call("weather"), context)

    text = "dynamic tool call was cancelled before receiving a response"
    assert (output.output, output.success) == (text, False)


async def test_client_is_not_asked_when_the_arguments_are_no_json():
    """It could not do anything with them."""
    context = FakeContext()

    with pytest.raises(ToolError, match=r"^failed to parse function arguments: "):
        await DynamicTool(tool()).run(raw_call("weather", "{"), context)

    assert context.events == []


async def test_cancelled_call_of_a_dynamic_tool_stops_waiting():
    """The client may answer never."""
    with trio.move_on_after(0) as scope:
        await DynamicTool(tool()).run(function_call("weather"), FakeContext())

    assert scope.cancelled_caught
