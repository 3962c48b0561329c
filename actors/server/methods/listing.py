"""Listing threads, their turns and their items, page by page."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import attrs
import trio

from actors.rollout import (
    INTERACTIVE_SOURCES,
    Cursor,
    ListedThread,
    RolloutError,
    SortKey,
    ThreadFilter,
    ThreadNote,
    parse_thread_id,
    read_threads,
)
from messages.ids import ThreadId
from messages.rpc.items import CommandExecutionThreadItem, McpToolCallThreadItem, ThreadItem
from messages.rpc.settings import SortDirection
from messages.rpc.thread import Thread
from messages.rpc.thread_pages import (
    ThreadItemEntry,
    ThreadItemsListAnchor,
    ThreadItemsListParams,
    ThreadItemsListResponse,
    ThreadListParams,
    ThreadListResponse,
    ThreadLoadedListParams,
    ThreadLoadedListResponse,
    ThreadSortKey,
    ThreadSourceKind,
    ThreadTurnsListParams,
    ThreadTurnsListResponse,
)
from messages.rpc.turn import TurnItemsView
from messages.settings import (
    SessionSource,
    SourceKind,
    SubAgentKind,
    SubAgentThreadSpawn,
    SubAgentWrapper,
)

from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from ..thread_history import paged, seen_as
from ..thread_values import listed_thread
from .reading import any_history

__all__ = ["items_list", "loaded_list", "loaded_page", "thread_list", "turns_list"]

_LIMIT: Final = 25
_LIMIT_MAX: Final = 100

_KINDS: Final = {
    ThreadSourceKind.CLI: SourceKind.CLI,
    ThreadSourceKind.VSCODE: SourceKind.VSCODE,
    ThreadSourceKind.EXEC: SourceKind.EXEC,
    ThreadSourceKind.APP_SERVER: SourceKind.MCP,
    ThreadSourceKind.UNKNOWN: SourceKind.UNKNOWN,
}

_SORT_KEYS: Final = {
    None: SortKey.CREATED_AT,
    ThreadSortKey.CREATED_AT: SortKey.CREATED_AT,
    ThreadSortKey.UPDATED_AT: SortKey.UPDATED_AT,
    # Nothing is done with a thread here that does not change its rollout.
    ThreadSortKey.RECENCY_AT: SortKey.UPDATED_AT,
}


@attrs.frozen
class _Sources(Collection[SessionSource]):
    """The sources of some kinds; the kinds of sub-agents have too many to be listed."""

    kinds: frozenset[ThreadSourceKind]

    def __contains__(self, source: object) -> bool:
        if isinstance(source, SubAgentWrapper):
            return ThreadSourceKind.SUB_AGENT in self.kinds or _sub_kind(source) in self.kinds
        return any(_KINDS.get(kind) is source for kind in self.kinds)

    def __iter__(self) -> Iterator[SessionSource]:
        return (_KINDS[kind] for kind in self.kinds if kind in _KINDS)

    def __len__(self) -> int:
        return len(self.kinds)


def _sub_kind(source: SubAgentWrapper) -> ThreadSourceKind:
    match source.subagent:
        case SubAgentKind.REVIEW:
            return ThreadSourceKind.SUB_AGENT_REVIEW
        case SubAgentKind.COMPACT:
            return ThreadSourceKind.SUB_AGENT_COMPACT
        case SubAgentThreadSpawn():
            return ThreadSourceKind.SUB_AGENT_THREAD_SPAWN
        case _:
            return ThreadSourceKind.SUB_AGENT_OTHER


# Threads ------------------------------------------------------------------


async def thread_list(ground: Ground, request: ClientRequest) -> ThreadListResponse:
    """List stored threads, newest first."""
    params: ThreadListParams = request.params
    if params.sort_direction is SortDirection.ASC:
        raise RpcFailure.invalid(
            "sortDirection `asc` is not supported by thread/list: threads come newest first"
        )
    cursor = _cursor(params.cursor)
    ground.listed_at = ground.world.now()
    try:
        found = await trio.to_thread.run_sync(_read, ground, params, cursor)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to list threads: {exc}") from exc
    following = found.cursor
    return ThreadListResponse(
        data=tuple(
            _listed(
                ground, listed, found.names.get(listed.thread_id), found.notes.get(listed.thread_id)
            )
            for listed in found.threads
        ),
        next_cursor=None if following is None else following.token,
    )


def _listed(
    ground: Ground, listed: ListedThread, name: str | None, note: ThreadNote | None
) -> Thread:
    loaded = ground.loaded.find(listed.thread_id)
    status = None if loaded is None else loaded.projection.status
    provider = ground.setup.provider_id
    return listed_thread(listed, provider=provider, name=name, status=status, note=note)


class _Found(NamedTuple):
    threads: list[ListedThread]
    cursor: Cursor | None
    names: Mapping[ThreadId, str]
    notes: Mapping[ThreadId, ThreadNote]


def _read(ground: Ground, params: ThreadListParams, cursor: Cursor | None) -> _Found:
    """Read all that a page says from the disk, in one go; for an OS thread."""
    limit = max(1, min(_LIMIT if params.limit is None else params.limit, _LIMIT_MAX))
    threads, following = _matching(ground, params, cursor, limit)
    names = ground.index.read_names([listed.thread_id for listed in threads])
    return _Found(threads, following, names, ground.notes.read())


def _matching(
    ground: Ground, params: ThreadListParams, cursor: Cursor | None, limit: int
) -> tuple[list[ListedThread], Cursor | None]:
    """Look through pages until there are enough threads, or no more."""
    key = _SORT_KEYS[params.sort_key]
    found: list[ListedThread] = []
    while True:
        page = read_threads(
            ground.home,
            page_size=limit - len(found),
            cursor=cursor,
            sort_key=key,
            wanted=_filter(ground, params),
            archived=bool(params.archived),
            names=ground.folders,
        )
        found += _chosen(ground, params, page.threads)
        cursor = page.next_cursor
        if cursor is None or len(found) >= limit:
            return found, cursor


def _cursor(token: str | None) -> Cursor | None:
    if token is None:
        return None
    cursor = Cursor.parse(token)
    if cursor is None:
        raise RpcFailure.invalid(f"invalid cursor: {token}")
    return cursor


def _filter(ground: Ground, params: ThreadListParams) -> ThreadFilter:
    providers = params.model_providers
    kinds = params.source_kinds
    return ThreadFilter(
        sources=_Sources(frozenset(kinds)) if kinds else INTERACTIVE_SOURCES,
        model_providers=(ground.setup.provider_id,) if providers is None else providers,
        default_provider=ground.setup.provider_id,
        cwd=Path(params.cwd) if isinstance(params.cwd, str) else None,
    )


def _chosen(
    ground: Ground, params: ThreadListParams, threads: tuple[ListedThread, ...]
) -> list[ListedThread]:
    """Leave out what the rollouts' folder cannot tell is not wanted."""
    chosen = list(threads)
    if isinstance(params.cwd, tuple):
        folders = {str(Path(cwd)) for cwd in params.cwd}
        chosen = [listed for listed in chosen if str(Path(listed.cwd)) in folders]
    term = (params.search_term or "").casefold()
    if term:
        names = ground.index.read_names([listed.thread_id for listed in chosen])
        chosen = [
            listed
            for listed in chosen
            if term in (listed.first_user_message or "").casefold()
            or term in names.get(listed.thread_id, "").casefold()
        ]
    return chosen


