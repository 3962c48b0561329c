"""Events to notifications, one by one."""

from collections.abc import Iterable
from typing import Any

import attrs
import pytest

from actors.server.item_projection import EXPECTED_CAPACITY
from actors.server.open_items import LINGERING_CAPACITY
from actors.server.projection import Outgoing, ThreadProjection
from actors.server.server_requests import RequestResolved, ServerRequestDraft
from actors.thread import SessionSettings, ThreadSnapshot, ThreadState
from messages import events
from messages.codec import to_json
from messages.content import (
    ImageInput,
    InputImage,
    InputText,
    LocalImageInput,
    MentionInput,
    SkillInput,
    TextInput,
    UnknownContent,
    UnknownInput,
)
from messages.events import Completed, Errored, Event, EventMsg, StatusKind
from messages.ids import CallId, SubmissionId, ThreadId, TurnId
from messages.items import (
    FindInPageAction,
    FunctionCallOutput,
    Message,
    OpenPageAction,
    OtherSearchAction,
    SearchAction,
)
from messages.ops import DynamicToolResponse, DynamicToolResult, PatchApproval, ReviewDecisionKind
from messages.rpc.notifications import METHOD
from messages.turn_items import (
    AgentMessageItem,
    AgentText,
    ReasoningTurnItem,
    UnknownTurnItem,
    UserMessageItem,
    WebSearchItem,
)
from messages.value import Seconds

from .outgoing import outline

T, TURN, CALL = ThreadId("t"), TurnId("u"), CallId("c")
NOW = 1_800_000_000.0
SETTINGS: Any = object()

BEGIN = events.ExecCommandBegin(
    call_id=CALL,
    turn_id=TURN,
    command=("ls",),
    cwd="/x",
    parsed_cmd=(
        events.ReadCommand(cmd="cat a", name="a", path="/a"),
        events.ListFilesCommand(cmd="ls"),
        events.SearchCommand(cmd="rg x", query="x", path="/p"),
        events.UnknownCommand(cmd="make"),
    ),
    process_id="7",
)
END = events.ExecCommandEnd(
    call_id=CALL,
    turn_id=TURN,
    command=("ls",),
    cwd="/x",
    parsed_cmd=(),
    stdout="out",
    stderr="",
    exit_code=0,
    duration=Seconds(1.5),
    formatted_output="",
    status=events.ExecCommandStatus.COMPLETED,
    aggregated_output="out",
)
ASK = events.ExecApprovalRequest(
    call_id=CALL,
    command=("rm", "a b"),
    cwd="/x",
    parsed_cmd=(),
    reason="why",
    proposed_execpolicy_amendment=("rm",),
)
PATCH = events.PatchApplyBegin(
    call_id=CALL,
    auto_approved=False,
    changes={
        "/b": events.UpdateFile(unified_diff="@@", move_path="/c"),
        "/a": events.AddFile(content="one"),
        "/d": events.DeleteFile(content="two"),
        "/e": events.UpdateFile(unified_diff="@@2"),
        "/f": events.UnknownFileChange(tag="odd", raw={}),
    },
)
INVOCATION = events.McpInvocation(server="s", tool="f", arguments={"a": 1})


def ended(status: events.ExecCommandStatus, **changes: Any) -> events.ExecCommandEnd:
    return attrs.evolve(END, status=status, **changes)


@attrs.define
class Fed:
    """A projection, and how many events it has taken."""

    projection: ThreadProjection = attrs.field(factory=lambda: ThreadProjection(T, lambda: NOW))
    seq: int = 0

    def take(self, *msgs: EventMsg, of: str = TURN) -> tuple[Outgoing, ...]:
        return tuple(told for msg in msgs for told in self._take(msg, of))

    def _take(self, msg: EventMsg, of: str) -> tuple[Outgoing, ...]:
        self.seq += 1
        return self.projection.take(Event(id=SubmissionId(of), msg=msg, seq=self.seq))


def in_turn() -> Fed:
    fed = Fed()
    fed.take(events.TurnStarted(turn_id=TURN))
    return fed


def said(told: Iterable[Outgoing]) -> list[Any]:
    """As JSON, with the method."""
    return [
        (METHOD[type(entry)], to_json(entry))  # type: ignore[index]
        for entry in told
        if not isinstance(entry, ServerRequestDraft | RequestResolved)
    ]


def test_turn_begins_and_ends_with_status_and_times() -> None:
    """Nothing is said of its items, which clients have."""
    fed = Fed()

    [active, started] = fed.take(events.TurnStarted(turn_id=TURN))
    [idle, completed] = fed.take(events.TurnComplete(turn_id=TURN))

    turn = {
        "id": "u",
        "items": [],
        "itemsView": "notLoaded",
        "error": None,
        "rootTurnId": None,
        "startedAt": 1_800_000_000,
        "status": "inProgress",
        "completedAt": None,
        "durationMs": None,
    }
    done = {**turn, "status": "completed", "completedAt": 1_800_000_000, "durationMs": 0}
    assert said([active, started, idle, completed]) == [
        (
            "thread/status/changed",
            {"threadId": "t", "status": {"type": "active", "activeFlags": []}},
        ),
        ("turn/started", {"threadId": "t", "turn": turn}),
        ("thread/status/changed", {"threadId": "t", "status": {"type": "idle"}}),
        ("turn/completed", {"threadId": "t", "turn": done}),
    ]


