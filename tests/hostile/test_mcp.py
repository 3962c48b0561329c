"""MCP servers that hang, flood, die and lie, in a whole thread."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from messages.events import (
    ErrorEvent,
    McpStartupComplete,
    McpStartupUpdate,
    McpToolCallBegin,
    McpToolCallEnd,
)
from messages.tool_settings import McpServerConfig, McpStdio

from .arena import SOON, Arena, call, open_arena, plain_mcp

NOWHERE = McpStdio(command="/no/where")

UNSUITABLE = {
    "mute": "timed out after 0.2 seconds",
    "silent_list": "timed out after 0.2 seconds",
    "rubbish": "the server writes lines that are no messages",
    "endless_line": "the server sent a message of more than 8 MiB",
    "leave": "the server ended with exit code 7",
    "close": "the server closed the connection",
    "old": "the server speaks no version of the protocol that we know",
    "circles": "the server returned duplicate cursor",
}


@pytest.mark.slow
async def test_servers_that_cannot_start_cost_a_thread_nothing_but_their_tools(
    tmp_path: Path,
) -> None:
    """All at once, beside one that is well; each is reported with its reason."""
    bad = {
        mode: plain_mcp(mode, startup_timeout=0.2 if "0.2" in says else 10)
        for mode, says in UNSUITABLE.items()
    }
    missing = McpServerConfig(transport=NOWHERE)
    everybody = {"well": plain_mcp(), "missing": missing, **bad}
    async with open_arena(tmp_path, mcp_servers=everybody) as arena:
        arena.quiet = None  # what starts servers, and the one that is well, are still there
        assert "hello" in await arena.answer(call("mcp__well__echo", {"say": "hello"}))
        for mode in UNSUITABLE:
            name = f"mcp__{mode}__echo"
            assert await arena.answer(call(name)) == f"unsupported call: {name}"
        with trio.fail_after(SOON):
            complete = await arena.wait_for(McpStartupComplete)

        reasons = {failure.server: failure.error for failure in complete.failed}
        assert complete.ready == ("well",)
        assert reasons.pop("missing") == "command not found: '/no/where'"
        assert {
            mode: error for mode, error in reasons.items() if UNSUITABLE[mode] not in error
        } == {}
        assert reasons.keys() == UNSUITABLE.keys()


LIES = {
    "no object": ("mcp__a__no_object", "unsupported call: "),
    "properties": ("mcp__a__properties", "unsupported call: "),
    "too deep": ("mcp__a__deep", "unsupported call: "),
    "too long": ("mcp__a__fat", "unsupported call: "),
    "no such type": ("mcp__a__of_numbers", "unsupported call: "),
}


async def test_tool_that_lies_about_its_schema_is_not_there(tmp_path: Path) -> None:
    """The others of its server are; the schemas in requests are all such that models take."""
    async with open_arena(tmp_path, mcp_servers={"a": plain_mcp("liar")}) as arena:
        offered = [
            spec["name"] for spec in (await last_tools(arena)) if spec["name"].startswith("mcp")
        ]
        for lie, (name, says) in LIES.items():
            assert await arena.answer(call(name, {})) == says + name, lie

        assert offered == ["mcp__a__good"]


async def last_tools(arena: Arena) -> Sequence[Any]:
    """What a request offers."""
    await arena.say("hi")
    response = await arena.request()
    response.say("done").complete()
    await arena.wait_end()
    return response.request.tools


CALLS = {
    "a death": ("die", {}, "the server ended with exit code 3"),
    "a flood": ("bigger_id_at_end", {}, "the answer has more than 8 MiB"),
    "a long answer": ("big", {"bytes": 5_000_000}, "truncated"),
    "no answer in time": ("hang", {}, "timed out after 0.5 seconds"),
    "a result that is none": ("nonsense_result", {}, "the answer is not what the protocol says"),
    "lines between": ("unreadable", {}, "still here"),
    "noise": ("chatty", {}, "done"),
    "a no": ("refused", {}, "no: nothing"),
    "a failure": ("failing", {}, "it did not work"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CALLS)
async def test_call_of_a_server_that_misbehaves_is_answered(tmp_path: Path, case: str) -> None:
    """In time, with one end; the next call works, for which a dead server is started again."""
    name, arguments, says = CALLS[case]
    async with open_arena(
        tmp_path, mcp_servers={"a": plain_mcp(tool_timeout=0.5 if name == "hang" else 10)}
    ) as arena:
        answer = await arena.answer(call(f"mcp__a__{name}", arguments))
        assert says in answer
        assert len(answer) < 200_000

        if name == "die":
            arena.quiet = None  # another takes its place
            with trio.fail_after(SOON):  # it is starting, and then ready, for the second time
                await arena.wait_for(McpStartupUpdate, 4)
        assert "again" in await arena.answer(call("mcp__a__echo", {"say": "again"}))

        begun = [msg.call_id for msg in arena.of(McpToolCallBegin)]
        assert len(begun) == len(arena.of(McpToolCallEnd)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "err: expected an object"),
        (f'{{"a": {"[" * 5000}{"]" * 5000}}}', "err: depth limit exceeded"),
        ('{"a": 1e999}', "err: number is infinity"),
        (f'{{"a": {"9" * 400}}}', "err: number is infinity"),
        ('{"a": "\\ud800"}', "err: no low surrogate"),
        ('{"a": 1', "err: unexpected end of data"),
    ],
)
async def test_arguments_that_are_none_do_not_reach_a_server(
    tmp_path: Path, text: str, says: str
) -> None:
    """Nor are they told to clients; no arguments at all are fine."""
    async with open_arena(tmp_path, mcp_servers={"a": plain_mcp()}) as arena:
        assert (await arena.answer(call("mcp__a__echo", text))).startswith(says)
        assert "null" in await arena.answer(call("mcp__a__echo", ""))

        assert len(arena.of(McpToolCallEnd)) == 1


async def test_required_server_that_cannot_start_fails_turns_and_not_the_thread(
    tmp_path: Path,
) -> None:
    """Each turn says why."""
    missing = McpServerConfig(transport=NOWHERE, required=True)
    async with open_arena(tmp_path, mcp_servers={"a": missing}, usual=False) as arena:
        for count in (1, 2):
            await arena.say("hi")
            with trio.fail_after(SOON):
                error = await arena.wait_for(ErrorEvent, count)
                await arena.wait_end()
            assert "command not found: '/no/where'" in error.message


async def test_interrupt_of_a_call_that_hangs_lets_the_server_live(tmp_path: Path) -> None:
    """The next call goes to the same process."""
    async with open_arena(tmp_path, mcp_servers={"a": plain_mcp()}) as arena:
        before = await arena.answer(call("mcp__a__who"))
        await arena.start_calls(call("mcp__a__hang"))
        with trio.fail_after(SOON):
            await arena.wait_for(McpToolCallBegin, 2)
        await wait_all_tasks_blocked(0.01)

        [stopped] = await arena.interrupt()

        assert stopped.startswith("aborted by user after")
        assert await arena.answer(call("mcp__a__who")) == before
