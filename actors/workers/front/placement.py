"""Which worker gets a thread, and which one a client: pure choices."""

from collections.abc import Iterable

import attrs

__all__ = ["Load", "place_client", "place_thread"]


@attrs.frozen(kw_only=True)
class Load:
    """
    What one worker has to do.

    Attributes:
        number: Which worker.
        accepting: Whether it may get more.
        turns: Turns that run there.
        threads: Threads that are loaded there.
        reserved: Threads that are being loaded there.
        clients: Clients whose own worker it is.
    """

    number: int
    accepting: bool = True
    turns: int = 0
    threads: int = 0
    reserved: int = 0
    clients: int = 0


def place_thread(loads: Iterable[Load]) -> int | None:
    """
    Choose who gets a thread: the worker with the fewest turns, among these the fewest threads.

    A thread that is being loaded counts as one that is loaded.  Where all is equal the
    lowest number gets it, so that a run can be repeated.

    Returns:
        Its number; None when none accepts any.
    """
    return min(
        ((load.turns, load.threads + load.reserved, load.number) for load in _accepting(loads)),
        default=(0, 0, None),
    )[-1]


def place_client(loads: Iterable[Load]) -> int | None:
    """
    Choose who is a client's own worker: the one with the fewest clients.

    Returns:
        Its number; None when none accepts any.
    """
    return min(
        ((load.clients, load.turns, load.number) for load in _accepting(loads)),
        default=(0, 0, None),
    )[-1]


def _accepting(loads: Iterable[Load]) -> Iterable[Load]:
    return (load for load in loads if load.accepting)