def test_command_item_has_all_its_members() -> None:
    """The same item at both ends, in the end with what came out."""
    fed = in_turn()

    [started] = fed.take(BEGIN)
    [completed] = fed.take(END)

    item = to_json(started)["item"]  # type: ignore[index]
    assert item == {
        "type": "commandExecution",
        "id": "c",
        "startedAtMs": 1_800_000_000_000,
        "completedAtMs": None,
        "command": "ls",
        "cwd": "/x",
        "processId": "7",
        "source": "agent",
        "status": "inProgress",
        "commandActions": [
            {"type": "read", "command": "cat a", "name": "a", "path": "/a"},
            {"type": "listFiles", "command": "ls", "path": None},
            {"type": "search", "command": "rg x", "query": "x", "path": "/p"},
            {"type": "unknown", "command": "make"},
        ],
        "aggregatedOutput": None,
        "exitCode": None,
        "durationMs": None,
    }
    done = to_json(completed)["item"]  # type: ignore[index]
    assert (done["status"], done["aggregatedOutput"], done["exitCode"]) == ("completed", "out", 0)
    assert (done["durationMs"], done["completedAtMs"]) == (1500, 1_800_000_000_000)


@pytest.mark.parametrize(
    ("status", "members"),
    [
        (events.ExecCommandStatus.COMPLETED, ("completed", "out", 0, 1500)),
        (events.ExecCommandStatus.FAILED, ("failed", "out", 0, 1500)),
        (events.ExecCommandStatus.DECLINED, ("declined", None, None, None)),
    ],
)
def test_command_ends_as_its_event_says(
    status: events.ExecCommandStatus, members: tuple[object, ...]
) -> None:
    """What was declined did not run."""
    fed = in_turn()
    fed.take(BEGIN)

    [completed] = fed.take(ended(status))

    item = to_json(completed)["item"]  # type: ignore[index]
    found = item["status"], item["aggregatedOutput"], item["exitCode"], item["durationMs"]
    assert found == members


def test_end_without_output_says_null() -> None:
    """Not an empty text."""
    fed = in_turn()
    fed.take(BEGIN)

    [completed] = fed.take(attrs.evolve(END, aggregated_output=""))

    assert to_json(completed)["item"]["aggregatedOutput"] is None  # type: ignore[index]


def test_end_whose_beginning_nobody_saw_starts_and_completes_the_item() -> None:
    """Of the running turn; of any other it is not told."""
    fed = in_turn()

    assert outline(fed.take(END)) == [
        "item/started commandExecution completed",
        "item/completed commandExecution completed",
    ]
    assert fed.take(END, of="other") == ()


def test_item_that_is_open_does_not_start_again() -> None:
    """An id that the model uses twice at once is one item."""
    fed = in_turn()
    fed.take(BEGIN)

    assert fed.take(BEGIN) == ()
    assert fed.take(PATCH) == ()
    patched = events.PatchApplyEnd(
        call_id=CALL, stdout="", stderr="", success=True, status=events.ApplyPatchStatus.COMPLETED
    )
    assert fed.take(patched) == ()
    assert outline(fed.take(END)) == ["item/completed commandExecution completed"]


def test_question_starts_the_item_where_no_tool_did() -> None:
    """Clients must know what they are asked about."""
    fed = in_turn()

    told = fed.take(ASK)
    assert outline(told) == [
        "item/started commandExecution inProgress",
        "status active waitingOnApproval",
        "[REQ] item/commandExecution/requestApproval c",
    ]
    draft = told[-1]
    assert isinstance(draft, ServerRequestDraft)
    assert to_json(draft.params) == {
        "threadId": "t",
        "turnId": "u",
        "itemId": "c",
        "startedAtMs": 1_800_000_000_000,
        "kind": "command",
        "reason": "why",
        "command": "rm 'a b'",
        "cwd": "/x",
        "commandActions": [],
        "proposedExecpolicyAmendment": ["rm"],
    }
    assert fed.take(BEGIN) == ()


def test_second_question_of_a_call_settles_the_first() -> None:
    """It was answered behind our back, or nobody would ask again."""
    fed = in_turn()
    fed.take(ASK)

    assert fed.take(ASK) == ()
    assert outline(fed.take(attrs.evolve(ASK, reason="again"))) == [
        "resolved c",
        "status active",
        "status active waitingOnApproval",
        "[REQ] item/commandExecution/requestApproval c",
    ]


