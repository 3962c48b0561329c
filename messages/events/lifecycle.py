"""Events about a thread and its turns as a whole."""

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ..ids import ThreadId, TurnId
from ..settings import AskForApproval, ModeKind, ReasoningEffort, SandboxPolicy
from ..value import Value

if TYPE_CHECKING:
    from . import EventMsg

__all__ = [
    "AgentStatus",
    "BackgroundEvent",
    "CodexErrorCode",
    "CodexErrorInfo",
    "Completed",
    "ContextCompacted",
    "CreditsSnapshot",
    "DeprecationNotice",
    "ErrorEvent",
    "Errored",
    "HttpConnectionFailed",
    "ModelReroute",
    "NetworkProxy",
    "RateLimitSnapshot",
    "RateLimitWindow",
    "ResponseStreamConnectionFailed",
    "ResponseStreamDisconnected",
    "ResponseTooManyFailedAttempts",
    "SessionConfigured",
    "ShutdownComplete",
    "SkillsUpdateAvailable",
    "StatusKind",
    "StreamError",
    "ThreadNameUpdated",
    "ThreadRolledBack",
    "TokenCount",
    "TokenUsage",
    "TokenUsageInfo",
    "TurnAbortReason",
    "TurnAborted",
    "TurnComplete",
    "TurnStarted",
    "UndoCompleted",
    "UndoStarted",
    "WarningEvent",
]


class CodexErrorCode(Enum):
    """What went wrong, for programs."""

    CONTEXT_WINDOW_EXCEEDED = "context_window_exceeded"
    USAGE_LIMIT_EXCEEDED = "usage_limit_exceeded"
    SERVER_OVERLOADED = "server_overloaded"
    INTERNAL_SERVER_ERROR = "internal_server_error"
    UNAUTHORIZED = "unauthorized"
    BAD_REQUEST = "bad_request"
    SANDBOX_ERROR = "sandbox_error"
    THREAD_ROLLBACK_FAILED = "thread_rollback_failed"
    OTHER = "other"


@attrs.frozen(kw_only=True)
class HttpConnectionFailed(Value):
    """No connection to the model; the status, where there was an answer."""

    http_status_code: int | None = None


@attrs.frozen(kw_only=True)
class ResponseStreamConnectionFailed(Value):
    """The answer could not be read from its beginning."""

    http_status_code: int | None = None


@attrs.frozen(kw_only=True)
class ResponseStreamDisconnected(Value):
    """The answer broke off in the middle."""

    http_status_code: int | None = None


@attrs.frozen(kw_only=True)
class ResponseTooManyFailedAttempts(Value):
    """The retries are used up."""

    http_status_code: int | None = None


CodexErrorInfo: TypeAlias = (
    CodexErrorCode
    | HttpConnectionFailed
    | ResponseStreamConnectionFailed
    | ResponseStreamDisconnected
    | ResponseTooManyFailedAttempts
)


@attrs.frozen(kw_only=True)
class NetworkProxy(Value):
    """Where the managed proxy listens."""

    http_addr: str
    socks_addr: str
    admin_addr: str


@attrs.frozen(kw_only=True)
class SessionConfigured(Value):
    """
    The thread is ready; always the first event, with the empty submission id.

    Attributes:
        initial_messages:
            Persisted events of the resumed or forked history in file order, also
            those of turns rolled back later; None for a new thread.  A long history's
            are decoded when somebody looks at them.
        rollout_path: Where the rollout is or will be; None for ephemeral threads.
    """

    session_id: ThreadId
    model: str
    model_provider_id: str
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    cwd: str
    history_log_id: int = 0
    history_entry_count: int = 0
    forked_from_id: ThreadId | None = None
    thread_name: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    initial_messages: Sequence["EventMsg"] | None = None
    network_proxy: NetworkProxy | None = None
    rollout_path: str | None = None


@attrs.frozen(kw_only=True)
class TurnStarted(Value):
    """A turn began; the window is in tokens, None when the model's is not known."""

    turn_id: TurnId
    model_context_window: int | None = None
    collaboration_mode_kind: ModeKind = ModeKind.DEFAULT


@attrs.frozen(kw_only=True)
class TurnComplete(Value):
    """A turn ended by itself, also after an error; its last words, if it had any."""

    turn_id: TurnId
    last_agent_message: str | None = None


