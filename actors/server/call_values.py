"""Calls between agents, calls to the client's own tools, and reviews, as clients see them."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from actors.thread.review_text import render_review
from messages import events
from messages.content import InputImage, InputText, UnknownContent
from messages.events import AgentStatus, Completed, Errored, StatusKind
from messages.items import FunctionOutput, FunctionOutputContent
from messages.rpc.items import (
    CollabAgentToolCallThreadItem,
    DynamicToolCallThreadItem,
    EnteredReviewModeThreadItem,
    ExitedReviewModeThreadItem,
)
from messages.rpc.tool_parts import (
    CollabAgentState,
    CollabAgentStatus,
    CollabAgentTool,
    CollabAgentToolCallStatus,
    DynamicToolCallOutputContentItem,
    DynamicToolCallStatus,
    InputImageDynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
)

__all__ = [
    "COLLAB_BEGINS",
    "COLLAB_ENDS",
    "CollabBegin",
    "CollabEnd",
    "collab_item",
    "dynamic_output",
    "entered_review",
    "exited_review",
    "started_dynamic_call",
]

CollabBegin: TypeAlias = (
    events.CollabAgentSpawnBegin
    | events.CollabAgentInteractionBegin
    | events.CollabWaitingBegin
    | events.CollabCloseBegin
    | events.CollabResumeBegin
)
CollabEnd: TypeAlias = (
    events.CollabAgentSpawnEnd
    | events.CollabAgentInteractionEnd
    | events.CollabWaitingEnd
    | events.CollabCloseEnd
    | events.CollabResumeEnd
)

_TOOLS: Final[Mapping[type, CollabAgentTool]] = {
    events.CollabAgentSpawnBegin: CollabAgentTool.SPAWN_AGENT,
    events.CollabAgentSpawnEnd: CollabAgentTool.SPAWN_AGENT,
    events.CollabAgentInteractionBegin: CollabAgentTool.SEND_INPUT,
    events.CollabAgentInteractionEnd: CollabAgentTool.SEND_INPUT,
    events.CollabWaitingBegin: CollabAgentTool.WAIT,
    events.CollabWaitingEnd: CollabAgentTool.WAIT,
    events.CollabCloseBegin: CollabAgentTool.CLOSE_AGENT,
    events.CollabCloseEnd: CollabAgentTool.CLOSE_AGENT,
    events.CollabResumeBegin: CollabAgentTool.RESUME_AGENT,
    events.CollabResumeEnd: CollabAgentTool.RESUME_AGENT,
}
COLLAB_BEGINS: Final = (
    events.CollabAgentSpawnBegin,
    events.CollabAgentInteractionBegin,
    events.CollabWaitingBegin,
    events.CollabCloseBegin,
    events.CollabResumeBegin,
)
"""Events that begin a call about agents."""

COLLAB_ENDS: Final = (
    events.CollabAgentSpawnEnd,
    events.CollabAgentInteractionEnd,
    events.CollabWaitingEnd,
    events.CollabCloseEnd,
    events.CollabResumeEnd,
)
"""Events that end one."""


def collab_item(event: CollabBegin | CollabEnd) -> CollabAgentToolCallThreadItem:
    """Make the item of a call about agents, at its begin or its end."""
    statuses = _statuses(event)
    prompt: str | None = getattr(event, "prompt", None)
    return CollabAgentToolCallThreadItem(
        id=event.call_id,
        tool=_TOOLS[type(event)],
        status=_outcome(event, statuses),
        sender_thread_id=event.sender_thread_id,
        receiver_thread_ids=_receivers(event),
        prompt=prompt,
        agents_states={agent: _state(status) for agent, status in statuses.items()},
    )


def _receivers(event: CollabBegin | CollabEnd) -> tuple[str, ...]:
    match event:
        case events.CollabAgentSpawnBegin():
            return ()
        case events.CollabAgentSpawnEnd(new_thread_id=agent):
            return () if agent is None else (agent,)
        case events.CollabWaitingBegin(receiver_thread_ids=agents):
            return agents
        case events.CollabWaitingEnd(statuses=statuses):
            return tuple(sorted(statuses))
        case _:
            return (event.receiver_thread_id,)


def _statuses(event: CollabBegin | CollabEnd) -> Mapping[str, AgentStatus]:
    match event:
        case events.CollabWaitingEnd(statuses=statuses):
            return statuses
        case events.CollabAgentSpawnEnd(new_thread_id=str(agent), status=status):
            return {agent: status}
        case (
            events.CollabAgentInteractionEnd() | events.CollabCloseEnd() | events.CollabResumeEnd()
        ):
            return {event.receiver_thread_id: event.status}
        case _:
            return {}


def _outcome(
    event: CollabBegin | CollabEnd, statuses: Mapping[str, AgentStatus]
) -> CollabAgentToolCallStatus:
    if not isinstance(event, COLLAB_ENDS):
        return CollabAgentToolCallStatus.IN_PROGRESS
    nobody = isinstance(event, events.CollabAgentSpawnEnd) and event.new_thread_id is None
    if nobody or any(map(_is_failure, statuses.values())):
        return CollabAgentToolCallStatus.FAILED
    return CollabAgentToolCallStatus.COMPLETED


def _is_failure(status: AgentStatus) -> bool:
    return isinstance(status, Errored) or status is StatusKind.NOT_FOUND


def _state(status: AgentStatus) -> CollabAgentState:
    match status:
        case Completed(completed=message):
            return CollabAgentState(status=CollabAgentStatus.COMPLETED, message=message)
        case Errored(errored=message):
            return CollabAgentState(status=CollabAgentStatus.ERRORED, message=message)
        case _:
            return CollabAgentState(status=CollabAgentStatus[status.name])


# The client's own tools -------------------------------------------------


def started_dynamic_call(event: events.DynamicToolCallRequest) -> DynamicToolCallThreadItem:
    """Make the item of a call that the client is to run."""
    return DynamicToolCallThreadItem(
        id=event.call_id,
        tool=event.tool,
        status=DynamicToolCallStatus.IN_PROGRESS,
        arguments=event.arguments,
    )


def dynamic_output(output: FunctionOutput) -> tuple[DynamicToolCallOutputContentItem, ...]:
    """Say what the client's tool gave; parts that this version does not know are left out."""
    if isinstance(output, str):
        return (InputTextDynamicToolCallOutputContentItem(text=output),)
    return tuple(_known(output))


