"""Benches for scenarios: one for each way to play a file, from that of the command line."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import attrs
import pytest

from tests.cli.conftest import bench
from tests.cli.running import Bench

from .played import Way

__all__ = ["bench", "bench_for"]


@pytest.fixture
def bench_for(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Way], Bench]:
    """Give a fresh home and working directory, and go there."""

    numbers = count()

    def make(way: Way) -> Bench:
        folder = tmp_path / f"{way.value}{next(numbers)}"
        home, cwd = folder / "home", folder / "work"
        cwd.mkdir(parents=True)
        monkeypatch.setenv("TREADLE_HOME", str(home))
        monkeypatch.chdir(cwd)
        return attrs.evolve(bench, home=home, cwd=cwd)

    return make
