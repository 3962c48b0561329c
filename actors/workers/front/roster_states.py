"""How a thread stands to the workers: its states, and the moves between them."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

__all__ = ["MOVES", "SETTLED", "Move", "State", "after"]


class State(Enum):
    """
    How a thread stands to the workers.  One that is in no worker and on no way is in no state.

    Attributes:
        RESERVED: A request is at its worker that may load it, or must find it unloaded.
        LOADED: Its worker has it.
        RELEASING: Its worker lets go of it.
        HOMELESS: No worker has it, and one is sought.
        ADOPTING: A worker takes it over.
    """

    RESERVED = "reserved"
    LOADED = "loaded"
    RELEASING = "releasing"
    HOMELESS = "homeless"
    ADOPTING = "adopting"


class Move(Enum):
    """
    What happens to a thread.

    Attributes:
        RESERVE: A request that may load it goes to a worker.
        DROP: The last such request was answered, and did not load it.
        OPEN: Its worker says that it has it.
        CLOSE: Its worker says that it has it no more.
        UNLOAD: The same, while a request is there that may load it again.
        LOSE: Its worker died.
        RELEASE: Its worker is told to let go of it.
        KEEP: Its worker could not let go of it.
        PART: Its worker has let go of it.
        ADOPT: A worker is told to take it over.
        FAIL: That worker died meanwhile.
        SETTLE: That worker has it.
        GIVE_UP: It is not gone on with.
    """

    RESERVE = "reserve"
    DROP = "drop"
    OPEN = "open"
    CLOSE = "close"
    UNLOAD = "unload"
    LOSE = "lose"
    RELEASE = "release"
    KEEP = "keep"
    PART = "part"
    ADOPT = "adopt"
    FAIL = "fail"
    SETTLE = "settle"
    GIVE_UP = "give up"


MOVES: Final[Mapping[tuple[State | None, Move], State | None]] = MappingProxyType(
    {
        (None, Move.RESERVE): State.RESERVED,
        (None, Move.OPEN): State.LOADED,
        (State.RESERVED, Move.RESERVE): State.RESERVED,
        (State.RESERVED, Move.DROP): None,
        (State.RESERVED, Move.OPEN): State.LOADED,
        # What was refused to load was not loaded; the request itself says so afterwards.
        (State.RESERVED, Move.CLOSE): State.RESERVED,
        # Its requests are sent again, and reserve it then.
        (State.RESERVED, Move.LOSE): None,
        (State.LOADED, Move.RESERVE): State.LOADED,
        (State.LOADED, Move.DROP): State.LOADED,
        # Said by the answer of the request, and by the worker.
        (State.LOADED, Move.OPEN): State.LOADED,
        (State.LOADED, Move.CLOSE): None,
        # Else the next request for it could go to another worker, and find it locked.
        (State.LOADED, Move.UNLOAD): State.RESERVED,
        (State.LOADED, Move.LOSE): State.HOMELESS,
        (State.LOADED, Move.RELEASE): State.RELEASING,
        (State.RELEASING, Move.DROP): State.RELEASING,
        (State.RELEASING, Move.OPEN): State.RELEASING,
        # That is how a worker lets go of it.
        (State.RELEASING, Move.CLOSE): State.RELEASING,
        (State.RELEASING, Move.LOSE): State.HOMELESS,
        (State.RELEASING, Move.KEEP): State.LOADED,
        (State.RELEASING, Move.PART): State.HOMELESS,
        (State.HOMELESS, Move.DROP): State.HOMELESS,
        (State.HOMELESS, Move.ADOPT): State.ADOPTING,
        (State.HOMELESS, Move.GIVE_UP): None,
        (State.ADOPTING, Move.DROP): State.ADOPTING,
        # Said by the worker as soon as it has it; it says later that all is done.
        (State.ADOPTING, Move.OPEN): State.ADOPTING,
        (State.ADOPTING, Move.CLOSE): State.ADOPTING,
        (State.ADOPTING, Move.LOSE): State.ADOPTING,
        (State.ADOPTING, Move.FAIL): State.HOMELESS,
        (State.ADOPTING, Move.SETTLE): State.LOADED,
        (State.ADOPTING, Move.GIVE_UP): None,
    }
)
"""The state after each move that can be made; None for none.  All other moves are defects."""

SETTLED: Final = frozenset({State.RESERVED, State.LOADED})
"""States in which requests for the thread have a worker to go to."""


def after(state: State | None, move: Move) -> State | None:
    """
    Return the state after a move.

    Raises:
        RuntimeError: The move cannot be made in that state.
    """
    try:
        return MOVES[state, move]
    except KeyError:
        name = "in no worker" if state is None else state.value
        raise RuntimeError(f"a thread that is {name} cannot {move.value}") from None
