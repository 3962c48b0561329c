"""Notifications about threads and the server, and the names of all notifications."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

import attrs

from ..value import Json
from . import item_notifications as of_items
from .account import (
    AccountLoginCompletedNotification,
    AccountRateLimitsUpdatedNotification,
    AccountUpdatedNotification,
)
from .envelope import RequestId
from .file_search import (
    FuzzyFileSearchSessionCompletedNotification,
    FuzzyFileSearchSessionUpdatedNotification,
)
from .thread import Thread, ThreadStatus
from .value import RpcValue

__all__ = [
    "METHOD",
    "AppListUpdatedNotification",
    "ConfigWarningNotification",
    "ContextCompactedNotification",
    "DeprecationNoticeNotification",
    "McpServerOauthLoginCompletedNotification",
    "McpServerStartupState",
    "McpServerStatusUpdatedNotification",
    "ModelRerouteReason",
    "ModelReroutedNotification",
    "ServerNotification",
    "ServerRequestResolvedNotification",
    "SkillsChangedNotification",
    "TextPosition",
    "TextRange",
    "ThreadArchivedNotification",
    "ThreadClosedNotification",
    "ThreadDeletedNotification",
    "ThreadNameUpdatedNotification",
    "ThreadRevertedNotification",
    "ThreadStartedNotification",
    "ThreadStatusChangedNotification",
    "ThreadTokenUsage",
    "ThreadTokenUsageUpdatedNotification",
    "ThreadUnarchivedNotification",
    "TokenUsageBreakdown",
    "WarningNotification",
    "WindowsWorldWritableWarningNotification",
]


@attrs.frozen(kw_only=True)
class ThreadStartedNotification(RpcValue):
    """There is a new thread."""

    thread: Thread


@attrs.frozen(kw_only=True)
class _OfThread(RpcValue):
    """What concerns one thread."""

    thread_id: str


@attrs.frozen(kw_only=True)
class ThreadStatusChangedNotification(_OfThread):
    """A thread began or ended to work or to wait."""

    status: ThreadStatus


@attrs.frozen(kw_only=True)
class ThreadArchivedNotification(_OfThread):
    """A thread was put away."""


@attrs.frozen(kw_only=True)
class ThreadUnarchivedNotification(_OfThread):
    """An archived thread was taken out again."""


@attrs.frozen(kw_only=True)
class ThreadClosedNotification(_OfThread):
    """A thread is no longer loaded."""


@attrs.frozen(kw_only=True)
class ThreadDeletedNotification(_OfThread):
    """A thread was removed for good."""


@attrs.frozen(kw_only=True)
class ThreadRevertedNotification(_OfThread):
    """A thread's last turns were dropped."""


@attrs.frozen(kw_only=True)
class ThreadNameUpdatedNotification(_OfThread):
    """A thread has a new name, or none any more."""

    thread_name: str | None = None


@attrs.frozen(kw_only=True)
class TokenUsageBreakdown(RpcValue):
    """Tokens by kind; cached ones are among the input, reasoning ones among the output."""

    total_tokens: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    cache_write_input_tokens: int = 0


@attrs.frozen(kw_only=True)
class ThreadTokenUsage(RpcValue):
    """Tokens of the whole thread, and of its last model request."""

    total: TokenUsageBreakdown
    last: TokenUsageBreakdown
    model_context_window: int | None = None


@attrs.frozen(kw_only=True)
class ThreadTokenUsageUpdatedNotification(_OfThread):
    """A thread used tokens."""

    turn_id: str
    token_usage: ThreadTokenUsage


@attrs.frozen(kw_only=True)
class ContextCompactedNotification(_OfThread):
    """The history was compacted; older clients hear it beside the item that says so."""

    turn_id: str


class ModelRerouteReason(Enum):
    """Why another model answers."""

    HIGH_RISK_CYBER_ACTIVITY = "highRiskCyberActivity"


@attrs.frozen(kw_only=True)
class ModelReroutedNotification(_OfThread):
    """Another model than the chosen one answers."""

    turn_id: str
    from_model: str
    to_model: str
    reason: ModelRerouteReason


@attrs.frozen(kw_only=True)
class ServerRequestResolvedNotification(_OfThread):
    """A server's question is settled; nobody needs to answer it any more."""

    request_id: RequestId


@attrs.frozen(kw_only=True)
class WarningNotification(RpcValue):
    """Something a user should know; thread_id is None when it concerns all threads."""

    message: str
    thread_id: str | None = None


@attrs.frozen(kw_only=True)
class DeprecationNoticeNotification(RpcValue):
    """Something in use will go away."""

    summary: str
    details: str | None = None


@attrs.frozen(kw_only=True)
class TextPosition(RpcValue):
    """A place in a file; line and column from 1."""

    line: int
    column: int


@attrs.frozen(kw_only=True)
class TextRange(RpcValue):
    """A stretch of a file."""

    start: TextPosition
    end: TextPosition


@attrs.frozen(kw_only=True)
class ConfigWarningNotification(RpcValue):
    """Something is wrong with the configuration; path and range say where, if known."""

    summary: str
    details: str | None = None
    path: str | None = None
    range: TextRange | None = None


class McpServerStartupState(Enum):
    """How far an MCP server's start is."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


@attrs.frozen(kw_only=True)
class McpServerStatusUpdatedNotification(RpcValue):
    """An MCP server's start went on; error says why it failed."""

    name: str
    status: McpServerStartupState
    thread_id: str | None = None
    error: str | None = None


@attrs.frozen(kw_only=True)
class McpServerOauthLoginCompletedNotification(RpcValue):
    """A login at an MCP server is over; error is None after a success."""

    name: str
    success: bool
    error: str | None = None


