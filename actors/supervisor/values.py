"""What a supervisor hands out: new threads, announcements, reports."""

from collections.abc import Mapping
from enum import Enum

import attrs

from actors.thread import Thread, ThreadState
from messages.events import SessionConfigured
from messages.ids import ThreadId

__all__ = [
    "CloseReport",
    "NewThread",
    "RegistryStatistics",
    "ThreadCreated",
    "ThreadOrigin",
]


class ThreadOrigin(Enum):
    """
    How a thread came to be.

    Attributes:
        START: A client started it.
        RESUME: A client went on with a recorded one.
        FORK: A client started it from the beginning of another.
        AGENT: A model started it, or went on with it, to work for its own thread.
        REVIEW: A thread started it for a review of its work.
    """

    START = "start"
    RESUME = "resume"
    FORK = "fork"
    AGENT = "agent"
    REVIEW = "review"


@attrs.frozen(kw_only=True)
class ThreadCreated:
    """A thread is there; announced once, before its first op (P13)."""

    thread_id: ThreadId
    origin: ThreadOrigin


@attrs.frozen(kw_only=True)
class NewThread:
    """
    A thread that was just started, resumed or forked.

    Attributes:
        session_configured: Its first event, which its reader does not see again.
    """

    thread_id: ThreadId
    thread: Thread
    session_configured: SessionConfigured


@attrs.frozen(kw_only=True)
class CloseReport:
    """
    How each thread ended when all were closed.

    Attributes:
        completed: Ended by themselves, with everything saved.
        timed_out: Were cancelled when their grace was over.
        failed: Crashed on the way.
    """

    completed: tuple[ThreadId, ...]
    timed_out: tuple[ThreadId, ...]
    failed: tuple[ThreadId, ...]


@attrs.frozen(kw_only=True)
class RegistryStatistics:
    """
    One look at a supervisor.

    Attributes:
        threads: Live threads by their state; those that are starting included.
        failing_rollouts: How many rollouts cannot be written at present.
        pending_bytes: How much waits to be acknowledged by the disk, over all of them.
    """

    threads: Mapping[ThreadState, int]
    failing_rollouts: int
    pending_bytes: int
