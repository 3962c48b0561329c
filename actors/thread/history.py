"""A thread's history: the items its model sees, in memory."""

from collections.abc import Iterable, Sequence

import attrs

from actors.rollout import drop_last_user_turns, history_item
from messages.items import ResponseItem
from messages.settings import TruncationPolicy

__all__ = ["History"]


@attrs.define(eq=False)
class History:
    """
    The items in order; each is immutable and shared with whoever took it.

    Attributes:
        policy: How long a tool output may be in here; the rollout keeps it whole.
    """

    policy: TruncationPolicy
    _items: list[ResponseItem] = attrs.field(factory=list[ResponseItem])

    @property
    def items(self) -> Sequence[ResponseItem]:
        """What is in it now; do not keep, do not change."""
        return self._items

    def record(self, items: Iterable[ResponseItem]) -> None:
        """Append what a history keeps of *items*, with long outputs cut."""
        for item in items:
            kept = history_item(item, self.policy)
            if kept is not None:
                self._items.append(kept)

    def replace(self, items: Iterable[ResponseItem]) -> None:
        """Let the history be these items."""
        self._items = list(items)

    def drop_last_turns(self, count: int) -> None:
        """Take the last *count* user turns out, all of them if there are fewer."""
        drop_last_user_turns(self._items, count)
