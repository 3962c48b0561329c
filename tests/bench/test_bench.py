"""Every row of the bench runs, and nothing is out of all proportion."""

import gc
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest

from . import bench_kernel
from .__main__ import GROUPS
from .bench_memory import weigh
from .line import Line, Measure, line_from, table

SHORT = 0.01
"""Scale of the work; enough to run every row, not to measure it."""

FAR = 10
"""How often a target may be missed here: the machine may be busy, and the work is short."""


def _kernel() -> list[Line]:
    # The other rows of the kernel have no short form.
    return [line_from(row) for row in (*bench_kernel.submitting(1), *bench_kernel.asking(1))]


def _memory() -> list[Line]:
    return [weigh(200, "fresh", "traced")]


SHORT_GROUPS: dict[str, Callable[[], Iterable[Line]]] = {
    **{name: partial(group, 1, SHORT) for name, group in GROUPS.items()},
    "kernel": _kernel,
    "memory": _memory,
}


def _missed_by(line: Line, value: float, target: float) -> float:
    # Where CPU time was taken it counts: the other tests run at the same time.
    match line.measure:
        case Measure.RATE:
            return target / max(value, line.cpu or value)
        case Measure.RATIO:
            return min(value, line.cpu_ratio or value) / target
        case Measure.OURS:
            return min(value, line.cpu or value) / target
        case _:
            return value / target


@pytest.fixture
def only_own_garbage() -> Iterator[None]:
    """
    Keep the collector from what the other tests left.

    All objects of a whole test run are a hundred times those of the bench: a full
    collection of them, in the midst of a short row, would be most of its time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@pytest.mark.slow
@pytest.mark.usefixtures("only_own_garbage")
@pytest.mark.parametrize("name", SHORT_GROUPS)
def test_every_row_runs_and_is_in_proportion(name: str) -> None:
    """A row that broke, or costs ten times what it should, is seen before anybody measures."""
    lines = list(SHORT_GROUPS[name]())

    assert lines
    for line in lines:
        assert math.isfinite(line.ours)
        assert line.ours > 0
        if line.target is not None and line.value is not None:
            assert _missed_by(line, line.value, line.target) < FAR, str(line)


@pytest.mark.parametrize(
    ("measure", "target", "short"),
    [
        (Measure.RATIO, 1.9, True),
        (Measure.RATIO, 2.0, False),
        (Measure.CPU_RATIO, 2.9, True),
        (Measure.CPU, 6.0, False),
        (Measure.OURS, 3.9, True),
        (Measure.RATE, 4.0, False),
        (Measure.RATE, 4.1, True),
    ],
)
def test_line_is_short_when_its_measure_misses_the_target(
    measure: Measure, target: float, *, short: bool
) -> None:
    """A rate has to reach its target, everything else to stay at or below it."""
    line = Line(
        name="one",
        unit="us",
        plain=2.0,
        ours=4.0,
        ratio=2.0,
        cpu_ratio=3.0,
        cpu=6.0,
        target=target,
        measure=measure,
    )

    assert line.short is short
    assert table([line]).splitlines()[1].endswith("short" if short else "ok")
