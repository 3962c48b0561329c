"""What only Treadle's own clients say and hear: threads as they are, not as items."""

import attrs

from ..content import UserInputItem
from ..events import AgentStatus, EventMsg
from ..ops import Op
from ..settings import (
    AskForApproval,
    CollaborationMode,
    Personality,
    ReasoningSummary,
    SandboxPolicy,
    SessionSource,
    TruncationPolicy,
)
from .value import RpcParams, RpcValue

__all__ = [
    "TreadleApproval",
    "TreadleCloseParams",
    "TreadleCloseResponse",
    "TreadleLaggedNotification",
    "TreadleRevokeParams",
    "TreadleRevokeResponse",
    "TreadleSettings",
    "TreadleSteerParams",
    "TreadleSteerResponse",
    "TreadleSubmitParams",
    "TreadleSubmitResponse",
    "TreadleThread",
    "TreadleThreadCreatedNotification",
    "TreadleThreadNotification",
]


@attrs.frozen(kw_only=True)
class TreadleSubmitParams(RpcParams):
    """
    Submit an op to a loaded thread.

    Submissions are taken beside each other; who wants an order waits for the answers.

    Attributes:
        submission_id: Which id it gets; one of the server's by default.
        nowait: Refuse it when there is no room, in place of waiting for some.
    """

    thread_id: str
    op: Op
    submission_id: str | None = None
    nowait: bool = False


@attrs.frozen(kw_only=True)
class TreadleSubmitResponse(RpcValue):
    """It is queued; events that it causes carry this id."""

    submission_id: str


@attrs.frozen(kw_only=True)
class TreadleSteerParams(RpcParams):
    """Let input join the running turn; which must be this one, if it is named."""

    thread_id: str
    items: tuple[UserInputItem, ...]
    expected_turn_id: str | None = None


@attrs.frozen(kw_only=True)
class TreadleSteerResponse(RpcValue):
    """The turn that it joined."""

    turn_id: str


@attrs.frozen(kw_only=True)
class TreadleCloseParams(RpcParams):
    """End a thread and those below it, within so many seconds, which are not below 0."""

    thread_id: str
    grace: float = 5.0


@attrs.frozen(kw_only=True)
class TreadleCloseResponse(RpcValue):
    """How it ended: ``completed``, ``timed_out`` or ``failed``; or ``not_found``."""

    outcome: str


@attrs.frozen(kw_only=True)
class TreadleSettings(RpcValue):
    """The settings in force for the next turn; see ``SessionSettings``."""

    cwd: str
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    collaboration: CollaborationMode
    base_instructions: str
    model_provider_id: str
    session_source: SessionSource
    summary: ReasoningSummary = ReasoningSummary.AUTO
    personality: Personality | None = None
    developer_instructions: str | None = None
    user_instructions: str | None = None
    truncation_policy: TruncationPolicy | None = None


@attrs.frozen(kw_only=True)
class TreadleApproval(RpcValue):
    """
    What the user allowed for the session: a command, or changes of one file.

    Attributes:
        command: In its canonical form; None for a file.
        path: Of the file; None for a command.
    """

    command: tuple[str, ...] | None = None
    cwd: str = ""
    escalated: bool = False
    tty: bool = False
    path: str | None = None


@attrs.frozen(kw_only=True)
class TreadleThread(RpcValue):
    """
    Where a thread stands; see ``ThreadSnapshot``.

    Attributes:
        state: ``starting``, ``idle``, ``running``, ``closing``, ``closed``, ``restarting``
            or ``failed``.
        settings: None while they are what they were when they were said last.
        questions: What waits for an answer, as the events that asked it.
        next_seq: The event that follows, by its number on the server.
        parent_id: The thread that it ends with; None for one that a client started.
    """

    thread_id: str
    state: str
    status: AgentStatus
    settings: TreadleSettings | None
    turn_id: str | None
    questions: tuple[EventMsg, ...]
    approvals: tuple[TreadleApproval, ...]
    next_seq: int
    rollout_path: str | None = None
    parent_id: str | None = None


@attrs.frozen(kw_only=True)
class TreadleRevokeParams(RpcParams):
    """Take back what the user allowed for the session."""

    thread_id: str
    approval: TreadleApproval


@attrs.frozen(kw_only=True)
class TreadleRevokeResponse(RpcValue):
    """Whether it was allowed."""

    revoked: bool


@attrs.frozen(kw_only=True)
class TreadleThreadNotification(RpcValue):
    """
    Where a thread stands: said when a connection begins to follow it, and when it changed.

    Attributes:
        begins: Whether the events from ``next_seq`` on follow, as for a new follower.
    """

    thread: TreadleThread
    begins: bool = False


@attrs.frozen(kw_only=True)
class TreadleLaggedNotification(RpcValue):
    """So many events of a thread were lost on the way to this connection, at this place."""

    thread_id: str
    missed: int


@attrs.frozen(kw_only=True)
class TreadleThreadCreatedNotification(RpcValue):
    """A thread is there: ``start``, ``resume``, ``fork`` or ``agent``; told to all."""

    thread_id: str
    origin: str
