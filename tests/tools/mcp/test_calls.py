"""Calls of servers' tools: what clients are told, what the model reads, how they end."""

import json

import attrs
import pytest
import trio
import trio.testing

from actors.models import InputModality
from actors.tools.errors import FatalToolError, ToolError
from actors.tools.mcp.elicitation import Elicitations
from messages.content import InputImage, InputText
from messages.events import (
    ElicitationRequest,
    McpCallFailed,
    McpCallOk,
    McpInvocation,
    McpToolCallBegin,
    McpToolCallEnd,
    McpToolResult,
)
from messages.ops import ElicitationDecision

from ..fake_context import CALL, FakeContext, custom_call, function_call
from .conftest import SECRET, plain


@pytest.fixture
async def a(hold):
    """One server, ready."""
    async with hold(a=plain(tool_timeout=20)) as held:
        await held.lease.wait_ready()
        yield held


def end_of(context: FakeContext) -> McpToolCallEnd:
    [end] = context.of(McpToolCallEnd)
    return end


async def test_call_tells_its_begin_and_its_end_and_gives_the_content(a) -> None:
    """The end holds what the server answered, and how long it took."""
    context = FakeContext()

    output = await a.call("mcp__a__echo", context, words=["hi", None], number=3)

    invocation = McpInvocation(
        server="a", tool="echo", arguments={"words": ["hi", None], "number": 3}
    )
    content = ({"type": "text", "text": '{"words": ["hi", null], "number": 3}'},)
    end = end_of(context)
    assert context.events == [McpToolCallBegin(call_id=CALL, invocation=invocation), end]
    assert attrs.evolve(end, duration=0) == McpToolCallEnd(
        call_id=CALL,
        invocation=invocation,
        duration=0,
        result=McpCallOk(ok=McpToolResult(content=content)),
    )
    assert 0 < end.duration < 5
    assert json.loads(output.output) == list(content)
    assert output.success is True


@pytest.mark.parametrize("arguments", ["", "  \n", "null"])
async def test_call_without_arguments_sends_none(a, arguments: str) -> None:
    """Models write them in several ways."""
    output = await a.call_raw("mcp__a__echo", arguments, context := FakeContext())

    assert json.loads(output.output)[0]["text"] == "null"
    assert end_of(context).invocation.arguments is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{", "err: unexpected end of data"),
        ("[1]", "err: expected an object as arguments, got list"),
    ],
)
async def test_call_with_unreadable_arguments_tells_no_events(a, arguments, problem) -> None:
    """The model reads what is wrong; the server is not asked."""
    context = FakeContext()

    output = await a.call_raw("mcp__a__echo", arguments, context)

    assert output.output.startswith(problem)
    assert output.success is False
    assert context.events == []


async def test_custom_call_of_a_server_tool_ends_the_turn(a) -> None:
    """The model and we disagree about what the tool is."""
    with pytest.raises(FatalToolError):
        await a.tool("mcp__a__echo").run(custom_call("mcp__a__echo", "hi"), FakeContext())


async def test_result_with_an_image_becomes_parts(a) -> None:
    """Texts, data URLs, and everything else as its JSON."""
    output = await a.call("mcp__a__image")

    assert output.output == (
        InputText(text="look"),
        InputImage(image_url="data:image/png;base64,AAAA"),
        InputText(text='{"type":"resource_link","uri":"file:///x","name":"x"}'),
    )


async def test_model_without_eyes_reads_that_an_image_was_there(a) -> None:
    """Clients see the same as the model."""
    context = FakeContext()
    context.model_info = attrs.evolve(context.model_info, input_modalities=(InputModality.TEXT,))

    output = await a.call("mcp__a__image", context)

    omitted = "<image content omitted because you do not support image input>"
    assert json.loads(output.output)[1] == {"type": "text", "text": omitted}
    assert end_of(context).result.ok.content[1] == {"type": "text", "text": omitted}


async def test_structured_result_is_preferred_and_made_fit_to_be_written(a) -> None:
    """An integer that no codec writes would otherwise crash the thread."""
    output = await a.call("mcp__a__structured")

    assert json.loads(output.output) == {"a": [1, None], "big": float(2**70)}


async def test_failed_tool_gives_its_content_and_no_success(a) -> None:
    """The server answered; it is no error of the call."""
    context = FakeContext()

    output = await a.call("mcp__a__failing", context)

    assert output.success is False
    assert end_of(context).result.ok.is_error is True


async def test_refused_call_reads_as_the_server_said_it_without_secrets(a) -> None:
    """A stable text, not debug output."""
    context = FakeContext()

    output = await a.call("mcp__a__refused", context)

    text = "tool call error: tool call failed for `a/refused`: no: [hidden]"
    assert output.output == f"err: {text}"
    assert output.success is False
    assert end_of(context).result == McpCallFailed(err=text)


