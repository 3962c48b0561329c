"""What a dead worker recorded of the end of a turn, which it may not have told any more."""

import logging
from pathlib import Path
from typing import TypeAlias

import attrs
import trio

from actors.rollout import read_last_items
from actors.server.history_builder import turns_of
from actors.server.thread_history import seen_as
from messages.events import TurnAborted, TurnComplete
from messages.rollout import RolloutItem
from messages.rpc.turn import Turn, TurnItemsView, TurnStatus

__all__ = ["RecordedEnd", "find_end", "read_end"]

_log = logging.getLogger("actors")

_End: TypeAlias = TurnComplete | TurnAborted


@attrs.frozen(kw_only=True)
class RecordedEnd:
    """
    How a turn ended.

    Attributes:
        turn: The turn without its items, as clients of items are told it.
        event: The same for clients of core events.
    """

    turn: Turn
    event: _End


async def find_end(path: str | None, turn_id: str) -> RecordedEnd | None:
    """
    Look up the end of a turn whose process is gone.

    Args:
        path: Of the thread's rollout; None when it has none.
        turn_id: The last turn of that thread, or close to it.

    Returns:
        None when none is recorded, which means that the turn is interrupted.
    """
    if path is None:
        return None
    try:
        return await trio.to_thread.run_sync(read_end, Path(path), turn_id)
    except OSError as exc:
        _log.warning("the end of turn %s cannot be looked up: %s", turn_id, exc)
        return None


def read_end(path: Path, turn_id: str) -> RecordedEnd | None:
    """
    Look up the end of one of the last turns of a rollout; see `find_end`.

    Raises:
        OSError: It cannot be read.
    """
    try:
        items = read_last_items(path)
    except FileNotFoundError:
        return None  # nothing was ever said in that thread
    event = next((item for item in reversed(items) if _ends(item, turn_id)), None)
    if not isinstance(event, TurnComplete | TurnAborted):
        return None
    turn = next((turn for turn in turns_of(items) if turn.id == turn_id), None)
    if turn is None or turn.status is TurnStatus.IN_PROGRESS:
        # It began before what was read.
        completed = isinstance(event, TurnComplete)
        status = TurnStatus.COMPLETED if completed else TurnStatus.INTERRUPTED
        turn = Turn(id=turn_id, status=status)
    return RecordedEnd(turn=seen_as(turn, TurnItemsView.NOT_LOADED), event=event)


def _ends(item: RolloutItem, turn_id: str) -> bool:
    return isinstance(item, TurnComplete | TurnAborted) and item.turn_id == turn_id
