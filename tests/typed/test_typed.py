"""What the type checkers say of programs that use the library."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_programs_that_know_only_the_protocols_are_checked_with_the_library() -> None:
    """
    Supervisors and threads here and elsewhere are both what the protocols say.

    Whether they are is seen by every run of either checker, with the settings of the
    library: a run of its own would take half a minute to find the same.
    """
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]

    here = str(Path(__file__).parent.relative_to(ROOT))
    assert tools["mypy"]["strict"] is True
    assert here in tools["mypy"]["files"]
    assert tools["pyright"]["typeCheckingMode"] == "strict"
    assert here in tools["pyright"]["include"]
