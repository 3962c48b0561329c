"""Which threads are left alone for a while, because workers die of them: pure bookkeeping."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import attrs

from messages.ids import ThreadId

__all__ = ["Quarantine"]

_LIMIT: Final = 10_000
"""
Threads that are remembered.

Only threads count that were busy when a worker died, and only until they finish a turn:
so many at once means that nothing finishes at all.
"""


@attrs.define
class _Record:
    """
    What is held against one thread.

    Attributes:
        crashes: Deaths of workers in a row, from 1.
        until: Until when it is left alone; None while that is not so.
    """

    crashes: int = 0
    until: float | None = None


@attrs.define(eq=False)
class Quarantine:
    """
    Counts the deaths of workers against the threads that were busy there.

    A thread that took part in *crashes* deaths in a row is held for *period* seconds:
    no worker goes on with it meanwhile.  After that it may be tried once; it is held
    again at the next death, until a turn of it comes to its end, which clears it.

    At most 10,000 threads are remembered; beyond that the one that was blamed the
    longest ago is forgotten, as if it had finished a turn.

    Attributes:
        crashes: Deaths in a row that are one too many, from 1.
        period: How long a thread is held, in seconds.
    """

    crashes: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    period: float = attrs.field(default=600.0, validator=attrs.validators.gt(0))

    # The one that was blamed last comes last.
    _records: OrderedDict[ThreadId, _Record] = attrs.field(
        factory=OrderedDict[ThreadId, _Record], init=False
    )

    def blame(self, thread_ids: Iterable[ThreadId], now: float) -> tuple[ThreadId, ...]:
        """
        Count one death of a worker against the threads that were busy there.

        Args:
            thread_ids: Each counts once, however often it is named.
            now: The time, on a clock that `held_until` is asked by, too.

        Returns:
            Those that are held from now on because of this, in the order given.
        """
        held = [thread_id for thread_id in dict.fromkeys(thread_ids) if self._count(thread_id, now)]
        while len(self._records) > _LIMIT:
            self._records.popitem(last=False)
        return tuple(held)

    def _count(self, thread_id: ThreadId, now: float) -> bool:
        record = self._records.setdefault(thread_id, _Record())
        self._records.move_to_end(thread_id)
        record.crashes += 1
        if record.crashes < self.crashes:
            return False
        record.until = now + self.period
        return True

    def absolve(self, thread_id: ThreadId) -> None:
        """Forget what is held against a thread: it finished a turn, or is deleted."""
        self._records.pop(thread_id, None)

    def held_until(self, thread_id: ThreadId, now: float) -> float | None:
        """Return until when a thread is left alone; None if it is not, or not any more."""
        record = self._records.get(thread_id)
        if record is None or record.until is None or record.until <= now:
            return None
        return record.until

    def held(self, now: float) -> tuple[tuple[ThreadId, float], ...]:
        """Return all threads that are left alone, each with until when."""
        return tuple(
            (thread_id, record.until)
            for thread_id, record in self._records.items()
            if record.until is not None and record.until > now
        )

    def __len__(self) -> int:
        """Return how many threads there is something against."""
        return len(self._records)