class TurnAbortReason(Enum):
    """Why a turn was stopped from outside."""

    INTERRUPTED = "interrupted"
    REPLACED = "replaced"
    REVIEW_ENDED = "review_ended"


@attrs.frozen(kw_only=True)
class TurnAborted(Value):
    """A turn was stopped from outside; old files lack the id."""

    reason: TurnAbortReason
    turn_id: TurnId | None = None


@attrs.frozen(kw_only=True)
class ShutdownComplete(Value):
    """The thread has ended; nothing follows."""


@attrs.frozen(kw_only=True)
class ErrorEvent(Value):
    """Something failed; message is for people, codex_error_info for programs."""

    message: str
    codex_error_info: CodexErrorInfo | None = None


@attrs.frozen(kw_only=True)
class WarningEvent(Value):
    """Something the user should know that stops nothing."""

    message: str


@attrs.frozen(kw_only=True)
class BackgroundEvent(Value):
    """Something happened behind the scenes."""

    message: str


@attrs.frozen(kw_only=True)
class StreamError(Value):
    """The model's answer broke off and is asked for again."""

    message: str
    codex_error_info: CodexErrorInfo | None = None
    additional_details: str | None = None


@attrs.frozen(kw_only=True)
class DeprecationNotice(Value):
    """Something in use will go away."""

    summary: str
    details: str | None = None


@attrs.frozen(kw_only=True)
class ModelReroute(Value):
    """The provider answered with another model than was asked for."""

    from_model: str
    to_model: str
    reason: str


@attrs.frozen(kw_only=True)
class ContextCompacted(Value):
    """The history was compacted."""


@attrs.frozen(kw_only=True)
class ThreadRolledBack(Value):
    """The last turns no longer count; the number is the one asked for."""

    num_turns: int


@attrs.frozen(kw_only=True)
class ThreadNameUpdated(Value):
    """The thread has a new name."""

    thread_id: ThreadId
    thread_name: str | None = None


@attrs.frozen(kw_only=True)
class TokenUsage(Value):
    """Tokens counted by the provider."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0


@attrs.frozen(kw_only=True)
class TokenUsageInfo(Value):
    """Tokens of the whole thread and of the last response; the window in tokens."""

    total_token_usage: TokenUsage
    last_token_usage: TokenUsage
    model_context_window: int | None = None


@attrs.frozen(kw_only=True)
class RateLimitWindow(Value):
    """One rate limit; resets_at in seconds since the Unix epoch."""

    used_percent: float
    window_minutes: int | None = None
    resets_at: int | None = None


@attrs.frozen(kw_only=True)
class CreditsSnapshot(Value):
    """What is left to spend, where the provider says so."""

    has_credits: bool
    unlimited: bool
    balance: str | None = None


@attrs.frozen(kw_only=True)
class RateLimitSnapshot(Value):
    """The provider's rate limits as last heard of."""

    limit_id: str | None = None
    limit_name: str | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: CreditsSnapshot | None = None
    plan_type: str | None = None


@attrs.frozen(kw_only=True)
class TokenCount(Value):
    """Usage or rate limits changed; either may still be unknown."""

    info: TokenUsageInfo | None = None
    rate_limits: RateLimitSnapshot | None = None


@attrs.frozen(kw_only=True)
class UndoStarted(Value):
    """An undo began."""

    message: str | None = None


@attrs.frozen(kw_only=True)
class UndoCompleted(Value):
    """An undo ended."""

    success: bool
    message: str | None = None


@attrs.frozen(kw_only=True)
class SkillsUpdateAvailable(Value):
    """Skills on disk changed; listing them again shows the change."""


class StatusKind(Enum):
    """Agent states without further content."""

    PENDING_INIT = "pending_init"
    RUNNING = "running"
    SHUTDOWN = "shutdown"
    NOT_FOUND = "not_found"


@attrs.frozen(kw_only=True)
class Completed:
    """The last turn ended by itself, with these last words."""

    completed: str | None


@attrs.frozen(kw_only=True)
class Errored:
    """The last turn failed or was stopped."""

    errored: str


AgentStatus: TypeAlias = StatusKind | Completed | Errored
