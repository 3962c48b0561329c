"""A writer that is killed loses nothing that it acknowledged."""

import subprocess
import sys
from pathlib import Path

import pytest

from actors.rollout import Durability

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("durability", Durability, ids=lambda d: d.value)
def test_acknowledged_records_survive_a_kill_at_any_moment(
    tmp_path: Path, durability: Durability
) -> None:
    """SIGKILL it sixty times; each next life resumes what the last one left."""
    kills = "60"
    command = [sys.executable, "-m", "tests.rollout.killed_writer"]
    done = subprocess.run(
        [*command, str(tmp_path), kills, "1", durability.value],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout == f"survived {kills}\n", done.stderr[-3000:]
