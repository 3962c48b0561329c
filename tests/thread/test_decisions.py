"""What follows from each op, over all ops and both states of a thread."""

import itertools
from typing import get_args

import pytest

from actors.thread.decisions import Action, Refusal, decide, goes_first
from messages import ops
from messages.content import TextInput
from messages.events import CodexErrorCode
from messages.events.queries import (
    BaseBranchTarget,
    CommitTarget,
    CustomTarget,
    ReviewTarget,
    UncommittedChangesTarget,
)
from messages.ids import CallId
from messages.settings import AskForApproval, DangerFullAccess

ITEMS = (TextInput(text="hi"),)
YES = ops.ReviewDecisionKind.APPROVED
CALL = CallId("c1")

EVERY_OP: dict[type, ops.Op] = {
    type(op): op
    for op in (
        ops.Interrupt(),
        ops.CleanBackgroundTerminals(),
        ops.UserInput(items=ITEMS),
        ops.UserTurn(
            items=ITEMS,
            cwd="/x",
            approval_policy=AskForApproval.NEVER,
            sandbox_policy=DangerFullAccess(),
            model="m",
        ),
        ops.OverrideTurnContext(),
        ops.ExecApproval(id=CALL, decision=YES),
        ops.PatchApproval(id=CALL, decision=YES),
        ops.ResolveElicitation(
            server_name="s", request_id=1, decision=ops.ElicitationDecision.ACCEPT
        ),
        ops.UserInputAnswer(id="c1", response=ops.UserInputResponse(answers={})),
        ops.DynamicToolResponse(
            id=CALL, response=ops.DynamicToolResult(content_items=(), success=True)
        ),
        ops.AddToHistory(text="x"),
        ops.GetHistoryEntryRequest(offset=0, log_id=0),
        ops.ListMcpTools(),
        ops.RefreshMcpServers(config={}),
        ops.ListCustomPrompts(),
        ops.ListSkills(),
        ops.ListRemoteSkills(),
        ops.DownloadRemoteSkill(hazelnut_id="x", is_preload=False),
        ops.Compact(),
        ops.Undo(),
        ops.ThreadRollback(num_turns=1),
        ops.SetThreadName(name="x"),
        ops.RunUserShellCommand(command="ls"),
        ops.Review(review_request=ops.ReviewRequest(target=UncommittedChangesTarget())),
        ops.DropMemories(),
        ops.UpdateMemories(),
        ops.ListModels(),
        ops.Shutdown(),
        ops.UnknownOp(tag="dance", raw={"type": "dance"}),
    )
}


def review(target: ReviewTarget) -> ops.Review:
    return ops.Review(review_request=ops.ReviewRequest(target=target))


ALWAYS = {
    ops.Interrupt: Action.INTERRUPT,
    ops.OverrideTurnContext: Action.CONFIGURE,
    ops.ExecApproval: Action.ANSWER,
    ops.PatchApproval: Action.ANSWER,
    ops.UserInputAnswer: Action.ANSWER,
    ops.DynamicToolResponse: Action.ANSWER,
    ops.SetThreadName: Action.RENAME,
    ops.RunUserShellCommand: Action.RUN_SHELL,
    ops.RefreshMcpServers: Action.REFRESH_MCP,
    ops.ResolveElicitation: Action.ANSWER,
    ops.ListMcpTools: Action.LIST_MCP,
    ops.ListSkills: Action.LIST_SKILLS,
    ops.CleanBackgroundTerminals: Action.CLEAN_TERMINALS,
    ops.Compact: Action.COMPACT,
    ops.Review: Action.REVIEW,
    ops.Shutdown: Action.SHUT_DOWN,
}
BY_STATE = {
    ops.UserInput: (Action.START_TURN, Action.JOIN_TURN),
    ops.UserTurn: (Action.START_TURN, Action.JOIN_TURN),
}


def test_the_list_of_ops_is_complete() -> None:
    """A new op cannot be forgotten here."""
    assert set(EVERY_OP) == set(get_args(ops.Op))


@pytest.mark.parametrize(("kind", "runs"), list(itertools.product(EVERY_OP, (False, True))))
def test_each_op_has_its_decision_in_each_state(kind: type, runs: bool) -> None:
    """Ops that nothing can come of are refused with the op's own name."""
    decision = decide(EVERY_OP[kind], turn_runs=runs, keeps_rollout=True)

    if kind in ALWAYS:
        assert decision is ALWAYS[kind]
    elif kind in BY_STATE:
        assert decision is BY_STATE[kind][runs]
    elif kind is ops.ThreadRollback and not runs:
        assert decision is Action.ROLL_BACK
    else:
        assert isinstance(decision, Refusal)
        assert decision.message


@pytest.mark.parametrize(
    ("op", "runs", "recorded", "refusal"),
    [
        (ops.UserInput(items=()), False, True, CodexErrorCode.BAD_REQUEST),
        (ops.UserInput(items=()), True, True, CodexErrorCode.BAD_REQUEST),
        (ops.ThreadRollback(num_turns=0), False, True, CodexErrorCode.THREAD_ROLLBACK_FAILED),
        (ops.ThreadRollback(num_turns=1), True, True, CodexErrorCode.THREAD_ROLLBACK_FAILED),
        (ops.SetThreadName(name="  "), False, True, CodexErrorCode.BAD_REQUEST),
        (ops.SetThreadName(name="x"), False, False, CodexErrorCode.OTHER),
        (ops.RunUserShellCommand(command=" "), False, True, CodexErrorCode.BAD_REQUEST),
        (ops.Undo(), False, True, CodexErrorCode.OTHER),
        (review(CustomTarget(instructions=" ")), False, True, CodexErrorCode.BAD_REQUEST),
        (review(BaseBranchTarget(branch="")), True, True, CodexErrorCode.BAD_REQUEST),
        (review(CommitTarget(sha=" ")), False, True, CodexErrorCode.BAD_REQUEST),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code(
    op: ops.Op, runs: bool, recorded: bool, refusal: CodexErrorCode
) -> None:
    """Programs can tell refusals apart."""
    decision = decide(op, turn_runs=runs, keeps_rollout=recorded)

    assert isinstance(decision, Refusal)
    assert decision.info is refusal


def test_only_interrupts_answers_and_shutdown_go_first() -> None:
    """Work never overtakes work (P5)."""
    first = {kind for kind, op in EVERY_OP.items() if goes_first(op)}

    assert first == {
        ops.Interrupt,
        ops.ExecApproval,
        ops.PatchApproval,
        ops.ResolveElicitation,
        ops.UserInputAnswer,
        ops.DynamicToolResponse,
        ops.Shutdown,
    }
