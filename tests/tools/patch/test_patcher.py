"""The way of a patch: verified, allowed, written, told; each of them or none."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.safety import ApprovalCache, PatchKey
from actors.tools.errors import ToolError
from actors.tools.patch import Patcher
from actors.tools.patch.disk import Disk
from actors.tools.tool import ToolCall, ToolOutput
from messages.events import (
    AddFile,
    ApplyPatchApprovalRequest,
    ApplyPatchStatus,
    PatchApplyBegin,
    PatchApplyEnd,
    TurnDiff,
)
from messages.ids import TurnId
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecisionKind
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    TruncationMode,
    TruncationPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

from ..fake_context import CALL, TURN, FakeContext, custom_call, function_call
from ..processes import open_descriptors
from .trees import contents, patch, update, write

ADD = patch("*** Add File: n", "+x")
DONE = "Success. Updated the following files:\nA n\n"
OUTSIDE = "patch rejected: writing outside of the project; rejected by user approval settings"
# Test folders are below /tmp.
WORKSPACE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
BEGIN_TO_END = [PatchApplyBegin, PatchApplyEnd, TurnDiff]
ASKED = [PatchApplyBegin, ApplyPatchApprovalRequest, PatchApplyEnd]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


@pytest.fixture
def context(root: Path) -> FakeContext:
    return FakeContext(
        cwd=str(root), approval_policy=AskForApproval.ON_REQUEST, sandbox_policy=WORKSPACE
    )


@pytest.fixture
def approvals() -> ApprovalCache:
    return ApprovalCache()


@pytest.fixture
def patcher(approvals: ApprovalCache) -> Patcher:
    return Patcher(approvals=approvals, environ={})


async def run(
    patcher: Patcher, context: FakeContext, text: str, call: ToolCall | None = None
) -> ToolOutput:
    return await patcher.apply(
        text, cwd="", call=call or custom_call("apply_patch", text), context=context
    )


async def refusal(patcher: Patcher, context: FakeContext, text: str) -> str:
    with pytest.raises(ToolError) as caught:
        await run(patcher, context, text)
    return caught.value.text


async def test_patch_inside_the_project_is_applied_and_told(
    patcher: Patcher, context: FakeContext, root: Path, mock_clock: MockClock
) -> None:
    """One begin, one end, the diff of the turn; nobody is asked."""
    output = await run(patcher, context, ADD)

    changes = {f"{root}/n": AddFile(content="x\n")}
    diff = (
        "diff --git a/n b/n\nnew file mode 100644\n"
        f"index {'0' * 40}..587be6b4c3f93f93c489c0111bba5596147a26cb\n"
        "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
    )
    assert context.events == [
        PatchApplyBegin(call_id=CALL, turn_id=TURN, auto_approved=True, changes=changes),
        PatchApplyEnd(
            call_id=CALL,
            turn_id=TURN,
            stdout=DONE,
            stderr="",
            success=True,
            status=ApplyPatchStatus.COMPLETED,
            changes=changes,
        ),
        TurnDiff(unified_diff=diff),
    ]
    assert output == ToolOutput(
        output=f"Exit code: 0\nWall time: 0.0 seconds\nOutput:\n{DONE}", success=True
    )
    assert contents(root) == {"n": b"x\n"}
    assert patcher.turn_diff(TURN) == diff


async def test_function_calls_are_answered_in_json(
    patcher: Patcher, context: FakeContext, mock_clock: MockClock
) -> None:
    """And the tools that answer in text, in text."""
    answers = {}
    for name in ("apply_patch", "shell", "container.exec", "shell_command", "exec_command"):
        output = await run(patcher, context, ADD, function_call(name))
        assert isinstance(output.output, str)
        answers[name] = output.output

    as_json = {"output": DONE, "metadata": {"exit_code": 0, "duration_seconds": 0.0}}
    as_text = f"Exit code: 0\nWall time: 0.0 seconds\nOutput:\n{DONE}"
    for name in ("apply_patch", "shell", "container.exec"):
        got = json.loads(answers[name])
        assert got == as_json
        assert list(got) == ["output", "metadata"]
    assert answers["shell_command"] == answers["exec_command"] == as_text


async def test_long_answer_is_cut_and_says_so(
    patcher: Patcher, context: FakeContext, mock_clock: MockClock
) -> None:
    context.truncation_policy = TruncationPolicy(mode=TruncationMode.BYTES, limit=60)
    many = patch(*(line for n in range(50) for line in (f"*** Add File: f{n}", "+x")))

    output = await run(patcher, context, many)

    assert isinstance(output.output, str)
    head, text = output.output.split("\nOutput:\n")
    assert head == "Exit code: 0\nWall time: 0.0 seconds\nTotal output lines: 51"
    assert "chars truncated" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (patch(), "patch rejected: empty patch"),
        ("bad", "apply_patch verification failed: invalid patch: The first line of the patch "
         "must be '*** Begin Patch'"),
        (patch("bad"), "apply_patch verification failed: invalid hunk at line 2, 'bad' is not a "
         "valid hunk header. Valid hunk headers: '*** Add File: {path}', '*** Delete File: "
         "{path}', '*** Update File: {path}'"),
        (update("no", "-x"), "apply_patch verification failed: Failed to read file to update "
         "ROOT/no: No such file or directory (os error 2)"),
        (patch("*** Add File: n", "+x", "*** Update File: n", "-y"), "apply_patch verification "
         "failed: Failed to find expected lines in ROOT/n:\ny"),
    ],
)  # fmt: skip
async def test_patch_that_fails_verification_tells_nothing_and_writes_nothing(
    patcher: Patcher, context: FakeContext, root: Path, text: str, expected: str
) -> None:
    assert await refusal(patcher, context, text) == expected.replace("ROOT", str(root))

    assert context.events == []
    assert contents(root) == {}
    assert patcher.turn_diff(TURN) is None


@pytest.mark.parametrize("approval", AskForApproval)
@pytest.mark.parametrize("where", ["inside", "outside"])
@pytest.mark.parametrize(
    "policy",
    [WORKSPACE, ReadOnly(), DangerFullAccess(), ExternalSandbox(), UnknownSandbox(tag="x", raw={})],
)
async def test_policy_decides_who_is_asked(
    context: FakeContext, root: Path, approval: Any, where: str, policy: Any
) -> None:
    """Each policy with each, for paths in the project and outside of it."""
    patcher = Patcher(approvals=ApprovalCache(), environ={})
    context.approval_policy, context.sandbox_policy = approval, policy
    context.patch_answers.append(ReviewDecisionKind.DENIED)
    path = root / "n" if where == "inside" else root.parent / "n"

    output = await run(patcher, context, patch(f"*** Add File: {path}", "+x"))

    writable = isinstance(policy, DangerFullAccess | ExternalSandbox) or (
        policy is WORKSPACE and where == "inside"
    )
    begin, *_, end = context.events if context.kinds()[-1] is not TurnDiff else context.events[:-1]
    assert isinstance(begin, PatchApplyBegin)
    assert isinstance(end, PatchApplyEnd)
    if isinstance(policy, UnknownSandbox) or (approval is AskForApproval.NEVER and not writable):
        # Refused by policy: not in the words, and not with the status, of a person's no.
        assert context.kinds() == [PatchApplyBegin, PatchApplyEnd]
        assert end.status is ApplyPatchStatus.FAILED
        assert output.success is False
        assert output.output == end.stderr != "patch rejected by user"
        if not isinstance(policy, UnknownSandbox):
            assert output.output == OUTSIDE
    elif approval is AskForApproval.UNTRUSTED or not writable:
        assert context.kinds() == ASKED
        assert not begin.auto_approved
        assert end.status is ApplyPatchStatus.DECLINED
        assert output == ToolOutput(output="patch rejected by user", success=False)
        assert end.stderr == "patch rejected by user"
    else:
        assert context.kinds() == BEGIN_TO_END
        assert begin.auto_approved
        assert end.status is ApplyPatchStatus.COMPLETED
    assert end.success is path.exists() is (end.status is ApplyPatchStatus.COMPLETED)


@pytest.mark.parametrize(
    "answer",
    [
        ReviewDecisionKind.APPROVED,
        ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("x",)),
    ],
)
async def test_person_allows_once(
    patcher: Patcher, context: FakeContext, root: Path, answer: Any
) -> None:
    """What was shown is written, also outside; the next patch is asked for again."""
    text = patch(f"*** Add File: {root.parent}/out", "+x")
    context.patch_answers.extend([answer, ReviewDecisionKind.ABORT])

    allowed = await run(patcher, context, text)
    refused = await run(patcher, context, text)

    assert (allowed.success, refused.success) == (True, False)
    assert context.kinds() == [*ASKED, TurnDiff, *ASKED]
    request = context.of(ApplyPatchApprovalRequest)[0]
    assert request == ApplyPatchApprovalRequest(
        call_id=CALL,
        turn_id=TURN,
        changes={f"{root.parent}/out": AddFile(content="x\n")},
    )
    assert (root.parent / "out").read_text() == "x\n"


async def test_person_allows_for_the_session_path_by_path(
    patcher: Patcher, context: FakeContext, root: Path, approvals: ApprovalCache
) -> None:
    """Later patches to those files only are not asked for; a change of policy forgets it."""
    out = root.parent
    first = patch(f"*** Add File: {out}/a", "+1", f"*** Add File: {out}/b", "+1")
    second = update(f"{out}/a", "-1", "+2")
    third = update(f"{out}/a", f"*** Move to: {out}/c", "-2", "+3")
    context.patch_answers.extend([ReviewDecisionKind.APPROVED_FOR_SESSION])

    await run(patcher, context, first)
    assert approvals.allowed() == {PatchKey(f"{out}/a"), PatchKey(f"{out}/b")}
    await run(patcher, context, second)
    assert [begin.auto_approved for begin in context.of(PatchApplyBegin)] == [False, True]

    context.patch_answers.append(ReviewDecisionKind.DENIED)
    assert (await run(patcher, context, third)).success is False
    context.approval_policy = AskForApproval.UNTRUSTED
    context.patch_answers.append(ReviewDecisionKind.DENIED)
    assert (await run(patcher, context, update(f"{out}/a", "-2", "+3"))).success is False
    assert approvals.allowed() == frozenset()


async def test_failure_to_write_is_told_as_such(
    context: FakeContext, approvals: ApprovalCache, root: Path, mock_clock: MockClock
) -> None:
    """Exit code 1, the reason, and no diff."""

    class Full(Disk):
        def create(self, *args: Any) -> None:
            raise OSError(28, "")

    patcher = Patcher(approvals=approvals, environ={}, disk=Full())

    output = await run(patcher, context, ADD)

    text = (
        f"Failed to write file {root}/n: No space left on device (os error 28); no file was changed"
    )
    assert output == ToolOutput(
        output=f"Exit code: 1\nWall time: 0.0 seconds\nOutput:\n{text}", success=False
    )
    assert context.kinds() == [PatchApplyBegin, PatchApplyEnd]
    [end] = context.of(PatchApplyEnd)
    assert (end.status, end.stderr, end.success) == (ApplyPatchStatus.FAILED, text, False)
    assert patcher.turn_diff(TURN) is None


async def test_file_that_changes_while_a_person_thinks_is_not_overwritten(
    patcher: Patcher, context: FakeContext, root: Path
) -> None:
    """What was shown is not what would be done any more."""
    write(root, {"a": "1\n"})
    context.approval_policy = AskForApproval.UNTRUSTED

    def meanwhile(request: object) -> ReviewDecisionKind:
        (root / "a").write_text("1\nmine\n")
        return ReviewDecisionKind.APPROVED

    context.patch_answers.append(meanwhile)

    output = await run(patcher, context, update("a", "-1", "+2"))

    assert output.success is False
    assert "it changed since the patch was verified; no file was changed" in str(output.output)
    assert contents(root) == {"a": b"1\nmine\n"}


async def test_cancellation_while_a_person_thinks_ends_the_patch_unwritten(
    patcher: Patcher, context: FakeContext, root: Path
) -> None:
    context.approval_policy = AskForApproval.UNTRUSTED
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, patcher, context, ADD)
        await context.wait_for(ApplyPatchApprovalRequest)
        nursery.cancel_scope.cancel()

    assert context.kinds() == ASKED
    [end] = context.of(PatchApplyEnd)
    assert (end.status, end.success) == (ApplyPatchStatus.FAILED, False)
    assert end.stderr == "patch aborted by user; no file was changed"
    assert contents(root) == {}


async def test_cancellation_while_writing_waits_for_the_truth(
    context: FakeContext, approvals: ApprovalCache, root: Path
) -> None:
    """Once the files are being written they are written wholly, and the end says so."""
    writing, go_on = threading.Event(), threading.Event()

    class Slow(Disk):
        def create(self, *args: Any) -> None:
            writing.set()
            assert go_on.wait(10)
            super().create(*args)

    patcher = Patcher(approvals=approvals, environ={}, disk=Slow())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, patcher, context, ADD)
        assert await trio.to_thread.run_sync(writing.wait, 10)
        nursery.cancel_scope.cancel()
        go_on.set()

    assert context.kinds() == BEGIN_TO_END
    assert context.of(PatchApplyEnd)[0].status is ApplyPatchStatus.COMPLETED
    assert contents(root) == {"n": b"x\n"}


async def test_patches_of_one_thread_follow_each_other(
    patcher: Patcher, context: FakeContext, root: Path
) -> None:
    """The second is verified against what the first left, even if the first waits for a person."""
    write(root, {"a": "1\n2\n"})
    context.approval_policy = AskForApproval.UNTRUSTED
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, patcher, context, update("a", "-1", "+one"))
        await context.wait_for(ApplyPatchApprovalRequest)
        nursery.start_soon(run, patcher, context, update("a", " one", "-2", "+two"))
        await wait_all_tasks_blocked()
        assert context.kinds() == ASKED[:2]
        context.patch_answers.extend([ReviewDecisionKind.APPROVED] * 2)

    assert context.kinds() == [*ASKED, TurnDiff] * 2
    assert contents(root) == {"a": b"one\ntwo\n"}


async def test_crash_while_asking_still_has_an_end(patcher: Patcher, context: FakeContext) -> None:
    context.approval_policy = AskForApproval.UNTRUSTED

    def crash(request: object) -> ReviewDecisionKind:
        raise RuntimeError("secret")

    context.patch_answers.append(crash)

    with pytest.raises(RuntimeError):
        await run(patcher, context, ADD)

    assert context.of(PatchApplyEnd)[0].stderr == "execution error: RuntimeError"


async def test_turn_diff_adds_up_over_a_turn_and_starts_anew_with_the_next(
    patcher: Patcher, context: FakeContext, root: Path
) -> None:
    write(root, {"a": "1\n"})
    await run(patcher, context, update("a", "-1", "+2"))
    await run(patcher, context, update("a", "-2", "+3"))
    first, second = context.of(TurnDiff)
    assert "-1\n+2\n" in first.unified_diff
    assert "-1\n+3\n" in second.unified_diff

    await run(patcher, context, update("a", "-3", "+1"))
    assert len(context.of(TurnDiff)) == 2  # nothing differs any more
    assert patcher.turn_diff(TURN) is None

    context.turn_id = TurnId("turn-2")
    assert patcher.turn_diff(context.turn_id) is None
    await run(patcher, context, update("a", "-1", "+4"))
    assert patcher.turn_diff(TURN) is None
    assert "-1\n+4\n" in (patcher.turn_diff(context.turn_id) or "")


async def test_patch_in_a_command_is_applied_where_the_command_would_run(
    patcher: Patcher, context: FakeContext, root: Path
) -> None:
    """The model is told to use the tool, and answered in the form of the one it used."""
    (root / "sub" / "deep").mkdir(parents=True)
    script = f"cd deep && apply_patch <<'EOF'\n{ADD}\nEOF"

    output = await patcher.intercept(
        ["bash", "-lc", script],
        cwd="sub",
        call=function_call("shell"),
        tool_name="shell",
        context=context,
    )

    assert output is not None
    assert json.loads(str(output.output))["output"] == DONE
    assert contents(root) == {"sub/deep/n": b"x\n"}
    assert context.kinds() == BEGIN_TO_END
    assert context.input_texts() == [
        (
            "user",
            "Warning: apply_patch was requested via shell. Use the apply_patch tool instead of "
            "exec_command.",
        )
    ]


async def test_other_commands_are_not_intercepted_and_bare_patches_are_refused(
    patcher: Patcher, context: FakeContext
) -> None:
    async def intercept(*argv: str) -> ToolOutput | None:
        return await patcher.intercept(
            argv, cwd="", call=function_call("shell"), tool_name="shell", context=context
        )

    assert await intercept("ls") is None
    for argv, expected in [
        ((ADD,), "patch detected without explicit call to apply_patch. Rerun as "
         '["apply_patch", "<patch>"]'),
        (("apply_patch", "x"), "invalid patch: The first line of the patch must be "
         "'*** Begin Patch'"),
    ]:  # fmt: skip
        with pytest.raises(ToolError) as caught:
            await intercept(*argv)
        assert caught.value.text == f"apply_patch verification failed: {expected}"
    assert context.events == []
    assert context.inputs == []


async def test_nothing_stays_open(patcher: Patcher, context: FakeContext, root: Path) -> None:
    write(root, {"a": "1\n", "b/c": "1\n"})
    await run(patcher, context, ADD)
    before = open_descriptors()

    await run(patcher, context, patch("*** Update File: a", "-1", "+2", "*** Delete File: b/c"))
    await refusal(patcher, context, update("a", "-7"))

    assert open_descriptors() == before
