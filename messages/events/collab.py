"""Events about agents that work for other agents."""

from collections.abc import Mapping

import attrs

from ..ids import CallId, ThreadId
from ..value import Value
from .lifecycle import AgentStatus

__all__ = [
    "CollabAgentInteractionBegin",
    "CollabAgentInteractionEnd",
    "CollabAgentSpawnBegin",
    "CollabAgentSpawnEnd",
    "CollabCloseBegin",
    "CollabCloseEnd",
    "CollabResumeBegin",
    "CollabResumeEnd",
    "CollabWaitingBegin",
    "CollabWaitingEnd",
]


@attrs.frozen(kw_only=True)
class CollabAgentSpawnBegin(Value):
    """An agent is about to be started."""

    call_id: CallId
    sender_thread_id: ThreadId
    prompt: str


@attrs.frozen(kw_only=True)
class CollabAgentSpawnEnd(Value):
    """An agent was started, or not: then there is no new thread."""

    call_id: CallId
    sender_thread_id: ThreadId
    prompt: str
    status: AgentStatus
    new_thread_id: ThreadId | None = None


@attrs.frozen(kw_only=True)
class CollabAgentInteractionBegin(Value):
    """An agent is about to be told something."""

    call_id: CallId
    sender_thread_id: ThreadId
    receiver_thread_id: ThreadId
    prompt: str


@attrs.frozen(kw_only=True)
class CollabAgentInteractionEnd(Value):
    """An agent was told something."""

    call_id: CallId
    sender_thread_id: ThreadId
    receiver_thread_id: ThreadId
    prompt: str
    status: AgentStatus


@attrs.frozen(kw_only=True)
class CollabWaitingBegin(Value):
    """An agent waits for others."""

    sender_thread_id: ThreadId
    receiver_thread_ids: tuple[ThreadId, ...]
    call_id: CallId


@attrs.frozen(kw_only=True)
class CollabWaitingEnd(Value):
    """The wait is over; statuses by thread id."""

    sender_thread_id: ThreadId
    call_id: CallId
    statuses: Mapping[str, AgentStatus]


@attrs.frozen(kw_only=True)
class CollabCloseBegin(Value):
    """An agent is about to be closed."""

    call_id: CallId
    sender_thread_id: ThreadId
    receiver_thread_id: ThreadId


@attrs.frozen(kw_only=True)
class CollabCloseEnd(Value):
    """An agent was closed; the status is the one before."""

    call_id: CallId
    sender_thread_id: ThreadId
    receiver_thread_id: ThreadId
    status: AgentStatus


@attrs.frozen(kw_only=True)
class CollabResumeBegin(Value):
    """An agent is about to be resumed."""

    call_id: CallId
    sender_thread_id: ThreadId
    receiver_thread_id: ThreadId


@attrs.frozen(kw_only=True)
class CollabResumeEnd(Value):
    """An agent was resumed."""

    call_id: CallId
    sender_thread_id: ThreadId
    receiver_thread_id: ThreadId
    status: AgentStatus
