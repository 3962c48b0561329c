"""Many hostile calls of one response, and one interrupt."""

from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from messages.events import (
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    PatchApplyEnd,
    PlanUpdate,
)
from messages.items import FunctionCall, ResponseItem
from messages.tool_settings import ToolFeatures

from ..tools.patch.trees import contents
from .arena import SOON, call, exec_command, open_arena, patch, plain_mcp, shell
from .moments import DEAF, OWN_TOOL
from .test_commands import FORKS, GRANDCHILD

SCRIPTS = (
    DEAF,
    "yes",
    f"{FORKS}; echo on; wait",
    f"{GRANDCHILD}; echo on; sleep 60",
    "echo on; sleep 60",
)
"""Each writes something when it has done the worst that it can."""


def shells() -> list[FunctionCall]:
    return [shell(SCRIPTS[n % 5], f"c{n}", timeout_ms=60_000) for n in range(20)]


def sessions() -> list[FunctionCall]:
    """Half of them with a terminal."""
    return [
        exec_command(SCRIPTS[n % 5], f"c{n}", yield_time_ms=30_000, tty=n % 2 == 0)
        for n in range(20)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("make", [shells, sessions])
async def test_interrupt_ends_twenty_hostile_commands_at_once(tmp_path: Path, make) -> None:
    """Each has its answer and its end; nothing is left of hundreds of processes."""
    calls = make()
    features = ToolFeatures(unified_exec=make is sessions)  # what is offered runs in parallel
    async with open_arena(tmp_path, processes=True, features=features) as arena:
        await arena.start_calls(*calls)
        with trio.fail_after(SOON):
            await arena.wait_for(ExecCommandBegin, 1 + len(calls))
            while len({told.call_id for told in arena.of(ExecCommandOutputDelta)}) < len(calls):
                await arena.changed.wait()

        answers = await arena.interrupt()
        with trio.fail_after(SOON):
            await arena.wait_for(ExecCommandEnd, 1 + len(calls))

        assert len(answers) == len(calls) == 20
        assert all("aborted by user" in answer for answer in answers)


@pytest.mark.slow
async def test_calls_of_every_kind_are_answered_in_their_order_when_they_are_stopped(
    tmp_path: Path,
) -> None:
    """What was done before the interrupt counts, what waits behind it is not begun."""
    calls: list[ResponseItem] = [
        call("update_plan", {"plan": [{"step": "one", "status": "pending"}]}, "plan"),
        patch("*** Add File: before", "+x", call_id="patch"),
        call("view_image", {"path": "/dev/zero"}, "image"),
        call("no_such_tool", {}, "unknown"),
        shell("ls", "broken", timeout_ms="x"),
        exec_command(DEAF, "session", yield_time_ms=30_000),
        call("mcp__a__hang", {}, "mcp"),
        call("own", {}, "own"),
        patch("*** Add File: after", "+x", call_id="later patch"),
        shell("echo never", "never"),
    ]
    async with open_arena(
        tmp_path,
        processes=True,
        resumes=True,
        mcp_servers={"a": plain_mcp()},
        dynamic_tools=[OWN_TOOL],
    ) as arena:
        await arena.start_calls(*calls)
        with trio.fail_after(SOON):
            await arena.wait_for(ExecCommandBegin, 2)
        await wait_all_tasks_blocked(0.02)

        answers = await arena.interrupt()

        names = [item.call_id for item in calls]
        told = dict(zip(names, answers, strict=True))
        stopped = {name for name, answer in told.items() if "aborted by user" in answer}
        assert stopped == {"session", "mcp", "own", "later patch", "never"}
        assert told["unknown"] == "unsupported call: no_such_tool"
        assert len(arena.of(PlanUpdate)) == len(arena.of(PatchApplyEnd)) == 1
    assert contents(tmp_path) == {"before": b"x\n"}


@pytest.mark.slow
async def test_calls_of_every_kind_end_by_themselves_with_what_each_is_to_say(
    tmp_path: Path,
) -> None:
    """Fifty at once, half of them nonsense."""
    good = [shell(f"echo {number}", f"good {number}") for number in range(25)]
    bad = [
        call(
            ("shell", "exec_command", "view_image", "nobody", "write_stdin")[number % 5],
            "[",
            f"bad {number}",
        )
        for number in range(25)
    ]
    both = [item for pair in zip(good, bad, strict=True) for item in pair]
    async with open_arena(tmp_path, processes=True) as arena:
        answers = await arena.turn(*both)

        assert [answer[answer.index("Output:\n") + 8 :] for answer in answers[::2]] == [
            f"{n}\n" for n in range(25)
        ]
        assert all(
            text.startswith(("failed to parse", "unsupported call")) for text in answers[1::2]
        )


async def test_thread_that_went_through_it_goes_on_from_its_file(tmp_path: Path) -> None:
    """The model then knows what it knew before, word for word."""
    hostile: list[ResponseItem] = [
        exec_command("head -c 3000 /dev/urandom; exit 3", "same"),
        exec_command(r"printf '\033[2J\0\xff'", "same"),
        call("view_image", "[" * 5000, ""),
        call("\ud800", '{"a": "\ud800"}', "odd \udfff"),
        patch("*** Add File: /proc/nowhere/x", "+x", call_id="patch"),
    ]
    async with open_arena(tmp_path, processes=True, resumes=True) as arena:
        answers = await arena.turn(*hostile)

        assert len(answers) == len(hostile)
        assert "exited with code 3" in answers[0]
        assert answers[3] == "unsupported call: ?"
