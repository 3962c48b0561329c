"""A thread's history: the items its model sees, in memory."""

from collections.abc import Iterable, Sequence

import attrs

from actors.rollout import drop_last_user_turns, history_item, read_aside, reconstruct, replayed
from messages.items import ResponseItem
from messages.rollout import RolloutItem
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
    # What was recorded before this life, until somebody recalls it.
    _past: Sequence[RolloutItem] = attrs.field(default=(), init=False)

    @property
    def items(self) -> Sequence[ResponseItem]:
        """What is in it now; do not keep, do not change, and `recall` first."""
        assert not self._past
        return self._items

    def begin_with(self, recorded: Sequence[RolloutItem]) -> None:
        """
        Let what was recorded come before all that follows, once it is recalled.

        Many threads are resumed or forked to be looked at: until the model is asked,
        nobody needs what it knows.
        """
        self._past = replayed(recorded)

    async def recall(self, initial_context: Sequence[ResponseItem]) -> None:
        """
        Replay the past, which the first turn waits for; at once when that was done.

        Args:
            initial_context: See `reconstruct`.

        Cancellation:
            It is not recalled.
        """
        if self._past:
            past, policy = self._past, self.policy
            items = await read_aside(
                past, lambda: reconstruct(past, initial_context=initial_context, policy=policy)
            )
            self._items, self._past = [*items, *self._items], ()

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
