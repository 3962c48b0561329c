"""Clients' answers as ops."""

from typing import Any

import pytest

from actors.server.client_answers import answer_op, refusal_op
from actors.server.server_requests import ServerRequestDraft, draft_of
from actors.thread.answers import Question
from messages import events
from messages.content import InputImage, InputText
from messages.ids import CallId, TurnId
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

CALL = CallId("c")
EXEC = events.ExecApprovalRequest(call_id=CALL, command=(), cwd="/", parsed_cmd=())
SECOND = events.ExecApprovalRequest(
    call_id=CALL, command=(), cwd="/", parsed_cmd=(), approval_id="a"
)
PATCH = events.ApplyPatchApprovalRequest(call_id=CALL, changes={})
ASK = events.RequestUserInput(call_id=CALL, questions=())
TOOL = events.DynamicToolCallRequest(call_id=CALL, turn_id=TurnId("u"), tool="f", arguments={})
ELICIT = events.ElicitationRequest(server_name="s", id=7, message="m")


def draft(question: Question) -> ServerRequestDraft:
    return draft_of("t", "u", question, 0)


def exec_op(decision: ReviewDecision, key: str = "c") -> ExecApproval:
    return ExecApproval(id=CallId(key), decision=decision)


def tool_op(*content: Any, success: bool) -> DynamicToolResponse:
    return DynamicToolResponse(
        id=CALL, response=DynamicToolResult(content_items=content, success=success)
    )


def elicit_op(decision: ElicitationDecision) -> ResolveElicitation:
    return ResolveElicitation(server_name="s", request_id=7, decision=decision)


KIND = ReviewDecisionKind
AMENDMENT = {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["git", "pull"]}}
ANSWERS: list[tuple[Question, Any, Op]] = [
    (EXEC, {"decision": "accept"}, exec_op(KIND.APPROVED)),
    (EXEC, {"decision": "acceptForSession"}, exec_op(KIND.APPROVED_FOR_SESSION)),
    (EXEC, {"decision": "decline"}, exec_op(KIND.DENIED)),
    (EXEC, {"decision": "cancel"}, exec_op(KIND.ABORT)),
    (
        EXEC,
        {"decision": AMENDMENT},
        exec_op(ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("git", "pull"))),
    ),
    (SECOND, {"decision": "accept"}, exec_op(KIND.APPROVED, "a")),
    (PATCH, {"decision": "accept"}, PatchApproval(id=CALL, decision=KIND.APPROVED)),
    (
        PATCH,
        {"decision": "acceptForSession"},
        PatchApproval(id=CALL, decision=KIND.APPROVED_FOR_SESSION),
    ),
    (PATCH, {"decision": "cancel"}, PatchApproval(id=CALL, decision=KIND.ABORT)),
    (
        ASK,
        {"answers": {"q": {"answers": ["x"]}}},
        UserInputAnswer(
            id="c", response=UserInputResponse(answers={"q": UserInputAnswerEntry(answers=("x",))})
        ),
    ),
    (
        TOOL,
        {
            "contentItems": [
                {"type": "inputText", "text": "x"},
                {"type": "inputImage", "imageUrl": "u"},
            ],
            "success": True,
        },
        tool_op(InputText(text="x"), InputImage(image_url="u"), success=True),
    ),
    (ELICIT, {"action": "accept", "content": {}}, elicit_op(ElicitationDecision.ACCEPT)),
    (ELICIT, {"action": "cancel"}, elicit_op(ElicitationDecision.CANCEL)),
]


@pytest.mark.parametrize(("question", "result", "op"), ANSWERS, ids=lambda value: str(value)[:40])
def test_answer_becomes_the_op_that_the_thread_waits_for(
    question: Question, result: Any, op: Op
) -> None:
    """Under the key of the question."""
    assert answer_op(draft(question), result) == op


NOES: list[tuple[Question, Op]] = [
    (EXEC, exec_op(KIND.DENIED)),
    (PATCH, PatchApproval(id=CALL, decision=KIND.DENIED)),
    (ASK, UserInputAnswer(id="c", response=UserInputResponse(answers={}))),
    (ELICIT, elicit_op(ElicitationDecision.DECLINE)),
]


@pytest.mark.parametrize("result", [None, 3, "accept", [], {}, {"decision": "odd", "action": "x"}])
@pytest.mark.parametrize(("question", "op"), NOES, ids=lambda value: str(value)[:40])
def test_answer_that_cannot_be_read_says_no(question: Question, op: Op, result: Any) -> None:
    """Silence and nonsense are no consent."""
    assert answer_op(draft(question), result) == op


@pytest.mark.parametrize(("question", "op"), NOES, ids=lambda value: str(value)[:40])
def test_error_says_no(question: Question, op: Op) -> None:
    """As clients do that do not know what they are asked."""
    assert refusal_op(draft(question)) == op


def test_tool_that_failed_or_answered_nonsense_says_so_to_the_model() -> None:
    """Each in its own words."""
    invalid = InputText(text="dynamic tool response was invalid")
    failed = InputText(text="dynamic tool request failed")

    assert answer_op(draft(TOOL), {"success": 1}) == tool_op(invalid, success=False)
    assert refusal_op(draft(TOOL)) == tool_op(failed, success=False)
