"""Calls between agents as items of the thread events."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

from messages.events import (
    AgentStatus,
    CollabAgentInteractionBegin,
    CollabAgentInteractionEnd,
    CollabAgentSpawnBegin,
    CollabAgentSpawnEnd,
    CollabCloseBegin,
    CollabCloseEnd,
    CollabResumeBegin,
    CollabResumeEnd,
    CollabWaitingBegin,
    CollabWaitingEnd,
    Completed,
    Errored,
    StatusKind,
)
from messages.ids import CallId
from messages.value import Json

__all__ = ["COLLAB_EVENTS", "CollabCall", "CollabEvent", "collab_call"]

_Begin: TypeAlias = (
    CollabAgentSpawnBegin
    | CollabAgentInteractionBegin
    | CollabWaitingBegin
    | CollabCloseBegin
    | CollabResumeBegin
)
_End: TypeAlias = (
    CollabAgentSpawnEnd
    | CollabAgentInteractionEnd
    | CollabWaitingEnd
    | CollabCloseEnd
    | CollabResumeEnd
)
CollabEvent: TypeAlias = _Begin | _End

_ENDS: Final = (
    CollabAgentSpawnEnd,
    CollabAgentInteractionEnd,
    CollabWaitingEnd,
    CollabCloseEnd,
    CollabResumeEnd,
)
COLLAB_EVENTS: Final = (
    CollabAgentSpawnBegin,
    CollabAgentInteractionBegin,
    CollabWaitingBegin,
    CollabCloseBegin,
    CollabResumeBegin,
    *_ENDS,
)
"""All events between agents, for ``isinstance``."""


@attrs.frozen
class CollabCall:
    """
    One call between agents, or its end.

    Attributes:
        ended: Whether it is the end.
        members: Of the item, beside its id and type.
    """

    call_id: CallId
    ended: bool
    members: Mapping[str, Json]


def collab_call(event: CollabEvent) -> CollabCall:
    """Say what an event means for the item of its call."""
    statuses = _statuses(event)
    members: dict[str, Json] = {
        "tool": _tool(event),
        "sender_thread_id": event.sender_thread_id,
        "receiver_thread_ids": _receivers(event),
        "prompt": getattr(event, "prompt", None),
        "agents_states": {thread_id: _state(statuses[thread_id]) for thread_id in statuses},
        "status": _outcome(event, statuses),
    }
    return CollabCall(event.call_id, isinstance(event, _ENDS), members)


def _tool(event: CollabEvent) -> str:
    match event:
        case CollabAgentSpawnBegin() | CollabAgentSpawnEnd():
            return "spawn_agent"
        case CollabAgentInteractionBegin() | CollabAgentInteractionEnd():
            return "send_input"
        case CollabWaitingBegin() | CollabWaitingEnd():
            return "wait"
        case CollabCloseBegin() | CollabCloseEnd():
            return "close_agent"
        case CollabResumeBegin() | CollabResumeEnd():
            return "resume_agent"


def _receivers(event: CollabEvent) -> list[Json]:
    match event:
        case CollabAgentSpawnBegin():
            return []
        case CollabAgentSpawnEnd(new_thread_id=thread_id):
            return [] if thread_id is None else [thread_id]
        case CollabWaitingBegin(receiver_thread_ids=thread_ids):
            return list(thread_ids)
        case CollabWaitingEnd(statuses=statuses):
            return [*sorted(statuses)]
        case _:
            return [event.receiver_thread_id]


def _statuses(event: CollabEvent) -> Mapping[str, AgentStatus]:
    match event:
        case CollabWaitingEnd(statuses=statuses):
            return statuses
        case CollabAgentSpawnEnd(new_thread_id=None):
            return {}
        case CollabAgentSpawnEnd(new_thread_id=str(thread_id), status=status):
            return {thread_id: status}
        case CollabAgentInteractionEnd() | CollabCloseEnd() | CollabResumeEnd():
            return {event.receiver_thread_id: event.status}
        case _:
            return {}


def _outcome(event: CollabEvent, statuses: Mapping[str, AgentStatus]) -> str:
    if not isinstance(event, _ENDS):
        return "in_progress"
    nothing_came = isinstance(event, CollabAgentSpawnEnd) and event.new_thread_id is None
    failed = nothing_came or any(map(_is_failure, statuses.values()))
    return "failed" if failed else "completed"


def _is_failure(status: AgentStatus) -> bool:
    return isinstance(status, Errored) or status is StatusKind.NOT_FOUND


def _state(status: AgentStatus) -> dict[str, Json]:
    match status:
        case Completed(completed=message):
            return {"status": "completed", "message": message}
        case Errored(errored=message):
            return {"status": "errored", "message": message}
        case _:
            return {"status": status.value, "message": None}
