"""What a pool says of itself."""

from enum import Enum

import attrs

__all__ = ["PoolStatistics", "SlotState", "SlotStatistics"]


class SlotState(Enum):
    """
    How the place of a worker is.

    Attributes:
        STARTING: Its worker comes up, for the first time or again after a crash.
        UP: Its worker serves clients.
        LEAVING: Its worker gives its threads to others, and ends then.
        STOPPING: Its worker ends, with the pool.
        LOST: Its workers died too often; no more are started before the next `Pool.restart`.
    """

    STARTING = "starting"
    UP = "up"
    LEAVING = "leaving"
    STOPPING = "stopping"
    LOST = "lost"


@attrs.frozen(kw_only=True)
class SlotStatistics:
    """
    One look at the place of a worker; all about the worker is None while there is none.

    Attributes:
        slot: Which place, from 1.
        state: How it is.
        worker: Number of the worker; each process of a pool has a number of its own.
        pid: Its process.
        started_at: Since when, in seconds since the Unix epoch.
        threads: How many it has.
        turns: How many of them run a turn.
        memory_bytes: What it said last that it has for itself; None before that, too.
        restarts: How often a worker of this place died and was replaced.
    """

    slot: int
    state: SlotState
    worker: int | None = None
    pid: int | None = None
    started_at: float | None = None
    threads: int = 0
    turns: int = 0
    memory_bytes: int | None = None
    restarts: int = 0


@attrs.frozen(kw_only=True)
class PoolStatistics:
    """
    One look at a pool.

    Attributes:
        slots: Of all places, in order; while a worker is replaced its place is in here twice.
        clients: How many there are.
        draining: Whether the pool takes no more work, because it ends.
        restarting: Whether its workers are being replaced.
    """

    slots: tuple[SlotStatistics, ...]
    clients: int
    draining: bool
    restarting: bool

    @property
    def up(self) -> int:
        """How many workers serve clients."""
        return sum(slot.state is SlotState.UP for slot in self.slots)

    @property
    def threads(self) -> int:
        """How many threads there are in all workers."""
        return sum(slot.threads for slot in self.slots)

    @property
    def turns(self) -> int:
        """How many turns run."""
        return sum(slot.turns for slot in self.slots)
