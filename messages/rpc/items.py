"""Thread items: the pieces of a turn as clients see them."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from ..items import MessagePhase
from ..settings import ReasoningEffort
from ..value import Json, Unknown
from .actions import CommandAction, WebSearchAction
from .tool_parts import (
    CollabAgentState,
    CollabAgentTool,
    CollabAgentToolCallStatus,
    DynamicToolCallOutputContentItem,
    DynamicToolCallStatus,
    FileUpdateChange,
    McpToolCallError,
    McpToolCallResult,
    McpToolCallStatus,
    PatchApplyStatus,
)
from .user_input import UserInput
from .value import RpcValue

__all__ = [
    "AgentMessageThreadItem",
    "CollabAgentToolCallThreadItem",
    "CommandExecutionSource",
    "CommandExecutionStatus",
    "CommandExecutionThreadItem",
    "ContextCompactionThreadItem",
    "DynamicToolCallThreadItem",
    "EnteredReviewModeThreadItem",
    "ExitedReviewModeThreadItem",
    "FileChangeThreadItem",
    "ImageViewThreadItem",
    "McpToolCallThreadItem",
    "PlanThreadItem",
    "ReasoningThreadItem",
    "ThreadItem",
    "UnknownThreadItem",
    "UserMessageThreadItem",
    "WebSearchThreadItem",
]


@attrs.frozen(kw_only=True)
class _Item(RpcValue):
    """
    What every item has.

    Attributes:
        id: Its name in its thread; tool calls go by their call id.
        started_at_ms:
            When it started, in milliseconds since the Unix epoch; None when that was
            not recorded.
        completed_at_ms: When it was finished; None also while it is not.
    """

    id: str
    started_at_ms: int | None = None
    completed_at_ms: int | None = None


@attrs.frozen(kw_only=True)
class UserMessageThreadItem(_Item):
    """What the user said; client_id is the name that the client gave it."""

    content: tuple[UserInput, ...]
    client_id: str | None = None


@attrs.frozen(kw_only=True)
class AgentMessageThreadItem(_Item):
    """What the model said."""

    text: str
    phase: MessagePhase | None = None


@attrs.frozen(kw_only=True)
class PlanThreadItem(_Item):
    """A plan that the model proposes; its id is ``<turn id>-plan``."""

    text: str


@attrs.frozen(kw_only=True)
class ReasoningThreadItem(_Item):
    """What the model thought: summary parts, and raw parts where it gives them."""

    summary: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


class CommandExecutionStatus(Enum):
    """How far a command is."""

    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"
    DECLINED = "declined"


class CommandExecutionSource(Enum):
    """Who wanted a command, and how it runs."""

    AGENT = "agent"
    USER_SHELL = "userShell"
    UNIFIED_EXEC_STARTUP = "unifiedExecStartup"
    UNIFIED_EXEC_INTERACTION = "unifiedExecInteraction"


@attrs.frozen(kw_only=True)
class CommandExecutionThreadItem(_Item):
    """
    A command.

    Attributes:
        command: As one line, quoted for a shell.
        process_id: Names the process of a command that outlives its call.
        aggregated_output: Both outputs as they came; None before its end, or when empty.
    """

    command: str
    cwd: str
    status: CommandExecutionStatus
    process_id: str | None = None
    source: CommandExecutionSource = CommandExecutionSource.AGENT
    command_actions: tuple[CommandAction, ...] = ()
    aggregated_output: str | None = None
    exit_code: int | None = None
    duration_ms: int | None = None


@attrs.frozen(kw_only=True)
class FileChangeThreadItem(_Item):
    """Changes of files, one entry a file."""

    changes: tuple[FileUpdateChange, ...]
    status: PatchApplyStatus


@attrs.frozen(kw_only=True)
class McpToolCallThreadItem(_Item):
    """A call to an MCP server; it has a result or an error when it is over."""

    server: str
    tool: str
    status: McpToolCallStatus
    arguments: Json = None
    result: McpToolCallResult | None = None
    error: McpToolCallError | None = None
    duration_ms: int | None = None


@attrs.frozen(kw_only=True)
class DynamicToolCallThreadItem(_Item):
    """A call to a tool of the client's own; content_items are its answer."""

    tool: str
    status: DynamicToolCallStatus
    arguments: Json = None
    namespace: str | None = None
    content_items: tuple[DynamicToolCallOutputContentItem, ...] | None = None
    success: bool | None = None
    duration_ms: int | None = None


@attrs.frozen(kw_only=True)
class CollabAgentToolCallThreadItem(_Item):
    """A call that starts, steers or ends agents; agents_states goes by thread id."""

    tool: CollabAgentTool
    status: CollabAgentToolCallStatus
    sender_thread_id: str
    receiver_thread_ids: tuple[str, ...] = ()
    prompt: str | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    agents_states: Mapping[str, CollabAgentState] = attrs.field(factory=dict[str, CollabAgentState])


@attrs.frozen(kw_only=True)
class WebSearchThreadItem(_Item):
    """A web search; query is the action in words, empty when there is nothing to say."""

    query: str
    action: WebSearchAction | None = None


@attrs.frozen(kw_only=True)
class ImageViewThreadItem(_Item):
    """The model looked at an image file."""

    path: str


@attrs.frozen(kw_only=True)
class EnteredReviewModeThreadItem(_Item):
    """A review began; review says of what."""

    review: str


@attrs.frozen(kw_only=True)
class ExitedReviewModeThreadItem(_Item):
    """A review ended; review is what it found, as text."""

    review: str


@attrs.frozen(kw_only=True)
class ContextCompactionThreadItem(_Item):
    """The history was compacted here."""


@attrs.frozen(kw_only=True)
class UnknownThreadItem(Unknown):
    """An item that this version does not know."""


ThreadItem: TypeAlias = (
    UserMessageThreadItem
    | AgentMessageThreadItem
    | PlanThreadItem
    | ReasoningThreadItem
    | CommandExecutionThreadItem
    | FileChangeThreadItem
    | McpToolCallThreadItem
    | DynamicToolCallThreadItem
    | CollabAgentToolCallThreadItem
    | WebSearchThreadItem
    | ImageViewThreadItem
    | EnteredReviewModeThreadItem
    | ExitedReviewModeThreadItem
    | ContextCompactionThreadItem
    | UnknownThreadItem
)
