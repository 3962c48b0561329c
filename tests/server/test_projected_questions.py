"""Questions of a turn to requests: how they are put, settled and withdrawn."""

import attrs
import pytest

from actors.server.server_requests import ServerRequestDraft
from messages import events
from messages.codec import to_json
from messages.events import EventMsg
from messages.items import FunctionCallOutput
from messages.ops import PatchApproval, ReviewDecisionKind
from messages.value import Seconds

from .outgoing import outline
from .projection_stage import ASK, BEGIN, CALL, END, INVOCATION, PATCH, TURN, in_turn


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