@pytest.mark.parametrize(
    "implies",
    [
        events.ExecCommandOutputDelta(
            call_id=CALL, stream=events.ExecOutputStream.STDOUT, chunk=b""
        ),
        END,
        events.RawResponseItem(item=FunctionCallOutput(call_id="c", output="x")),
    ],
)
def test_question_is_settled_by_what_can_only_follow_its_answer(implies: EventMsg) -> None:
    """Whoever gave it."""
    fed = in_turn()
    fed.take(ASK)

    assert outline(fed.take(implies))[:2] == ["resolved c", "status active"]


def test_elicitation_is_a_form_without_fields_until_its_call_ends() -> None:
    """Only the message is known of it."""
    fed = in_turn()
    fed.take(events.McpToolCallBegin(call_id=CALL, invocation=INVOCATION))

    [_, draft] = fed.take(events.ElicitationRequest(server_name="s", id=1, message="Sure?"))
    assert isinstance(draft, ServerRequestDraft)
    assert draft.method == "mcpServer/elicitation/request"
    assert to_json(draft.params) == {
        "threadId": "t",
        "turnId": "u",
        "serverName": "s",
        "mode": "form",
        "_meta": None,
        "message": "Sure?",
        "requestedSchema": {"type": "object", "properties": {}},
    }
    over = events.McpToolCallEnd(
        call_id=CALL,
        invocation=INVOCATION,
        duration=Seconds(0),
        result=events.McpCallFailed(err="no"),
    )
    assert outline(fed.take(over)) == [
        f"resolved {draft.key}",
        "status active",
        "item/completed mcpToolCall failed",
    ]


def test_questions_of_a_turn_that_is_over_are_not_put() -> None:
    """And those that are open are withdrawn with it."""
    fed = in_turn()
    fed.take(ASK)

    told = fed.take(events.TurnComplete(turn_id=TURN))

    assert outline(told) == ["status idle", "turn/completed completed", "resolved c"]
    assert fed.take(ASK) == ()


def test_patch_has_its_changes_by_path_and_says_what_it_did() -> None:
    """Whole contents, diffs, and where a file went."""
    fed = in_turn()

    [started] = fed.take(PATCH)
    told = fed.take(
        events.PatchApplyEnd(
            call_id=CALL,
            stdout="Success",
            stderr="",
            success=True,
            status=events.ApplyPatchStatus.COMPLETED,
        )
    )

    update = {"type": "update"}
    changes = [
        {"path": "/a", "kind": {"type": "add"}, "diff": "one"},
        {"path": "/b", "kind": {**update, "move_path": "/c"}, "diff": "@@\n\nMoved to: /c"},
        {"path": "/d", "kind": {"type": "delete"}, "diff": "two"},
        {"path": "/e", "kind": {**update, "move_path": None}, "diff": "@@2"},
        {"path": "/f", "kind": {**update, "move_path": None}, "diff": ""},
    ]
    assert to_json(started)["item"]["changes"] == changes  # type: ignore[index]
    assert outline(told) == [
        "item/fileChange/outputDelta 'Success'",
        "item/completed fileChange completed",
    ]
    assert to_json(told[-1])["item"]["changes"] == changes  # type: ignore[index]


@pytest.mark.parametrize(
    ("result", "status", "given", "error"),
    [
        (
            events.McpCallOk(ok=events.McpToolResult(content=("x",), structured_content={"a": 1})),
            "completed",
            {"content": ["x"], "structuredContent": {"a": 1}, "_meta": None},
            None,
        ),
        (
            events.McpCallOk(ok=events.McpToolResult(is_error=True, meta={"m": 1})),
            "failed",
            {"content": [], "structuredContent": None, "_meta": {"m": 1}},
            None,
        ),
        (events.McpCallFailed(err="gone"), "failed", None, {"message": "gone"}),
    ],
)
def test_mcp_call_ends_with_a_result_or_an_error(
    result: events.McpCallResult, status: str, given: object, error: object
) -> None:
    """A tool's own failure keeps its result."""
    fed = in_turn()
    fed.take(events.McpToolCallBegin(call_id=CALL, invocation=INVOCATION))

    [completed] = fed.take(
        events.McpToolCallEnd(
            call_id=CALL, invocation=INVOCATION, duration=Seconds(0.25), result=result
        )
    )

    item = to_json(completed)["item"]  # type: ignore[index]
    assert (item["status"], item["result"], item["error"]) == (status, given, error)
    assert (item["arguments"], item["durationMs"]) == ({"a": 1}, 250)


