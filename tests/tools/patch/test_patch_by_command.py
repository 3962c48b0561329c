"""Patches that come by the shell tools, through the real ones."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from actors.safety import ApprovalCache
from actors.tools.command_gate import CommandGate
from actors.tools.exec_command import ExecCommandTool
from actors.tools.exec_sessions import ExecSessions
from actors.tools.patch import Patcher
from actors.tools.shell import shell_tools
from actors.tools.tool import Tool, ToolCall
from messages.events import PatchApplyBegin, PatchApplyEnd, TurnDiff
from messages.ops import ReviewDecisionKind
from messages.settings import AskForApproval, DangerFullAccess

from ..fake_context import FakeContext, function_call
from .trees import contents, patch

TEXT = patch("*** Add File: n", "+x")
HERE = f"apply_patch <<'EOF'\n{TEXT}\nEOF"


@pytest.fixture
def tools() -> dict[str, Tool]:
    patcher = Patcher(approvals=ApprovalCache(), environ={})
    gate = cast("CommandGate", None)  # a patch never comes to it
    shared: dict[str, Any] = {"gate": gate, "environ": {}, "shell": "/bin/sh", "patcher": patcher}
    shells = shell_tools(**shared)
    return {
        tool.name: tool for tool in (*shells, ExecCommandTool(sessions=ExecSessions(), **shared))
    }


CALLS = {
    "shell": function_call("shell", command=["bash", "-lc", HERE], timeout_ms=0),
    "local_shell": function_call("local_shell", command=["apply_patch", TEXT]),
    "shell_command": function_call("shell_command", command=HERE),
    "exec_command": function_call("exec_command", cmd=HERE, yield_time_ms=250),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_patch_by_command_is_a_patch_and_no_command(
    tools: dict[str, Tool], tmp_path: Path, call: ToolCall
) -> None:
    """No process runs, no time of a command counts, and no event speaks of one."""
    context = FakeContext(cwd=str(tmp_path), sandbox_policy=DangerFullAccess())

    output = await tools[call.name].run(call, context)

    assert context.kinds() == [PatchApplyBegin, PatchApplyEnd, TurnDiff]
    assert contents(tmp_path) == {"n": b"x\n"}
    assert isinstance(output.output, str)
    done = "Success. Updated the following files:\nA n\n"
    if call.name in {"shell", "local_shell"}:
        assert json.loads(output.output)["output"] == done
    else:
        assert output.output.endswith(f"Output:\n{done}")
    [(_, warning)] = context.input_texts()
    assert warning.startswith(f"Warning: apply_patch was requested via {call.name}. ")


async def test_patch_by_command_is_asked_for_like_any_other(
    tools: dict[str, Tool], tmp_path: Path
) -> None:
    context = FakeContext(cwd=str(tmp_path), approval_policy=AskForApproval.UNTRUSTED)
    context.patch_answers.append(ReviewDecisionKind.DENIED)

    output = await tools["exec_command"].run(CALLS["exec_command"], context)

    assert output.output == "patch rejected by user"
    assert contents(tmp_path) == {}
