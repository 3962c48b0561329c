"""What a supervisor needs to know about a child, and how a child can end."""

import enum
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs

__all__ = [
    "ChildSpec",
    "Crash",
    "ExitReason",
    "Normal",
    "Restart",
    "Shutdown",
    "StopOutcome",
    "Strategy",
]


class Restart(enum.Enum):
    """
    Whether a child that ended by itself starts again.

    Attributes:
        PERMANENT: Always.
        TRANSIENT: After a crash; not after it returned.
        TEMPORARY: Never; its crash is reported, its siblings carry on.

    Source:
        OTP ``supervisor``, "restart" of a child specification.
    """

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(enum.Enum):
    """
    Who restarts together with a child.

    Attributes:
        ONE_FOR_ONE: Nobody.
        ONE_FOR_ALL: Everybody.
        REST_FOR_ONE: Those that start after it.

    Source:
        OTP ``supervisor``, "Restart strategy".
    """

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@attrs.frozen
class Normal:
    """The child returned by itself."""


@attrs.frozen
class Shutdown:
    """The child ended because it was told to, or because its host was cancelled."""


@attrs.frozen
class Crash:
    """
    The child raised.

    Attributes:
        error: What it raised; an `ExceptionGroup` if it was several at once.
    """

    error: Exception


ExitReason: TypeAlias = Normal | Shutdown | Crash


class StopOutcome(enum.Enum):
    """
    How a child ended that was told to stop.

    Attributes:
        COMPLETED: By itself and in time, or by being cancelled if that is how it is told.
        TIMED_OUT: Its time ran out and it was cancelled.
        FAILED: It crashed on the way.
    """

    COMPLETED = "completed"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class ChildSpec:
    """
    How a supervisor starts, restarts and stops one child.

    Attributes:
        id: Name among its siblings; unique within one supervisor.
        run:
            Called for each start, as `trio.Nursery.start` calls: must say
            ``task_status.started()`` once it can take messages.  Builds fresh
            state; a restarted child shares nothing with the one that crashed.
        restart: See `Restart`.
        shutdown:
            Seconds the child gets to clean up after it is told to stop,
            before it is cancelled.  `math.inf` waits forever; use that for
            children that are supervisors.
        stop:
            Called to tell a running child to stop; must not wait.  What it
            raises is logged, and the child still gets its time.  None: the
            child is told by being cancelled.

    Source:
        OTP ``supervisor``, "Child Specification".  There a child is told by an
        exit signal, which it can trap; here by *stop*.
    """

    id: str
    run: Callable[..., Awaitable[object]]
    restart: Restart = Restart.PERMANENT
    shutdown: float = attrs.field(default=5.0, validator=attrs.validators.ge(0))
    stop: Callable[[], object] | None = None