async def test_tool_that_was_disabled_meanwhile_is_refused(hold) -> None:
    """A call of an older request."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()
        echo = held.tool("mcp__a__echo")
        narrow = plain(disabled_tools=("echo",))
        tool = attrs.evolve(echo, leased=attrs.evolve(echo.leased, config=narrow))

        output = await tool.run(function_call("mcp__a__echo"), FakeContext())

        assert output.output == ("err: tool call error: tool 'echo' is disabled for MCP server 'a'")


@pytest.mark.slow
async def test_call_that_takes_too_long_ends_and_the_session_goes_on(hold) -> None:
    """The server is told to give it up."""
    async with hold(a=plain(tool_timeout=0.5)) as held:
        await held.lease.wait_ready()

        output = await held.call("mcp__a__hang")

        assert output.output == (
            "err: tool call error: tool call failed for `a/hang`: timed out after 0.5 seconds"
        )
        assert (await held.call("mcp__a__echo")).success


async def test_interrupted_call_ends_at_once_and_the_session_goes_on(a) -> None:
    """Its end is told; the server hears of it."""
    context = FakeContext()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(a.call, "mcp__a__hang", context)
        await context.wait_for(McpToolCallBegin)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()

    assert end_of(context).result == McpCallFailed(err="tool call was interrupted")
    assert (await a.call("mcp__a__echo")).success


@pytest.mark.slow
async def test_interrupt_does_not_wait_for_a_server_that_does_not_read(hold) -> None:
    """Even when the pipe is full, so that nothing can be called off."""
    async with hold(a=plain("deaf")) as held:
        await held.lease.wait_ready()
        echo = (
            held.tool("mcp__a__t0") if "mcp__a__t0" in held.names() else held.tool("mcp__a__echo")
        )

        with trio.move_on_after(0.3) as scope:
            async with trio.open_nursery() as nursery:
                for _ in range(40):
                    call = function_call(echo.name, words="x" * 100_000)
                    nursery.start_soon(echo.run, call, FakeContext())  # it reads none of them

        assert scope.cancelled_caught


async def test_death_of_the_server_ends_the_call_with_its_last_words_without_secrets(a) -> None:
    """At once, not after the time limit."""
    output = await a.call("mcp__a__die")

    assert output.output == (
        "err: tool call error: tool call failed for `a/die`: the server ended with exit code 3; "
        "it last wrote: the dying server has [hidden]"
    )


async def test_call_of_a_server_that_failed_says_so(hold, pool) -> None:
    """A tool of an older request, of a server that is gone for good."""
    async with hold(a=plain()) as held:
        await held.lease.wait_ready()
        echo = held.tool("mcp__a__echo")
    while pool._supervisor.child_ids():
        await trio.testing.wait_all_tasks_blocked(0.01)

    output = await echo.run(function_call("mcp__a__echo"), FakeContext())

    assert output.output.startswith("err: tool call error: tool call failed for `a/echo`: ")


# Questions ---------------------------------------------------------------


async def test_question_goes_to_the_thread_of_the_call_and_its_answer_back(a) -> None:
    """Accepted without content: clients cannot fill in forms."""
    context = FakeContext()
    context.elicitation_answers.append(ElicitationDecision.ACCEPT)

    output = await a.call("mcp__a__ask", context)

    request = ElicitationRequest(server_name="a", id="q0", message="question 0")
    assert context.of(ElicitationRequest) == [request]
    [block] = json.loads(output.output)
    assert json.loads(block["text"]) == [{"action": "accept", "content": {}}]


@pytest.mark.parametrize("decision", [ElicitationDecision.DECLINE, ElicitationDecision.CANCEL])
async def test_question_that_is_not_accepted_is_answered_without_content(a, decision) -> None:
    """The server hears what the person chose."""
    context = FakeContext()
    context.elicitation_answers.append(decision)

    output = await a.call("mcp__a__ask", context)

    assert json.loads(json.loads(output.output)[0]["text"]) == [{"action": decision.value}]


async def test_question_goes_to_the_oldest_of_several_calls(hold) -> None:
    """The protocol does not say for which call it is."""
    first, second = FakeContext(), FakeContext()
    async with hold(a=plain(tool_timeout=20)) as one, hold(b=plain(tool_timeout=20)) as two:
        await one.lease.wait_ready()
        await two.lease.wait_ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.call, "mcp__a__hang", first)
            await first.wait_for(McpToolCallBegin)
            nursery.start_soon(two.call, "mcp__b__ask", second)
            request = await first.wait_for(ElicitationRequest)
            nursery.cancel_scope.cancel()

    assert request.server_name == "a"
    assert second.of(ElicitationRequest) == []


@pytest.mark.slow
async def test_question_is_withdrawn_when_its_call_runs_out_of_time(hold) -> None:
    """Nobody is asked for ever; the session stays usable."""
    withdrawn = trio.Event()

    class Asked(FakeContext):
        async def ask_elicitation(self, request):
            try:
                await trio.sleep_forever()
            finally:
                withdrawn.set()

    context = Asked()
    async with hold(a=plain(tool_timeout=0.5)) as held:
        await held.lease.wait_ready()

        output = await held.call("mcp__a__ask", context)

        assert "timed out after 0.5 seconds" in output.output
        await withdrawn.wait()
        assert (await held.call("mcp__a__echo")).success


async def test_server_that_asks_too_much_is_declined_unasked() -> None:
    """Sixteen open questions are enough; one that is answered makes room."""
    elicitations, context = Elicitations(), FakeContext()
    answers = []

    async def ask(number: int) -> None:
        answers.append(await elicitations.ask(number, "?"))

    with elicitations.during(context, "a"):
        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(ask, number)
            await context.wait_for(ElicitationRequest, 16)

            assert await elicitations.ask(16, "?") == "decline"
            assert len(context.of(ElicitationRequest)) == 16

            context.elicitation_answers.extend([ElicitationDecision.ACCEPT] * 17)
        await ask(17)

    assert answers == ["accept"] * 17
    assert await elicitations.ask(18, "?") == "decline", "no call is in flight"


async def test_server_of_the_newer_protocol_asks_inside_its_result(hold) -> None:
    """It refuses the old handshake; its questions and notices come in another way."""
    context = FakeContext()
    context.elicitation_answers.append(ElicitationDecision.ACCEPT)
    async with hold(m=plain("modern")) as held:
        await held.lease.wait_ready()

        output = await held.call("mcp__m__confirm", context)

        request = ElicitationRequest(server_name="m", id="one", message="Sure?")
        assert context.of(ElicitationRequest) == [request]
        [block] = json.loads(output.output)
        assert json.loads(block["text"]) == [{"one": {"action": "accept", "content": {}}}, "s"]
        assert (await held.call("mcp__m__grow")).success
        await held.wait_names("mcp__m__grown")


# Resources ---------------------------------------------------------------


async def test_resources_of_all_servers_are_listed_by_server(hold) -> None:
    """All pages of each; a server that has none is left out."""
    async with hold(b=plain(), a=plain(), bad=plain("circles")) as held:
        await held.lease.wait_ready()
        context = FakeContext()

        output = await held.call("list_mcp_resources", context)

        found = json.loads(output.output)
        assert set(found) == {"resources"}
        pairs = [(entry["server"], entry["uri"]) for entry in found["resources"]]
        assert pairs == [(name, f"memo://{number}") for name in "ab" for number in range(3)]
        end = end_of(context)
        assert end.invocation == McpInvocation(server="codex", tool="list_mcp_resources")
        assert end.result.ok.content == ({"type": "text", "text": output.output},)


async def test_resources_of_one_server_come_page_by_page(a) -> None:
    """With the cursor that gets the next page."""
    first = json.loads((await a.call("list_mcp_resources", server=" a ")).output)
    second = json.loads((await a.call("list_mcp_resources", server="a", cursor="2")).output)

    assert [entry["uri"] for entry in first["resources"]] == ["memo://0", "memo://1"]
    assert (first["server"], first["nextCursor"]) == ("a", "2")
    assert [entry["uri"] for entry in second["resources"]] == ["memo://2"]
    assert "nextCursor" not in second


async def test_templates_are_listed_and_resources_are_read(a) -> None:
    """The answer repeats what was asked."""
    templates = json.loads((await a.call("list_mcp_resource_templates")).output)
    read = json.loads((await a.call("read_mcp_resource", server="a", uri="memo://1")).output)

    assert templates == {
        "resourceTemplates": [{"server": "a", "uriTemplate": "memo://{number}", "name": "memo"}]
    }
    contents = [{"uri": "memo://1", "text": "this is memo://1"}]
    assert read == {"server": "a", "uri": "memo://1", "contents": contents}


@pytest.mark.parametrize(
    ("tool", "arguments", "problem"),
    [
        ("list_mcp_resources", {"cursor": "1"}, "resources/list failed: cursor can only be used when a server is specified"),
        ("list_mcp_resources", {"server": "x"}, "resources/list failed: unknown MCP server 'x'"),
        ("list_mcp_resource_templates", {"server": "x"}, "resources/templates/list failed: unknown MCP server 'x'"),
        ("read_mcp_resource", {"uri": "u"}, "resources/read failed: server must be provided"),
        ("read_mcp_resource", {"server": "a", "uri": " "}, "resources/read failed: uri must be provided"),
    ],
)  # fmt: skip
async def test_resource_call_that_cannot_be_done_says_why(a, tool, arguments, problem) -> None:
    """To the model, and to clients."""
    context = FakeContext()

    with pytest.raises(ToolError) as raised:
        await a.call(tool, context, **arguments)

    assert str(raised.value) == problem
    assert end_of(context).result == McpCallFailed(err=problem)


async def test_resource_call_with_arguments_of_the_wrong_kind_tells_no_events(a) -> None:
    """It never began."""
    context = FakeContext()

    with pytest.raises(ToolError, match="failed to parse function arguments"):
        await a.call("list_mcp_resources", context, server=3)

    assert context.events == []


async def test_nothing_of_a_server_shows_a_secret(a, pool) -> None:
    """Whatever is printed for debugging."""
    shown = repr((a.lease, pool, a.lease.tools(), a.lease._entries, a.tool("mcp__a__echo")))

    assert SECRET not in shown
