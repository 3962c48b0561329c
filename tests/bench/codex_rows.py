"""Rows of the comparison with Codex: what is measured, what is aimed at, how it is told."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

from .codex_sides import Side

__all__ = ["Comparison", "Found", "Measure", "Row", "compare", "table"]

Found: TypeAlias = Mapping[str, float]
"""What one look at one side found, by the names of rows."""


@attrs.frozen(kw_only=True)
class Row:
    """
    One line of the table.

    Attributes:
        name: What is measured; unique.
        unit: Of both numbers.
        more_is_better: Whether it is a rate.
        aim: How many times better than Codex ours is to be; None for no aim.
        at_most: What ours is to be at most, whatever Codex does; None for any.
        is_total: Whether the mean of all rounds is told, for what is rare.
    """

    name: str
    unit: str
    more_is_better: bool = False
    aim: float | None = None
    at_most: float | None = None
    is_total: bool = False


@attrs.frozen
class Measure:
    """
    What is found together.

    Attributes:
        name: By which it is chosen.
        rows: What it finds.
        look: Looks at one side, with the scale of the work, 1 for the real thing.
    """

    name: str
    rows: tuple[Row, ...]
    look: Callable[[Side, float], Found]


@attrs.frozen(kw_only=True)
class Comparison:
    """
    A row and what was found.

    Attributes:
        row: It.
        theirs: Of Codex, median of all rounds.
        ours: The same of Treadle.
        factor: How many times better ours is, median of the rounds; below 1 it is worse.
    """

    row: Row
    theirs: float
    ours: float
    factor: float

    @property
    def has_aim(self) -> bool:
        """Whether there is anything to reach."""
        return self.row.aim is not None or self.row.at_most is not None

    @property
    def is_short(self) -> bool:
        """Whether that is missed."""
        if self.row.at_most is not None and self.ours > self.row.at_most:
            return True
        return self.row.aim is not None and self.factor < self.row.aim

    def __str__(self) -> str:
        row = self.row
        aim = "" if row.aim is None else f">= {row.aim:g} x"
        if row.at_most is not None:
            aim = f"<= {row.at_most:g}"
        verdict = "short" if self.is_short else "met" if self.has_aim else ""
        cells = (
            f"{row.name:<56} {row.unit:>9}",
            *(f"{_number(value):>10}" for value in (self.theirs, self.ours)),
            f"{_number(self.factor):>8} x",
            f"{aim:>9}",
            verdict,
        )
        return " ".join(cells).rstrip()


def compare(
    measure: Measure, theirs: Side, ours: Side, *, rounds: int, scale: float
) -> list[Comparison]:
    """
    Look at both sides in turns; who comes first changes from round to round.

    What a look leaves in the home is in nobody else's way.
    """
    found: dict[str, list[Found]] = {theirs.name: [], ours.name: []}
    for number in range(rounds):
        for side in (theirs, ours) if number % 2 == 0 else (ours, theirs):
            found[side.name].append(measure.look(side, scale))
            side.forget()
    return [_compared(row, found[theirs.name], found[ours.name]) for row in measure.rows]


def _compared(row: Row, theirs: Sequence[Found], ours: Sequence[Found]) -> Comparison:
    pairs = [(a[row.name], b[row.name]) for a, b in zip(theirs, ours, strict=True)]
    middle = statistics.fmean if row.is_total else statistics.median
    return Comparison(
        row=row,
        theirs=middle([a for a, _ in pairs]),
        ours=middle([b for _, b in pairs]),
        factor=statistics.median(_factor(row, a, b) for a, b in pairs),
    )


def _factor(row: Row, theirs: float, ours: float) -> float:
    better, worse = (ours, theirs) if row.more_is_better else (theirs, ours)
    if not worse:
        # Nothing beside nothing is as good.
        return math.inf if better else 1.0
    return better / worse


def table(found: Iterable[Comparison]) -> str:
    """Return all rows with a head, and which fall short."""
    rows = list(found)
    head = f"{'operation':<56} {'unit':>9} {'codex':>10} {'treadle':>10} {'better':>10} {'aim':>9}"
    missed = [each.row.name for each in rows if each.is_short]
    end = f"{len(missed)} of {sum(each.has_aim for each in rows)} aims are missed"
    return "\n".join([head, *map(str, rows), "", end, *(f"  {name}" for name in missed)])


def _number(value: float) -> str:
    if math.isinf(value):
        return "any"
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"
