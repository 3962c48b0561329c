"""What ``--json`` prints, line by line."""

import json
from typing import Any

import pytest

from actors.cli.json_events import ThreadEvents, thread_started
from actors.runtime import Lagged
from messages.events import (
    AddFile,
    ApplyPatchApprovalRequest,
    ApplyPatchStatus,
    CollabAgentInteractionBegin,
    CollabAgentSpawnBegin,
    CollabAgentSpawnEnd,
    CollabCloseBegin,
    CollabCloseEnd,
    CollabResumeBegin,
    CollabResumeEnd,
    CollabWaitingBegin,
    CollabWaitingEnd,
    Completed,
    DeleteFile,
    DeprecationNotice,
    Errored,
    ErrorEvent,
    EventMsg,
    ExecCommandStatus,
    McpCallFailed,
    McpCallOk,
    McpInvocation,
    McpStartupFailed,
    McpStartupUpdate,
    McpToolCallBegin,
    McpToolCallEnd,
    McpToolResult,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanStep,
    PlanUpdate,
    StatusKind,
    StepStatus,
    StreamError,
    TokenUsage,
    TurnAborted,
    TurnAbortReason,
    UpdateFile,
    WarningEvent,
    WebSearchBegin,
    WebSearchEnd,
)
from messages.ids import CallId, ThreadId
from messages.items import SearchAction
from messages.value import Seconds

from .said import (
    THREAD,
    command_begin,
    command_end,
    completed,
    event,
    message,
    reasoning,
    started,
    tokens,
)

CALL = CallId("call")
OTHER = ThreadId("01a1fad3-e9a3-77df-86ee-000000000002")


def lines(*msgs: EventMsg, before: TokenUsage | None = None) -> list[Any]:
    """Tell events in order; what comes out must survive JSON as it is."""
    events = ThreadEvents(usage=before or TokenUsage())
    told = [line for msg in msgs for line in events.take(event(msg))]
    assert json.loads(json.dumps(told)) == told
    return told


def item(line: Any) -> Any:
    return line["item"]


def usage(given: int, taken: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, int]:
    return {
        "input_tokens": given,
        "cached_input_tokens": cached,
        "cache_write_input_tokens": 0,
        "output_tokens": taken,
        "reasoning_output_tokens": reasoning,
    }


def test_a_turn_with_reasoning_command_and_message_is_told_in_the_order_of_its_events() -> None:
    """The golden run: every line, with items numbered by their first appearance."""
    told = lines(
        started(),
        *reasoning("first", "second"),
        command_begin("bash", "-lc", "echo hi"),
        command_end("bash", "-lc", "echo hi", output="hi\n"),
        *message("done", "do", "ne"),
        tokens(100, 7, cached=20),
        completed("done"),
    )

    assert told == [
        {"type": "turn.started"},
        {
            "type": "item.completed",
            "item": {"id": "item_0", "type": "reasoning", "text": "first"},
        },
        {
            "type": "item.completed",
            "item": {"id": "item_1", "type": "reasoning", "text": "second"},
        },
        {
            "type": "item.started",
            "item": {
                "id": "item_2",
                "type": "command_execution",
                "command": "bash -lc 'echo hi'",
                "aggregated_output": "",
                "exit_code": None,
                "status": "in_progress",
            },
        },
        {
            "type": "item.completed",
            "item": {
                "id": "item_2",
                "type": "command_execution",
                "command": "bash -lc 'echo hi'",
                "aggregated_output": "hi\n",
                "exit_code": 0,
                "status": "completed",
            },
        },
        {
            "type": "item.completed",
            "item": {"id": "item_3", "type": "agent_message", "text": "done"},
        },
        {
            "type": "turn.completed",
            "usage": usage(100, 7, cached=20),
        },
    ]


def test_thread_started_names_the_thread() -> None:
    """It is the first line, also on resume."""
    assert thread_started(THREAD) == {"type": "thread.started", "thread_id": THREAD}