@attrs.frozen(kw_only=True)
class SkillsChangedNotification(RpcValue):
    """Skills on disk changed; listing them again shows the change."""


@attrs.frozen(kw_only=True)
class AppListUpdatedNotification(RpcValue):
    """The list of apps changed; data is the whole list."""

    data: tuple[Json, ...]


@attrs.frozen(kw_only=True)
class WindowsWorldWritableWarningNotification(RpcValue):
    """Everybody can write to these folders; extra_count more are not named."""

    sample_paths: tuple[str, ...]
    extra_count: int
    failed_scan: bool


ServerNotification: TypeAlias = (
    of_items.AgentMessageDeltaNotification
    | of_items.CommandExecutionOutputDeltaNotification
    | of_items.ErrorNotification
    | of_items.FileChangeOutputDeltaNotification
    | of_items.FileChangePatchUpdatedNotification
    | of_items.ItemCompletedNotification
    | of_items.ItemStartedNotification
    | of_items.McpToolCallProgressNotification
    | of_items.PlanDeltaNotification
    | of_items.RawResponseItemCompletedNotification
    | of_items.ReasoningSummaryPartAddedNotification
    | of_items.ReasoningSummaryTextDeltaNotification
    | of_items.ReasoningTextDeltaNotification
    | of_items.TerminalInteractionNotification
    | of_items.TurnCompletedNotification
    | of_items.TurnDiffUpdatedNotification
    | of_items.TurnPlanUpdatedNotification
    | of_items.TurnStartedNotification
    | AccountLoginCompletedNotification
    | AccountRateLimitsUpdatedNotification
    | AccountUpdatedNotification
    | AppListUpdatedNotification
    | ConfigWarningNotification
    | ContextCompactedNotification
    | DeprecationNoticeNotification
    | FuzzyFileSearchSessionCompletedNotification
    | FuzzyFileSearchSessionUpdatedNotification
    | McpServerOauthLoginCompletedNotification
    | McpServerStatusUpdatedNotification
    | ModelReroutedNotification
    | ServerRequestResolvedNotification
    | SkillsChangedNotification
    | ThreadArchivedNotification
    | ThreadClosedNotification
    | ThreadDeletedNotification
    | ThreadNameUpdatedNotification
    | ThreadRevertedNotification
    | ThreadStartedNotification
    | ThreadStatusChangedNotification
    | ThreadTokenUsageUpdatedNotification
    | ThreadUnarchivedNotification
    | WarningNotification
    | WindowsWorldWritableWarningNotification
)

METHOD: Mapping[type[ServerNotification], str] = MappingProxyType(
    {
        AccountLoginCompletedNotification: "account/login/completed",
        AccountRateLimitsUpdatedNotification: "account/rateLimits/updated",
        AccountUpdatedNotification: "account/updated",
        AppListUpdatedNotification: "app/list/updated",
        ConfigWarningNotification: "configWarning",
        ContextCompactedNotification: "thread/compacted",
        DeprecationNoticeNotification: "deprecationNotice",
        FuzzyFileSearchSessionCompletedNotification: "fuzzyFileSearch/sessionCompleted",
        FuzzyFileSearchSessionUpdatedNotification: "fuzzyFileSearch/sessionUpdated",
        McpServerOauthLoginCompletedNotification: "mcpServer/oauthLogin/completed",
        McpServerStatusUpdatedNotification: "mcpServer/startupStatus/updated",
        ModelReroutedNotification: "model/rerouted",
        ServerRequestResolvedNotification: "serverRequest/resolved",
        SkillsChangedNotification: "skills/changed",
        ThreadArchivedNotification: "thread/archived",
        ThreadClosedNotification: "thread/closed",
        ThreadDeletedNotification: "thread/deleted",
        ThreadNameUpdatedNotification: "thread/name/updated",
        ThreadRevertedNotification: "thread/reverted",
        ThreadStartedNotification: "thread/started",
        ThreadStatusChangedNotification: "thread/status/changed",
        ThreadTokenUsageUpdatedNotification: "thread/tokenUsage/updated",
        ThreadUnarchivedNotification: "thread/unarchived",
        WarningNotification: "warning",
        WindowsWorldWritableWarningNotification: "windows/worldWritableWarning",
        of_items.AgentMessageDeltaNotification: "item/agentMessage/delta",
        of_items.CommandExecutionOutputDeltaNotification: "item/commandExecution/outputDelta",
        of_items.ErrorNotification: "error",
        of_items.FileChangeOutputDeltaNotification: "item/fileChange/outputDelta",
        of_items.FileChangePatchUpdatedNotification: "item/fileChange/patchUpdated",
        of_items.ItemCompletedNotification: "item/completed",
        of_items.ItemStartedNotification: "item/started",
        of_items.McpToolCallProgressNotification: "item/mcpToolCall/progress",
        of_items.PlanDeltaNotification: "item/plan/delta",
        of_items.RawResponseItemCompletedNotification: "rawResponseItem/completed",
        of_items.ReasoningSummaryPartAddedNotification: "item/reasoning/summaryPartAdded",
        of_items.ReasoningSummaryTextDeltaNotification: "item/reasoning/summaryTextDelta",
        of_items.ReasoningTextDeltaNotification: "item/reasoning/textDelta",
        of_items.TerminalInteractionNotification: "item/commandExecution/terminalInteraction",
        of_items.TurnCompletedNotification: "turn/completed",
        of_items.TurnDiffUpdatedNotification: "turn/diff/updated",
        of_items.TurnPlanUpdatedNotification: "turn/plan/updated",
        of_items.TurnStartedNotification: "turn/started",
    }
)
"""The name under which each notification goes."""
