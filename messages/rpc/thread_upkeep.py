"""Requests about what becomes of a thread: archive, name, roll back, compact, delete."""

from enum import Enum

import attrs

from ..settings import KEEP, Keep
from .checks import natural
from .thread import Thread
from .value import RpcParams, RpcValue

__all__ = [
    "ThreadArchiveParams",
    "ThreadArchiveResponse",
    "ThreadBackgroundTerminalsCleanParams",
    "ThreadBackgroundTerminalsCleanResponse",
    "ThreadCompactStartParams",
    "ThreadCompactStartResponse",
    "ThreadDeleteParams",
    "ThreadDeleteResponse",
    "ThreadMetadataGitInfoUpdateParams",
    "ThreadMetadataUpdateParams",
    "ThreadMetadataUpdateResponse",
    "ThreadRevertParams",
    "ThreadRevertResponse",
    "ThreadRollbackParams",
    "ThreadRollbackResponse",
    "ThreadSetNameParams",
    "ThreadSetNameResponse",
    "ThreadUnarchiveParams",
    "ThreadUnarchiveResponse",
    "ThreadUnsubscribeParams",
    "ThreadUnsubscribeResponse",
    "ThreadUnsubscribeStatus",
]


@attrs.frozen(kw_only=True)
class ThreadArchiveParams(RpcParams):
    """Put a thread away."""

    thread_id: str


@attrs.frozen(kw_only=True)
class ThreadArchiveResponse(RpcValue):
    """It is away."""


@attrs.frozen(kw_only=True)
class ThreadUnarchiveParams(RpcParams):
    """Take an archived thread out again."""

    thread_id: str


@attrs.frozen(kw_only=True)
class ThreadUnarchiveResponse(RpcValue):
    """The thread, not loaded."""

    thread: Thread


@attrs.frozen(kw_only=True)
class ThreadDeleteParams(RpcParams):
    """Remove a thread for good."""

    thread_id: str


@attrs.frozen(kw_only=True)
class ThreadDeleteResponse(RpcValue):
    """It is gone."""


@attrs.frozen(kw_only=True)
class ThreadUnsubscribeParams(RpcParams):
    """Hear no more of a thread on this connection."""

    thread_id: str


class ThreadUnsubscribeStatus(Enum):
    """What there was to end."""

    UNSUBSCRIBED = "unsubscribed"
    NOT_SUBSCRIBED = "notSubscribed"
    NOT_LOADED = "notLoaded"


@attrs.frozen(kw_only=True)
class ThreadUnsubscribeResponse(RpcValue):
    """What was done."""

    status: ThreadUnsubscribeStatus


@attrs.frozen(kw_only=True)
class ThreadSetNameParams(RpcParams):
    """Name a thread."""

    thread_id: str
    name: str


@attrs.frozen(kw_only=True)
class ThreadSetNameResponse(RpcValue):
    """It is named."""


@attrs.frozen(kw_only=True)
class ThreadMetadataGitInfoUpdateParams(RpcParams):
    """Change what is known of the working tree; None clears a member."""

    sha: str | Keep | None = KEEP
    branch: str | Keep | None = KEEP
    origin_url: str | Keep | None = KEEP


@attrs.frozen(kw_only=True)
class ThreadMetadataUpdateParams(RpcParams):
    """Change what is kept beside a thread; an empty project_id takes it out of its project."""

    thread_id: str
    git_info: ThreadMetadataGitInfoUpdateParams | None = None
    project_id: str | None = None
    daybreak_enabled: bool | None = None


@attrs.frozen(kw_only=True)
class ThreadMetadataUpdateResponse(RpcValue):
    """The thread as it is now."""

    thread: Thread


@attrs.frozen(kw_only=True)
class ThreadRollbackParams(RpcParams):
    """Drop the last turns, of which there must be at least one."""

    thread_id: str
    num_turns: int = attrs.field(validator=natural)


@attrs.frozen(kw_only=True)
class ThreadRollbackResponse(RpcValue):
    """The thread with the turns that are left."""

    thread: Thread


@attrs.frozen(kw_only=True)
class ThreadRevertParams(RpcParams):
    """Drop this turn and all later ones."""

    thread_id: str
    before_turn_id: str


@attrs.frozen(kw_only=True)
class ThreadRevertResponse(RpcValue):
    """The thread without its turns; the cursors lead from what is newest now backwards."""

    thread: Thread
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ThreadCompactStartParams(RpcParams):
    """Compact a thread's history."""

    thread_id: str


@attrs.frozen(kw_only=True)
class ThreadCompactStartResponse(RpcValue):
    """The compaction is asked for; an item tells of its end."""


@attrs.frozen(kw_only=True)
class ThreadBackgroundTerminalsCleanParams(RpcParams):
    """End every command that outlived its call."""

    thread_id: str


@attrs.frozen(kw_only=True)
class ThreadBackgroundTerminalsCleanResponse(RpcValue):
    """They are told to end."""
