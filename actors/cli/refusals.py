"""What is answered for a user who is not there, so that a turn goes on."""

from typing import Final

import attrs

from messages.content import InputText
from messages.events import (
    ApplyPatchApprovalRequest,
    DynamicToolCallRequest,
    ElicitationRequest,
    EventMsg,
    ExecApprovalRequest,
    RequestUserInput,
)
from messages.ops import (
    DynamicToolResponse,
    DynamicToolResult,
    ElicitationDecision,
    ExecApproval,
    Op,
    PatchApproval,
    ResolveElicitation,
    ReviewDecisionKind,
    UserInputAnswer,
    UserInputResponse,
)

from .pieces import shortened

__all__ = ["Refusal", "refusal"]

_LINE_LIMIT: Final = 200


@attrs.frozen
class Refusal:
    """
    An answer that says no.

    Attributes:
        answer: For the thread that asked.
        words: One line for the user, who would have liked to know.
    """

    answer: Op
    words: str


def refusal(msg: EventMsg) -> Refusal | None:
    """
    Refuse what an event asks for; None when it asks for nothing.

    A thread that was recorded by another client may have tools of that client.
    """
    match msg:
        case ExecApprovalRequest(call_id=call_id, command=command):
            denial: Op = ExecApproval(id=call_id, decision=ReviewDecisionKind.DENIED)
            return _denied(denial, f"the command {' '.join(command)!r} needs approval")
        case ApplyPatchApprovalRequest(call_id=call_id, changes=changes):
            denial = PatchApproval(id=call_id, decision=ReviewDecisionKind.DENIED)
            return _denied(denial, f"a patch of {', '.join(changes)} needs approval")
        case RequestUserInput(call_id=call_id, questions=questions):
            asked = " / ".join(question.question for question in questions)
            none = UserInputAnswer(id=call_id, response=UserInputResponse(answers={}))
            return _denied(none, f"the model asks: {asked}")
        case ElicitationRequest(server_name=name, id=request_id, message=message):
            decline = ResolveElicitation(
                server_name=name, request_id=request_id, decision=ElicitationDecision.DECLINE
            )
            return _denied(decline, f"the MCP server {name} asks: {message}")
        case DynamicToolCallRequest(call_id=call_id, tool=tool):
            text = f"the tool {tool!r} belongs to another client and is not available now"
            result = DynamicToolResult(content_items=(InputText(text=text),), success=False)
            return Refusal(DynamicToolResponse(id=call_id, response=result), text)
        case _:
            return None


def _denied(answer: Op, asked: str) -> Refusal:
    return Refusal(answer, f"{shortened(asked, _LINE_LIMIT)} (refused: nobody is here to answer)")
