"""Events: what a thread says, each in an envelope with the id of what caused it."""

from typing import TypeAlias

import attrs

from ..ids import SubmissionId
from ..value import Unknown
from .collab import (
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
)
from .conversation import (
    AgentMessage,
    AgentMessageContentDelta,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    AgentReasoningSectionBreak,
    ItemCompleted,
    ItemStarted,
    PlanDelta,
    PlanStep,
    PlanUpdate,
    RawResponseItem,
    ReasoningContentDelta,
    ReasoningRawContentDelta,
    StepStatus,
    TurnDiff,
    UserMessage,
)
from .execution import (
    AddFile,
    ApplyPatchApprovalRequest,
    ApplyPatchStatus,
    DeleteFile,
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandSource,
    ExecCommandStatus,
    ExecOutputStream,
    FileChange,
    ListFilesCommand,
    ParsedCommand,
    PatchApplyBegin,
    PatchApplyEnd,
    ReadCommand,
    SearchCommand,
    TerminalInteraction,
    UnknownCommand,
    UnknownFileChange,
    UpdateFile,
)
from .lifecycle import (
    AgentStatus,
    BackgroundEvent,
    CodexErrorCode,
    CodexErrorInfo,
    Completed,
    ContextCompacted,
    CreditsSnapshot,
    DeprecationNotice,
    Errored,
    ErrorEvent,
    HttpConnectionFailed,
    ModelReroute,
    NetworkProxy,
    RateLimitSnapshot,
    RateLimitWindow,
    ResponseStreamConnectionFailed,
    ResponseStreamDisconnected,
    ResponseTooManyFailedAttempts,
    SessionConfigured,
    ShutdownComplete,
    SkillsUpdateAvailable,
    StatusKind,
    StreamError,
    ThreadNameUpdated,
    ThreadRolledBack,
    TokenCount,
    TokenUsage,
    TokenUsageInfo,
    TurnAborted,
    TurnAbortReason,
    TurnComplete,
    TurnStarted,
    UndoCompleted,
    UndoStarted,
    WarningEvent,
)
from .queries import (
    BaseBranchTarget,
    CodeLocation,
    CommitTarget,
    CustomPrompt,
    CustomTarget,
    EnteredReviewMode,
    ExitedReviewMode,
    GetHistoryEntryResponse,
    HistoryEntry,
    LineRange,
    ListCustomPromptsResponse,
    ListRemoteSkillsResponse,
    ListSkillsResponse,
    McpListToolsResponse,
    RemoteSkill,
    RemoteSkillDownloaded,
    ReviewFinding,
    ReviewOutput,
    ReviewTarget,
    SkillError,
    SkillMetadata,
    SkillsListEntry,
    UncommittedChangesTarget,
)
from .tools import (
    DynamicToolCallRequest,
    ElicitationRequest,
    McpCallFailed,
    McpCallOk,
    McpCallResult,
    McpInvocation,
    McpServerFailure,
    McpStartupComplete,
    McpStartupFailed,
    McpStartupState,
    McpStartupStateKind,
    McpStartupStatus,
    McpStartupUpdate,
    McpToolCallBegin,
    McpToolCallEnd,
    McpToolResult,
    QuestionOption,
    RequestUserInput,
    UserInputQuestion,
    ViewImageToolCall,
    WebSearchBegin,
    WebSearchEnd,
)

