"""Worker processes: the pool, who gets which thread, and what follows when one dies."""

from .errors import (
    AdoptFailed,
    NoWorkers,
    PoolDraining,
    PoolError,
    PoolFailed,
    ReleaseFailed,
    WorkerDied,
    WorkerLost,
    WorkerNotStarted,
)
from .notify import Notifier, forget_manager
from .pool import Pool, open_pool
from .values import PoolStatistics, SlotState, SlotStatistics

__all__ = [
    "AdoptFailed",
    "NoWorkers",
    "Notifier",
    "Pool",
    "PoolDraining",
    "PoolError",
    "PoolFailed",
    "PoolStatistics",
    "ReleaseFailed",
    "SlotState",
    "SlotStatistics",
    "WorkerDied",
    "WorkerLost",
    "WorkerNotStarted",
    "forget_manager",
    "open_pool",
]
