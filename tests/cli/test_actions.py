"""What a person reads of patches, plans, MCP servers, agents and processes."""

import pytest

from actors.cli.narrator import Narrator
from actors.cli.patch_words import files_of_patch, patch_lines
from actors.cli.pieces import Stream
from messages.events import (
    AddFile,
    ApplyPatchApprovalRequest,
    ApplyPatchStatus,
    BaseBranchTarget,
    CodeLocation,
    CollabAgentInteractionBegin,
    CollabAgentInteractionEnd,
    CollabAgentSpawnBegin,
    CollabAgentSpawnEnd,
    CollabCloseBegin,
    CollabCloseEnd,
    CollabResumeBegin,
    CollabResumeEnd,
    CollabWaitingBegin,
    CollabWaitingEnd,
    CommitTarget,
    Completed,
    CustomTarget,
    DeleteFile,
    DynamicToolCallRequest,
    ElicitationRequest,
    EnteredReviewMode,
    Errored,
    EventMsg,
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandStatus,
    ExitedReviewMode,
    ItemStarted,
    LineRange,
    McpCallFailed,
    McpCallOk,
    McpInvocation,
    McpServerFailure,
    McpStartupComplete,
    McpStartupFailed,
    McpStartupState,
    McpStartupStateKind,
    McpStartupUpdate,
    McpToolCallBegin,
    McpToolCallEnd,
    McpToolResult,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanStep,
    PlanUpdate,
    RawResponseItem,
    RequestUserInput,
    ReviewFinding,
    ReviewOutput,
    ReviewTarget,
    StatusKind,
    StepStatus,
    TerminalInteraction,
    TurnDiff,
    UncommittedChangesTarget,
    UpdateFile,
    UserInputQuestion,
    ViewImageToolCall,
    WebSearchBegin,
    WebSearchEnd,
)
from messages.ids import CallId, ThreadId
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellAction,
    LocalShellCall,
    LocalShellStatus,
    SearchAction,
)
from messages.turn_items import ContextCompactionItem
from messages.value import Seconds

from .said import THREAD, TURN, command_begin, completed, event, message, started

CALL = CallId("call")
AGENT = ThreadId("agent-1")
OTHER = ThreadId("agent-2")


def told(*msgs: EventMsg) -> tuple[str, str]:
    """Tell events in order; what went to standard output, and what to standard error."""
    narrator = Narrator(cwd="/w")
    pieces = [piece for msg in msgs for piece in narrator.take(event(msg))]
    out = "".join(piece.text for piece in pieces if piece.stream is Stream.OUT)
    return out, "".join(piece.text for piece in pieces if piece.stream is Stream.ERR)


CHANGES = {
    "/w/new.txt": AddFile(content="a\nb\n"),
    "/w/old.txt": DeleteFile(content="x"),
    "/w/src/a.py": UpdateFile(
        unified_diff="--- a\n+++ b\n@@ -1,2 +1,3 @@\n same\n-gone\n--- too\n+come\n",
        move_path="/elsewhere/b.py",
    ),
}


def patch_end(status: ApplyPatchStatus, stderr: str = "") -> PatchApplyEnd:
    return PatchApplyEnd(
        call_id=CALL,
        stdout="Success. Updated the following files:\n",
        stderr=stderr,
        success=status is ApplyPatchStatus.COMPLETED,
        status=status,
        changes=CHANGES,
    )


def test_a_patch_is_told_with_its_files_and_counts() -> None:
    """Below the working directory paths are relative; the diff itself is not told."""
    out, err = told(
        PatchApplyBegin(call_id=CALL, auto_approved=True, changes=CHANGES),
        patch_end(ApplyPatchStatus.COMPLETED),
        TurnDiff(unified_diff="much"),
    )

    assert out == (
        "patch: 3 files +3 -3\n"
        "  A new.txt +2\n"
        "  D old.txt -1\n"
        "  M src/a.py -> /elsewhere/b.py +1 -2\n"
        "  applied\n"
    )
    assert err == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [(ApplyPatchStatus.FAILED, "  no room\n  failed\n"), (ApplyPatchStatus.DECLINED, "  no room\n  not allowed\n")],
)  # fmt: skip
def test_a_patch_that_was_not_applied_says_why(status: ApplyPatchStatus, words: str) -> None:
    """An end without its beginning has a heading too."""
    assert told(patch_end(status, "no room\n"))[0] == f"patch: 3 files +3 -3\n{words}"