def _known(parts: Iterable[FunctionOutputContent]) -> Iterable[DynamicToolCallOutputContentItem]:
    for part in parts:
        match part:
            case InputText(text=text):
                yield InputTextDynamicToolCallOutputContentItem(text=text)
            case InputImage(image_url=url):
                yield InputImageDynamicToolCallOutputContentItem(image_url=url)
            case UnknownContent():
                pass


# Reviews ----------------------------------------------------------------


def entered_review(item_id: str, event: events.EnteredReviewMode) -> EnteredReviewModeThreadItem:
    """Make the item by which a review begins: a few words of what is reviewed."""
    review = event.user_facing_hint or _hint(event.target)
    return EnteredReviewModeThreadItem(id=item_id, review=review)


def _hint(target: events.ReviewTarget) -> str:
    """
    Say what is reviewed.

    Source:
        Codex, ``review_prompts.rs``; there a hint that was not recorded reads
        ``Review requested.``
    """
    match target:
        case events.UncommittedChangesTarget():
            return "current changes"
        case events.BaseBranchTarget(branch=branch):
            return f"changes against '{branch}'"
        case events.CommitTarget(sha=sha, title=title):
            return f"commit {sha[:7]}: {title}" if title else f"commit {sha[:7]}"
        case events.CustomTarget(instructions=instructions):
            return instructions.strip()


def exited_review(item_id: str, event: events.ExitedReviewMode) -> ExitedReviewModeThreadItem:
    """Make the item by which a review ends: all it found, as text."""
    return ExitedReviewModeThreadItem(id=item_id, review=render_review(event.review_output))
