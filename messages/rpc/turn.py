"""Turns, and the requests that start, steer, interrupt and review."""

from enum import Enum

import attrs

from ..events import ReviewTarget
from ..settings import (
    AskForApproval,
    CollaborationMode,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
)
from ..value import Json
from .items import ThreadItem
from .settings import ApprovalsReviewer, SandboxPolicy
from .turn_error import TurnError
from .user_input import UserInput
from .value import RpcParams, RpcValue

__all__ = [
    "ReviewDelivery",
    "ReviewStartParams",
    "ReviewStartResponse",
    "Turn",
    "TurnInterruptParams",
    "TurnInterruptResponse",
    "TurnItemsView",
    "TurnStartParams",
    "TurnStartResponse",
    "TurnStatus",
    "TurnSteerParams",
    "TurnSteerResponse",
]


class TurnStatus(Enum):
    """How far a turn is, or how it ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    IN_PROGRESS = "inProgress"


class TurnItemsView(Enum):
    """Which of a turn's items are there: none, the first question and the last answer, or all."""

    NOT_LOADED = "notLoaded"
    SUMMARY = "summary"
    FULL = "full"


@attrs.frozen(kw_only=True)
class Turn(RpcValue):
    """
    All work from one user input to its completion.

    Attributes:
        items: As many as items_view says, in order.
        error: Why it failed; None when it did not.
        root_turn_id: The turn that caused this one in another thread; None for none.
        started_at: In seconds since the Unix epoch; None when not recorded.
        completed_at: None also while it runs.
    """

    id: str
    status: TurnStatus
    items: tuple[ThreadItem, ...] = ()
    items_view: TurnItemsView = TurnItemsView.NOT_LOADED
    error: TurnError | None = None
    root_turn_id: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    duration_ms: int | None = None


@attrs.frozen(kw_only=True)
class TurnStartParams(RpcParams):
    """
    Give a thread new input.

    What is None stays as it is; what is not, holds for later turns too, except
    output_schema.

    Attributes:
        client_user_message_id: Comes back as the user message's client_id.
        output_schema: JSON schema of the last answer.
        collaboration_mode: Wins over model and effort.
    """

    thread_id: str
    input: tuple[UserInput, ...]
    client_user_message_id: str | None = None
    cwd: str | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_policy: SandboxPolicy | None = None
    model: str | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    personality: Personality | None = None
    output_schema: Json = None
    collaboration_mode: CollaborationMode | None = None


@attrs.frozen(kw_only=True)
class TurnStartResponse(RpcValue):
    """The turn that the input is for: a new one, or the one that runs."""

    turn: Turn


@attrs.frozen(kw_only=True)
class TurnSteerParams(RpcParams):
    """Give the running turn more input, if it is the one expected."""

    thread_id: str
    input: tuple[UserInput, ...]
    expected_turn_id: str
    client_user_message_id: str | None = None


@attrs.frozen(kw_only=True)
class TurnSteerResponse(RpcValue):
    """The turn that got the input."""

    turn_id: str


@attrs.frozen(kw_only=True)
class TurnInterruptParams(RpcParams):
    """End the running turn, if it is this one."""

    thread_id: str
    turn_id: str


@attrs.frozen(kw_only=True)
class TurnInterruptResponse(RpcValue):
    """The turn is over."""


class ReviewDelivery(Enum):
    """Whether a review runs in the thread itself or in a fork of it."""

    INLINE = "inline"
    DETACHED = "detached"


@attrs.frozen(kw_only=True)
class ReviewStartParams(RpcParams):
    """Review changes; None runs it inline."""

    thread_id: str
    target: ReviewTarget
    delivery: ReviewDelivery | None = None


@attrs.frozen(kw_only=True)
class ReviewStartResponse(RpcValue):
    """The review's turn, and the thread that it runs in."""

    turn: Turn
    review_thread_id: str
