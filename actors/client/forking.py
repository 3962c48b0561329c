"""Where a fork is cut, in the words of an app-server."""

from pathlib import Path
from typing import Final

from actors.rollout import parse_rollout_name
from messages.codec import from_json
from messages.ids import ThreadId
from messages.rpc.items import UserMessageThreadItem
from messages.rpc.settings import SortDirection
from messages.rpc.thread_pages import ThreadTurnsListParams, ThreadTurnsListResponse
from messages.rpc.turn import Turn, TurnItemsView

from .errors import NotOverTheWire
from .rpc_client import RpcClient

__all__ = ["fork_point", "id_in_path"]

_UNKNOWN: Final = ThreadId("00000000-0000-0000-0000-000000000000")
_PAGE: Final = 100


def id_in_path(path: str | Path) -> ThreadId:
    """Read whose rollout it is from its name; nobody's id when the name does not say."""
    parsed = parse_rollout_name(Path(path).name)
    return _UNKNOWN if parsed is None else parsed.thread_id


async def fork_point(rpc: RpcClient, thread_id: ThreadId, nth: int | None) -> str | None:
    """
    Find the turn before which a fork is cut; None to keep everything.

    Args:
        rpc: The server.
        thread_id: What is forked.
        nth: The user message before which it is cut, from 0; None for no cut.

    Raises:
        NotOverTheWire: The message joined a running turn, and only whole turns can be
            named.
        RpcCallError: The server cannot list the turns.
    """
    if nth is None:
        return None
    first, left, cursor = None, nth, None
    while True:
        page = await _page(rpc, thread_id, cursor)
        for turn in page.data:
            first = first or turn.id
            messages = sum(isinstance(item, UserMessageThreadItem) for item in turn.items)
            if left < messages:
                return _cut(turn, nth, left)
            left -= messages
        cursor = page.next_cursor
        if cursor is None:
            return first  # past the end: nothing is kept


def _cut(turn: Turn, nth: int, place: int) -> str:
    """Cut before this turn, if the message is its first."""
    if place == 0:
        return turn.id
    raise NotOverTheWire(
        f"a fork before user message {nth}, which joined turn {turn.id}",
        f"fork before message {nth - place}, with which that turn began",
    )


async def _page(rpc: RpcClient, thread_id: ThreadId, cursor: str | None) -> ThreadTurnsListResponse:
    params = ThreadTurnsListParams(
        thread_id=thread_id,
        cursor=cursor,
        limit=_PAGE,
        sort_direction=SortDirection.ASC,
        items_view=TurnItemsView.FULL,
    )
    return from_json(await rpc.request("thread/turns/list", params), ThreadTurnsListResponse)
