"""Taking a thread over from a process that is about to end."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from actors.rollout import RolloutLocked

__all__ = ["HANDOVER", "once_free"]

_T = TypeVar("_T")

HANDOVER: Final = 2.0
"""
Seconds in which a process that was told to end has ended.

More than it takes itself, see `stopping`; less than anybody takes for a hang.
"""

_LOOK_EVERY: Final = 0.05


async def once_free(attempt: Callable[[], Awaitable[_T]], patience: float) -> _T:
    """
    Open a thread, and try again while another process has it.

    Whoever drives us, such as the SDK of Codex, stops a process whose turn failed or
    is not wanted any more, and starts the next one without waiting for its end.

    Args:
        attempt: Opens it; called once at least.
        patience: Seconds; 0 tries once.

    Raises:
        RolloutLocked: The other process still has it.

    Cancellation:
        As that of *attempt*.
    """
    deadline = trio.current_time() + patience
    while True:
        try:
            return await attempt()
        except RolloutLocked as locked:
            if locked.same_process or trio.current_time() >= deadline:
                raise
        await trio.sleep(_LOOK_EVERY)
