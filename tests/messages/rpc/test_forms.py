"""The forms that clients rely on, member by member."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from messages.codec import from_json, to_json
from messages.content import ByteRange
from messages.errors import DecodeError
from messages.events import CommitTarget
from messages.rpc.account import ApiKeyLoginAccountParams, ChatgptAuthTokensLoginAccountParams
from messages.rpc.approvals import (
    AcceptWithExecpolicyAmendment,
    CommandExecutionApprovalDecisionKind,
    CommandExecutionRequestApprovalParams,
    CommandExecutionRequestApprovalResponse,
    FileChangeRequestApprovalParams,
)
from messages.rpc.catalogue import CollaborationModeMask
from messages.rpc.envelope import Notification, Request, RpcError
from messages.rpc.file_search import FuzzyFileSearchResult
from messages.rpc.handshake import ClientInfo, InitializeCapabilities, InitializeParams
from messages.rpc.items import UserMessageThreadItem, WebSearchThreadItem
from messages.rpc.notifications import ConfigWarningNotification, ThreadNameUpdatedNotification
from messages.rpc.requests import CLIENT_REQUESTS, experimental_use
from messages.rpc.settings import (
    DynamicToolSpec,
    RestrictedReadOnlyAccess,
    SandboxMode,
    SessionSourceKind,
    SubAgentSessionSource,
    WorkspaceWriteSandboxPolicy,
)
from messages.rpc.thread import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from messages.rpc.thread_pages import (
    ThreadItemsListAnchor,
    ThreadItemsListParams,
    ThreadListParams,
    ThreadSortKey,
)
from messages.rpc.thread_upkeep import ThreadMetadataGitInfoUpdateParams
from messages.rpc.tool_parts import UpdatePatchChangeKind
from messages.rpc.turn import ReviewStartParams, Turn, TurnStartParams, TurnStatus
from messages.rpc.turn_error import (
    CodexErrorCode,
    HttpConnectionFailedCodexErrorInfo,
    TurnError,
)
from messages.rpc.user_input import LocalImageUserInput, TextElement, TextUserInput
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    ModeKind,
    ReasoningEffort,
    SubAgentKind,
)

ROOT = Path(__file__).parents[3]

ASKED: list[tuple[str, Any, object]] = [
    (
        "initialize",
        {
            "clientInfo": {"name": "my_client", "title": "My Client", "version": "1.2.3"},
            "capabilities": {
                "experimentalApi": False,
                "optOutNotificationMethods": ["thread/tokenUsage/updated"],
                "requestAttestation": False,
            },
        },
        InitializeParams(
            client_info=ClientInfo(name="my_client", title="My Client", version="1.2.3"),
            capabilities=InitializeCapabilities(
                opt_out_notification_methods=("thread/tokenUsage/updated",)
            ),
        ),
    ),
    (
        "thread/start",
        {
            "cwd": "/work",
            "approvalPolicy": "on-request",
            "sandbox": "workspace-write",
            "config": {"model_reasoning_effort": "high", "my.own": {"snake_case": 1}},
            "dynamicTools": [{"name": "clock", "description": "Time.", "inputSchema": {}}],
            "persistExtendedHistory": True,
            "ephemeral": None,
        },
        ThreadStartParams(
            cwd="/work",
            approval_policy=AskForApproval.ON_REQUEST,
            sandbox=SandboxMode.WORKSPACE_WRITE,
            config={"model_reasoning_effort": "high", "my.own": {"snake_case": 1}},
            dynamic_tools=(DynamicToolSpec(name="clock", description="Time.", input_schema={}),),
            persist_extended_history=True,
        ),
    ),
    (
        "turn/start",
        {
            "threadId": "thread",
            "input": [
                {
                    "type": "text",
                    "text": "look",
                    "text_elements": [{"byteRange": {"start": 0, "end": 4}, "placeholder": None}],
                },
                {"type": "text", "text": "again"},
                {"type": "localImage", "path": "/a.png"},
            ],
            "sandboxPolicy": {
                "type": "workspaceWrite",
                "writableRoots": ["/work"],
                "readOnlyAccess": {"type": "restricted", "readableRoots": ["/usr"]},
            },
            "collaborationMode": {
                "mode": "pair_programming",
                "settings": {
                    "model": "gpt-5",
                    "reasoning_effort": "high",
                    "developer_instructions": None,
                },
            },
            "outputSchema": {"type": "object"},
        },
        TurnStartParams(
            thread_id="thread",
            input=(
                TextUserInput(
                    text="look",
                    text_elements=(TextElement(byte_range=ByteRange(start=0, end=4)),),
                ),
                TextUserInput(text="again"),
                LocalImageUserInput(path="/a.png"),
            ),
            sandbox_policy=WorkspaceWriteSandboxPolicy(
                writable_roots=("/work",),
                read_only_access=RestrictedReadOnlyAccess(readable_roots=("/usr",)),
            ),
            collaboration_mode=CollaborationMode(
                mode=ModeKind.DEFAULT,
                settings=CollaborationSettings(
                    model="gpt-5", reasoning_effort=ReasoningEffort("high")
                ),
            ),
            output_schema={"type": "object"},
        ),
    ),
    (
        "review/start",
        {"threadId": "thread", "target": {"type": "commit", "sha": "abc"}},
        ReviewStartParams(thread_id="thread", target=CommitTarget(sha="abc")),
    ),
    (
        "thread/list",
        {"limit": 10, "sortKey": "updated_at", "modelProviders": [], "cwd": ["/a", "/b"]},
        ThreadListParams(
            limit=10,
            sort_key=ThreadSortKey.UPDATED_AT,
            model_providers=(),
            cwd=("/a", "/b"),
        ),
    ),
    (
        "thread/items/list",
        {"threadId": "thread", "turnId": "turn", "cursor": {"type": "item", "itemId": "item-1"}},
        ThreadItemsListParams(
            thread_id="thread", turn_id="turn", cursor=ThreadItemsListAnchor(item_id="item-1")
        ),
    ),
    (
        "thread/items/list",
        {"threadId": "thread", "cursor": "page-2"},
        ThreadItemsListParams(thread_id="thread", cursor="page-2"),
    ),
    (
        "account/login/start",
        {"type": "apiKey", "apiKey": "k"},
        ApiKeyLoginAccountParams(api_key="k"),
    ),
]


@pytest.mark.parametrize(("method", "raw", "params"), ASKED, ids=lambda each: str(each)[:40])
def test_params_are_read_as_clients_write_them(method: str, raw: Any, params: object) -> None:
    """Casing is mixed in places, nulls are no values, and newer members do not matter."""
    read: Any = from_json(raw, CLIENT_REQUESTS[method].params)

    assert from_json(to_json(read), CLIENT_REQUESTS[method].params) == read
    assert to_json(_without_extra(read)) == to_json(params)


def _without_extra(value: Any) -> Any:
    """The value as it is made from its fields alone."""
    if isinstance(value, tuple):
        return tuple(map(_without_extra, value))
    if not attrs.has(type(value)):
        return value
    names = [field.name for field in attrs.fields(type(value)) if field.name != "extra"]
    return type(value)(**{name: _without_extra(getattr(value, name)) for name in names})


SAID: list[tuple[object, Any]] = [
    (Request(id=1, method="initialize"), {"id": 1, "method": "initialize"}),
    (
        Notification(method="error", params={}, emitted_at_ms=5),
        {"method": "error", "params": {}, "emittedAtMs": 5},
    ),
    (RpcError(code=-32600, message="no"), {"code": -32600, "message": "no"}),
    (
        Turn(id="turn", status=TurnStatus.IN_PROGRESS),
        {
            "id": "turn",
            "status": "inProgress",
            "items": [],
            "itemsView": "notLoaded",
            "error": None,
            "rootTurnId": None,
            "startedAt": None,
            "completedAt": None,
            "durationMs": None,
        },
    ),
    (
        TurnError(
            message="no",
            codex_error_info=HttpConnectionFailedCodexErrorInfo(http_status_code=503),
        ),
        {
            "message": "no",
            "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 503}},
            "additionalDetails": None,
        },
    ),
    (
        TurnError(message="no", codex_error_info=CodexErrorCode.OTHER),
        {"message": "no", "codexErrorInfo": "other", "additionalDetails": None},
    ),
    (
        UserMessageThreadItem(
            id="item-1",
            content=(
                TextUserInput(
                    text="hi", text_elements=(TextElement(byte_range=ByteRange(start=0, end=2)),)
                ),
            ),
        ),
        {
            "type": "userMessage",
            "id": "item-1",
            "startedAtMs": None,
            "completedAtMs": None,
            "clientId": None,
            "content": [
                {
                    "type": "text",
                    "text": "hi",
                    "text_elements": [
                        {"byteRange": {"start": 0, "end": 2}, "placeholder": None}
                    ],
                }
            ],
        },
    ),
    (
        WebSearchThreadItem(id="ws", query=""),
        {
            "type": "webSearch",
            "id": "ws",
            "startedAtMs": None,
            "completedAtMs": None,
            "query": "",
            "action": None,
        },
    ),
    (UpdatePatchChangeKind(), {"type": "update", "move_path": None}),
    (SessionSourceKind.APP_SERVER, "appServer"),
    (SubAgentSessionSource(sub_agent=SubAgentKind.REVIEW), {"subAgent": "review"}),
    (
        WorkspaceWriteSandboxPolicy(),
        {
            "type": "workspaceWrite",
            "writableRoots": [],
            "readOnlyAccess": {"type": "fullAccess"},
            "networkAccess": False,
            "excludeTmpdirEnvVar": False,
            "excludeSlashTmp": False,
        },
    ),
    (
        CommandExecutionRequestApprovalParams(
            thread_id="thread", turn_id="turn", item_id="call", started_at_ms=5
        ),
        {
            "threadId": "thread",
            "turnId": "turn",
            "itemId": "call",
            "startedAtMs": 5,
            "kind": "command",
        },
    ),
    (
        FileChangeRequestApprovalParams(
            thread_id="thread", turn_id="turn", item_id="call", started_at_ms=5
        ),
        {
            "threadId": "thread",
            "turnId": "turn",
            "itemId": "call",
            "startedAtMs": 5,
            "reason": None,
            "grantRoot": None,
        },
    ),
    (ThreadNameUpdatedNotification(thread_id="thread"), {"threadId": "thread"}),
    (ConfigWarningNotification(summary="odd"), {"summary": "odd", "details": None}),
    (
        FuzzyFileSearchResult(root="/", path="a/b", file_name="b", score=3),
        {
            "root": "/",
            "path": "a/b",
            "match_type": "file",
            "file_name": "b",
            "score": 3,
            "indices": None,
        },
    ),
    (
        CollaborationModeMask(name="Plan", mode=ModeKind.PLAN),
        {
            "name": "Plan",
            "mode": "plan",
            "model": None,
            "reasoning_effort": None,
            "developer_instructions": None,
        },
    ),
    (ThreadMetadataGitInfoUpdateParams(branch=None), {"branch": None}),
    (ThreadForkParams(thread_id="t"), {
        "threadId": "t", "persistExtendedHistory": False, "ephemeral": False, "excludeTurns": False,
    }),
]  # fmt: skip


@pytest.mark.parametrize(("value", "raw"), SAID, ids=lambda each: type(each).__name__)
def test_value_is_written_as_clients_expect_it(value: object, raw: Any) -> None:
    """What there is none of is null, but for the members that are left out."""
    assert to_json(value) == raw


@pytest.mark.parametrize(
    ("raw", "decision"),
    [
        ("accept", CommandExecutionApprovalDecisionKind.ACCEPT),
        ("cancel", CommandExecutionApprovalDecisionKind.CANCEL),
        (
            {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["git", "push"]}},
            AcceptWithExecpolicyAmendment(execpolicy_amendment=("git", "push")),
        ),
    ],
)
def test_decision_is_read_as_word_or_object(raw: Any, decision: object) -> None:
    """A decision with content is an object with one member."""
    read = from_json({"decision": raw}, CommandExecutionRequestApprovalResponse)

    assert read == CommandExecutionRequestApprovalResponse(decision=decision)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "raw", "problem"),
    [
        ("thread/read", {}, "required member is missing at $.threadId"),
        ("thread/read", None, "expected an object, got null at $"),
        ("thread/read", {"threadId": 5}, "expected text, got int 5 at $.threadId"),
        ("thread/list", {"limit": -1}, "limit must be 0 or more, not -1 at $"),
        ("thread/rollback", {"threadId": "t", "numTurns": -1}, "numTurns must be 0 or more, not -1 at $"),
        (
            "thread/list",
            {"sortKey": "bad"},
            "expected one of created_at, updated_at, recency_at, got text 'bad' at $.sortKey",
        ),
        (
            "turn/start",
            {"threadId": "t", "input": [{"type": "text", "text": "a"}, {"type": "audio"}]},
            "expected one of text, image, localImage, skill, mention, got text 'audio'"
            " at $.input[1].type",
        ),
        (
            "turn/start",
            {"threadId": "t", "input": [], "approvalPolicy": "onRequest"},
            "expected one of untrusted, on-failure, on-request, never, got text 'onRequest'"
            " at $.approvalPolicy",
        ),
        (
            "command/exec",
            {"command": ["ls"], "sandboxPolicy": {"type": "workspaceWrite", "writableRoots": ["a"]}},
            "writableRoots must be absolute paths, not 'a' at $.sandboxPolicy",
        ),
        (
            "thread/start",
            {"dynamicTools": [{"name": "a", "description": "b"}]},
            "required member is missing at $.dynamicTools[0].inputSchema",
        ),
        (
            "thread/start",
            {"dynamicTools": [{"type": "namespace", "name": "a", "description": "b", "tools": []}]},
            "expected one of function, got text 'namespace' at $.dynamicTools[0].type",
        ),
        ("thread/start", {"dynamicTools": 5}, "expected a list, got int 5 at $.dynamicTools"),
        ("thread/items/list", {"threadId": "t", "cursor": 5}, "expected text or an object, got int 5 at $.cursor"),
        (
            "account/login/start",
            {"type": "amazonBedrock"},
            "expected one of apiKey, chatgpt, chatgptAuthTokens, got text 'amazonBedrock' at $.type",
        ),
    ],
)  # fmt: skip
def test_bad_params_are_refused_with_their_place(method: str, raw: Any, problem: str) -> None:
    """A client is told what was expected, what came, and where."""
    with pytest.raises(DecodeError) as refused:
        from_json(raw, CLIENT_REQUESTS[method].params)

    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("method", "params", "use"),
    [
        ("thread/start", ThreadStartParams(), None),
        ("thread/start", ThreadStartParams(dynamic_tools=()), None),
        (
            "thread/start",
            ThreadStartParams(
                dynamic_tools=(DynamicToolSpec(name="a", description="b", input_schema={}),)
            ),
            "thread/start.dynamicTools",
        ),
        (
            "thread/start",
            ThreadStartParams(persist_extended_history=True),
            "thread/start.persistFullHistory",
        ),
        ("thread/resume", ThreadResumeParams(thread_id="t"), None),
        ("thread/resume", ThreadResumeParams(thread_id="t", path="/a"), "thread/resume.path"),
        ("thread/fork", ThreadForkParams(thread_id="t", path="/a"), "thread/fork.path"),
        ("turn/start", TurnStartParams(thread_id="t", input=()), None),
        ("mock/experimentalMethod", None, "mock/experimentalMethod"),
        (
            "account/login/start",
            ChatgptAuthTokensLoginAccountParams(access_token="a", chatgpt_account_id="b"),
            "account/login/start.chatgptAuthTokens",
        ),
        ("config/mcpServer/reload", None, None),
    ],
)
def test_experimental_use_is_told_by_what_a_request_says(
    method: str, params: object, use: str | None
) -> None:
    """A field that says nothing needs no permission."""
    assert experimental_use(method, params) == use


def test_secrets_are_not_shown() -> None:
    """A repr may end in a log."""
    assert "secret" not in repr(ApiKeyLoginAccountParams(api_key="secret"))


@pytest.mark.slow
def test_protocol_is_not_loaded_by_those_who_do_not_speak_it() -> None:
    """Its classes are many, and most programs need none of them."""
    code = (
        "import sys; from messages.codec import encode; from messages.events import UndoStarted;"
        " encode(UndoStarted()); print('messages.rpc.thread' in sys.modules)"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert printed == "False\n"
