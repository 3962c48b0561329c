"""Arguments that are no arguments, for every tool there is."""

from pathlib import Path

import pytest
import trio

from messages.events import (
    ErrorEvent,
    ExecCommandBegin,
    ExecCommandEnd,
    RawResponseItem,
    TurnComplete,
)
from messages.items import LocalShellAction, LocalShellCall, LocalShellStatus
from messages.tool_settings import ToolFeatures

from .arena import SOON, call, custom, open_arena, shell

FUNCTIONS = (
    "shell",
    "container.exec",
    "local_shell",
    "shell_command",
    "exec_command",
    "write_stdin",
    "update_plan",
    "view_image",
    "apply_patch",
    "spawn_agent",
    "send_input",
    "wait",
    "close_agent",
    "resume_agent",
)
DEEP = "[" * 100_000 + "]" * 100_000
MEMBERS = [
    "command",
    "cmd",
    "session_id",
    "plan",
    "path",
    "input",
    "message",
    "items",
    "id",
    "ids",
    "agent_type",
    "timeout_ms",
]
MANY_KEYS = ", ".join(f'"k{number}": {number}' for number in range(20_000))


def every(value: str) -> str:
    """All members that tools know, with one value."""
    return "{" + ", ".join(f'"{name}": {value}' for name in MEMBERS) + "}"


NOT_JSON = {
    "nothing": "",
    "half": '{"command": ["ls"',
    "more": '{"command": ["ls"]} and more',
    "single quotes": "{'command': ['ls']}",
    "a constant": every("NaN"),
    "infinity": every("-Infinity"),
    "too large for a double": every("1e999"),
    "5000 digits": every("9" * 5000),
    "deep": DEEP,
    "deep within": every(DEEP),
    "half a character": every(r'"\ud800"'),
    "a control character": every('"\x01"'),
    "a byte order mark": "\ufeff{}",
}
NO_OBJECT = {"null": "null", "a list": "[]", "text": '"x"', "a number": "1", "a boolean": "true"}
NO_FIT = {
    "no members": "{}",
    "members that nobody knows": f"{{{MANY_KEYS}}}",
    "objects": every("{}"),
    "lists in lists": every("[[[]]]"),
    "booleans": every("true"),
    "nulls": every("null"),
    "numbers": every("1e308"),
    "whole numbers beyond 64 bits": every("9" * 30),
    "texts": every(r'"\u0000"'),
}


@pytest.mark.slow
@pytest.mark.parametrize("tool", FUNCTIONS)
async def test_arguments_that_do_not_fit_are_answered_and_nothing_is_done(
    tmp_path: Path, tool: str
) -> None:
    """Each with one short text, at once; no process, no event."""
    async with open_arena(tmp_path, features=ToolFeatures(collab=True)) as arena:
        for name, text in NOT_JSON.items():
            answer = await arena.answer(call(tool, text))
            assert answer.startswith("failed to parse function arguments: "), name
            assert len(answer) < 200, name
        for name, text in NO_OBJECT.items():
            assert "expected an object" in await arena.answer(call(tool, text)), name
        assert arena.of(ExecCommandBegin) == []
        for name, text in NO_FIT.items():
            answer = await arena.answer(call(tool, text))
            assert 0 < len(answer) < 500, name
            assert "unexpectedly" not in answer, f"{name}: {answer}"
        assert arena.of(ErrorEvent) == []
        arena.quiet = None  # the one call that starts a command leaves what starts commands


async def test_of_two_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    """As everywhere; what was asked for and what ran are the same."""
    twice = '{"command": ["echo", "one"], "command": ["echo", "two"], "unknown": {}}'
    async with open_arena(tmp_path, processes=True) as arena:
        assert (await arena.answer(call("shell", twice))).endswith("two\n")

        assert arena.of(ExecCommandBegin)[-1].command == ("echo", "two")


