"""The items that clients know as started and not as completed, and their two notifications."""

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from messages.rpc.item_notifications import ItemCompletedNotification, ItemStartedNotification
from messages.rpc.items import ThreadItem, UnknownThreadItem
from messages.rpc.notifications import ServerNotification

__all__ = ["LINGERING_CAPACITY", "OpenItem", "OpenItems"]

LINGERING_CAPACITY: Final = 256
"""Commands that outlived their turns and are remembered for their ends; several times what a
thread lets run at once.  Of more, the oldest are forgotten, and their ends are not told."""

_MS: Final = 1000


@attrs.frozen
class OpenItem:
    """
    An item between its two notifications.

    Attributes:
        turn_id: The turn it belongs to, which may be over.
        item: As clients were told of it.
        lingers: Whether it may be completed when its turn is over.
    """

    turn_id: str
    item: ThreadItem
    started_at_ms: int
    lingers: bool = False


@attrs.define(eq=False)
class OpenItems:
    """
    Says each item's start and completion once, in this order.

    An id that a model uses for two calls at once is one item for clients.
    """

    _thread_id: str
    _now: Callable[[], float]
    _open: dict[str, OpenItem] = attrs.field(factory=dict[str, OpenItem], init=False)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._open

    def __len__(self) -> int:
        return len(self._open)

    def find(self, item_id: str) -> OpenItem | None:
        """Look an open item up by its id."""
        return self._open.get(item_id)

    def of_turn(self, turn_id: str) -> tuple[ThreadItem, ...]:
        """List a turn's open items, oldest first."""
        return tuple(entry.item for entry in self._open.values() if entry.turn_id == turn_id)

    def now_ms(self) -> int:
        """Tell the time as clients are told it."""
        return int(self._now() * _MS)

    def start(
        self, turn_id: str, item: ThreadItem, *, lingers: bool = False
    ) -> Iterator[ServerNotification]:
        """Tell that an item has started, unless clients know."""
        if isinstance(item, UnknownThreadItem) or item.id in self._open:
            return
        now = self.now_ms()
        item = attrs.evolve(item, started_at_ms=now)
        self._open[item.id] = OpenItem(turn_id, item, now, lingers)
        yield ItemStartedNotification(
            thread_id=self._thread_id, turn_id=turn_id, item=item, started_at_ms=now
        )

    def complete(self, turn_id: str, item: ThreadItem) -> Iterator[ServerNotification]:
        """
        Tell that an item is finished.

        One that has not started starts and ends at once: as it is now, because how it
        was then is not known.
        """
        if isinstance(item, UnknownThreadItem):
            return
        if item.id not in self._open:
            yield from self.start(turn_id, item)
        entry, now = self._open.pop(item.id), self.now_ms()
        yield ItemCompletedNotification(
            thread_id=self._thread_id,
            turn_id=entry.turn_id,
            item=attrs.evolve(item, started_at_ms=entry.started_at_ms, completed_at_ms=now),
            completed_at_ms=now,
        )

    def end_turn(self) -> None:
        """Forget what no end will come of any more; commands in the background stay."""
        lingering = {key: entry for key, entry in self._open.items() if entry.lingers}
        surplus = len(lingering) - LINGERING_CAPACITY
        for key in list(lingering)[: max(0, surplus)]:
            del lingering[key]
        self._open = lingering

    def clear(self) -> None:
        """Forget everything."""
        self._open.clear()