@pytest.mark.parametrize(
    ("action", "written"),
    [
        (SearchAction(query="q"), {"type": "search", "query": "q", "queries": None}),
        (OpenPageAction(url="u"), {"type": "openPage", "url": "u"}),
        (
            FindInPageAction(url="u", pattern="p"),
            {"type": "findInPage", "url": "u", "pattern": "p"},
        ),
        (OtherSearchAction(tag="odd", raw={"type": "odd"}), {"type": "other"}),
    ],
)
def test_web_search_says_what_it_did(action: Any, written: object) -> None:
    """In camelCase; the older events that repeat it are passed over."""
    fed = in_turn()
    item = WebSearchItem(id="w", query="q", action=action)

    [started] = fed.take(events.ItemStarted(thread_id=T, turn_id=TURN, item=item))
    told = fed.take(
        events.WebSearchBegin(call_id=CallId("w")),
        events.ItemCompleted(thread_id=T, turn_id=TURN, item=item),
        events.WebSearchEnd(call_id=CallId("w"), query="q", action=action),
    )

    assert to_json(started)["item"]["action"] == written  # type: ignore[index]
    assert outline(told) == ["item/completed webSearch"]


def test_user_message_says_all_that_was_given() -> None:
    """What this version does not know is left out."""
    fed = in_turn()
    content = (
        TextInput(text="hi"),
        ImageInput(image_url="u"),
        LocalImageInput(path="/i"),
        SkillInput(name="s", path="/s"),
        MentionInput(name="m", path="app://m"),
        UnknownInput(tag="audio", raw={"type": "audio"}),
    )

    [started] = fed.take(
        events.ItemStarted(thread_id=T, turn_id=TURN, item=UserMessageItem(id="m", content=content))
    )

    assert to_json(started)["item"]["content"] == [  # type: ignore[index]
        {"type": "text", "text": "hi", "text_elements": []},
        {"type": "image", "url": "u"},
        {"type": "localImage", "path": "/i"},
        {"type": "skill", "name": "s", "path": "/s"},
        {"type": "mention", "name": "m", "path": "app://m"},
    ]


def test_reasoning_is_told_by_parts() -> None:
    """Summary and raw content, each with its index."""
    fed = in_turn()
    item = ReasoningTurnItem(id="r", summary_text=())
    place: Any = {"thread_id": T, "turn_id": TURN}

    told = fed.take(
        events.ItemStarted(item=item, **place),
        events.AgentReasoningSectionBreak(item_id="r", summary_index=0),
        events.ReasoningContentDelta(item_id="r", delta="s", summary_index=0, **place),
        events.AgentReasoningDelta(delta="s"),
        events.ReasoningRawContentDelta(item_id="r", delta="c", content_index=2, **place),
        events.AgentReasoningRawContentDelta(delta="c"),
    )

    assert [
        (method, body.get("summaryIndex"), body.get("contentIndex")) for method, body in said(told)
    ] == [
        ("item/started", None, None),
        ("item/reasoning/summaryPartAdded", 0, None),
        ("item/reasoning/summaryTextDelta", 0, None),
        ("item/reasoning/textDelta", None, 2),
    ]


def test_pieces_of_items_that_are_not_open_are_not_told() -> None:
    """Nobody could put them anywhere."""
    fed = in_turn()
    place: Any = {"thread_id": T, "turn_id": TURN, "item_id": "x", "delta": "d"}

    assert (
        fed.take(
            events.AgentMessageContentDelta(**place),
            events.PlanDelta(**place),
            events.ReasoningContentDelta(**place),
            events.ReasoningRawContentDelta(**place),
            events.AgentReasoningSectionBreak(item_id="x"),
            events.ExecCommandOutputDelta(
                call_id=CALL, stream=events.ExecOutputStream.STDERR, chunk=b"x"
            ),
        )
        == ()
    )


STATES = {
    StatusKind.PENDING_INIT: ("pendingInit", None),
    StatusKind.RUNNING: ("running", None),
    StatusKind.SHUTDOWN: ("shutdown", None),
    StatusKind.NOT_FOUND: ("notFound", None),
    Completed(completed="bye"): ("completed", "bye"),
    Errored(errored="no"): ("errored", "no"),
}


@pytest.mark.parametrize("status", STATES)
def test_wait_for_agents_says_how_far_they_are(status: Any) -> None:
    """It fails when one of them did, or is not there."""
    fed = in_turn()
    agent = ThreadId("a")
    [started] = fed.take(
        events.CollabWaitingBegin(call_id=CALL, sender_thread_id=T, receiver_thread_ids=(agent,))
    )

    [completed] = fed.take(
        events.CollabWaitingEnd(call_id=CALL, sender_thread_id=T, statuses={"a": status})
    )

    before, after = (to_json(told)["item"] for told in (started, completed))  # type: ignore[index]
    assert (before["status"], before["receiverThreadIds"], before["agentsStates"]) == (
        "inProgress",
        ["a"],
        {},
    )
    state, message = STATES[status]
    assert after["agentsStates"] == {"a": {"status": state, "message": message}}
    assert after["status"] == ("failed" if state in {"errored", "notFound"} else "completed")