def test_usage_is_the_total_of_the_thread_when_a_turn_reports_none() -> None:
    """A resumed thread keeps counting from where it was."""
    before = TokenUsage(input_tokens=200, output_tokens=3, reasoning_output_tokens=2)

    told = lines(started(), completed(), before=before)

    assert told[-1] == {"type": "turn.completed", "usage": usage(200, 3, reasoning=2)}


def test_a_turn_with_a_fatal_error_fails_with_the_same_message() -> None:
    """The error line comes first, then the failed turn; the next turn starts clean."""
    told = lines(started(), ErrorEvent(message="no"), completed(), started(), completed())

    assert [line["type"] for line in told] == [
        "turn.started",
        "error",
        "turn.failed",
        "turn.started",
        "turn.completed",
    ]
    assert told[1] == {"type": "error", "message": "no"}
    assert told[2] == {"type": "turn.failed", "error": {"message": "no"}}


@pytest.mark.parametrize(
    ("details", "text"), [("broke", "Reconnecting... 1/5 (broke)"), (" ", "Reconnecting... 1/5")]
)
def test_a_retry_is_an_error_line_that_fails_nothing(details: str, text: str) -> None:
    """Its details go into brackets, when there are any."""
    retry = StreamError(message="Reconnecting... 1/5", additional_details=details)

    told = lines(started(), retry, completed())

    assert told[1] == {"type": "error", "message": text}
    assert told[2]["type"] == "turn.completed"


def test_warnings_are_error_items() -> None:
    """Warnings and deprecations stop nothing, so they are items."""
    told = lines(
        WarningEvent(message="careful"),
        DeprecationNotice(summary="old"),
        DeprecationNotice(summary="old", details="use new"),
    )

    assert [(line["type"], item(line)["type"], item(line)["message"]) for line in told] == [
        ("item.completed", "error", "careful"),
        ("item.completed", "error", "old"),
        ("item.completed", "error", "old: use new"),
    ]


def test_what_went_wrong_beside_the_turn_is_an_error_item() -> None:
    """A server that does not start, and a question that nobody is here to answer."""
    told = lines(
        McpStartupUpdate(server="a", status=McpStartupFailed(error="`a` failed to start")),
        ApplyPatchApprovalRequest(call_id=CALL, changes={"x": AddFile(content="")}),
    )

    assert [item(line)["message"] for line in told] == [
        "`a` failed to start",
        "a patch of x needs approval (refused: nobody is here to answer)",
    ]
    assert {(line["type"], item(line)["type"]) for line in told} == {("item.completed", "error")}


def test_a_plan_of_a_stopped_turn_is_not_gone_on_with() -> None:
    """The next turn has its own."""
    plan = PlanUpdate(plan=())
    aborted = TurnAborted(reason=TurnAbortReason.INTERRUPTED)

    told = lines(plan, aborted, started(), completed(), plan)

    assert [line["type"] for line in told] == [
        "item.started",
        "turn.started",
        "turn.completed",
        "item.started",
    ]


def test_lost_events_are_told() -> None:
    """A reader that was too slow hears how much it missed."""
    (line,) = ThreadEvents().take(Lagged(missed=3))

    assert item(line)["type"] == "error"
    assert "3 events" in item(line)["message"]


def test_nothing_follows_an_aborted_turn() -> None:
    """Whoever stopped it knows."""
    assert lines(TurnAborted(reason=TurnAbortReason.INTERRUPTED)) == []


def test_commands_at_once_keep_their_items_apart() -> None:
    """The end of a command goes to the item of its begin."""
    told = lines(
        command_begin("a", call_id="1"),
        command_begin("b", call_id="2"),
        command_end("a", call_id="1", exit_code=3, output="x"),
        command_end("b", call_id="2", exit_code=-1, status=ExecCommandStatus.DECLINED),
        command_end("c", call_id="3"),
    )

    assert [(item(line)["id"], item(line)["command"], item(line)["status"]) for line in told] == [
        ("item_0", "a", "in_progress"),
        ("item_1", "b", "in_progress"),
        ("item_0", "a", "failed"),
        ("item_1", "b", "declined"),
        ("item_2", "c", "completed"),
    ]


