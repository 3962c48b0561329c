"""Tools of the client: checked at the start, and answered by the client."""

import pytest
import trio

from actors.tools import DynamicTool, DynamicToolInvalid, ToolError, validate_dynamic_tools
from messages.content import InputImage, InputText
from messages.events import DynamicToolCallRequest
from messages.ops import DynamicToolResult
from messages.settings import DynamicToolSpec

from .fakes import CALL, TURN, FakeContext, function_call

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Oslo"]}}}


def tool(name: str = "weather", schema: object = None) -> DynamicToolSpec:
    return DynamicToolSpec(
        name=name, description="Tells the weather.", input_schema=schema or SCHEMA
    )


@pytest.mark.parametrize(
    "specs",
    [
        (),
        (tool(),),
        (tool("a"), tool("A"), tool("a-b_9"), tool("x" * 64)),
        (tool(schema={"properties": {}}),),
        (tool(schema={"type": "object"}),),
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
        ((tool(schema=[1]),), "has an input schema that is no JSON object but list"),
        ((tool(schema=True),), "has an input schema that is no JSON object but bool"),
        ((tool(schema={"type": "null"}),), "of type 'null'; arguments are objects"),
        ((tool(schema={"properties": 1}),), "whose properties are no JSON object"),
    ],
)
def test_tools_that_cannot_be_used_are_refused_with_name_and_way_out(specs, message):
    """At the start of the thread, not at the first call."""
    with pytest.raises(DynamicToolInvalid) as caught:
        validate_dynamic_tools(specs, ["shell"])

    assert message in str(caught.value)
    assert caught.value.name == specs[-1].name


def test_dynamic_tool_is_described_to_the_model_as_the_client_did():
    """Nothing of the schema is lost; what models insist on is filled in."""
    described = DynamicTool(tool()).spec()

    assert described == {
        "type": "function",
        "name": "weather",
        "description": "Tells the weather.",
        "strict": False,
        "parameters": SCHEMA,
    }
    filled = DynamicTool(tool(schema={"title": "x"})).spec()
    assert filled["parameters"] == {"type": "object", "properties": {}, "title": "x"}
    assert not DynamicTool(tool()).parallel
    assert DynamicTool(tool()).name == "weather"


async def test_dynamic_tool_asks_the_client_and_hands_its_answer_to_the_model():
    """Texts and images in their order, with the client's word on success."""
    parts = (InputText(text="rain"), InputImage(image_url="data:x"))
    context = FakeContext()
    context.answers.append(DynamicToolResult(content_items=parts, success=False))

    output = await DynamicTool(tool()).run(function_call("weather", '{"city":"Oslo"}'), context)

    assert context.events == [
        DynamicToolCallRequest(
            call_id=CALL, turn_id=TURN, tool="weather", arguments={"city": "Oslo"}
        )
    ]
    assert (output.output, output.success) == (parts, False)


async def test_dynamic_tool_says_so_when_no_answer_will_come():
    """The model goes on without."""
    context = FakeContext()
    context.answers.append(None)

    output = await DynamicTool(tool()).run(function_call("weather", "{}"), context)

    text = "dynamic tool call was cancelled before receiving a response"
    assert (output.output, output.success) == (text, False)


async def test_client_is_not_asked_when_the_arguments_are_no_json():
    """It could not do anything with them."""
    context = FakeContext()

    with pytest.raises(ToolError, match=r"^failed to parse function arguments: "):
        await DynamicTool(tool()).run(function_call("weather", "{"), context)

    assert context.events == []


async def test_cancelled_call_of_a_dynamic_tool_stops_waiting():
    """The client may answer never."""
    with trio.move_on_after(0) as scope:
        await DynamicTool(tool()).run(function_call("weather", "{}"), FakeContext())

    assert scope.cancelled_caught
