"""Who is restarted after a child has ended: pure decisions."""

import random
from collections.abc import Sequence
from typing import TypeAlias, assert_never

import attrs

from .child import ChildSpec, Crash, ExitReason, Normal, Restart, Shutdown, Strategy

__all__ = [
    "Decision",
    "GiveUp",
    "Ignore",
    "Intensity",
    "Remove",
    "RestartChildren",
    "backoff",
    "decide",
    "recent",
]


@attrs.frozen(kw_only=True)
class Intensity:
    """
    How many restarts are normal, and how fast they follow each other.

    Attributes:
        restarts:
            Allowed within *period*; one more and the supervisor gives up.
            0 means that the first crash is one too many.
        period: Seconds.
        backoff_base: Seconds before the first restart of a series, before jitter.
        backoff_cap: The delay grows no further than this, in seconds.

    Source:
        OTP ``supervisor``, "Maximum Restart Intensity", with its defaults.
        OTP has no backoff.
    """

    restarts: int = attrs.field(default=1, validator=attrs.validators.ge(0))
    period: float = attrs.field(default=5.0, validator=attrs.validators.gt(0))
    backoff_base: float = attrs.field(default=0.1, validator=attrs.validators.ge(0))
    backoff_cap: float = attrs.field(default=1.0, validator=attrs.validators.ge(0))

    def delay(self, attempt: int, jitter: random.Random) -> float:
        """
        Return the seconds to wait before the *attempt*-th restart of a series, from 1.

        All delays of a series together stay below half of *period*, whatever
        the cap: otherwise a child that crashes at once would never use up its
        intensity, and nobody would hear of it.
        """
        cap = min(self.backoff_cap, self.period / (2 * (self.restarts + 1)))
        return backoff(attempt, base=self.backoff_base, cap=cap, jitter=jitter)


@attrs.frozen
class Ignore:
    """The child stays down, and known: a restart of its group starts it again."""


@attrs.frozen
class Remove:
    """The child stays down and is forgotten."""


@attrs.frozen
class RestartChildren:
    """
    These children stop, and then these start.

    Attributes:
        stop: Siblings to stop first, in stop order (last started first).
        start: Children to start then, in start order; never empty.
    """

    stop: tuple[str, ...]
    start: tuple[str, ...]


@attrs.frozen
class GiveUp:
    """It happened too often: the supervisor stops everything and fails."""


Decision: TypeAlias = Ignore | Remove | RestartChildren | GiveUp


def decide(
    child_id: str,
    reason: ExitReason,
    *,
    children: Sequence[ChildSpec],
    strategy: Strategy,
    history: Sequence[float],
    now: float,
    intensity: Intensity,
) -> Decision:
    """
    Decide what follows from the end of a child.

    Args:
        child_id: Who ended; one of *children*.
        reason: How.  A child that was told to stop stays down.
        children: All children the supervisor knows, in start order.
        strategy: Who restarts together.
        history: When the supervisor restarted before, oldest first.
        now: The present time, on the clock of *history*.
        intensity: How many restarts are allowed within how many seconds.

    Raises:
        KeyError: *child_id* is not among *children*.

    Source:
        OTP ``supervisor``, ``handle_exit`` of ``supervisor.erl`` (there
        ``restart_child``).  As there, a TEMPORARY sibling that stops because of
        its group is forgotten, and a TRANSIENT one that had returned starts
        again with its group.  Unlike there, a PERMANENT child that was told to
        stop stays down: here only its supervisor tells it.
    """
    position = _position(child_id, children)
    kind = children[position].restart
    if kind is Restart.TEMPORARY:
        return Remove()
    if not _is_restarted(kind, reason):
        return Ignore()
    if len(recent(history, now=now, period=intensity.period)) >= intensity.restarts:
        return GiveUp()
    return _restart(position, children, strategy)


def recent(history: Sequence[float], *, now: float, period: float) -> tuple[float, ...]:
    """Return the times of *history* that still count: at most *period* seconds ago."""
    return tuple(time for time in history if now - time <= period)


def backoff(attempt: int, *, base: float, cap: float, jitter: random.Random) -> float:
    """
    Return how many seconds to wait before an attempt.

    Doubles with each attempt, up to *cap*, and is then shortened by a random
    part of up to one half, so that what failed together does not come back
    together.

    Args:
        attempt: Which attempt, from 1.
        base: Delay before the first one, before jitter, in seconds.
        cap: Longest delay, in seconds.
        jitter: Where the random part comes from.
    """
    # Beyond 2**63 every delay is at its cap, and 2.0**1024 would overflow.
    whole = min(cap, base * 2.0 ** min(attempt - 1, 63))
    return whole * jitter.uniform(0.5, 1.0)


def _position(child_id: str, children: Sequence[ChildSpec]) -> int:
    for position, child in enumerate(children):
        if child.id == child_id:
            return position
    raise KeyError(child_id)


def _is_restarted(kind: Restart, reason: ExitReason) -> bool:
    match reason:
        case Normal():
            return kind is Restart.PERMANENT
        case Shutdown():
            return False
        case Crash():
            return kind is not Restart.TEMPORARY
        case _:
            assert_never(reason)


def _restart(position: int, children: Sequence[ChildSpec], strategy: Strategy) -> RestartChildren:
    match strategy:
        case Strategy.ONE_FOR_ONE:
            group = children[position : position + 1]
        case Strategy.ONE_FOR_ALL:
            group = children
        case Strategy.REST_FOR_ONE:
            group = children[position:]
        case _:
            assert_never(strategy)
    ended = children[position].id
    return RestartChildren(
        stop=tuple(child.id for child in reversed(group) if child.id != ended),
        start=tuple(child.id for child in group if child.restart is not Restart.TEMPORARY),
    )