@pytest.mark.parametrize(("success", "status"), [(True, "completed"), (False, "failed")])
def test_a_patch_is_told_once_with_its_changes(success: bool, status: str) -> None:
    """The changes are those announced at its begin."""
    changes = {
        "new": AddFile(content="x"),
        "gone": DeleteFile(content="y"),
        "other": UpdateFile(unified_diff=""),
    }

    told = lines(
        PatchApplyBegin(call_id=CALL, auto_approved=True, changes=changes),
        PatchApplyEnd(
            call_id=CALL, stdout="", stderr="", success=success, status=ApplyPatchStatus.COMPLETED
        ),
    )

    assert told == [
        {
            "type": "item.completed",
            "item": {
                "id": "item_0",
                "type": "file_change",
                "changes": [
                    {"path": "new", "kind": "add"},
                    {"path": "gone", "kind": "delete"},
                    {"path": "other", "kind": "update"},
                ],
                "status": status,
            },
        }
    ]


def mcp(result: McpCallOk | McpCallFailed) -> list[Any]:
    invocation = McpInvocation(server="files", tool="read", arguments={"path": "x"})
    return lines(
        McpToolCallBegin(call_id=CALL, invocation=invocation),
        McpToolCallEnd(call_id=CALL, invocation=invocation, duration=Seconds(1.0), result=result),
    )


def test_an_mcp_call_is_told_at_its_begin_and_at_its_end() -> None:
    """The result has its content and its structured content."""
    content = ({"type": "text", "text": "hi"},)
    begin, end = mcp(McpCallOk(ok=McpToolResult(content=content, structured_content={"a": 1})))

    assert begin == {
        "type": "item.started",
        "item": {
            "id": "item_0",
            "type": "mcp_tool_call",
            "server": "files",
            "tool": "read",
            "arguments": {"path": "x"},
            "result": None,
            "error": None,
            "status": "in_progress",
        },
    }
    assert end["type"] == "item.completed"
    assert item(end)["result"] == {"content": list(content), "structured_content": {"a": 1}}
    assert (item(end)["error"], item(end)["status"]) == (None, "completed")


def test_an_mcp_result_that_is_an_error_keeps_its_result() -> None:
    """The tool answered, only not well."""
    _, end = mcp(McpCallOk(ok=McpToolResult(is_error=True)))

    assert item(end)["result"] == {"content": [], "structured_content": None}
    assert (item(end)["error"], item(end)["status"]) == (None, "failed")


def test_an_mcp_call_without_answer_has_an_error() -> None:
    """And no result."""
    _, end = mcp(McpCallFailed(err="gone"))

    assert (item(end)["result"], item(end)["error"]) == (None, {"message": "gone"})
    assert item(end)["status"] == "failed"


def test_a_web_search_has_one_id() -> None:
    """Begin and end are the same item."""
    action = SearchAction(query="trio")

    told = lines(
        WebSearchBegin(call_id=CALL), WebSearchEnd(call_id=CALL, query="trio", action=action)
    )

    assert told == [
        {
            "type": "item.started",
            "item": {
                "id": "item_0",
                "type": "web_search",
                "query": "",
                "action": {"type": "other"},
            },
        },
        {
            "type": "item.completed",
            "item": {
                "id": "item_0",
                "type": "web_search",
                "query": "trio",
                "action": {"type": "search", "query": "trio"},
            },
        },
    ]


