"""What of a thread is worth keeping: one rule per class of record."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TypeAlias, cast

import attrs

from messages import events, items
from messages.events import ExecCommandEnd, ItemCompleted
from messages.rollout import (
    CompactedItem,
    RolloutItem,
    SessionMeta,
    TurnContextItem,
    UnknownRecord,
)
from messages.settings import TruncationMode, TruncationPolicy
from messages.turn_items import PlanItem, UnknownTurnItem

from .excerpt import truncate_text

__all__ = ["EXEC_OUTPUT_LIMIT", "PersistMode", "kept_whole", "persisted"]

EXEC_OUTPUT_LIMIT = TruncationPolicy(mode=TruncationMode.BYTES, limit=10_000)
"""How much of a command's output an extended rollout keeps; the marker comes on top."""


class PersistMode(Enum):
    """
    How much of a thread its rollout keeps.

    LIMITED keeps what a resumed thread needs, EXTENDED also what a client needs
    to show commands, patches, tool calls and errors again.
    """

    LIMITED = "limited"
    EXTENDED = "extended"


_Rule: TypeAlias = Callable[[RolloutItem], RolloutItem | None]


def persisted(item: RolloutItem, mode: PersistMode) -> RolloutItem | None:
    """
    What of *item* goes into the rollout: itself, a shortened copy or nothing.

    Items, events and records of unknown kind come out of files only and are
    carried along.

    Source:
        Codex, ``rollout/policy.rs``; there response items of unknown kind are
        not kept, because it does not know their content any more.
    """
    rules = _EXTENDED if mode is PersistMode.EXTENDED else _LIMITED
    return rules[type(item)](item)


def kept_whole(mode: PersistMode) -> frozenset[type[RolloutItem]]:
    """The classes of which `persisted` keeps every item as it is, without asking it."""
    rules = _EXTENDED if mode is PersistMode.EXTENDED else _LIMITED
    return frozenset(cls for cls, rule in rules.items() if rule is _keep)


def _keep(item: RolloutItem) -> RolloutItem:
    return item


def _drop(_item: RolloutItem) -> None:
    return None


def _keep_plan(item: RolloutItem) -> RolloutItem | None:
    # The cast holds because the tables below name this rule for one class only.
    inner = cast("ItemCompleted", item).item
    return item if isinstance(inner, PlanItem | UnknownTurnItem) else None


def _shorten_command(item: RolloutItem) -> RolloutItem:
    end = cast("ExecCommandEnd", item)  # see _keep_plan
    return attrs.evolve(
        end,
        stdout="",
        stderr="",
        formatted_output="",
        aggregated_output=truncate_text(end.aggregated_output, EXEC_OUTPUT_LIMIT),
    )


_ALWAYS: tuple[type[RolloutItem], ...] = (
    SessionMeta,
    TurnContextItem,
    CompactedItem,
    UnknownRecord,
    items.Message,
    items.ReasoningItem,
    items.LocalShellCall,
    items.FunctionCall,
    items.FunctionCallOutput,
    items.CustomToolCall,
    items.CustomToolCallOutput,
    items.WebSearchCall,
    items.GhostSnapshot,
    items.Compaction,
    items.UnknownItem,
    events.UserMessage,
    events.AgentMessage,
    events.AgentReasoning,
    events.AgentReasoningRawContent,
    events.TokenCount,
    events.ContextCompacted,
    events.EnteredReviewMode,
    events.ExitedReviewMode,
    events.ThreadRolledBack,
    events.UndoCompleted,
    events.TurnAborted,
    events.TurnStarted,
    events.TurnComplete,
    events.UnknownEvent,
)

_EXTENDED_ONLY: tuple[type[RolloutItem], ...] = (
    events.ErrorEvent,
    events.WebSearchEnd,
    events.PatchApplyEnd,
    events.McpToolCallEnd,
    events.ViewImageToolCall,
    events.CollabAgentSpawnEnd,
    events.CollabAgentInteractionEnd,
    events.CollabWaitingEnd,
    events.CollabCloseEnd,
    events.CollabResumeEnd,
)

_NEVER: tuple[type[RolloutItem], ...] = (
    events.WarningEvent,
    events.BackgroundEvent,
    events.StreamError,
    events.DeprecationNotice,
    events.ModelReroute,
    events.SessionConfigured,
    events.ShutdownComplete,
    events.SkillsUpdateAvailable,
    events.ThreadNameUpdated,
    events.UndoStarted,
    events.AgentMessageContentDelta,
    events.AgentMessageDelta,
    events.AgentReasoningDelta,
    events.AgentReasoningRawContentDelta,
    events.AgentReasoningSectionBreak,
    events.ItemStarted,
    events.PlanDelta,
    events.PlanUpdate,
    events.RawResponseItem,
    events.ReasoningContentDelta,
    events.ReasoningRawContentDelta,
    events.TurnDiff,
    events.ApplyPatchApprovalRequest,
    events.ExecApprovalRequest,
    events.ExecCommandBegin,
    events.ExecCommandOutputDelta,
    events.PatchApplyBegin,
    events.TerminalInteraction,
    events.DynamicToolCallRequest,
    events.ElicitationRequest,
    events.McpStartupComplete,
    events.McpStartupUpdate,
    events.McpToolCallBegin,
    events.RequestUserInput,
    events.WebSearchBegin,
    events.GetHistoryEntryResponse,
    events.ListCustomPromptsResponse,
    events.ListRemoteSkillsResponse,
    events.ListSkillsResponse,
    events.McpListToolsResponse,
    events.RemoteSkillDownloaded,
    events.CollabAgentSpawnBegin,
    events.CollabAgentInteractionBegin,
    events.CollabWaitingBegin,
    events.CollabCloseBegin,
    events.CollabResumeBegin,
)


def _rules(classes: Iterable[type[RolloutItem]], rule: _Rule) -> dict[type[RolloutItem], _Rule]:
    return dict.fromkeys(classes, rule)


_LIMITED: Mapping[type[RolloutItem], _Rule] = {
    **_rules(_ALWAYS, _keep),
    **_rules((*_EXTENDED_ONLY, ExecCommandEnd, *_NEVER), _drop),
    ItemCompleted: _keep_plan,
}
_EXTENDED: Mapping[type[RolloutItem], _Rule] = {
    **_LIMITED,
    **_rules(_EXTENDED_ONLY, _keep),
    ExecCommandEnd: _shorten_command,
}
