"""Questions of a thread as requests to clients, before they have a number."""

from typing import Final, assert_never

import attrs

from actors.thread.answers import Question, elicitation_key
from messages import events
from messages.rpc.approvals import (
    CommandExecutionRequestApprovalParams,
    DynamicToolCallParams,
    FileChangeRequestApprovalParams,
    ToolRequestUserInputOption,
    ToolRequestUserInputParams,
    ToolRequestUserInputQuestion,
)
from messages.rpc.elicitation import McpServerElicitationRequestParams
from messages.rpc.requests import ServerRequestParams
from messages.rpc.thread import ThreadActiveFlag

from .command_line import command_line
from .item_values import command_actions

__all__ = [
    "OpenRequests",
    "RequestResolved",
    "ServerRequestDraft",
    "draft_of",
    "question_key",
]


@attrs.frozen(kw_only=True)
class ServerRequestDraft:
    """
    A request to clients; who sends it gives it an id.

    Attributes:
        key: Names the question in its thread as long as it is open.
        turn_id: The turn that asks.
        question: What the thread asks.
    """

    key: str
    turn_id: str
    method: str
    params: ServerRequestParams
    question: Question


@attrs.frozen(kw_only=True)
class RequestResolved:
    """
    A question needs no answer any more: it was answered or withdrawn.

    To be told as ``serverRequest/resolved`` with the id that the request went by; an
    answer that still comes is for nobody.
    """

    key: str


def question_key(question: Question) -> str:
    """Name a question as the op that answers it does."""
    match question:
        case events.ExecApprovalRequest(approval_id=approval_id, call_id=call_id):
            return approval_id or call_id
        case events.ElicitationRequest(server_name=server, id=request_id):
            return elicitation_key(server, request_id)
        case _:
            return question.call_id


def draft_of(thread_id: str, turn_id: str, question: Question, now_ms: int) -> ServerRequestDraft:
    """
    Write a question as a request.

    Args:
        turn_id: The turn that asks; the question may name that of a sub-agent.
        now_ms: When it is asked, in milliseconds since the Unix epoch.
    """
    method, params = _request(thread_id, turn_id, question, now_ms)
    return ServerRequestDraft(
        key=question_key(question),
        turn_id=turn_id,
        method=method,
        params=params,
        question=question,
    )


def _request(
    thread_id: str, turn_id: str, question: Question, now_ms: int
) -> tuple[str, ServerRequestParams]:
    match question:
        case events.ExecApprovalRequest():
            return "item/commandExecution/requestApproval", CommandExecutionRequestApprovalParams(
                thread_id=thread_id,
                turn_id=turn_id,
                item_id=question.call_id,
                started_at_ms=now_ms,
                approval_id=question.approval_id,
                reason=question.reason,
                command=command_line(question.command),
                cwd=question.cwd,
                command_actions=command_actions(question.parsed_cmd),
                proposed_execpolicy_amendment=question.proposed_execpolicy_amendment,
            )
        case events.ApplyPatchApprovalRequest():
            return "item/fileChange/requestApproval", FileChangeRequestApprovalParams(
                thread_id=thread_id,
                turn_id=turn_id,
                item_id=question.call_id,
                started_at_ms=now_ms,
                reason=question.reason,
                grant_root=question.grant_root,
            )
        case events.RequestUserInput():
            return "item/tool/requestUserInput", ToolRequestUserInputParams(
                thread_id=thread_id,
                turn_id=turn_id,
                item_id=question.call_id,
                questions=tuple(map(_question, question.questions)),
            )
        case events.DynamicToolCallRequest():
            return "item/tool/call", DynamicToolCallParams(
                thread_id=thread_id,
                turn_id=turn_id,
                call_id=question.call_id,
                tool=question.tool,
                arguments=question.arguments,
            )
        case events.ElicitationRequest():
            # Only clients of 0.169 know it.
            return "mcpServer/elicitation/request", _elicitation(thread_id, turn_id, question)
        case _:
            assert_never(question)


def _question(question: events.UserInputQuestion) -> ToolRequestUserInputQuestion:
    options = question.options
    return ToolRequestUserInputQuestion(
        id=question.id,
        header=question.header,
        question=question.question,
        is_other=True,  # the user may always say something else
        is_secret=question.is_secret,
        options=None if options is None else tuple(map(_option, options)),
    )


def _option(option: events.QuestionOption) -> ToolRequestUserInputOption:
    return ToolRequestUserInputOption(label=option.label, description=option.description)


def _elicitation(
    thread_id: str, turn_id: str, question: events.ElicitationRequest
) -> McpServerElicitationRequestParams:
    """Ask for a plain yes or no: a form without fields, as the thread knows no more of it."""
    return McpServerElicitationRequestParams(
        thread_id=thread_id,
        turn_id=turn_id,
        server_name=question.server_name,
        message=question.message,
        requested_schema={"type": "object", "properties": {}},
    )


_APPROVALS: Final = (
    events.ExecApprovalRequest,
    events.ApplyPatchApprovalRequest,
    events.ElicitationRequest,
)


@attrs.define(eq=False)
class OpenRequests:
    """The questions of one thread that clients were asked and that nobody has settled."""

    _open: dict[str, ServerRequestDraft] = attrs.field(
        factory=dict[str, ServerRequestDraft], init=False
    )

    def __len__(self) -> int:
        return len(self._open)

    def find(self, key: str) -> ServerRequestDraft | None:
        """Look an open request up by its key."""
        return self._open.get(key)

    def drafts(self) -> tuple[ServerRequestDraft, ...]:
        """List the open requests, oldest first."""
        return tuple(self._open.values())

    def put(self, draft: ServerRequestDraft) -> None:
        """Note a request whose key no open one has."""
        self._open[draft.key] = draft

    def settle(self, key: str) -> ServerRequestDraft | None:
        """Take a request out; None when there is none of that key."""
        return self._open.pop(key, None)

    def of_call(self, call_id: str, *kinds: type) -> tuple[str, ...]:
        """List the keys of the questions about one call, of these classes if there are any."""
        return tuple(
            key
            for key, draft in self._open.items()
            if getattr(draft.question, "call_id", None) == call_id
            and (not kinds or isinstance(draft.question, kinds))
        )

    def of_server(self, server: str) -> tuple[str, ...]:
        """List the keys of the questions that an MCP server asks."""
        return tuple(
            key
            for key, draft in self._open.items()
            if isinstance(draft.question, events.ElicitationRequest)
            and draft.question.server_name == server
        )

    def flags(self) -> tuple[ThreadActiveFlag, ...]:
        """Say what the turn waits for a person to do."""
        questions = [draft.question for draft in self._open.values()]
        flags: list[ThreadActiveFlag] = []
        if any(isinstance(question, _APPROVALS) for question in questions):
            flags.append(ThreadActiveFlag.WAITING_ON_APPROVAL)
        if any(isinstance(question, events.RequestUserInput) for question in questions):
            flags.append(ThreadActiveFlag.WAITING_ON_USER_INPUT)
        return tuple(flags)
