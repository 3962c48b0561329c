"""Calls between agents in a few words."""

from collections.abc import Mapping
from typing import Final, assert_never

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

from .json_collab import CollabEvent
from .pieces import Look, shortened

__all__ = ["agent_closing", "agent_opening"]

_LINE_LIMIT: Final = 200

_STATUSES: Final[Mapping[StatusKind, str]] = {
    StatusKind.PENDING_INIT: "not started yet",
    StatusKind.RUNNING: "running",
    StatusKind.SHUTDOWN: "shut down",
    StatusKind.NOT_FOUND: "not found",
}


def agent_opening(event: CollabEvent) -> str:
    """Say what is wanted of which agent."""
    match event:
        case CollabAgentSpawnBegin(prompt=prompt) | CollabAgentSpawnEnd(prompt=prompt):
            return f"new agent: {shortened(prompt, _LINE_LIMIT)}"
        case CollabAgentInteractionBegin() | CollabAgentInteractionEnd():
            prompt = shortened(event.prompt, _LINE_LIMIT)
            return f"to agent {event.receiver_thread_id}: {prompt}"
        case CollabWaitingBegin(receiver_thread_ids=(only,)):
            return f"wait for agent {only}"
        case CollabWaitingBegin(receiver_thread_ids=several):
            return f"wait for one of {len(several)} agents"
        case CollabWaitingEnd():
            return "wait for agents"
        case CollabCloseBegin() | CollabCloseEnd():
            return f"close agent {event.receiver_thread_id}"
        case CollabResumeBegin() | CollabResumeEnd():
            return f"resume agent {event.receiver_thread_id}"
        case _:
            assert_never(event)


def agent_closing(event: CollabEvent) -> tuple[str, str, Look]:
    """Say what became of it: lines, a result in a few words, and its look."""
    match event:
        case CollabAgentSpawnEnd(new_thread_id=None):
            return "", "not started", Look.BAD
        case CollabAgentSpawnEnd(new_thread_id=thread_id):
            return "", f"started as {thread_id}", Look.GOOD
        case CollabWaitingEnd(statuses=statuses) if not statuses:
            return "", "none has ended yet", Look.FAINT
        case CollabWaitingEnd(statuses=statuses):
            lines = [f"{agent}: {_status(statuses[agent])}" for agent in sorted(statuses)]
            failed = any(map(_is_failure, statuses.values()))
            return "\n".join(lines), f"{len(lines)} ended", Look.BAD if failed else Look.GOOD
        case CollabCloseEnd(status=status):
            look = Look.BAD if status is StatusKind.NOT_FOUND else Look.GOOD
            return "", f"closed; it was: {_status(status)}", look
        case CollabAgentInteractionEnd(status=status) | CollabResumeEnd(status=status):
            return "", f"it is: {_status(status)}", Look.BAD if _is_failure(status) else Look.GOOD
        case _:  # a beginning, of which nobody asks this
            return "", "", Look.FAINT


def _status(status: AgentStatus) -> str:
    match status:
        case Completed(completed=message):
            return f"completed: {shortened(message, _LINE_LIMIT)}" if message else "completed"
        case Errored(errored=message):
            return f"failed: {shortened(message, _LINE_LIMIT)}"
        case StatusKind():
            return _STATUSES[status]


def _is_failure(status: AgentStatus) -> bool:
    return isinstance(status, Errored) or status is StatusKind.NOT_FOUND
