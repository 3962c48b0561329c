"""Goes through recorded items where nobody has to wait for it."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import trio

from messages.rollout import RolloutItem

from .recorded import RecordedItems

__all__ = ["read_aside"]

T = TypeVar("T")

_SHORT: Final = 256
_SHORT_BYTES: Final = 1 << 18
"""What is gone through in a few milliseconds; a way to an OS thread and back takes one."""


async def read_aside(items: Sequence[RolloutItem], read: Callable[[], T]) -> T:
    """
    Do what goes through recorded items: in an OS thread if they are many or long.

    Args:
        read: Returns what they come to.

    Cancellation:
        Takes effect before the reading begins, not during it.
    """
    if len(items) <= _SHORT and _undecoded_bytes(items) <= _SHORT_BYTES:
        await trio.lowlevel.checkpoint_if_cancelled()
        return read()
    return await trio.to_thread.run_sync(read)


def _undecoded_bytes(items: Sequence[RolloutItem]) -> int:
    return items.undecoded_bytes if isinstance(items, RecordedItems) else 0
