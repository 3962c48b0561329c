"""What clients answer to the server's requests, as ops for the thread that asked."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from actors.thread.answers import Question
from messages import events
from messages.codec import from_json
from messages.content import InputImage, InputText
from messages.errors import DecodeError
from messages.ids import CallId
from messages.items import FunctionOutputContent
from messages.ops import (
    ApprovedExecpolicyAmendment,
    DynamicToolResponse,
    DynamicToolResult,
    ElicitationDecision,
    ExecApproval,
    Op,
    PatchApproval,
    ResolveElicitation,
    ReviewDecision,
    ReviewDecisionKind,
    UserInputAnswer,
    UserInputAnswerEntry,
    UserInputResponse,
)
from messages.rpc.approvals import (
    AcceptWithExecpolicyAmendment,
    CommandExecutionApprovalDecision,
    CommandExecutionRequestApprovalResponse,
    DynamicToolCallResponse,
    FileChangeRequestApprovalResponse,
    ToolRequestUserInputResponse,
)
from messages.rpc.elicitation import McpServerElicitationRequestResponse
from messages.rpc.tool_parts import (
    DynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
)
from messages.value import Json

from .server_requests import ServerRequestDraft

__all__ = ["answer_op", "refusal_op"]

_FAILED: Final = "dynamic tool request failed"
_INVALID: Final = "dynamic tool response was invalid"
"""Texts that the model reads.  Source: Codex, ``app-server/dynamic_tools.rs``."""

_DECISIONS: Final = {
    "ACCEPT": ReviewDecisionKind.APPROVED,
    "ACCEPT_FOR_SESSION": ReviewDecisionKind.APPROVED_FOR_SESSION,
    "DECLINE": ReviewDecisionKind.DENIED,
    "CANCEL": ReviewDecisionKind.ABORT,
}


def answer_op(draft: ServerRequestDraft, result: Json) -> Op:
    """
    Make the op that gives a client's answer to the thread.

    An answer that cannot be read says no: to a command or patch, to a server's question;
    a question to the user stays without answers, and a tool of the client's has failed.
    """
    try:
        return _answered(draft, result)
    except DecodeError:
        return _unanswered(draft, _INVALID)


def refusal_op(draft: ServerRequestDraft) -> Op:
    """Make the op for a client that answered with an error, or that will never answer."""
    return _unanswered(draft, _FAILED)


def _answered(draft: ServerRequestDraft, result: Json) -> Op:
    return _ANSWERS[type(draft.question)](draft, result)


def _exec(draft: ServerRequestDraft, result: Json) -> Op:
    decision = from_json(result, CommandExecutionRequestApprovalResponse).decision
    return ExecApproval(id=CallId(draft.key), decision=_decision(decision))


def _decision(decision: CommandExecutionApprovalDecision) -> ReviewDecision:
    if isinstance(decision, AcceptWithExecpolicyAmendment):
        words = decision.execpolicy_amendment
        return ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=words)
    return _DECISIONS[decision.name]


def _patch(draft: ServerRequestDraft, result: Json) -> Op:
    decision = from_json(result, FileChangeRequestApprovalResponse).decision
    return PatchApproval(id=CallId(draft.key), decision=_DECISIONS[decision.name])


def _user_input(draft: ServerRequestDraft, result: Json) -> Op:
    answers = from_json(result, ToolRequestUserInputResponse).answers
    entries = {name: UserInputAnswerEntry(answers=entry.answers) for name, entry in answers.items()}
    return UserInputAnswer(id=draft.key, response=UserInputResponse(answers=entries))


def _dynamic(draft: ServerRequestDraft, result: Json) -> Op:
    response = from_json(result, DynamicToolCallResponse)
    content = tuple(map(_content, response.content_items))
    return _tool_result(draft, content, success=response.success)


def _content(item: DynamicToolCallOutputContentItem) -> FunctionOutputContent:
    if isinstance(item, InputTextDynamicToolCallOutputContentItem):
        return InputText(text=item.text)
    return InputImage(image_url=item.image_url)


def _tool_result(
    draft: ServerRequestDraft, content: tuple[FunctionOutputContent, ...], *, success: bool
) -> Op:
    given = DynamicToolResult(content_items=content, success=success)
    return DynamicToolResponse(id=CallId(draft.key), response=given)


def _elicitation(draft: ServerRequestDraft, result: Json) -> Op:
    action = from_json(result, McpServerElicitationRequestResponse).action
    return _resolved(draft, ElicitationDecision(action.value))


def _resolved(draft: ServerRequestDraft, decision: ElicitationDecision) -> Op:
    question = cast("events.ElicitationRequest", draft.question)  # by the table below
    return ResolveElicitation(
        server_name=question.server_name, request_id=question.id, decision=decision
    )


_ANSWERS: Final[Mapping[type[Question], Callable[[ServerRequestDraft, Json], Op]]] = {
    events.ExecApprovalRequest: _exec,
    events.ApplyPatchApprovalRequest: _patch,
    events.RequestUserInput: _user_input,
    events.DynamicToolCallRequest: _dynamic,
    events.ElicitationRequest: _elicitation,
}


def _unanswered(draft: ServerRequestDraft, problem: str) -> Op:
    denied: Any = ReviewDecisionKind.DENIED
    match draft.question:
        case events.ExecApprovalRequest():
            return ExecApproval(id=CallId(draft.key), decision=denied)
        case events.ApplyPatchApprovalRequest():
            return PatchApproval(id=CallId(draft.key), decision=denied)
        case events.RequestUserInput():
            return UserInputAnswer(id=draft.key, response=UserInputResponse(answers={}))
        case events.DynamicToolCallRequest():
            return _tool_result(draft, (InputText(text=problem),), success=False)
        case events.ElicitationRequest():
            return _resolved(draft, ElicitationDecision.DECLINE)