def test_a_patch_of_many_files_is_cut() -> None:
    """With a word about the others; a line feed in a name makes no line."""
    files = files_of_patch({f"{n}\n": AddFile(content="") for n in range(30)}, "/w")

    lines = patch_lines(files).split("\n")

    assert (len(lines), lines[0], lines[-1]) == (21, "A 0", "... 10 more lines")


def test_a_plan_is_told_with_a_box_for_each_step() -> None:
    """The explanation comes first."""
    kinds = (StepStatus.COMPLETED, StepStatus.IN_PROGRESS, StepStatus.PENDING)
    steps = tuple(PlanStep(step=kind.value, status=kind) for kind in kinds)

    out, _ = told(PlanUpdate(plan=steps, explanation="So:"), PlanUpdate(plan=steps[:1]))

    assert out == (
        "plan\n  So:\n  [x] completed\n  [>] in_progress\n  [ ] pending\n\nplan\n  [x] completed\n"
    )


def mcp_end(result: McpCallOk | McpCallFailed) -> McpToolCallEnd:
    return McpToolCallEnd(
        call_id=CALL,
        invocation=McpInvocation(server="files", tool="read", arguments={"path": "x"}),
        duration=Seconds(0.25),
        result=result,
    )


def test_an_mcp_call_is_told_with_what_can_be_read_of_its_result() -> None:
    """And with what it was called with."""
    end = mcp_end(
        McpCallOk(
            ok=McpToolResult(
                content=({"type": "text", "text": "hi\n"}, {"type": "image", "data": "x"}, 5)
            )
        )
    )

    out, _ = told(McpToolCallBegin(call_id=CALL, invocation=end.invocation), end)

    assert out == ('files.read {"path":"x"}\n  hi\n\n  [image]\n  [something]\n  ok, 0.2 s\n')


@pytest.mark.parametrize(
    "result",
    [
        McpCallFailed(err="gone"),
        McpCallOk(ok=McpToolResult(is_error=True, content=({"type": "text", "text": "gone"},))),
    ],
)
def test_an_mcp_call_that_failed_says_so(result: McpCallOk | McpCallFailed) -> None:
    """Whether the server did not answer or its tool failed."""
    assert told(mcp_end(result))[0].splitlines()[1:] == ["  gone", "  failed, 0.2 s"]


def test_only_servers_that_do_not_start_are_told() -> None:
    """And once."""
    ready = McpStartupState(state=McpStartupStateKind.READY)
    failure = "MCP client for `b` failed to start: no such file"

    out, err = told(
        McpStartupUpdate(server="a", status=ready),
        McpStartupUpdate(server="b", status=McpStartupFailed(error=failure)),
        McpStartupComplete(ready=("a",), failed=(McpServerFailure(server="b", error="no such"),)),
    )

    assert (out, err) == ("", f"warning: {failure}\n")


def test_images_and_searches_have_a_line() -> None:
    """A search is told when it is known what was searched for."""
    out, _ = told(
        ViewImageToolCall(call_id=CALL, path="/w/a.png"),
        WebSearchBegin(call_id=CALL),
        WebSearchEnd(call_id=CALL, query="trio", action=SearchAction(query="trio")),
        WebSearchEnd(call_id=CALL, query="", action=SearchAction()),
    )

    assert out == "image: /w/a.png\n\nweb search: trio\n\nweb search\n"


def process_end(exit_code: int) -> ExecCommandEnd:
    return ExecCommandEnd(
        call_id=CALL, turn_id=TURN, command=("python",), cwd="/w", parsed_cmd=(), stdout="",
        stderr="", aggregated_output=">>> 3\n", exit_code=exit_code, duration=Seconds(2.0),
        formatted_output="", status=ExecCommandStatus.COMPLETED, process_id="1234",
    )  # fmt: skip


def test_what_is_typed_into_a_process_is_told_and_whose_end_it_is() -> None:
    """Looking at a process without typing is not told."""
    begin = ExecCommandBegin(
        call_id=CALL, turn_id=TURN, command=("python",), cwd="/w", parsed_cmd=(), process_id="1234"
    )

    out, _ = told(
        begin,
        TerminalInteraction(call_id=CALL, process_id="1234", stdin=""),
        TerminalInteraction(call_id=CALL, process_id="1234", stdin="print(3)\n\x03"),
        process_end(0),
    )

    assert out == (
        "$ python\n\ntyped into process 1234: 'print(3)\\n\\x03'\n\n"
        "$ python (process 1234)\n  >>> 3\n  exit 0, 2.0 s\n"
    )