def test_a_plan_is_one_item_from_its_first_version_to_the_end_of_the_turn() -> None:
    """Started, updated at each change, and completed before the turn is."""

    def plan(first: StepStatus) -> PlanUpdate:
        return PlanUpdate(plan=(PlanStep(step="look", status=first),))

    told = lines(started(), plan(StepStatus.IN_PROGRESS), plan(StepStatus.COMPLETED), completed())

    def todo(phase: str, done: bool) -> dict[str, object]:
        items = [{"text": "look", "completed": done}]
        return {
            "type": f"item.{phase}",
            "item": {"id": "item_0", "type": "todo_list", "items": items},
        }

    assert told[1:4] == [todo("started", False), todo("updated", True), todo("completed", True)]
    assert told[4]["type"] == "turn.completed"


def test_a_spawned_agent_is_a_collab_item() -> None:
    """The new thread is its receiver, with its state."""
    told = lines(
        CollabAgentSpawnBegin(call_id=CALL, sender_thread_id=THREAD, prompt="go"),
        CollabAgentSpawnEnd(
            call_id=CALL,
            sender_thread_id=THREAD,
            prompt="go",
            status=StatusKind.RUNNING,
            new_thread_id=OTHER,
        ),
    )

    assert told == [
        {
            "type": "item.started",
            "item": {
                "id": "item_0",
                "type": "collab_tool_call",
                "tool": "spawn_agent",
                "sender_thread_id": THREAD,
                "receiver_thread_ids": [],
                "prompt": "go",
                "agents_states": {},
                "status": "in_progress",
            },
        },
        {
            "type": "item.completed",
            "item": {
                "id": "item_0",
                "type": "collab_tool_call",
                "tool": "spawn_agent",
                "sender_thread_id": THREAD,
                "receiver_thread_ids": [OTHER],
                "prompt": "go",
                "agents_states": {OTHER: {"status": "running", "message": None}},
                "status": "completed",
            },
        },
    ]


def test_collab_calls_fail_with_their_agents() -> None:
    """No new thread, an agent that failed and one that is not there are failures."""
    told = lines(
        CollabAgentSpawnEnd(
            call_id=CALL, sender_thread_id=THREAD, prompt="", status=StatusKind.NOT_FOUND
        ),
        CollabWaitingBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_ids=(OTHER,)),
        CollabWaitingEnd(
            call_id=CALL, sender_thread_id=THREAD, statuses={OTHER: Errored(errored="bad")}
        ),
        CollabCloseBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=OTHER),
        CollabCloseEnd(
            call_id=CALL,
            sender_thread_id=THREAD,
            receiver_thread_id=OTHER,
            status=Completed(completed="bye"),
        ),
    )

    assert [(item(line)["tool"], item(line)["status"]) for line in told] == [
        ("spawn_agent", "failed"),
        ("wait", "in_progress"),
        ("wait", "failed"),
        ("close_agent", "in_progress"),
        ("close_agent", "completed"),
    ]
    assert item(told[2])["agents_states"] == {OTHER: {"status": "errored", "message": "bad"}}
    assert item(told[4])["agents_states"] == {OTHER: {"status": "completed", "message": "bye"}}
    assert item(told[1])["receiver_thread_ids"] == [OTHER]
    assert item(told[1])["prompt"] is None


def test_input_to_an_agent_and_its_resumption_name_their_tools() -> None:
    """Every kind of call between agents has a tool."""
    told = lines(
        CollabAgentInteractionBegin(
            call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=OTHER, prompt="hi"
        ),
        CollabResumeBegin(call_id=CALL, sender_thread_id=THREAD, receiver_thread_id=OTHER),
        CollabResumeEnd(
            call_id=CALL,
            sender_thread_id=THREAD,
            receiver_thread_id=OTHER,
            status=StatusKind.NOT_FOUND,
        ),
    )

    assert [(item(line)["tool"], item(line)["status"]) for line in told] == [
        ("send_input", "in_progress"),
        ("resume_agent", "in_progress"),
        ("resume_agent", "failed"),
    ]
