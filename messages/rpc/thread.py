"""Threads, and the requests that start, resume, fork and read them."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import attrs

from ..items import ResponseItem
from ..settings import AskForApproval, CollaborationMode, Personality, ReasoningEffort
from ..value import Json
from .checks import natural
from .settings import (
    ApprovalsReviewer,
    DynamicToolSpec,
    GitInfo,
    MultiAgentMode,
    SandboxMode,
    SandboxPolicy,
    SessionSource,
    SortDirection,
)
from .turn import Turn, TurnItemsView
from .value import RpcParams, RpcValue

__all__ = [
    "ActiveThreadStatus",
    "IdleThreadStatus",
    "NotLoadedThreadStatus",
    "SystemErrorThreadStatus",
    "Thread",
    "ThreadActiveFlag",
    "ThreadForkParams",
    "ThreadForkResponse",
    "ThreadHistoryMode",
    "ThreadReadParams",
    "ThreadReadResponse",
    "ThreadResumeInitialTurnsPageParams",
    "ThreadResumeParams",
    "ThreadResumeResponse",
    "ThreadStartParams",
    "ThreadStartResponse",
    "ThreadStatus",
    "TurnsPage",
]


@attrs.frozen(kw_only=True)
class NotLoadedThreadStatus(RpcValue):
    """The thread is only on disk."""


@attrs.frozen(kw_only=True)
class IdleThreadStatus(RpcValue):
    """The thread waits for input."""


@attrs.frozen(kw_only=True)
class SystemErrorThreadStatus(RpcValue):
    """The thread's last turn failed; it takes input all the same."""


class ThreadActiveFlag(Enum):
    """What a running turn waits for."""

    WAITING_ON_APPROVAL = "waitingOnApproval"
    WAITING_ON_USER_INPUT = "waitingOnUserInput"


@attrs.frozen(kw_only=True)
class ActiveThreadStatus(RpcValue):
    """A turn runs; the flags say what for a person could do, and are empty for nothing."""

    active_flags: tuple[ThreadActiveFlag, ...] = ()


ThreadStatus: TypeAlias = (
    NotLoadedThreadStatus | IdleThreadStatus | SystemErrorThreadStatus | ActiveThreadStatus
)


class ThreadHistoryMode(Enum):
    """How a thread's history is kept: in one rollout, or in pages."""

    LEGACY = "legacy"
    PAGINATED = "paginated"


@attrs.frozen(kw_only=True)
class Thread(RpcValue):
    """
    One conversation.

    Attributes:
        session_id: The thread at the root of the tree that this one belongs to.
        preview: Text of the first user message; empty before there is one.
        ephemeral: Whether it is never written to disk.
        created_at: In seconds since the Unix epoch, as all times here.
        recency_at: When somebody last did something with it.
        path: The rollout, which need not exist yet; None when there will be none.
        name: As given by the user.
        daybreak_enabled: What a client keeps here for itself; None when it never said.
        turns: Empty where an answer is not about them.
    """

    id: str
    session_id: str
    preview: str
    ephemeral: bool
    model_provider: str
    created_at: int
    updated_at: int
    status: ThreadStatus
    cwd: str
    cli_version: str
    source: SessionSource
    path: str | None = None
    git_info: GitInfo | None = None
    name: str | None = None
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    recency_at: int | None = None
    project_id: str | None = None
    history_mode: ThreadHistoryMode = ThreadHistoryMode.LEGACY
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    originator: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    daybreak_enabled: bool | None = None
    turns: tuple[Turn, ...] = ()


@attrs.frozen(kw_only=True)
class _Overrides(RpcParams):
    """
    What a client wants different from the configuration.

    Attributes:
        config: Values by dotted key, as ``-c`` takes them on the command line.
        persist_extended_history: Taken and not asked for: everything is recorded anyway.
    """

    model: str | None = None
    model_provider: str | None = None
    cwd: str | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    config: Mapping[str, Json] | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    persist_extended_history: bool = False


@attrs.frozen(kw_only=True)
class ThreadStartParams(_Overrides):
    """
    Start a thread.

    Attributes:
        dynamic_tools: Tools that the client runs.
        experimental_raw_events: Tell also each item as it enters the history.
    """

    personality: Personality | None = None
    ephemeral: bool | None = None
    dynamic_tools: tuple[DynamicToolSpec, ...] | None = None
    mock_experimental_field: str | None = None
    experimental_raw_events: bool = False


@attrs.frozen(kw_only=True)
class ThreadResumeInitialTurnsPageParams(RpcParams):
    """Which turns to answer a resumption with; None for the defaults of ``thread/turns/list``."""

    limit: int | None = attrs.field(default=None, validator=natural)
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


@attrs.frozen(kw_only=True)
class ThreadResumeParams(_Overrides):
    """
    Go on with a thread, or join it when it is loaded.

    Attributes:
        history: Wins over path, which wins over thread_id.
        exclude_turns: Leave the turns out of the answer.
        initial_turns_page: Answer with this page of turns besides.
    """

    thread_id: str
    history: tuple[ResponseItem, ...] | None = None
    path: str | None = None
    personality: Personality | None = None
    exclude_turns: bool = False
    initial_turns_page: ThreadResumeInitialTurnsPageParams | None = None


@attrs.frozen(kw_only=True)
class ThreadForkParams(_Overrides):
    """
    Copy a thread into a new one.

    Attributes:
        path: Wins over thread_id.
        last_turn_id: Copy up to this turn, it included.
        before_turn_id: Copy up to this turn, it excluded.
        exclude_turns: Leave the turns out of the answer.
    """

    thread_id: str
    path: str | None = None
    last_turn_id: str | None = None
    before_turn_id: str | None = None
    ephemeral: bool = False
    exclude_turns: bool = False


@attrs.frozen(kw_only=True)
class _Opened(RpcValue):
    """A loaded thread, and the settings that its next turn has."""

    thread: Thread
    model: str
    model_provider: str
    cwd: str
    approval_policy: AskForApproval
    sandbox: SandboxPolicy
    reasoning_effort: ReasoningEffort | None = None
    approvals_reviewer: ApprovalsReviewer = ApprovalsReviewer.USER
    service_tier: str | None = None
    runtime_workspace_roots: tuple[str, ...] = ()
    instruction_sources: tuple[str, ...] = ()
    multi_agent_mode: MultiAgentMode = MultiAgentMode.EXPLICIT_REQUEST_ONLY


@attrs.frozen(kw_only=True)
class ThreadStartResponse(_Opened):
    """The new thread."""


@attrs.frozen(kw_only=True)
class ThreadForkResponse(_Opened):
    """The copy, with its turns."""


@attrs.frozen(kw_only=True)
class TurnsPage(RpcValue):
    """A page of turns; see `ThreadTurnsListResponse`."""

    data: tuple[Turn, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ThreadResumeResponse(_Opened):
    """The thread, with its turns; the cursors lead from its newest turn and item backwards."""

    collaboration_mode: CollaborationMode | None = None
    initial_turns_page: TurnsPage | None = None
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ThreadReadParams(RpcParams):
    """Look at a thread without loading it."""

    thread_id: str
    include_turns: bool = False


@attrs.frozen(kw_only=True)
class ThreadReadResponse(RpcValue):
    """The thread as it is."""

    thread: Thread
