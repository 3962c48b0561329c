"""Notifications about turns and their items."""

from enum import Enum

import attrs

from ..items import ResponseItem
from .items import ThreadItem
from .tool_parts import FileUpdateChange
from .turn import Turn
from .turn_error import TurnError
from .value import RpcValue

__all__ = [
    "AgentMessageDeltaNotification",
    "CommandExecutionOutputDeltaNotification",
    "ErrorNotification",
    "FileChangeOutputDeltaNotification",
    "FileChangePatchUpdatedNotification",
    "ItemCompletedNotification",
    "ItemStartedNotification",
    "McpToolCallProgressNotification",
    "PlanDeltaNotification",
    "RawResponseItemCompletedNotification",
    "ReasoningSummaryPartAddedNotification",
    "ReasoningSummaryTextDeltaNotification",
    "ReasoningTextDeltaNotification",
    "TerminalInteractionNotification",
    "TurnCompletedNotification",
    "TurnDiffUpdatedNotification",
    "TurnPlanStep",
    "TurnPlanStepStatus",
    "TurnPlanUpdatedNotification",
    "TurnStartedNotification",
]


@attrs.frozen(kw_only=True)
class _OfThread(RpcValue):
    """What concerns one thread."""

    thread_id: str


@attrs.frozen(kw_only=True)
class _OfTurn(_OfThread):
    """What concerns one turn."""

    turn_id: str


@attrs.frozen(kw_only=True)
class _OfItem(_OfTurn):
    """What concerns one item."""

    item_id: str


@attrs.frozen(kw_only=True)
class TurnStartedNotification(_OfThread):
    """A turn runs."""

    turn: Turn


@attrs.frozen(kw_only=True)
class TurnCompletedNotification(_OfThread):
    """A turn is over; its status says how."""

    turn: Turn


@attrs.frozen(kw_only=True)
class TurnDiffUpdatedNotification(_OfTurn):
    """What the turn changed in files so far, as one unified diff."""

    diff: str


class TurnPlanStepStatus(Enum):
    """How far a step of the plan is."""

    PENDING = "pending"
    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"


@attrs.frozen(kw_only=True)
class TurnPlanStep(RpcValue):
    """One step of the model's to-do list."""

    step: str
    status: TurnPlanStepStatus


@attrs.frozen(kw_only=True)
class TurnPlanUpdatedNotification(_OfTurn):
    """The model's to-do list changed; plan is the whole list."""

    plan: tuple[TurnPlanStep, ...]
    explanation: str | None = None


@attrs.frozen(kw_only=True)
class ErrorNotification(_OfTurn):
    """Something went wrong; the turn goes on when it will be tried again."""

    error: TurnError
    will_retry: bool


@attrs.frozen(kw_only=True)
class ItemStartedNotification(_OfTurn):
    """An item appeared; started_at_ms in milliseconds since the Unix epoch."""

    item: ThreadItem
    started_at_ms: int


@attrs.frozen(kw_only=True)
class ItemCompletedNotification(_OfTurn):
    """An item is finished; completed_at_ms in milliseconds since the Unix epoch."""

    item: ThreadItem
    completed_at_ms: int


@attrs.frozen(kw_only=True)
class AgentMessageDeltaNotification(_OfItem):
    """The next piece of the model's message."""

    delta: str


@attrs.frozen(kw_only=True)
class PlanDeltaNotification(_OfItem):
    """The next piece of a plan."""

    delta: str


@attrs.frozen(kw_only=True)
class ReasoningSummaryPartAddedNotification(_OfItem):
    """The reasoning summary goes on with its next part."""

    summary_index: int


@attrs.frozen(kw_only=True)
class ReasoningSummaryTextDeltaNotification(_OfItem):
    """The next piece of the reasoning summary."""

    delta: str
    summary_index: int


@attrs.frozen(kw_only=True)
class ReasoningTextDeltaNotification(_OfItem):
    """The next piece of the raw reasoning."""

    delta: str
    content_index: int


@attrs.frozen(kw_only=True)
class CommandExecutionOutputDeltaNotification(_OfItem):
    """The next piece of a command's output, bytes that are no text replaced."""

    delta: str


@attrs.frozen(kw_only=True)
class TerminalInteractionNotification(_OfItem):
    """The model typed something into a running command."""

    process_id: str
    stdin: str


@attrs.frozen(kw_only=True)
class FileChangeOutputDeltaNotification(_OfItem):
    """The next piece of what applying a patch said."""

    delta: str


@attrs.frozen(kw_only=True)
class FileChangePatchUpdatedNotification(_OfItem):
    """A change of files grew while the model writes it; changes is all of it."""

    changes: tuple[FileUpdateChange, ...]


@attrs.frozen(kw_only=True)
class McpToolCallProgressNotification(_OfItem):
    """An MCP tool tells how far it is."""

    message: str


@attrs.frozen(kw_only=True)
class RawResponseItemCompletedNotification(_OfTurn):
    """An item as it entered the history."""

    item: ResponseItem
