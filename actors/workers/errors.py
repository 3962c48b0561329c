"""What can go wrong with worker processes, one class per fact."""

from messages.ids import ThreadId

__all__ = [
    "AdoptFailed",
    "NoWorkers",
    "NotSavedYet",
    "PoolDraining",
    "PoolError",
    "PoolFailed",
    "ReleaseFailed",
    "WorkerDied",
    "WorkerLost",
    "WorkerNotStarted",
]


class PoolError(Exception):
    """Base of every error of this room."""


class WorkerLost(PoolError):  # noqa: N818 -- a condition the caller handles
    """
    A worker died, or was found dead, before it did what it was asked.

    Whether it did some of that is unknown; what it had recorded of its threads is not lost.

    Attributes:
        number: Which worker.
        pid: Its process.
        begun: Whether it had said that it begins with what it was asked, which it says of
            adoptions only.
    """

    # By its place, or copies and pickles could not give it.
    def __init__(self, number: int, pid: int, begun: bool = False) -> None:  # noqa: FBT001, FBT002
        super().__init__(number, pid, begun)
        self.number = number
        self.pid = pid
        self.begun = begun

    def __str__(self) -> str:
        return (
            f"worker {self.number} (pid {self.pid}) has died; another worker goes on with its "
            "threads, ask again"
        )


class WorkerDied(PoolError):  # noqa: N818 -- as WorkerLost
    """
    A worker ended without being told to; for the log, and for who restarts it.

    Attributes:
        number: Which worker.
        pid: Its process.
        how: How it ended, in words.
    """

    def __init__(self, number: int, pid: int, how: str) -> None:
        super().__init__(number, pid, how)
        self.number = number
        self.pid = pid
        self.how = how

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid}) {self.how}"


class WorkerNotStarted(PoolError):  # noqa: N818 -- as WorkerLost
    """
    A worker process did not come up; nothing of it is left.

    Attributes:
        number: Which worker.
        problem: What happened instead, and the way out where there is one.
    """

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(number, problem)
        self.number = number
        self.problem = problem

    def __str__(self) -> str:
        return f"worker {self.number} did not start: {self.problem}"


class _ThreadError(PoolError):
    """A fact about one thread and one worker."""

    def __init__(self, number: int, thread_id: ThreadId, problem: str) -> None:
        super().__init__(number, thread_id, problem)
        self.number = number
        self.thread_id = thread_id
        self.problem = problem


class AdoptFailed(_ThreadError):  # noqa: N818 -- as WorkerLost
    """
    A worker could not go on with a thread; the thread is not in that worker.

    Attributes:
        number: Which worker.
        thread_id: Which thread.
        problem: Why not, in the words of the worker.
    """

    def __str__(self) -> str:
        return f"worker {self.number} cannot go on with thread {self.thread_id}: {self.problem}"


class ReleaseFailed(_ThreadError):  # noqa: N818 -- as WorkerLost
    """
    A worker could not let go of a thread; the thread is where it was.

    Attributes:
        number: Which worker.
        thread_id: Which thread.
        problem: Why not, in the words of the worker.
    """

    def __str__(self) -> str:
        return f"worker {self.number} cannot let go of thread {self.thread_id}: {self.problem}"


class NotSavedYet(ReleaseFailed):
    """
    A worker keeps a thread, because the disk has not taken all that was said in it.

    It may let go of the thread later, when the disk takes something again.
    """


class NoWorkers(PoolError):  # noqa: N818 -- a condition, like WouldBlock
    """
    No worker is up that takes threads; nothing was done.

    Workers that crashed are started again after a delay, so a later try may find one.

    Attributes:
        workers: How many there should be.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.workers = workers

    def __str__(self) -> str:
        return f"none of {self.workers} workers is up; try again in a moment"


class PoolDraining(PoolError):  # noqa: N818 -- a condition
    """The pool ends and takes nothing new; nothing was done."""

    def __str__(self) -> str:
        return "the pool is shutting down; start a new one, it goes on with the threads"


class PoolFailed(PoolError):  # noqa: N818 -- as WorkerLost
    """
    The pool has no worker left and starts no more; the cause is the last one's crash.

    Clients were disconnected.  Threads are kept in their rollouts.

    Attributes:
        workers: How many workers there were.
        restarts: How many restarts each was allowed within *period*.
        period: Seconds.
        last: What the last one died of, in words.
    """

    def __init__(self, workers: int, restarts: int, period: float, last: str) -> None:
        super().__init__(workers, restarts, period, last)
        self.workers = workers
        self.restarts = restarts
        self.period = period
        self.last = last

    def __str__(self) -> str:
        return (
            f"the pool gave up: each of its {self.workers} workers died more often than "
            f"{self.restarts} times within {self.period:g} s; the last one: {self.last}"
        )
