"""The comparison with Codex runs, and what must hold of ours whatever Codex does holds."""

import math
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.effort import SOAK
from tests.interop.codex_binary import codex_executable, why_no_codex

from .codex import MEASURES, comparisons
from .codex_rows import Comparison, Measure, Row, compare, table
from .codex_sides import Side

SHORT = 0.01
"""Scale of the work; enough to run every row, not to measure it."""


ALWAYS = frozenset({"crowd", "deltas", "loss"})
"""What is tried in each run of the tests: all in which ours may lose nothing."""

_SOAK = os.environ.get(SOAK, "") not in {"", "0"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try the others only when everything that takes long is asked for."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", [name for name in MEASURES if name in ALWAYS or _SOAK])


@pytest.fixture(scope="module")
def codex() -> Path:
    """The Codex executable; skips when it is not installed."""
    executable = codex_executable()
    if executable is None:
        pytest.skip(why_no_codex())
    return executable


@pytest.mark.interop
@pytest.mark.slow
def test_every_row_is_found_for_both(codex: Path, name: str) -> None:
    """A row that broke is seen before anybody measures; nothing of ours is lost."""
    found = list(comparisons(codex, [name], rounds=1, scale=SHORT))

    assert [each.row for each in found] == list(MEASURES[name].rows)
    for each in found:
        assert math.isfinite(each.theirs)
        assert math.isfinite(each.ours)
        if each.row.at_most is not None:
            assert each.ours <= each.row.at_most, str(each)


def test_names_of_rows_are_unique() -> None:
    """What one look finds is found by name."""
    names = [row.name for measure in MEASURES.values() for row in measure.rows]

    assert len(set(names)) == len(names)


def _compared(row: Row, theirs: Iterable[float], ours: Iterable[float]) -> Comparison:
    found = {"codex": iter(theirs), "treadle": iter(ours)}
    sides = [Side(name, (), Path(), "") for name in found]
    measure = Measure("one", (row,), lambda side, _: {row.name: next(found[side.name])})
    [one] = compare(measure, sides[0], sides[1], rounds=3, scale=1)
    return one


@pytest.mark.parametrize(
    ("row", "factor", "short"),
    [
        (Row(name="a", unit="ms"), 2.0, False),
        (Row(name="a", unit="ms", aim=2), 2.0, False),
        (Row(name="a", unit="ms", aim=2.1), 2.0, True),
        (Row(name="a", unit="/s", more_is_better=True, aim=1), 0.5, True),
        (Row(name="a", unit="", at_most=3), 2.0, False),
        (Row(name="a", unit="", at_most=2.9), 2.0, True),
    ],
)
def test_row_is_short_when_ours_is_not_so_many_times_better(
    row: Row, factor: float, *, short: bool
) -> None:
    """What counts is the median of the ratios of the rounds, not the ratio of the medians."""
    found = _compared(row, theirs=[6, 100, 2], ours=[3, 1, 4])

    assert (found.theirs, found.ours) == (6, 3)
    assert found.factor == factor
    assert found.is_short is short
    assert ("  a" in table([found]).splitlines()[-1]) is short


def test_nothing_beside_nothing_is_as_good() -> None:
    """And anything is better than what loses something; rare losses are not hidden."""
    row = Row(name="a", unit="", at_most=0, is_total=True)

    assert _compared(row, [0, 0, 0], [0, 0, 0]).factor == 1
    assert _compared(row, [1, 1, 1], [0, 0, 0]).factor == math.inf
    rare = _compared(row, [0, 0, 0], [0, 3, 0])
    assert rare.ours == 1
    assert rare.is_short
