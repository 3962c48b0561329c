"""
Codex 0.104.0 and ours as servers, side by side in one run: ``python -m tests.bench codex``.

Both get the same requests from the same client and the same replies from the same model,
and take turns.  Each number is the median of all rounds; what counts is how many times
better ours is, the median of the ratios of the rounds.  Words choose what is measured.
Codex comes from npm: ``python -m tests.interop.install``.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.interop.codex_binary import codex_executable, why_no_codex

from . import codex_history, codex_living, codex_turning
from .codex_model import open_model
from .codex_rows import Comparison, Measure, compare, table
from .codex_sides import sides

__all__ = ["MEASURES", "comparisons", "main"]

MEASURES: Final[dict[str, Measure]] = {
    measure.name: measure
    for measure in (*codex_living.MEASURES, *codex_turning.MEASURES, *codex_history.MEASURES)
}
"""What can be measured, by name."""


def comparisons(
    codex: Path, names: Sequence[str], *, rounds: int, scale: float
) -> Iterator[Comparison]:
    """Measure both, one thing after the other."""
    with TemporaryDirectory() as folder, open_model() as base_url:
        theirs, ours = sides(codex, Path(folder), base_url)
        for name in names:
            yield from compare(MEASURES[name], theirs, ours, rounds=rounds, scale=scale)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench codex")
    parser.add_argument("names", nargs="*", metavar="row", help=", ".join(MEASURES))
    parser.add_argument("--quick", action="store_true", help="1 round of a tenth of the work")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    unknown = {*options.names} - {*MEASURES}
    if unknown:
        there = ", ".join(MEASURES)
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {there}")
    codex = codex_executable()
    if codex is None:
        parser.error(why_no_codex())
    rounds, scale = (1, 0.1) if options.quick else (options.rounds, 1.0)
    found: list[Comparison] = []
    for each in comparisons(codex, options.names or [*MEASURES], rounds=rounds, scale=scale):
        found.append(each)
        print(each, flush=True)
    print(f"\n{table(found)}")