def test_a_process_that_ends_behind_the_turn_is_not_waited_for() -> None:
    """It ends with the thread."""
    narrator = Narrator()

    for msg in (started(), command_begin("python", call_id="call"), completed(), process_end(-1)):
        narrator.take(event(msg))

    assert narrator.waiting_for is None


def test_agents_are_told_by_what_they_are_asked_and_what_they_say() -> None:
    """One block for each call."""
    end_of_wait = CollabWaitingEnd(
        sender_thread_id=THREAD,
        call_id=CALL,
        statuses={OTHER: Errored(errored="it\nbroke"), AGENT: Completed(completed="done")},
    )

    out, _ = told(
        CollabAgentSpawnBegin(call_id=CALL, sender_thread_id=THREAD, prompt="look\naround"),
        CollabAgentSpawnEnd(
            call_id=CALL, sender_thread_id=THREAD, prompt="look", new_thread_id=AGENT,
            status=StatusKind.PENDING_INIT,
        ),
        CollabAgentInteractionBegin(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT, prompt="more"
        ),
        CollabAgentInteractionEnd(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT, prompt="more",
            status=StatusKind.RUNNING,
        ),
        CollabWaitingBegin(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_ids=(AGENT, OTHER)
        ),
        end_of_wait,
        CollabCloseBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT),
        CollabCloseEnd(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=AGENT,
            status=Completed(completed=None),
        ),
        CollabResumeBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=OTHER),
        CollabResumeEnd(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=OTHER,
            status=StatusKind.NOT_FOUND,
        ),
    )  # fmt: skip

    assert out == (
        "new agent: look around\n  started as agent-1\n\n"
        "to agent agent-1: more\n  it is: running\n\n"
        "wait for one of 2 agents\n"
        "  agent-1: completed: done\n  agent-2: failed: it broke\n  2 ended\n\n"
        "close agent agent-1\n  closed; it was: completed\n\n"
        "resume agent agent-2\n  it is: not found\n"
    )


def test_agents_that_do_not_come_or_do_not_end_are_told() -> None:
    """In a few words."""
    wait = CollabWaitingBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_ids=(AGENT,))

    out, _ = told(
        CollabAgentSpawnEnd(
            call_id=CALL, sender_thread_id=THREAD, prompt="x", status=StatusKind.NOT_FOUND
        ),
        wait,
        CollabWaitingEnd(sender_thread_id=THREAD, call_id=CALL, statuses={}),
    )

    assert out == ("new agent: x\n  not started\n\nwait for agent agent-1\n  none has ended yet\n")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (UncommittedChangesTarget(), "what is not committed"),
        (BaseBranchTarget(branch="main"), "changes against main"),
        (CommitTarget(sha="abc"), "commit abc"),
        (CommitTarget(sha="abc", title="Fix"), "commit abc: Fix"),
        (CustomTarget(instructions="all\nof it"), "all of it"),
    ],
)
def test_a_review_says_what_it_is_of(target: ReviewTarget, words: str) -> None:
    """By its hint, or by its target."""
    out, _ = told(
        EnteredReviewMode(target=target), EnteredReviewMode(target=target, user_facing_hint="it")
    )

    assert out == f"review of {words}\n\nreview of it\n"


def test_a_review_is_told_with_its_findings() -> None:
    """Or that there was none."""
    where = CodeLocation(absolute_file_path="/w/a.py", line_range=LineRange(start=3, end=4))
    finding = ReviewFinding(
        title="[P1] Off by one", body="Too far.", confidence_score=0.9, priority=1, code_location=where
    )  # fmt: skip
    output = ReviewOutput(findings=(finding,), overall_correctness="patch is incorrect")

    out, _ = told(ExitedReviewMode(review_output=output), ExitedReviewMode())

    assert out == (
        "review\n  patch is incorrect\n\n  [P1] Off by one (/w/a.py:3-4)\n  Too far.\n\n"
        "review ended without a result\n"
    )


