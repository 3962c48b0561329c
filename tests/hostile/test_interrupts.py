"""Stopping a turn in the midst of every tool, within bounds (P15)."""

import math
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from messages.events import (
    ApplyPatchApprovalRequest,
    ExecApprovalRequest,
    ExecCommandEnd,
    PatchApplyEnd,
    TurnAborted,
)
from messages.ids import CallId
from messages.items import ResponseItem
from messages.ops import ExecApproval, Interrupt, PatchApproval, ReviewDecisionKind
from messages.settings import AskForApproval, WorkspaceWrite

from ..tools.patch.trees import contents
from .arena import SOON, Arena, exec_command, open_arena, patch, shell
from .moments import MOMENTS, Moment

BUSY = 4
"""How many times longer something may take on a machine that does much else meanwhile.

The bench measures the real thing.
"""

STILL = {name: moment for name, moment in MOMENTS.items() if not moment.processes}
MOVING = {name: moment for name, moment in MOMENTS.items() if moment.processes}


TRIES = 3
"""How often it may be tried: a machine that is too busy is not so for ever."""


async def stop(arena: Arena, moment: Moment) -> float:
    """Let a turn come to the moment and interrupt it; return how long that took."""
    with trio.fail_after(SOON):
        await moment.begin(arena)
    began = trio.current_time()
    with trio.fail_after(SOON):
        await arena.do(Interrupt())
        assert isinstance(await arena.wait_end(), TurnAborted)
    return trio.current_time() - began


@pytest.mark.parametrize("name", STILL)
async def test_turn_that_waits_for_somebody_is_stopped_at_once(
    tmp_path: Path, mock_clock: MockClock, name: str
) -> None:
    """By a clock that stands still no time passes; questions are withdrawn, nothing is done."""
    moment = STILL[name]
    async with open_arena(tmp_path, **moment.settings) as arena:
        arena.quiet = None  # agents go on, and commands may have looked for a sandbox
        assert await stop(arena, moment) <= moment.within

        answers = await arena.answers_of_last()
        assert all("aborted by user" in answer for answer in answers)
    assert contents(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOVING)
async def test_turn_with_processes_is_stopped_in_time(tmp_path: Path, name: str) -> None:
    """Those of earlier turns end with it; each command tells its end."""
    moment = MOVING[name]
    usual = "usual" not in moment.settings
    taken: list[float] = []
    while len(taken) < TRIES and min(taken, default=math.inf) > BUSY * moment.within:
        folder = tmp_path / str(len(taken))
        folder.mkdir()
        async with open_arena(folder, processes=usual, **moment.settings) as arena:
            taken.append(await stop(arena, moment))
            await arena.wait_commands()

    assert min(taken) <= BUSY * moment.within


@pytest.mark.parametrize(
    ("item", "asked", "ended", "says"),
    [
        (shell("touch x"), ExecApprovalRequest, ExecCommandEnd, "exec command rejected by user"),
        (
            exec_command("touch x"),
            ExecApprovalRequest,
            ExecCommandEnd,
            "exec command rejected by user",
        ),
        (
            patch("*** Add File: x", "+x"),
            ApplyPatchApprovalRequest,
            PatchApplyEnd,
            "patch rejected by user",
        ),
    ],
    ids=["shell", "exec_command", "apply_patch"],
)
async def test_person_who_stops_the_turn_instead_of_allowing_something_has_declined_it(
    tmp_path: Path, item: ResponseItem, asked: type, ended: type, says: str
) -> None:
    """And the turn goes no further, whatever else it was about to do."""
    settings = {"approval_policy": AskForApproval.UNTRUSTED, "sandbox_policy": WorkspaceWrite()}
    async with open_arena(tmp_path, **settings) as arena:
        arena.quiet = None
        with trio.fail_after(SOON):
            await arena.start_calls(item)
            await arena.wait_for(asked)
            op = ExecApproval if asked is ExecApprovalRequest else PatchApproval
            await arena.do(op(id=CallId("c"), decision=ReviewDecisionKind.ABORT))
            assert isinstance(await arena.wait_end(), TurnAborted)

        [end] = arena.of(ended)
        assert end.status.value == "declined"
        assert says in end.stderr
        assert await arena.answers_of_last() == [says]
    assert contents(tmp_path) == {}
