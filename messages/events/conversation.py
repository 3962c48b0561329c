"""Events about what is said: whole messages, items and their deltas."""

from enum import Enum

import attrs

from ..content import TextElement
from ..ids import ThreadId, TurnId
from ..items import ResponseItem
from ..turn_items import TurnItem
from ..value import Value

__all__ = [
    "AgentMessage",
    "AgentMessageContentDelta",
    "AgentMessageDelta",
    "AgentReasoning",
    "AgentReasoningDelta",
    "AgentReasoningRawContent",
    "AgentReasoningRawContentDelta",
    "AgentReasoningSectionBreak",
    "ItemCompleted",
    "ItemStarted",
    "PlanDelta",
    "PlanStep",
    "PlanUpdate",
    "RawResponseItem",
    "ReasoningContentDelta",
    "ReasoningRawContentDelta",
    "StepStatus",
    "TurnDiff",
    "UserMessage",
]


@attrs.frozen(kw_only=True)
class UserMessage(Value):
    """What the user said: text joined, images by URL, local images by path."""

    message: str
    images: tuple[str, ...] | None = None
    local_images: tuple[str, ...] = ()
    text_elements: tuple[TextElement, ...] = ()


@attrs.frozen(kw_only=True)
class AgentMessage(Value):
    """One finished text part of the model's message."""

    message: str


@attrs.frozen(kw_only=True)
class AgentMessageDelta(Value):
    """The next piece of the model's message, for older clients."""

    delta: str


@attrs.frozen(kw_only=True)
class AgentReasoning(Value):
    """One finished part of the reasoning summary."""

    text: str


@attrs.frozen(kw_only=True)
class AgentReasoningDelta(Value):
    """The next piece of the reasoning summary, for older clients."""

    delta: str


@attrs.frozen(kw_only=True)
class AgentReasoningRawContent(Value):
    """One finished part of the raw reasoning."""

    text: str


@attrs.frozen(kw_only=True)
class AgentReasoningRawContentDelta(Value):
    """The next piece of the raw reasoning, for older clients."""

    delta: str


@attrs.frozen(kw_only=True)
class AgentReasoningSectionBreak(Value):
    """The reasoning summary goes on with its next part."""

    item_id: str = ""
    summary_index: int = 0


@attrs.frozen(kw_only=True)
class ItemStarted(Value):
    """A turn item appeared."""

    thread_id: ThreadId
    turn_id: TurnId
    item: TurnItem


@attrs.frozen(kw_only=True)
class ItemCompleted(Value):
    """A turn item is finished."""

    thread_id: ThreadId
    turn_id: TurnId
    item: TurnItem


@attrs.frozen(kw_only=True)
class AgentMessageContentDelta(Value):
    """The next piece of an agent message item."""

    thread_id: ThreadId
    turn_id: TurnId
    item_id: str
    delta: str


@attrs.frozen(kw_only=True)
class PlanDelta(Value):
    """The next piece of a plan item."""

    thread_id: ThreadId
    turn_id: TurnId
    item_id: str
    delta: str


@attrs.frozen(kw_only=True)
class ReasoningContentDelta(Value):
    """The next piece of a reasoning item's summary."""

    thread_id: ThreadId
    turn_id: TurnId
    item_id: str
    delta: str
    summary_index: int = 0


@attrs.frozen(kw_only=True)
class ReasoningRawContentDelta(Value):
    """The next piece of a reasoning item's raw content."""

    thread_id: ThreadId
    turn_id: TurnId
    item_id: str
    delta: str
    content_index: int = 0


@attrs.frozen(kw_only=True)
class RawResponseItem(Value):
    """An item as it entered the history."""

    item: ResponseItem


class StepStatus(Enum):
    """How far a step of the plan is."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


@attrs.frozen(kw_only=True)
class PlanStep(Value):
    """One step of the model's to-do list."""

    step: str
    status: StepStatus


@attrs.frozen(kw_only=True)
class PlanUpdate(Value):
    """The model's to-do list changed; plan is the whole list."""

    plan: tuple[PlanStep, ...]
    explanation: str | None = None


@attrs.frozen(kw_only=True)
class TurnDiff(Value):
    """What the turn changed in files so far, as one unified diff."""

    unified_diff: str
