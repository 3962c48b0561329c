"""Requests that list threads, turns and items page by page."""

from enum import Enum
from typing import TypeAlias

import attrs

from .checks import natural
from .items import ThreadItem
from .settings import SortDirection
from .thread import Thread
from .turn import Turn, TurnItemsView
from .value import RpcParams, RpcValue

__all__ = [
    "ThreadItemEntry",
    "ThreadItemOutputDeferral",
    "ThreadItemsListAnchor",
    "ThreadItemsListCursor",
    "ThreadItemsListParams",
    "ThreadItemsListResponse",
    "ThreadListParams",
    "ThreadListResponse",
    "ThreadLoadedListParams",
    "ThreadLoadedListResponse",
    "ThreadSortKey",
    "ThreadSourceKind",
    "ThreadTurnsListParams",
    "ThreadTurnsListResponse",
]


class ThreadSortKey(Enum):
    """By which time threads are listed."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    RECENCY_AT = "recency_at"


class ThreadSourceKind(Enum):
    """By which source threads are chosen; ``subAgent`` stands for all of its kinds."""

    CLI = "cli"
    VSCODE = "vscode"
    EXEC = "exec"
    APP_SERVER = "appServer"
    SUB_AGENT = "subAgent"
    SUB_AGENT_REVIEW = "subAgentReview"
    SUB_AGENT_COMPACT = "subAgentCompact"
    SUB_AGENT_THREAD_SPAWN = "subAgentThreadSpawn"
    SUB_AGENT_OTHER = "subAgentOther"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class ThreadListParams(RpcParams):
    """
    List stored threads, newest first unless told otherwise.

    Attributes:
        cursor: As an earlier page gave it.
        limit: None for 25; cut to 1 to 100.
        sort_key: None for the time of creation.
        model_providers: None for the configured one, empty for all.
        source_kinds: None or empty for those a person talks to.
        archived: Whether archived threads are listed, instead of the others.
        cwd: Only threads of this folder, or of one of these.
        search_term: Only threads whose preview or name contains this.
    """

    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)
    sort_key: ThreadSortKey | None = None
    sort_direction: SortDirection | None = None
    model_providers: tuple[str, ...] | None = None
    source_kinds: tuple[ThreadSourceKind, ...] | None = None
    archived: bool | None = None
    cwd: str | tuple[str, ...] | None = None
    search_term: str | None = None


@attrs.frozen(kw_only=True)
class ThreadListResponse(RpcValue):
    """
    A page of threads, without their turns.

    Attributes:
        next_cursor: Of the next page, its anchor excluded; None at the end.
        backwards_cursor:
            For the other direction, its anchor included; None when the page is empty.
    """

    data: tuple[Thread, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ThreadLoadedListParams(RpcParams):
    """List the ids of loaded threads; None for all of them."""

    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)


@attrs.frozen(kw_only=True)
class ThreadLoadedListResponse(RpcValue):
    """Ids in order; next_cursor is the last one of the page, None at the end."""

    data: tuple[str, ...]
    next_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ThreadTurnsListParams(RpcParams):
    """List a thread's turns; newest first and summed up unless told otherwise."""

    thread_id: str
    cursor: str | None = None
    limit: int | None = attrs.field(default=None, validator=natural)
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


@attrs.frozen(kw_only=True)
class ThreadTurnsListResponse(RpcValue):
    """A page of turns; cursors as in `ThreadListResponse`."""

    data: tuple[Turn, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@attrs.frozen(kw_only=True)
class ThreadItemsListAnchor(RpcParams):
    """Begin at this item, which must be of the turn asked for; it is not listed itself."""

    item_id: str


ThreadItemsListCursor: TypeAlias = str | ThreadItemsListAnchor


@attrs.frozen(kw_only=True)
class ThreadItemOutputDeferral(RpcParams):
    """Of which items the output may be left out."""

    command_execution: bool = False
    mcp_tool_call: bool = False


@attrs.frozen(kw_only=True)
class ThreadItemsListParams(RpcParams):
    """List a thread's items, or those of one turn; oldest first unless told otherwise."""

    thread_id: str
    turn_id: str | None = None
    cursor: ThreadItemsListCursor | None = None
    limit: int | None = attrs.field(default=None, validator=natural)
    sort_direction: SortDirection | None = None
    defer_output: ThreadItemOutputDeferral | None = None


@attrs.frozen(kw_only=True)
class ThreadItemEntry(RpcValue):
    """
    An item with its turn.

    Attributes:
        output_deferred: Whether the output was left out, as was allowed.
        started_at_ms: As in the item.
    """

    turn_id: str
    item: ThreadItem
    output_deferred: bool = False
    started_at_ms: int | None = None
    completed_at_ms: int | None = None


@attrs.frozen(kw_only=True)
class ThreadItemsListResponse(RpcValue):
    """A page of items; cursors as in `ThreadListResponse`."""

    data: tuple[ThreadItemEntry, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None
