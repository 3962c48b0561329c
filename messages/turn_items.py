"""Turn items: the pieces of a turn as clients see them."""

from typing import TypeAlias

import attrs

from .content import UserInputItem
from .items import MessagePhase, WebSearchAction
from .value import Unknown, Value

__all__ = [
    "AgentMessageItem",
    "AgentText",
    "ContextCompactionItem",
    "PlanItem",
    "ReasoningTurnItem",
    "TurnItem",
    "UnknownTurnItem",
    "UserMessageItem",
    "WebSearchItem",
]


@attrs.frozen(kw_only=True)
class UserMessageItem(Value):
    """What the user said, in the order of the input."""

    id: str
    content: tuple[UserInputItem, ...]


@attrs.frozen(kw_only=True)
class AgentText(Value):
    """One text part of an agent's message."""

    text: str


@attrs.frozen(kw_only=True)
class AgentMessageItem(Value):
    """What the model said."""

    id: str
    content: tuple[AgentText, ...]
    phase: MessagePhase | None = None


@attrs.frozen(kw_only=True)
class PlanItem(Value):
    """A plan that the model proposes, as text."""

    id: str
    text: str


@attrs.frozen(kw_only=True)
class ReasoningTurnItem(Value):
    """What the model thought: summary parts, and raw parts where it gives them."""

    id: str
    summary_text: tuple[str, ...]
    raw_content: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class WebSearchItem(Value):
    """A web search; query is the action in words, empty when there is nothing to say."""

    id: str
    query: str
    action: WebSearchAction


@attrs.frozen(kw_only=True)
class ContextCompactionItem(Value):
    """The history was compacted here."""

    id: str


@attrs.frozen(kw_only=True)
class UnknownTurnItem(Unknown):
    """A turn item that this version does not know."""


TurnItem: TypeAlias = (
    UserMessageItem
    | AgentMessageItem
    | PlanItem
    | ReasoningTurnItem
    | WebSearchItem
    | ContextCompactionItem
    | UnknownTurnItem
)