def _collab(kind: str) -> tuple[EventMsg, EventMsg]:
    base: Any = {"call_id": CALL, "sender_thread_id": T}
    agent: Any = {"receiver_thread_id": ThreadId("a")}
    status: Any = {"status": StatusKind.RUNNING}
    match kind:
        case "spawnAgent":
            return (
                events.CollabAgentSpawnBegin(prompt="p", **base),
                events.CollabAgentSpawnEnd(
                    prompt="p", new_thread_id=ThreadId("a"), **base, **status
                ),
            )
        case "sendInput":
            return (
                events.CollabAgentInteractionBegin(prompt="p", **base, **agent),
                events.CollabAgentInteractionEnd(prompt="p", **base, **agent, **status),
            )
        case "closeAgent":
            return (
                events.CollabCloseBegin(**base, **agent),
                events.CollabCloseEnd(**base, **agent, **status),
            )
        case _:
            return (
                events.CollabResumeBegin(**base, **agent),
                events.CollabResumeEnd(**base, **agent, **status),
            )


@pytest.mark.parametrize("tool", ["spawnAgent", "sendInput", "closeAgent", "resumeAgent"])
def test_calls_about_agents_are_items(tool: str) -> None:
    """A new agent is named at the end, others from the beginning."""
    fed = in_turn()
    begin, end = _collab(tool)

    [started] = fed.take(begin)
    [completed] = fed.take(end)

    before, after = (to_json(told)["item"] for told in (started, completed))  # type: ignore[index]
    assert before["tool"] == after["tool"] == tool
    assert before["receiverThreadIds"] == ([] if tool == "spawnAgent" else ["a"])
    assert after["receiverThreadIds"] == ["a"]
    assert after["prompt"] == ("p" if tool in {"spawnAgent", "sendInput"} else None)
    assert after["agentsStates"] == {"a": {"status": "running", "message": None}}
    assert after["status"] == "completed"


def test_agent_that_could_not_be_started_is_a_failure() -> None:
    """There is nobody to name."""
    fed = in_turn()
    base: Any = {"call_id": CALL, "sender_thread_id": T, "prompt": "p"}

    [_, completed] = fed.take(events.CollabAgentSpawnEnd(status=StatusKind.NOT_FOUND, **base))

    item = to_json(completed)["item"]  # type: ignore[index]
    assert (item["status"], item["receiverThreadIds"]) == ("failed", [])


NOTES: list[tuple[EventMsg, str, dict[str, object]]] = [
    (
        events.PlanUpdate(plan=(events.PlanStep(step="s", status=events.StepStatus.IN_PROGRESS),)),
        "turn/plan/updated",
        {"turnId": "u", "explanation": None, "plan": [{"step": "s", "status": "inProgress"}]},
    ),
    (events.TurnDiff(unified_diff="d"), "turn/diff/updated", {"turnId": "u", "diff": "d"}),
    (events.ContextCompacted(), "thread/compacted", {"turnId": "u"}),
    (events.WarningEvent(message="w"), "warning", {"message": "w"}),
    (
        events.ModelReroute(from_model="a", to_model="b", reason="high_risk_cyber_activity"),
        "model/rerouted",
        {"turnId": "u", "fromModel": "a", "toModel": "b", "reason": "highRiskCyberActivity"},
    ),
    (
        events.ModelReroute(from_model="a", to_model="b", reason="odd"),
        "warning",
        {"message": "b answers instead of a: odd"},
    ),
    (
        events.McpStartupUpdate(
            server="s",
            status=events.McpStartupState(state=events.McpStartupStateKind.READY),
        ),
        "mcpServer/startupStatus/updated",
        {"name": "s", "status": "ready", "error": None},
    ),
    (
        events.McpStartupUpdate(server="s", status=events.McpStartupFailed(error="e")),
        "mcpServer/startupStatus/updated",
        {"name": "s", "status": "failed", "error": "e"},
    ),
]


@pytest.mark.parametrize(("msg", "method", "body"), NOTES, ids=lambda value: str(value)[:30])
def test_event_about_the_thread_is_told(
    msg: EventMsg, method: str, body: dict[str, object]
) -> None:
    """With its thread."""
    [(told, params)] = said(in_turn().take(msg))

    assert told == method
    assert params | {"threadId": "t"} | body == params


def test_notices_about_everything_name_no_thread() -> None:
    """Skills and deprecations."""
    told = Fed().take(
        events.SkillsUpdateAvailable(), events.DeprecationNotice(summary="s", details="d")
    )

    assert said(told) == [
        ("skills/changed", {}),
        ("deprecationNotice", {"summary": "s", "details": "d"}),
    ]


