"""Restart decisions, over their whole table."""

import itertools
import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime import (
    ChildSpec,
    Crash,
    ExitReason,
    GiveUp,
    Ignore,
    Intensity,
    Normal,
    Remove,
    Restart,
    RestartChildren,
    Shutdown,
    Strategy,
    backoff,
    decide,
    recent,
)

CRASH = Crash(ValueError("boom"))
REASONS: tuple[ExitReason, ...] = (Normal(), Shutdown(), CRASH)

# What becomes of a child alone, while it may be restarted.
ALONE = {
    (Restart.PERMANENT, Normal()): "restart",
    (Restart.PERMANENT, Shutdown()): "ignore",
    (Restart.PERMANENT, CRASH): "restart",
    (Restart.TRANSIENT, Normal()): "ignore",
    (Restart.TRANSIENT, Shutdown()): "ignore",
    (Restart.TRANSIENT, CRASH): "restart",
    (Restart.TEMPORARY, Normal()): "remove",
    (Restart.TEMPORARY, Shutdown()): "remove",
    (Restart.TEMPORARY, CRASH): "remove",
}

# Who stops and who starts when the middle one of a, b, c is restarted and all
# may be restarted.
GROUPS = {
    Strategy.ONE_FOR_ONE: ((), ("b",)),
    Strategy.ONE_FOR_ALL: (("c", "a"), ("a", "b", "c")),
    Strategy.REST_FOR_ONE: (("c",), ("b", "c")),
}

# Times of earlier restarts at time 100 with a period of 5, and how many count.
HISTORIES: dict[tuple[float, ...], int] = {
    (): 0,
    (94.0,): 0,
    (94.99,): 0,
    (95.0,): 1,
    (99.0,): 1,
    (100.0,): 1,
    (90.0, 99.0): 1,
    (96.0, 99.0): 2,
}


async def never() -> None:
    """Stand in for a child's function."""


def spec(name: str, restart: Restart = Restart.PERMANENT) -> ChildSpec:
    """Return a spec of which only the id and the kind matter."""
    return ChildSpec(id=name, run=never, restart=restart)


@pytest.mark.parametrize(
    ("kind", "reason", "strategy", "history", "allowed"),
    [*itertools.product(Restart, REASONS, Strategy, HISTORIES, [0, 1, 2])],
)
def test_decision_follows_from_kind_reason_strategy_and_history(
    kind: Restart,
    reason: ExitReason,
    strategy: Strategy,
    history: tuple[float, ...],
    allowed: int,
) -> None:
    """The whole table: giving up comes after everything that needs no restart."""
    decision = decide(
        "b",
        reason,
        children=(spec("a"), spec("b", kind), spec("c")),
        strategy=strategy,
        history=history,
        now=100.0,
        intensity=Intensity(restarts=allowed, period=5.0),
    )

    match ALONE[kind, reason]:
        case "ignore":
            assert decision == Ignore()
        case "remove":
            assert decision == Remove()
        case _ if HISTORIES[history] >= allowed:
            assert decision == GiveUp()
        case _:
            stop, start = GROUPS[strategy]
            assert decision == RestartChildren(stop, start)


@pytest.mark.parametrize(("first", "last"), [*itertools.product(Restart, Restart)])
@pytest.mark.parametrize("strategy", [*Strategy])
def test_temporary_siblings_stop_with_their_group_and_do_not_start_again(
    strategy: Strategy, first: Restart, last: Restart
) -> None:
    """A group restart starts whoever is not TEMPORARY, whatever its state was."""
    decision = decide(
        "b",
        CRASH,
        children=(spec("a", first), spec("b"), spec("c", last)),
        strategy=strategy,
        history=(),
        now=0.0,
        intensity=Intensity(),
    )

    stop, start = GROUPS[strategy]
    temporary = {name for name, kind in (("a", first), ("c", last)) if kind is Restart.TEMPORARY}
    expected = tuple(name for name in start if name not in temporary)
    assert decision == RestartChildren(stop, expected)


def test_decision_over_an_unknown_child_is_an_error() -> None:
    """The supervisor asks about its own children only."""
    with pytest.raises(KeyError):
        decide(
            "z",
            CRASH,
            children=(spec("a"),),
            strategy=Strategy.ONE_FOR_ONE,
            history=(),
            now=0.0,
            intensity=Intensity(),
        )


@pytest.mark.parametrize("history", [*HISTORIES])
def test_recent_restarts_are_those_within_the_period(history: tuple[float, ...]) -> None:
    """The edge of the period still counts, as in OTP."""
    counted = HISTORIES[history]

    assert recent(history, now=100.0, period=5.0) == history[len(history) - counted :]


@given(
    attempt=st.integers(1, 5000),
    base=st.one_of(st.just(0.0), st.floats(1e-6, 10)),
    cap=st.floats(0, 100),
    seed=st.integers(0, 9),
)
def test_backoff_doubles_up_to_its_cap_and_jitters_downwards(
    attempt: int, base: float, cap: float, seed: int
) -> None:
    """Between half and all of the doubled delay, and never above the cap."""
    whole = min(cap, base * 2.0 ** min(attempt - 1, 100))

    delay = backoff(attempt, base=base, cap=cap, jitter=random.Random(seed))

    assert whole / 2 <= delay <= whole


def test_backoff_is_the_same_for_the_same_seed() -> None:
    """Randomness comes in as an argument."""
    delays = [
        [backoff(n, base=0.1, cap=30, jitter=random.Random(1)) for n in range(1, 5)]
        for _ in range(2)
    ]

    assert delays[0] == delays[1]


@given(
    restarts=st.integers(0, 20),
    period=st.floats(0.01, 1000),
    cap=st.floats(0, 1e6),
    base=st.floats(0, 1e6),
)
def test_backoff_alone_never_keeps_a_crashing_child_below_its_intensity(
    restarts: int, period: float, cap: float, base: float
) -> None:
    """A child that crashes at once uses up its intensity within half the period."""
    intensity = Intensity(restarts=restarts, period=period, backoff_base=base, backoff_cap=cap)
    jitter = random.Random(0)

    total = sum(intensity.delay(attempt, jitter) for attempt in range(1, restarts + 1))

    assert total <= period / 2
    assert intensity.delay(1, jitter) <= cap


@pytest.mark.parametrize(
    ("field", "value"),
    [("restarts", -1), ("period", 0), ("backoff_base", -0.1), ("backoff_cap", -0.1)],
)
def test_intensity_refuses_nonsense(field: str, value: float) -> None:
    """Counts and times are not negative, and a period is longer than nothing."""
    with pytest.raises(ValueError, match=field):
        Intensity(**{field: value})  # type: ignore[arg-type]


def test_child_spec_has_the_defaults_of_the_house() -> None:
    """PERMANENT, 5 seconds, told by cancellation; a negative time is refused."""
    child = spec("a")

    assert (child.restart, child.shutdown, child.stop) == (Restart.PERMANENT, 5.0, None)
    with pytest.raises(ValueError, match="shutdown"):
        ChildSpec(id="a", run=trio.sleep_forever, shutdown=-1)