async def loaded_list(ground: Ground, request: ClientRequest) -> ThreadLoadedListResponse:
    """List the ids of loaded threads."""
    return loaded_page(sorted(str(loaded.thread_id) for loaded in ground.loaded), request.params)


def loaded_page(ids: Iterable[str], params: ThreadLoadedListParams) -> ThreadLoadedListResponse:
    """
    Choose which ids of loaded threads are listed; also for a pool, whose workers have them.

    Args:
        ids: In order.
        params: Which of them are wanted.

    Raises:
        RpcFailure: The cursor is none.
    """
    found = list(ids)
    if params.cursor is not None:
        if parse_thread_id(params.cursor) is None:
            raise RpcFailure.invalid(f"invalid cursor: {params.cursor}")
        found = [thread_id for thread_id in found if thread_id > params.cursor]
    if params.limit is None:
        return ThreadLoadedListResponse(data=tuple(found))
    page = found[: max(1, params.limit)]
    more = len(page) < len(found)
    return ThreadLoadedListResponse(data=tuple(page), next_cursor=page[-1] if more else None)


# Turns and items ------------------------------------------------------------


async def turns_list(ground: Ground, request: ClientRequest) -> ThreadTurnsListResponse:
    """List the turns of a thread."""
    params: ThreadTurnsListParams = request.params
    turns = await any_history(ground, params.thread_id)
    page, on, back = paged(
        turns,
        lambda turn: turn.id,
        cursor=params.cursor,
        limit=params.limit,
        direction=params.sort_direction or SortDirection.DESC,
    )
    view = params.items_view or TurnItemsView.SUMMARY
    seen = tuple(seen_as(turn, view) for turn in page)
    return ThreadTurnsListResponse(data=seen, next_cursor=on, backwards_cursor=back)


class _Place(NamedTuple):
    turn_id: str
    item: ThreadItem

    @property
    def name(self) -> str:
        return f"{self.turn_id}/{getattr(self.item, 'id', '')}"


async def items_list(ground: Ground, request: ClientRequest) -> ThreadItemsListResponse:
    """List the items of a thread, or of one of its turns."""
    params: ThreadItemsListParams = request.params
    turns = await any_history(ground, params.thread_id)
    wanted = [turn for turn in turns if params.turn_id in (None, turn.id)]
    places = [_Place(turn.id, item) for turn in wanted for item in turn.items]
    page, on, back = paged(
        places,
        lambda place: place.name,
        cursor=_items_cursor(params),
        limit=params.limit,
        direction=params.sort_direction or SortDirection.ASC,
    )
    entries = tuple(_entry(place, params) for place in page)
    return ThreadItemsListResponse(data=entries, next_cursor=on, backwards_cursor=back)


def _items_cursor(params: ThreadItemsListParams) -> str | None:
    if not isinstance(params.cursor, ThreadItemsListAnchor):
        return params.cursor
    if params.turn_id is None:
        raise RpcFailure.invalid("a cursor of an item needs turnId")
    return f"{params.turn_id}/{params.cursor.item_id}"


def _entry(place: _Place, params: ThreadItemsListParams) -> ThreadItemEntry:
    item, deferred = place.item, False
    defer = params.defer_output
    match item:
        case CommandExecutionThreadItem() if defer is not None and defer.command_execution:
            item, deferred = attrs.evolve(item, aggregated_output=None), True
        case McpToolCallThreadItem() if defer is not None and defer.mcp_tool_call:
            item, deferred = attrs.evolve(item, result=None), True
        case _:
            pass
    return ThreadItemEntry(
        turn_id=place.turn_id,
        item=item,
        output_deferred=deferred,
        started_at_ms=getattr(item, "started_at_ms", None),
        completed_at_ms=getattr(item, "completed_at_ms", None),
    )
