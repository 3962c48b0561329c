"""Where a thread stands, between its own values and those on the wire."""

from actors.safety import ApprovalKey, CommandKey, PatchKey
from actors.thread import SessionSettings, Thread, ThreadSnapshot
from actors.thread.answers import elicitation_key
from messages.ops import (
    DynamicToolResponse,
    ExecApproval,
    Op,
    PatchApproval,
    ResolveElicitation,
    UserInputAnswer,
)
from messages.rpc.treadle import TreadleApproval, TreadleSettings, TreadleThread

__all__ = [
    "answer_key",
    "core_approval",
    "core_settings",
    "said_approval",
    "said_thread",
]


def said_thread(
    thread: Thread, now: ThreadSnapshot, *, next_seq: int, parent_id: str | None, whole: bool
) -> TreadleThread:
    """Say where a thread stands, with its settings if all is to be said."""
    return TreadleThread(
        thread_id=thread.thread_id,
        state=now.state.value,
        status=now.status,
        settings=_said_settings(now.settings) if whole else None,
        turn_id=now.turn_id,
        questions=now.questions,
        approvals=tuple(sorted(map(said_approval, now.approvals), key=repr)),
        next_seq=next_seq,
        rollout_path=thread.rollout_path,
        parent_id=parent_id,
    )


def _said_settings(settings: SessionSettings) -> TreadleSettings:
    return TreadleSettings(
        cwd=settings.cwd,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        collaboration=settings.collaboration,
        base_instructions=settings.base_instructions,
        model_provider_id=settings.model_provider_id,
        session_source=settings.session_source,
        summary=settings.summary,
        personality=settings.personality,
        developer_instructions=settings.developer_instructions,
        user_instructions=settings.user_instructions,
        truncation_policy=settings.truncation_policy,
    )


def core_settings(said: TreadleSettings) -> SessionSettings:
    """Take over the settings of a thread."""
    return SessionSettings(
        cwd=said.cwd,
        approval_policy=said.approval_policy,
        sandbox_policy=said.sandbox_policy,
        collaboration=said.collaboration,
        base_instructions=said.base_instructions,
        model_provider_id=said.model_provider_id,
        session_source=said.session_source,
        summary=said.summary,
        personality=said.personality,
        developer_instructions=said.developer_instructions,
        user_instructions=said.user_instructions,
        truncation_policy=said.truncation_policy,
    )


def said_approval(key: ApprovalKey) -> TreadleApproval:
    """Say what the user allowed."""
    if isinstance(key, PatchKey):
        return TreadleApproval(path=key.path)
    return TreadleApproval(command=key.command, cwd=key.cwd, escalated=key.escalated, tty=key.tty)


def core_approval(said: TreadleApproval) -> ApprovalKey:
    """Take over what the user allowed."""
    if said.path is not None:
        return PatchKey(said.path)
    return CommandKey(said.command or (), said.cwd, said.escalated, said.tty)


def answer_key(op: Op) -> str | None:
    """Name the question that an op answers, as the question does; None for other ops."""
    match op:
        case ExecApproval(id=key) | PatchApproval(id=key) | DynamicToolResponse(id=key):
            return key
        case UserInputAnswer(id=key):
            return key
        case ResolveElicitation(server_name=server, request_id=request_id):
            return elicitation_key(server, request_id)
        case _:
            return None
