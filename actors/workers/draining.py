"""How workers are replaced one after another, and how a pool comes to its end in order."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import trio

from .slot import Slot

if TYPE_CHECKING:
    from .front.front import Front

__all__ = ["give_away", "wait_for_turns"]

_LOOK: Final = 0.05
"""
Seconds between two looks whether turns still run.

Looking costs next to nothing; what workers say is the front's to hear.
"""


async def wait_for_turns(slots: Callable[[], Iterable[Slot]], *, grace: float) -> int:
    """
    Wait until no turn runs, for at most *grace* seconds.

    Args:
        slots: Whose turns; asked each time, because workers may be replaced meanwhile.
        grace: Turns that wait for an answer of a person get as long as any other.

    Returns:
        How many turns still run.
    """
    with trio.move_on_after(grace):
        # Workers tell their events to the front only.
        while _turns(slots()):  # noqa: ASYNC110
            await trio.sleep(_LOOK)
    return _turns(slots())


def _turns(slots: Iterable[Slot]) -> int:
    return sum(slot.statistics().turns for slot in slots)


async def give_away(front: "Front", slot: Slot, *, grace: float) -> None:
    """
    Let other workers go on with the threads of a slot, and those who follow them follow on.

    Args:
        grace: Seconds that running turns get to end by themselves.

    Cancellation:
        Some threads were given away, and the slot gets no new ones.
    """
    slot.leave()
    if slot.worker is not None:
        await front.move_away(slot.worker, grace=grace)