@pytest.mark.parametrize(
    "msg",
    [
        events.ShutdownComplete(),
        events.BackgroundEvent(message="b"),
        events.UndoStarted(),
        events.UndoCompleted(success=True),
        events.ThreadRolledBack(num_turns=1),
        events.McpStartupComplete(),
        events.UserMessage(message="m"),
        events.AgentMessage(message="m"),
        events.AgentReasoning(text="t"),
        events.ListSkillsResponse(skills=()),
        events.UnknownEvent(tag="odd", raw={}),
        events.ItemStarted(
            thread_id=T, turn_id=TURN, item=UnknownTurnItem(tag="Odd", raw={"type": "Odd"})
        ),
    ],
    ids=str,
)
def test_event_that_is_no_business_of_clients_is_not_told(msg: EventMsg) -> None:
    """Or that says again what an item said."""
    assert in_turn().take(msg) == ()


def test_usage_and_limits_are_told_when_they_are_news() -> None:
    """The thread repeats the one when the other changes."""
    fed = in_turn()
    usage = events.TokenUsage(input_tokens=3, output_tokens=4, total_tokens=7)
    info = events.TokenUsageInfo(
        total_token_usage=usage, last_token_usage=usage, model_context_window=100
    )
    limits = events.RateLimitSnapshot(
        primary=events.RateLimitWindow(used_percent=12.6, window_minutes=5, resets_at=9),
        credits=events.CreditsSnapshot(has_credits=True, unlimited=False, balance="1"),
    )

    first = said(fed.take(events.TokenCount(rate_limits=limits)))
    second = said(fed.take(events.TokenCount(info=info, rate_limits=limits)))

    assert [method for method, _ in first] == ["account/rateLimits/updated"]
    assert first[0][1]["rateLimits"]["primary"] == {
        "usedPercent": 13,
        "windowDurationMins": 5,
        "resetsAt": 9,
    }
    [(method, body)] = second
    assert method == "thread/tokenUsage/updated"
    assert body["turnId"] == "u"
    assert body["tokenUsage"]["total"]["totalTokens"] == 7
    assert body["tokenUsage"]["modelContextWindow"] == 100
    assert fed.take(events.TokenCount(info=info, rate_limits=limits)) == ()
    assert fed.projection.last_usage is not None


def test_limits_of_which_nothing_is_known_are_not_told() -> None:
    """A provider that refuses without numbers says only whose limits they are."""
    fed = in_turn()
    limits = events.RateLimitSnapshot(limit_id="codex")
    known = attrs.evolve(limits, plan_type="pro")

    unknown = fed.take(events.TokenCount(rate_limits=limits))
    told = [fed.take(events.TokenCount(rate_limits=each)) for each in (known, limits)]

    assert unknown == ()
    assert [len(each) for each in told] == [1, 1]