def test_what_is_asked_is_told_with_the_refusal() -> None:
    """Nobody is here to answer, but somebody may read it later."""
    question = UserInputQuestion(id="q", header="h", question="Which\none?")

    _, err = told(
        ExecApprovalRequest(call_id=CALL, command=("rm", "x"), cwd="/w", parsed_cmd=()),
        ApplyPatchApprovalRequest(call_id=CALL, changes=CHANGES),
        RequestUserInput(call_id=CALL, questions=(question,)),
        ElicitationRequest(server_name="files", id=1, message="Sure?"),
        DynamicToolCallRequest(call_id=CALL, turn_id=TURN, tool="lookup", arguments={}),
    )

    no = "(refused: nobody is here to answer)"
    assert err.splitlines() == [
        f"warning: the command 'rm x' needs approval {no}",
        f"warning: a patch of /w/new.txt, /w/old.txt, /w/src/a.py needs approval {no}",
        f"warning: the model asks: Which one? {no}",
        f"warning: the MCP server files asks: Sure? {no}",
        "warning: the tool 'lookup' belongs to another client and is not available now",
    ]


def test_a_compaction_is_waited_for_by_its_name() -> None:
    """It may take as long as an answer."""
    narrator = Narrator()
    item = ContextCompactionItem(id="c")

    narrator.take(event(ItemStarted(thread_id=THREAD, turn_id=TURN, item=item)))

    assert narrator.waiting_for == "compacting the history"


def test_text_between_the_beginning_and_the_end_of_a_call_is_no_part_of_it() -> None:
    """The heading is repeated."""
    out, _ = told(
        PatchApplyBegin(call_id=CALL, auto_approved=True, changes={}),
        *message("Hm."),
        PatchApplyEnd(
            call_id=CALL, stdout="", stderr="", success=True, status=ApplyPatchStatus.COMPLETED
        ),
    )

    assert out == "patch: 0 files\n\nHm.\n\npatch: 0 files\n  applied\n"


def called(name: str, answer: str) -> list[EventMsg]:
    """A function call and its answer, as the model's items."""
    return [
        RawResponseItem(item=FunctionCall(name=name, arguments="{}", call_id=CALL)),
        RawResponseItem(item=FunctionCallOutput(call_id=CALL, output=answer)),
    ]


@pytest.mark.parametrize(
    ("name", "answer", "line"),
    [
        ("shel", "unsupported call: shel", "tool shel: there is no such tool"),
        (
            "shell",
            "failed to parse function arguments: command: expected a list",
            "tool shell: failed to parse function arguments: command: expected a list",
        ),
        (
            "write_stdin",
            "write_stdin failed: Unknown process id 7",
            "tool write_stdin: Unknown process id 7",
        ),
        ("apply_patch", "verification failed:\n\tno\x1b[2J\n", "tool apply_patch: verification failed: no"),
        ("x" * 90, "no", f"tool {'x' * 57}...: no"),
        ("wait", "y" * 300, f"tool wait: {'y' * 197}..."),
        ("update_plan", "Plan updated", None),
        ("write_stdin", "Chunk ID: 0a\nWall time: 0.1 seconds\nOutput:\nx", None),
        ("shell", "Wall time: 1.3 seconds\naborted by user", None),
        ("wait", "aborted by user after 0.1s", None),
    ],
)  # fmt: skip
def test_a_call_that_came_to_nothing_is_told_in_one_line(
    name: str, answer: str, line: str | None
) -> None:
    """Such as one of a tool that is not there; no event tells of it."""
    assert told(*called(name, answer)) == ("" if line is None else f"{line}\n", "")


def test_custom_and_local_shell_calls_that_came_to_nothing_are_told_too() -> None:
    """By what they are called."""
    action = LocalShellAction(command=("ls",))
    shell = LocalShellCall(status=LocalShellStatus.COMPLETED, action=action, call_id="s")

    out, _ = told(
        RawResponseItem(item=CustomToolCall(call_id="c", name="nope", input="x")),
        RawResponseItem(item=shell),
        RawResponseItem(
            item=CustomToolCallOutput(call_id="c", output="unsupported custom tool call: nope")
        ),
        RawResponseItem(item=FunctionCallOutput(call_id="s", output="no")),
    )

    assert out == "tool nope: there is no such tool\n\ntool local_shell: no\n"


def test_a_call_that_events_told_of_is_not_told_twice() -> None:
    """Whatever came of it, and whether its events or its item came first; the next turn is new."""
    patch = [patch_end(ApplyPatchStatus.FAILED, "no room"), *called("apply_patch", "no room")]

    assert told(*patch)[0].count("no room") == 1
    assert told(*patch, started(), *called("apply_patch", "bad"))[0].endswith(
        "tool apply_patch: bad\n"
    )
