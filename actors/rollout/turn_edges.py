"""Which turns of a history began and did not end."""

from collections.abc import Iterable

from messages.events import ThreadRolledBack, TurnAborted, TurnComplete, TurnStarted
from messages.ids import TurnId
from messages.rollout import RolloutItem

from .recorded import chosen

__all__ = ["unfinished_turns"]

_EDGES = frozenset({ThreadRolledBack, TurnAborted, TurnComplete, TurnStarted})


def unfinished_turns(items: Iterable[RolloutItem]) -> dict[TurnId, int]:
    """
    Find the turns that have no end, oldest first, each with the place of its start.

    Turns before a rollback marker count as ended: no turn runs while one is written.
    """
    unfinished: dict[TurnId, int] = {}
    begun: set[TurnId | None] = set()
    for index, item in chosen(items, _EDGES):
        match item:
            case TurnStarted(turn_id=turn_id):
                begun.add(turn_id)
                unfinished[turn_id] = index
            case TurnComplete(turn_id=turn_id) | TurnAborted(turn_id=turn_id):
                if turn_id in begun:
                    unfinished.pop(turn_id or TurnId(""), None)
                elif unfinished:  # old files lack ids, and Codex's reviews end with another one
                    unfinished.popitem()
            case ThreadRolledBack():
                unfinished.clear()
            case _:  # nothing else begins or ends a turn
                pass
    return unfinished
