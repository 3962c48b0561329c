"""The room as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

import actors.config
import actors.models


@pytest.mark.parametrize("room", [actors.config, actors.models])
def test_room_exports_what_it_names_in_order(room: object) -> None:
    """Nothing is missing, nothing is named twice."""
    names: list[str] = room.__all__  # type: ignore[attr-defined]

    assert len(set(names)) == len(names)
    assert all(hasattr(room, name) for name in names)


@pytest.mark.slow
def test_importing_loads_nothing_heavy() -> None:
    """The HTTP client and YAML are loaded when they are needed."""
    program = "import sys, actors.models, actors.config; print({'httpx2', 'yaml'} & {*sys.modules})"

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout == "set()\n"
