"""What every interop test gets: its marker, and the Codex binary or a reason to skip."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.codex_binary import codex_executable, why_no_codex

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; a new module cannot forget to."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def codex() -> Path:
    """The Codex executable; skips when it is not installed."""
    executable = codex_executable()
    if executable is None:
        pytest.skip(why_no_codex())
    return executable