@pytest.mark.parametrize(
    ("info", "written"),
    [
        (None, None),
        (events.CodexErrorCode.CONTEXT_WINDOW_EXCEEDED, "contextWindowExceeded"),
        (events.CodexErrorCode.OTHER, "other"),
        (
            events.HttpConnectionFailed(http_status_code=401),
            {"httpConnectionFailed": {"httpStatusCode": 401}},
        ),
        (
            events.ResponseStreamConnectionFailed(),
            {"responseStreamConnectionFailed": {"httpStatusCode": None}},
        ),
        (
            events.ResponseStreamDisconnected(),
            {"responseStreamDisconnected": {"httpStatusCode": None}},
        ),
        (
            events.ResponseTooManyFailedAttempts(http_status_code=429),
            {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
        ),
    ],
    ids=str,
)
def test_error_says_for_programs_what_it_was(info: Any, written: object) -> None:
    """And the turn fails with the identical error."""
    fed = in_turn()

    told = fed.take(
        events.ErrorEvent(message="m", codex_error_info=info), events.TurnComplete(turn_id=TURN)
    )

    error = {"message": "m", "codexErrorInfo": written, "additionalDetails": None}
    assert outline(told) == ["status systemError", "error final: m", "turn/completed failed"]
    bodies = [body for _, body in said(told)]
    assert bodies[1]["error"] | error == bodies[1]["error"] == bodies[2]["turn"]["error"]


def test_last_error_counts_and_a_stop_outweighs_it() -> None:
    """An interrupted turn has no error."""
    fed = in_turn()
    fed.take(events.ErrorEvent(message="one"), events.ErrorEvent(message="two"))

    [completed] = fed.take(events.TurnComplete(turn_id=TURN))
    fed.take(events.TurnStarted(turn_id=TurnId("v")), of="v")
    fed.take(events.ErrorEvent(message="three"), of="v")
    told = fed.take(
        events.TurnAborted(reason=events.TurnAbortReason.INTERRUPTED, turn_id=TurnId("v")), of="v"
    )

    assert to_json(completed)["turn"]["error"]["message"] == "two"  # type: ignore[index]
    assert outline(told) == ["status idle", "turn/completed interrupted"]
    assert to_json(told[-1])["turn"]["error"] is None  # type: ignore[index]


def test_refused_submission_fails_no_turn() -> None:
    """It is told under its own id; that a rollback failed is told by its answer."""
    fed = in_turn()

    told = fed.take(events.ErrorEvent(message="no"), of="other")
    nothing = fed.take(
        events.ErrorEvent(
            message="no", codex_error_info=events.CodexErrorCode.THREAD_ROLLBACK_FAILED
        )
    )

    assert outline(told) == ["error final: no"]
    assert to_json(told[0])["turnId"] == "other"  # type: ignore[index]
    assert nothing == ()
    assert outline(fed.take(events.TurnComplete(turn_id=TURN)))[-1] == "turn/completed completed"


def test_commands_in_the_background_are_remembered_up_to_a_limit() -> None:
    """Beyond it the oldest are forgotten, and their ends are not told."""
    fed = in_turn()
    for number in range(LINGERING_CAPACITY + 1):
        begin = attrs.evolve(
            BEGIN,
            call_id=CallId(f"c{number}"),
            source=events.ExecCommandSource.UNIFIED_EXEC_STARTUP,
        )
        fed.take(begin)
    fed.take(BEGIN, events.TurnComplete(turn_id=TURN))

    assert fed.take(END) == ()
    assert fed.take(attrs.evolve(END, call_id=CallId("c0"))) == ()
    assert outline(fed.take(attrs.evolve(END, call_id=CallId("c1")))) == [
        "item/completed commandExecution completed"
    ]


def test_names_of_messages_are_remembered_up_to_a_limit() -> None:
    """The oldest are forgotten; each counts once, for the message of its content."""
    fed = in_turn()
    for number in range(EXPECTED_CAPACITY + 1):
        fed.projection.expect((TextInput(text=str(number)),), f"n{number}")

    def name_of(text: str) -> object:
        item = UserMessageItem(id=f"m{text}", content=(TextInput(text=text),))
        told = fed.take(events.ItemCompleted(thread_id=T, turn_id=TURN, item=item))
        return to_json(told[-1])["item"]["clientId"]  # type: ignore[index]

    assert (name_of("0"), name_of("1"), name_of("1")) == (None, "n1", None)


def test_dynamic_call_that_no_client_answered_has_failed() -> None:
    """With what the model was told instead."""
    fed = in_turn()
    fed.take(
        events.DynamicToolCallRequest(call_id=CALL, turn_id=TURN, tool="f", arguments={"a": 1})
    )

    told = fed.take(events.RawResponseItem(item=FunctionCallOutput(call_id="c", output="aborted")))

    assert outline(told) == ["resolved c", "item/completed dynamicToolCall failed"]
    item = to_json(told[-1])["item"]  # type: ignore[index]
    assert item["contentItems"] == [{"type": "inputText", "text": "aborted"}]


def test_dynamic_call_shows_texts_and_images() -> None:
    """As the client gave them."""
    fed = in_turn()
    fed.take(
        events.DynamicToolCallRequest(call_id=CALL, turn_id=TURN, tool="f", arguments={"a": 1})
    )
    odd = UnknownContent(tag="odd", raw={"type": "odd"})
    content = (InputText(text="x"), InputImage(image_url="u"), odd)
    result = DynamicToolResult(content_items=content, success=True)

    told = fed.projection.answered("c", DynamicToolResponse(id=CALL, response=result))

    item = to_json(told[-1])["item"]  # type: ignore[index]
    assert item["contentItems"] == [
        {"type": "inputText", "text": "x"},
        {"type": "inputImage", "imageUrl": "u"},
    ]
    assert (item["success"], item["arguments"], item["durationMs"]) == (True, {"a": 1}, 0)


@pytest.mark.parametrize(
    ("target", "hint", "review"),
    [
        (events.UncommittedChangesTarget(), None, "current changes"),
        (events.UncommittedChangesTarget(), "my words", "my words"),
        (events.BaseBranchTarget(branch="b"), None, "changes against 'b'"),
        (events.CommitTarget(sha="0123456789"), None, "commit 0123456"),
        (events.CustomTarget(instructions=" look "), None, "look"),
    ],
)
def test_review_begins_with_a_word_on_what_is_reviewed(
    target: events.ReviewTarget, hint: str | None, review: str
) -> None:
    """The client's own words go before ours."""
    entered = events.EnteredReviewMode(target=target, user_facing_hint=hint)

    [started, _] = in_turn().take(entered)

    assert to_json(started)["item"]["review"] == review  # type: ignore[index]


def test_patch_that_is_declined_with_the_whole_turn_ends_as_declined() -> None:
    """What the thread says of it later is not told."""
    fed = in_turn()
    fed.take(PATCH, events.ApplyPatchApprovalRequest(call_id=CALL, changes={}))

    told = fed.projection.answered("c", PatchApproval(id=CALL, decision=ReviewDecisionKind.ABORT))
    failed = events.PatchApplyEnd(
        call_id=CALL,
        stdout="",
        stderr="aborted",
        success=False,
        status=events.ApplyPatchStatus.FAILED,
    )

    assert outline(told) == ["resolved c", "status active", "item/completed fileChange declined"]
    assert fed.take(failed) == ()


def test_review_hides_the_announcements_of_the_reviewers_messages() -> None:
    """They are told when they are there, and the last, which is the result, never."""
    fed = in_turn()
    target = events.CommitTarget(sha="0123456789", title="Fix")
    message = AgentMessageItem(id="m", content=(AgentText(text=""),))

    told = fed.take(
        events.EnteredReviewMode(target=target),
        events.ItemStarted(thread_id=ThreadId("r"), turn_id=TurnId("r"), item=message),
        events.AgentMessage(message="Let me see."),
        events.ItemStarted(thread_id=ThreadId("r"), turn_id=TurnId("r"), item=message),
        events.ExitedReviewMode(review_output=None),
    )

    assert outline(told) == [
        "item/started enteredReviewMode",
        "item/completed enteredReviewMode",
        "item/started agentMessage",
        "item/completed agentMessage",
        "item/started exitedReviewMode",
        "item/completed exitedReviewMode",
    ]
    bodies = [body["item"] for _, body in said(told)]
    assert bodies[0]["review"] == "commit 0123456: Fix"
    assert bodies[-1]["review"] == "Reviewer failed to output a response."
    assert {body["turnId"] for _, body in said(told)} == {"u"}


def test_thread_that_ends_leaves_nothing_open() -> None:
    """A turn is told as interrupted, and its questions as withdrawn."""
    fed = in_turn()
    fed.take(ASK)
    assert [item.id for item in fed.projection.open_items()] == ["c"]  # type: ignore[union-attr]

    told = fed.projection.close()

    assert outline(told) == ["status idle", "turn/completed interrupted", "resolved c"]
    assert fed.projection.close() == ()
    assert fed.projection.turn_id is None


# When events are lost ---------------------------------------------------------


def snapshot(next_seq: int, turn_id: str | None = None, **changes: Any) -> ThreadSnapshot:
    settings: SessionSettings = SETTINGS
    values: dict[str, Any] = {
        "state": ThreadState.IDLE,
        "status": Completed(completed=None),
        "settings": settings,
        "turn_id": turn_id,
        "questions": (),
        "approvals": frozenset(),
        "next_seq": next_seq,
    }
    return ThreadSnapshot(**values | changes)


WARN = events.WarningEvent(message="w")


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Completed(completed=None), "completed"),
        (Errored(errored="Interrupted"), "interrupted"),
        (Errored(errored="no model"), "failed"),
    ],
)
def test_turn_whose_end_was_lost_ends_when_that_is_sure(status: Any, end: str) -> None:
    """As the thread's status says it went."""
    fed = in_turn()
    fed.projection.lagged(snapshot(13, status=status))
    fed.seq = 10

    assert outline(fed.take(WARN)) == ["warning w"]
    told = outline(fed.take(WARN))

    assert told[0] == "warning w"
    assert told[-1] == f"turn/completed {end}"