async def test_numbers_beyond_reason_are_bounds_of_their_own(tmp_path: Path) -> None:
    """A huge time is as long as it takes, one below zero is refused or none at all."""
    async with open_arena(tmp_path, processes=True) as arena:
        for number in ("1e308", "9" * 300, "18446744073709551616"):
            members = (
                f'"timeout_ms": {number}, "yield_time_ms": {number}, "max_output_tokens": {number}'
            )
            ran = await arena.answer(call("shell", f'{{"command": ["echo", "a"], {members}}}'))
            session = f'{{"cmd": "echo a", "login": false, {members}}}'
            assert ran.endswith("a\n")
            assert (await arena.answer(call("exec_command", session))).endswith("a\n")
        below = {"yield_time_ms": -1e300, "max_output_tokens": -5}
        assert "exited with code 0" in await arena.answer(
            call("exec_command", {"cmd": "true", "login": False, **below})
        )
        assert "timeout_ms is -1, below 0" in await arena.answer(shell("true", timeout_ms=-1))
        assert "timed out after" in await arena.answer(shell("sleep 60", timeout_ms=0))


@pytest.mark.parametrize(
    "name", ["", "no_such_tool", "x" * 10_000, "a\nb\x1b[2J", "mcp__a__b", "ä"]
)
async def test_tool_that_is_not_there_is_answered_so(tmp_path: Path, name: str) -> None:
    """Whatever its name is like; the arguments are not even read."""
    async with open_arena(tmp_path) as arena:
        assert (await arena.answer(call(name, DEEP))) == f"unsupported call: {name}"
        assert (await arena.answer(custom(name, DEEP))) == f"unsupported custom tool call: {name}"


async def test_ids_of_calls_may_be_empty_odd_or_the_same(tmp_path: Path) -> None:
    """Each call has its own answer all the same, in order."""
    ids = ["", "same", "same", "x" * 10_000, "a\nb\0", "same"]
    async with open_arena(tmp_path, processes=True, resumes=True) as arena:
        calls = [shell(f"echo {number}", call_id) for number, call_id in enumerate(ids)]

        answers = await arena.turn(*calls)

        assert [answer[-2:] for answer in answers] == [f"{number}\n" for number in range(6)]
        assert len(arena.of(ExecCommandEnd)) == 7


async def test_local_shell_call_without_any_id_does_nothing(tmp_path: Path) -> None:
    """Nothing can be said to the model of it; clients and the file have the reason."""
    action = LocalShellAction(command=("ls",))
    item = LocalShellCall(status=LocalShellStatus.COMPLETED, action=action)
    async with open_arena(tmp_path, resumes=True) as arena:
        assert await arena.turn(item) == []

        told = [raw.item.output for raw in arena.of(RawResponseItem) if hasattr(raw.item, "output")]
        assert told == ["LocalShellCall without call_id or id"]
        assert arena.of(ExecCommandBegin) == []


@pytest.mark.parametrize("tool", [name for name in FUNCTIONS if name != "apply_patch"])
async def test_free_text_for_a_function_ends_the_turn_and_not_the_thread(
    tmp_path: Path, tool: str
) -> None:
    """Model and thread disagree about what the tool is: that is told to clients, too."""
    async with open_arena(tmp_path, resumes=True, features=ToolFeatures(collab=True)) as arena:
        await arena.start_calls(custom(tool, "ls"))
        with trio.fail_after(SOON):
            ended = await arena.wait_end()

        assert isinstance(ended, TurnComplete)
        [error] = arena.of(ErrorEvent)
        assert error.message == f"Fatal error: tool {tool} invoked with incompatible payload"


async def test_lone_surrogates_are_replaced_before_anybody_sees_them(tmp_path: Path) -> None:
    """In names, ids, arguments and free text; the file and the next request hold no others."""
    async with open_arena(tmp_path, processes=True, resumes=True) as arena:
        echo = call("shell", '{"command": ["echo", "\ud800"]}', "\udfff")
        assert (await arena.answer(echo)).endswith("?\n")
        assert await arena.answer(call("\ud800", {})) == "unsupported call: ?"
        assert "'*** ?'" in await arena.answer(
            custom("apply_patch", "*** Begin Patch\n*** \ud800\n*** End Patch")
        )

        assert arena.of(ExecCommandBegin)[-1].command == ("echo", "?")
