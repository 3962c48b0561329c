"""Where the turns of a history begin, and how much of it a fork takes."""

from collections.abc import Sequence
from typing import TypeVar

from messages.events import ThreadRolledBack
from messages.items import Message, ResponseItem
from messages.rollout import RolloutItem

from .recorded import chosen
from .turn_edges import unfinished_turns
from .user_messages import is_user_message

__all__ = [
    "drop_last_user_turns",
    "truncate_before_nth_user_message",
    "user_message_positions",
]

T = TypeVar("T", bound=ResponseItem)

_COUNTED = frozenset({Message, ThreadRolledBack})


def user_message_positions(items: Sequence[RolloutItem]) -> list[int]:
    """
    Return where the user messages are that still count, oldest first.

    A rollback marker takes away the latest ones before it.
    """
    positions: list[int] = []
    for index, item in chosen(items, _COUNTED):
        if is_user_message(item):
            positions.append(index)
        elif isinstance(item, ThreadRolledBack) and item.num_turns > 0:
            del positions[-item.num_turns :]
    return positions


def truncate_before_nth_user_message(
    items: Sequence[RolloutItem], n: int | None
) -> Sequence[RolloutItem]:
    """
    Return what comes before the *n*-th user message; everything for None.

    Counts from 0, and only user messages that were not rolled back.  Rolled
    back items before the cut stay, with their marker, so that the result
    replays to the right history.  Of the turn that the message begins nothing
    is left; of one that it joined, what came before.  Empty if there is no
    *n*-th message.

    Source:
        Codex, ``rollout/truncation.rs``; there the start of the turn is left, and
        with it an empty turn that never ends.
    """
    if n is None:
        return items
    positions = user_message_positions(items)
    return items[: _turn_start(items, positions[n])] if n < len(positions) else ()


def _turn_start(items: Sequence[RolloutItem], position: int) -> int:
    """Find where the turn starts that the user message there begins, as far as it is told."""
    starts = unfinished_turns(items[:position]).values()
    start = max(starts, default=position)
    joined = any(map(is_user_message, items[start:position]))
    return position if joined else start


def drop_last_user_turns(history: list[T], count: int) -> None:
    """
    Remove the last *count* user turns from a history, and all that follows them.

    What comes before the first user message always stays, and nothing happens
    when there is none.
    """
    positions = [index for index, item in enumerate(history) if is_user_message(item)]
    if count > 0 and positions:
        del history[positions[max(len(positions) - count, 0)] :]
