"""The turns of a thread as clients get them: all of them, a page, or a view of their items."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import attrs
import orjson
import trio

from messages.codec import to_json
from messages.errors import EncodeError
from messages.rpc.items import AgentMessageThreadItem, ThreadItem, UserMessageThreadItem
from messages.rpc.settings import SortDirection
from messages.rpc.turn import Turn, TurnItemsView
from messages.rpc.value import RpcValue
from messages.value import Json

from .rpc_errors import RpcFailure

__all__ = [
    "paged",
    "seen_as",
    "user_messages_before",
    "with_turns",
    "written_turns",
]

T = TypeVar("T")

_LIMIT: Final = 25
_LIMIT_MAX: Final = 100


async def written_turns(turns: tuple[Turn, ...]) -> Json:
    """
    Write turns, once for all answers and notifications that hold them.

    A long conversation takes a while, so it is done in an OS thread.

    Returns:
        What stands for their JSON in that of an answer; see `write_response`.

    Raises:
        EncodeError: They have no such form.
    """
    return await trio.to_thread.run_sync(_written, turns)


def _written(turns: tuple[Turn, ...]) -> Json:
    try:
        return orjson.Fragment(orjson.dumps(turns, default=to_json))
    except TypeError as exc:  # what orjson raises for all that has no JSON
        raise EncodeError(Turn.__name__, str(exc.__cause__ or exc)) from exc


def with_turns(answer: RpcValue, turns: Json) -> dict[str, Any]:
    """Make JSON of what holds a thread, and put written turns in place of the thread's."""
    said = cast("dict[str, Any]", to_json(answer))  # of a class, that is an object
    said["thread"]["turns"] = turns
    return said


def seen_as(turn: Turn, view: TurnItemsView) -> Turn:
    """Leave out the items of a turn that a view does not have."""
    match view:
        case TurnItemsView.FULL:
            items = turn.items
        case TurnItemsView.NOT_LOADED:
            items = ()
        case TurnItemsView.SUMMARY:
            items = _summary(turn.items)
    return attrs.evolve(turn, items=items, items_view=view)


def _summary(items: Sequence[ThreadItem]) -> tuple[ThreadItem, ...]:
    first = next((item for item in items if isinstance(item, UserMessageThreadItem)), None)
    last = next(
        (item for item in reversed(items) if isinstance(item, AgentMessageThreadItem)), None
    )
    return tuple(item for item in (first, last) if item is not None)


def user_messages_before(turns: Sequence[Turn], end: int) -> int:
    """Count what the user said in the first turns."""
    items = (item for turn in turns[:end] for item in turn.items)
    return sum(isinstance(item, UserMessageThreadItem) for item in items)


def paged(
    entries: Sequence[T],
    name: Callable[[T], str],
    *,
    cursor: str | None,
    limit: int | None,
    direction: SortDirection,
) -> tuple[tuple[T, ...], str | None, str | None]:
    """
    Cut a page out of a list that is oldest first.

    A cursor is the name of an entry, behind ``>`` when it belongs to the page itself.

    Returns:
        The entries in the order asked for; the cursor of what follows, None at the end; the
        cursor of the way back from the first entry, with it.

    Raises:
        RpcFailure: The cursor is of no entry.
    """
    ordered = entries if direction is SortDirection.ASC else tuple(reversed(entries))
    start = 0 if cursor is None else _start(ordered, name, cursor)
    size = max(1, min(_LIMIT if limit is None else limit, _LIMIT_MAX))
    page = tuple(ordered[start : start + size])
    more = start + size < len(ordered)
    return (
        page,
        name(page[-1]) if page and more else None,
        f">{name(page[0])}" if page else None,
    )


def _start(ordered: Sequence[T], name: Callable[[T], str], cursor: str) -> int:
    wanted = cursor.removeprefix(">")
    for index, entry in enumerate(ordered):
        if name(entry) == wanted:
            return index if cursor.startswith(">") else index + 1
    raise RpcFailure.invalid(f"invalid cursor: {cursor}")