def test_turn_whose_start_was_lost_begins_with_its_next_event() -> None:
    """And the one before it has ended then, too."""
    fed = in_turn()
    fed.projection.lagged(snapshot(20, "v"))
    fed.seq = 10

    assert outline(fed.take(BEGIN, of="v")) == [
        "status idle",
        "turn/completed completed",
        "status active",
        "turn/started inProgress",
        "item/started commandExecution inProgress",
    ]


def test_questions_that_were_lost_are_asked_and_answered_ones_withdrawn() -> None:
    """Otherwise a turn would wait for ever."""
    fed = in_turn()
    fed.take(ASK)
    other = attrs.evolve(ASK, call_id=CallId("d"))
    fed.projection.lagged(snapshot(12, TURN, questions=(other,)))
    fed.seq = 10

    assert outline(fed.take(WARN)) == [
        "warning w",
        "resolved c",
        "status active",
        "item/started commandExecution inProgress",
        "status active waitingOnApproval",
        "[REQ] item/commandExecution/requestApproval d",
    ]


def test_turn_that_began_and_ended_unseen_is_told_with_its_end() -> None:
    """Whoever started it waits for that."""
    assert outline(Fed().take(events.TurnComplete(turn_id=TURN))) == [
        "status active",
        "turn/started inProgress",
        "status idle",
        "turn/completed completed",
    ]


def test_turn_that_begins_before_the_last_one_ended_ends_that() -> None:
    """One runs at a time; its start is told once."""
    fed = in_turn()

    assert fed.take(events.TurnStarted(turn_id=TURN)) == ()
    assert outline(fed.take(events.TurnStarted(turn_id=TurnId("v")), of="v")) == [
        "status idle",
        "turn/completed interrupted",
        "status active",
        "turn/started inProgress",
    ]


def test_message_of_the_history_is_no_item() -> None:
    """Only the answer of a review is told by nothing else."""
    message = Message(role="assistant", content=(), id="x")

    assert in_turn().take(events.RawResponseItem(item=message)) == ()
