"""What a pool of workers tells of itself; a lone server has no such method."""

from enum import Enum

import attrs

from .value import RpcValue

__all__ = [
    "PoolClient",
    "PoolReadResponse",
    "PoolThread",
    "PoolThreadStatus",
    "PoolWorker",
    "PoolWorkerState",
]


class PoolWorkerState(Enum):
    """
    How the place of a worker is.

    Attributes:
        STARTING: A worker comes up.
        UP: Its worker serves clients.
        LEAVING: Its worker gives its threads to others, because it is being replaced.
        STOPPING: Its worker ends, with the pool.
        LOST: Its workers died too often; it gets another one with the next restart of the pool.
    """

    STARTING = "starting"
    UP = "up"
    LEAVING = "leaving"
    STOPPING = "stopping"
    LOST = "lost"


class PoolThreadStatus(Enum):
    """
    How a thread is.

    Attributes:
        IDLE: It waits for a client.
        RUNNING: It runs a turn.
        MOVING: It is on its way to another worker.
        HELD: Workers died of it; nobody goes on with it for a while.
    """

    IDLE = "idle"
    RUNNING = "running"
    MOVING = "moving"
    HELD = "held"


@attrs.frozen(kw_only=True)
class PoolWorker(RpcValue):
    """
    A place of the pool and its worker.

    Attributes:
        slot: Which place, from 1; twice in the list while its worker is replaced.
        number: Of the worker, never used again; None while there is none, as all below
            but *restarts* and the counts.
        pid: Its process.
        threads: How many it has.
        turns: How many of them run a turn.
        memory_bytes: What it has for itself; also None when it has not said so yet.
        restarts: How often the worker of this place died and was replaced.
        started_at: Since when, in seconds since the Unix epoch.
    """

    slot: int
    state: PoolWorkerState
    number: int | None = None
    pid: int | None = None
    threads: int = 0
    turns: int = 0
    memory_bytes: int | None = None
    restarts: int = 0
    started_at: int | None = None


@attrs.frozen(kw_only=True)
class PoolThread(RpcValue):
    """
    A thread that is loaded.

    What only its worker knows is None when the worker does not say it in time.

    Attributes:
        worker: Number of its worker; None while no worker has it.
        turn_id: The turn that runs; None for none.
        clients: How many clients follow it.
        name: As given by the user; None for none.
        updated_at: When something last happened, in seconds since the Unix epoch.
        held_until: Until when nobody goes on with it, likewise; None when it is not held.
    """

    id: str
    status: PoolThreadStatus
    worker: int | None = None
    turn_id: str | None = None
    clients: int = 0
    cwd: str | None = None
    model: str | None = None
    name: str | None = None
    updated_at: int | None = None
    held_until: int | None = None


@attrs.frozen(kw_only=True)
class PoolClient(RpcValue):
    """
    A client of the pool.

    Attributes:
        id: Its number in this pool, from 0.
        peer: Who is at its other end.
        worker: Number of its own worker, which answers what is about no thread; None for none.
        in_flight: Requests of it that are not answered, this one included.
    """

    id: int
    peer: str
    worker: int | None = None
    in_flight: int = 0


@attrs.frozen(kw_only=True)
class PoolReadResponse(RpcValue):
    """
    How a pool is.

    Attributes:
        pid: Of the pool itself.
        draining: Whether it ends and takes nothing new.
        workers: By place.
        threads: In the order in which the pool came to know them, those that are held last.
        clients: Oldest first.
    """

    pid: int
    draining: bool
    workers: tuple[PoolWorker, ...]
    threads: tuple[PoolThread, ...]
    clients: tuple[PoolClient, ...]
