"""The events among recorded items, decoded when somebody looks at them."""

from collections.abc import Sequence
from typing import Final, cast, get_args, overload

from messages.events import EventMsg
from messages.rollout import RolloutItem

from .collector import collector_paused
from .recorded import RecordedItems, chosen

__all__ = ["RecordedEvents"]

_EVENT_CLASSES: Final = frozenset(get_args(EventMsg))


class RecordedEvents(Sequence[EventMsg]):
    """
    The events of a rollout in file order, equal to a tuple of them.

    A long conversation has tens of thousands, and most who resume or fork it look at
    none: they are decoded, all of them, at the first look.

    Args:
        items: What was recorded.
        then: What comes after the events among them.
    """

    __slots__ = ("_events", "_items", "_then")

    def __init__(self, items: Sequence[RolloutItem], then: tuple[EventMsg, ...] = ()) -> None:
        self._items = items.only(_EVENT_CLASSES) if isinstance(items, RecordedItems) else items
        self._then = then
        self._events: tuple[EventMsg, ...] | None = None

    def _all(self) -> tuple[EventMsg, ...]:
        if self._events is None:
            with collector_paused():
                found = [event for _, event in chosen(self._items, _EVENT_CLASSES)]
            self._events, self._items = (*found, *self._then), ()
        return self._events

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> EventMsg: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[EventMsg, ...]: ...
    def __getitem__(self, index: int | slice) -> EventMsg | tuple[EventMsg, ...]:
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecordedEvents | tuple):
            return NotImplemented
        return self is other or self._all() == tuple(cast("Sequence[object]", other))

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"<{'recorded' if self._events is None else len(self._events)} events>"
