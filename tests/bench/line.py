"""One line of the table, and how each kind of row becomes one."""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Self

import attrs
import trio

from . import bench_codec, bench_kernel, bench_rollout

__all__ = ["Line", "Measure", "Spent", "Stopwatch", "compared", "line_from", "measured", "table"]


class Measure(Enum):
    """What of a line is held against its target, and how to say so."""

    RATIO = "x"
    CPU_RATIO = "x cpu"
    CPU = "us cpu"
    OURS = ""
    RATE = "/s"


@attrs.frozen(kw_only=True)
class Line:
    """
    One line of the table.

    Attributes:
        name: What was measured.
        unit: Of *plain* and *ours*.
        plain: The raw operation beside it, median of all rounds; None if there is none.
        ours: Median of all rounds.
        ratio: Median of ours / plain over the rounds; over 1 is slower.
        cpu_ratio: The same of CPU time; None where it was not taken.
        cpu: CPU time of ours in *unit*; None where it was not taken.
        target: The limit of *measure*; None if there is none.
        measure: What *target* limits; a rate has to reach it, all others stay below.
    """

    name: str
    unit: str
    plain: float | None = None
    ours: float
    ratio: float | None = None
    cpu_ratio: float | None = None
    cpu: float | None = None
    target: float | None = None
    measure: Measure = Measure.RATIO

    @property
    def value(self) -> float | None:
        """What is held against the target."""
        match self.measure:
            case Measure.RATIO:
                return self.ratio
            case Measure.CPU_RATIO:
                return self.cpu_ratio
            case Measure.CPU:
                return self.cpu
            case Measure.OURS | Measure.RATE:
                return self.ours

    @property
    def short(self) -> bool:
        """Whether there is a target and it is missed."""
        if self.target is None or self.value is None:
            return False
        if self.measure is Measure.RATE:
            return self.value < self.target
        return self.value > self.target

    def __str__(self) -> str:
        cells = (
            f"{self.name:<68}",
            f"{self.unit:>6}",
            *(_cell(value, 9) for value in (self.plain, self.ours, self.cpu)),
            *(_cell(value, 7) for value in (self.ratio, self.cpu_ratio)),
            f"{self._aim():>15}",
            "" if self.target is None else "short" if self.short else "ok",
        )
        return " ".join(cells).rstrip()

    def _aim(self) -> str:
        if self.target is None:
            return ""
        sign = ">=" if self.measure is Measure.RATE else "<="
        unit = self.unit if self.measure in {Measure.OURS, Measure.RATE} else self.measure.value
        return f"{sign} {self.target:.4g} {unit}"


def table(lines: list[Line]) -> str:
    """Return *lines* with a head, and what fell short."""
    head = (
        f"{'operation':<68} {'unit':>6} {'plain':>9} {'ours':>9} {'our cpu':>9} "
        f"{'ratio':>7} {'cpu':>7} {'target':>15}"
    )
    missed = [line.name for line in lines if line.short]
    end = f"{len(missed)} of {sum(line.target is not None for line in lines)} targets are missed"
    return "\n".join([head, *map(str, lines), "", end, *(f"  {name}" for name in missed)])


def _cell(value: float | None, width: int) -> str:
    if value is None:
        return " " * width
    return f"{value:>{width}.3f}" if abs(value) < 10 else f"{value:>{width},.0f}"


# Rows of the other modules ------------------------------------------------------


def line_from(
    row: bench_kernel.Row | bench_codec.Row | bench_rollout.Row,
) -> Line:
    """Make a line of another module's row."""
    if isinstance(row, bench_kernel.Row):
        return Line(
            name=row.name,
            unit=row.unit,
            plain=row.reference,
            ours=row.ours,
            ratio=row.ratio,
            cpu_ratio=row.cpu_ratio,
            target=row.target,
        )
    return Line(
        name=row.name,
        unit=row.unit,
        plain=row.theirs,
        ours=row.ours,
        ratio=row.ratio,
        target=row.target,
    )


# Measuring --------------------------------------------------------------------


@attrs.frozen
class Spent:
    """Seconds of a measured block, by the wall clock and of CPU time."""

    wall: float
    cpu: float


@attrs.define
class Stopwatch:
    """Measures a block; garbage of what came before is collected first."""

    spent: Spent = Spent(0.0, 0.0)
    _begin: Spent = Spent(0.0, 0.0)

    def __enter__(self) -> Self:
        gc.collect()
        self._begin = _now()
        return self

    def __exit__(self, *_: object) -> None:
        end = _now()
        self.spent = Spent(end.wall - self._begin.wall, end.cpu - self._begin.cpu)


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


Side = Callable[[], Awaitable[Spent]]


def compared(
    name: str,
    plain: Side,
    ours: Side,
    *,
    rounds: int,
    operations: int = 1,
    plain_operations: int | None = None,
    target: float | None = None,
    measure: Measure = Measure.RATIO,
) -> Line:
    """Run both in turns, each in a trio run of its own; microseconds an operation."""
    pairs = [(trio.run(plain), trio.run(ours)) for _ in range(rounds)]
    one, other = 1e6 / (plain_operations or operations), 1e6 / operations
    return Line(
        name=name,
        unit="us",
        plain=_median(a.wall * one for a, _ in pairs),
        ours=_median(b.wall * other for _, b in pairs),
        ratio=_median(b.wall * other / (a.wall * one) for a, b in pairs),
        cpu_ratio=_median(b.cpu * other / (a.cpu * one) for a, b in pairs),
        cpu=_median(b.cpu * other for _, b in pairs),
        target=target,
        measure=measure,
    )


def measured(
    name: str,
    ours: Side,
    *,
    rounds: int,
    operations: int = 1,
    target: float | None = None,
    measure: Measure = Measure.CPU,
) -> Line:
    """Run one side alone; microseconds an operation."""
    spent = [trio.run(ours) for _ in range(rounds)]
    each = 1e6 / operations
    return Line(
        name=name,
        unit="us",
        ours=_median(one.wall * each for one in spent),
        cpu=_median(one.cpu * each for one in spent),
        target=target,
        measure=measure,
    )


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
