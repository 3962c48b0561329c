"""What a pool and its worker processes say to each other, beside what clients say."""

from typing import TypeAlias

import attrs

from .ids import ThreadId, TurnId
from .ops import OverrideTurnContext
from .value import Json, Value

__all__ = [
    "Adopt",
    "Begun",
    "Closed",
    "Connect",
    "Done",
    "Failed",
    "Opened",
    "Overridden",
    "Ping",
    "Pong",
    "PoolCommand",
    "Ready",
    "Release",
    "Report",
    "Reported",
    "Stop",
    "ThreadReport",
    "TurnEnded",
    "TurnStarted",
    "WorkerEvent",
    "WorkerMessage",
]

# What the pool says ---------------------------------------------------------


@attrs.frozen(kw_only=True)
class Connect(Value):
    """
    Serve one more client; its socket comes with the first byte of this message.

    Attributes:
        client: The pool's number for it, for logs.
    """

    client: int


@attrs.frozen(kw_only=True)
class Ping(Value):
    """Say that you live; answered with `Pong`."""

    number: int


@attrs.frozen(kw_only=True)
class Overridden(Value):
    """
    Settings of a thread that were changed outside of a turn, and thus are not recorded.

    Attributes:
        op: What was changed.
        turns: Turns that began after that, oldest first.  When the context of one of them
            is recorded, so are these settings.
    """

    op: OverrideTurnContext
    turns: tuple[TurnId, ...] = ()


@attrs.frozen(kw_only=True)
class Adopt(Value):
    """
    Go on with a thread that another worker had; answered with `Begun`, then with `Done`.

    Nobody follows it then.

    Attributes:
        number: For the answer.
        opening:
            The request of a client that opened the thread, as
            ``{"method": ..., "params": {...}}``.  None for a thread of which the pool
            knows no such request.
        overridden: What was changed since then, oldest first.
    """

    number: int
    thread_id: ThreadId
    opening: Json = None
    overridden: tuple[Overridden, ...] = ()


@attrs.frozen(kw_only=True)
class Release(Value):
    """
    Let go of a thread, so that another worker can go on with it; answered with `Done`.

    Those who follow it are not told that it is closed.

    Attributes:
        number: For the answer.
        grace: Seconds that its turn has to end by itself.
    """

    number: int
    thread_id: ThreadId
    grace: float


@attrs.frozen(kw_only=True)
class Report(Value):
    """Say which threads there are; answered with `Reported`."""

    number: int


@attrs.frozen(kw_only=True)
class Stop(Value):
    """
    Close all threads and end.

    Attributes:
        grace: Seconds that threads have to end by themselves.
    """

    grace: float


PoolCommand: TypeAlias = Connect | Ping | Adopt | Release | Report | Stop
"""All that a worker is told."""


# What a worker says -----------------------------------------------------------


@attrs.frozen(kw_only=True)
class Ready(Value):
    """The worker can serve clients; its first message."""

    pid: int


@attrs.frozen(kw_only=True)
class Failed(Value):
    """
    The worker cannot begin; its only message.

    Attributes:
        problem: Why, for people.
    """

    problem: str


@attrs.frozen(kw_only=True)
class Opened(Value):
    """
    A thread is loaded.

    Attributes:
        path: Of its rollout, which may not be written yet; None when it has none.
        parent_id: For which thread it works; None for one that a client opened.
        ephemeral: Whether nothing of it is recorded.
    """

    thread_id: ThreadId
    path: str | None = None
    parent_id: ThreadId | None = None
    ephemeral: bool = False


@attrs.frozen(kw_only=True)
class Closed(Value):
    """A thread is not loaded any more."""

    thread_id: ThreadId


@attrs.frozen(kw_only=True)
class TurnStarted(Value):
    """A thread has begun a turn."""

    thread_id: ThreadId
    turn_id: TurnId


@attrs.frozen(kw_only=True)
class TurnEnded(Value):
    """A thread has ended its turn, in whatever way."""

    thread_id: ThreadId
    turn_id: TurnId


WorkerEvent: TypeAlias = Opened | Closed | TurnStarted | TurnEnded
"""What happened to threads, said in this order and without being asked."""


@attrs.frozen(kw_only=True)
class Pong(Value):
    """
    The worker lives.

    Attributes:
        number: Of the `Ping`.
        threads: How many are loaded.
        turns: How many turns run.
        memory_bytes: What it has for itself, without what it shares with other workers.
    """

    number: int
    threads: int
    turns: int
    memory_bytes: int


@attrs.frozen(kw_only=True)
class Begun(Value):
    """
    An `Adopt` was read, and the worker begins with it; said before anything can come of it.

    Attributes:
        number: Of what was asked.
    """

    number: int


@attrs.frozen(kw_only=True)
class Done(Value):
    """
    An `Adopt` or `Release` is over.

    Attributes:
        number: Of what was asked.
        problem: Why nothing came of it; None when it was done.
        later: Whether the same may be possible later.
    """

    number: int
    problem: str | None = None
    later: bool = False


@attrs.frozen(kw_only=True)
class ThreadReport(Value):
    """
    One loaded thread.

    Attributes:
        name: As given by the user; None for none.
        path: Of its rollout; None when it has none.
        turn_id: The turn that runs; None for none.
        followers: How many connections are told of it.
        updated_at: When something last happened, in seconds since the Unix epoch.
    """

    thread_id: ThreadId
    cwd: str
    model: str
    name: str | None = None
    path: str | None = None
    turn_id: TurnId | None = None
    followers: int
    updated_at: int


@attrs.frozen(kw_only=True)
class Reported(Value):
    """
    Which threads are loaded.

    Attributes:
        number: Of the `Report`.
        threads: Oldest first.
    """

    number: int
    threads: tuple[ThreadReport, ...] = ()


WorkerMessage: TypeAlias = Ready | Failed | WorkerEvent | Pong | Begun | Done | Reported
"""All that a worker says."""