__all__ = [
    "AddFile",
    "AgentMessage",
    "AgentMessageContentDelta",
    "AgentMessageDelta",
    "AgentReasoning",
    "AgentReasoningDelta",
    "AgentReasoningRawContent",
    "AgentReasoningRawContentDelta",
    "AgentReasoningSectionBreak",
    "AgentStatus",
    "ApplyPatchApprovalRequest",
    "ApplyPatchStatus",
    "BackgroundEvent",
    "BaseBranchTarget",
    "CodeLocation",
    "CodexErrorCode",
    "CodexErrorInfo",
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
    "CommitTarget",
    "Completed",
    "ContextCompacted",
    "CreditsSnapshot",
    "CustomPrompt",
    "CustomTarget",
    "DeleteFile",
    "DeprecationNotice",
    "DynamicToolCallRequest",
    "ElicitationRequest",
    "EnteredReviewMode",
    "ErrorEvent",
    "Errored",
    "Event",
    "EventMsg",
    "ExecApprovalRequest",
    "ExecCommandBegin",
    "ExecCommandEnd",
    "ExecCommandOutputDelta",
    "ExecCommandSource",
    "ExecCommandStatus",
    "ExecOutputStream",
    "ExitedReviewMode",
    "FileChange",
    "GetHistoryEntryResponse",
    "HistoryEntry",
    "HttpConnectionFailed",
    "ItemCompleted",
    "ItemStarted",
    "LineRange",
    "ListCustomPromptsResponse",
    "ListFilesCommand",
    "ListRemoteSkillsResponse",
    "ListSkillsResponse",
    "McpCallFailed",
    "McpCallOk",
    "McpCallResult",
    "McpInvocation",
    "McpListToolsResponse",
    "McpServerFailure",
    "McpStartupComplete",
    "McpStartupFailed",
    "McpStartupState",
    "McpStartupStateKind",
    "McpStartupStatus",
    "McpStartupUpdate",
    "McpToolCallBegin",
    "McpToolCallEnd",
    "McpToolResult",
    "ModelReroute",
    "NetworkProxy",
    "ParsedCommand",
    "PatchApplyBegin",
    "PatchApplyEnd",
    "PlanDelta",
    "PlanStep",
    "PlanUpdate",
    "QuestionOption",
    "RateLimitSnapshot",
    "RateLimitWindow",
    "RawResponseItem",
    "ReadCommand",
    "ReasoningContentDelta",
    "ReasoningRawContentDelta",
    "RemoteSkill",
    "RemoteSkillDownloaded",
    "RequestUserInput",
    "ResponseStreamConnectionFailed",
    "ResponseStreamDisconnected",
    "ResponseTooManyFailedAttempts",
    "ReviewFinding",
    "ReviewOutput",
    "ReviewTarget",
    "SearchCommand",
    "SessionConfigured",
    "ShutdownComplete",
    "SkillError",
    "SkillMetadata",
    "SkillsListEntry",
    "SkillsUpdateAvailable",
    "StatusKind",
    "StepStatus",
    "StreamError",
    "TerminalInteraction",
    "ThreadNameUpdated",
    "ThreadRolledBack",
    "TokenCount",
    "TokenUsage",
    "TokenUsageInfo",
    "TurnAbortReason",
    "TurnAborted",
    "TurnComplete",
    "TurnDiff",
    "TurnStarted",
    "UncommittedChangesTarget",
    "UndoCompleted",
    "UndoStarted",
    "UnknownCommand",
    "UnknownEvent",
    "UnknownFileChange",
    "UpdateFile",
    "UserInputQuestion",
    "UserMessage",
    "ViewImageToolCall",
    "WarningEvent",
    "WebSearchBegin",
    "WebSearchEnd",
]


@attrs.frozen(kw_only=True)
class UnknownEvent(Unknown):
    """An event that this version does not know."""


EventMsg: TypeAlias = (
    BackgroundEvent
    | ContextCompacted
    | DeprecationNotice
    | ErrorEvent
    | ModelReroute
    | SessionConfigured
    | ShutdownComplete
    | SkillsUpdateAvailable
    | StreamError
    | ThreadNameUpdated
    | ThreadRolledBack
    | TokenCount
    | TurnAborted
    | TurnComplete
    | TurnStarted
    | UndoCompleted
    | UndoStarted
    | WarningEvent
    | AgentMessage
    | AgentMessageContentDelta
    | AgentMessageDelta
    | AgentReasoning
    | AgentReasoningDelta
    | AgentReasoningRawContent
    | AgentReasoningRawContentDelta
    | AgentReasoningSectionBreak
    | ItemCompleted
    | ItemStarted
    | PlanDelta
    | PlanUpdate
    | RawResponseItem
    | ReasoningContentDelta
    | ReasoningRawContentDelta
    | TurnDiff
    | UserMessage
    | ApplyPatchApprovalRequest
    | ExecApprovalRequest
    | ExecCommandBegin
    | ExecCommandEnd
    | ExecCommandOutputDelta
    | PatchApplyBegin
    | PatchApplyEnd
    | TerminalInteraction
    | DynamicToolCallRequest
    | ElicitationRequest
    | McpStartupComplete
    | McpStartupUpdate
    | McpToolCallBegin
    | McpToolCallEnd
    | RequestUserInput
    | ViewImageToolCall
    | WebSearchBegin
    | WebSearchEnd
    | EnteredReviewMode
    | ExitedReviewMode
    | GetHistoryEntryResponse
    | ListCustomPromptsResponse
    | ListRemoteSkillsResponse
    | ListSkillsResponse
    | McpListToolsResponse
    | RemoteSkillDownloaded
    | CollabAgentInteractionBegin
    | CollabAgentInteractionEnd
    | CollabAgentSpawnBegin
    | CollabAgentSpawnEnd
    | CollabCloseBegin
    | CollabCloseEnd
    | CollabResumeBegin
    | CollabResumeEnd
    | CollabWaitingBegin
    | CollabWaitingEnd
    | UnknownEvent
)

attrs.resolve_types(SessionConfigured, globals())


@attrs.frozen(kw_only=True)
class Event:
    """
    One event on its way to a client.

    Attributes:
        id:
            The submission that caused it; for all events of a turn the one that
            started the turn.  Empty for what happens at start.
        msg: What happened.
        seq: Position among the events of its thread, from 1, without gaps.
    """

    id: SubmissionId
    msg: EventMsg
    seq: int = 0
