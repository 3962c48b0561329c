"""What a projection sends, in a line each; and the turns that a client makes of it."""

from collections.abc import Iterable
from typing import Any

import attrs

from actors.server.projection import Outgoing
from actors.server.server_requests import RequestResolved, ServerRequestDraft
from messages.codec import to_json
from messages.rpc.item_notifications import (
    ErrorNotification,
    ItemCompletedNotification,
    ItemStartedNotification,
    TerminalInteractionNotification,
    TurnCompletedNotification,
    TurnStartedNotification,
)
from messages.rpc.items import (
    CommandExecutionSource,
    CommandExecutionThreadItem,
    ThreadItem,
)
from messages.rpc.notifications import (
    METHOD,
    ThreadNameUpdatedNotification,
    ThreadStatusChangedNotification,
    ThreadTokenUsageUpdatedNotification,
    WarningNotification,
)
from messages.rpc.turn import Turn, TurnItemsView, TurnStatus

LINGERING = (CommandExecutionSource.UNIFIED_EXEC_STARTUP, CommandExecutionSource.USER_SHELL)


def outline(told: Iterable[Outgoing]) -> list[str]:
    return [line(entry) for entry in told]


def line(told: Outgoing) -> str:
    match told:
        case ServerRequestDraft(method=method, key=key):
            return f"[REQ] {method} {key}"
        case RequestResolved(key=key):
            return f"resolved {key}"
        case ItemStartedNotification(item=item) | ItemCompletedNotification(item=item):
            return f"{METHOD[type(told)]} {item_line(item)}"
        case TurnStartedNotification() | TurnCompletedNotification():
            return f"{METHOD[type(told)]} {told.turn.status.value}"
        case ErrorNotification(error=error, will_retry=again):
            return f"error {'again' if again else 'final'}: {error.message}"
        case ThreadStatusChangedNotification(status=status):
            raw: Any = to_json(status)
            return " ".join(["status", raw["type"], *raw.get("activeFlags", ())])
        case ThreadTokenUsageUpdatedNotification(token_usage=usage):
            return f"usage {usage.total.total_tokens}"
        case WarningNotification(message=text):
            return f"warning {text}"
        case ThreadNameUpdatedNotification(thread_name=name):
            return f"name {name}"
        case _:
            delta = getattr(told, "delta", None) or getattr(told, "diff", None)
            method = METHOD[type(told)]
            return method if delta is None else f"{method} {delta!r}"


def item_line(item: ThreadItem) -> str:
    raw: Any = to_json(item)
    status = raw.get("status")
    return raw["type"] if status is None else f"{raw['type']} {status}"


@attrs.define(eq=False)
class Client:
    """
    Keeps the turns as a client does, and checks what it is promised.

    Attributes:
        strict: Whether no name of a turn comes twice, as in a thread.
    """

    strict: bool = True
    turns: dict[str, Turn] = attrs.field(factory=dict)
    open: dict[str, tuple[str, ThreadItem]] = attrs.field(factory=dict)
    asked: set[str] = attrs.field(factory=set)
    running: str | None = None

    def take(self, told: Outgoing) -> None:
        match told:
            case TurnStartedNotification(turn=turn):
                assert self.running is None
                assert turn.id not in self.turns or not self.strict, "a turn begins once"
                self.running = turn.id
                self.turns[turn.id] = turn
            case TurnCompletedNotification(turn=turn):
                assert self.running == turn.id, "a turn ends once, after it began"
                self.running = None
                items = self.turns[turn.id].items
                self.turns[turn.id] = attrs.evolve(turn, items=items)
                self.forget(turn.id)
            case ItemStartedNotification(turn_id=turn_id, item=item):
                assert item.id not in self.open, "an item starts once"
                self.open[item.id] = turn_id, item
            case ItemCompletedNotification(turn_id=turn_id, item=item):
                started_in, started = self.open.pop(item.id)
                assert (started_in, type(started)) == (turn_id, type(item))
                assert turn_id in self.turns or not self.strict
                turn = self.turns.get(turn_id, Turn(id=turn_id, status=TurnStatus.COMPLETED))
                self.turns[turn_id] = attrs.evolve(turn, items=(*turn.items, item))
            case ServerRequestDraft(key=key):
                assert key not in self.asked, "a question is put once"
                self.asked.add(key)
            case RequestResolved(key=key):
                self.asked.remove(key)
            case TerminalInteractionNotification():
                pass  # what was typed may have ended the command
            case _:
                item_id = getattr(told, "item_id", None)
                assert item_id is None or item_id in self.open, "pieces are of open items"

    def forget(self, turn_id: str) -> None:
        """Only commands in the background outlast their turn."""
        self.open = {
            key: (of, item)
            for key, (of, item) in self.open.items()
            if of != turn_id
            or (isinstance(item, CommandExecutionThreadItem) and item.source in LINGERING)
        }

    def take_all(self, told: Iterable[Outgoing]) -> None:
        for entry in told:
            self.take(entry)


def bare(turns: Iterable[Turn], *, ids: bool = False) -> list[Turn]:
    """Turns without what two ways to know them may differ in: times, and ids unless wanted."""
    return [
        attrs.evolve(
            turn,
            items=tuple(bare_item(item, ids=ids) for item in turn.items),
            items_view=TurnItemsView.FULL,
            started_at=None,
            completed_at=None,
            duration_ms=None,
        )
        for turn in turns
    ]


def bare_item(item: Any, *, ids: bool = False) -> ThreadItem:
    changes: dict[str, Any] = {"started_at_ms": None, "completed_at_ms": None}
    if not ids:
        changes["id"] = ""
    return attrs.evolve(item, **changes)
