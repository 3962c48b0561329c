"""What the type checkers say of programs that use the library."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("managers.py")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_program_that_knows_only_the_protocols_is_well_typed() -> None:
    """
    Supervisors and threads here and elsewhere are both what the protocols say.

    That they are is seen by every run of either checker, too, in `actors.client.remote`.
    """
    command = [sys.executable, "-m", "mypy", "--strict", str(PROGRAMS)]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout
