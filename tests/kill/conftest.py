"""Long runs are left out unless they are asked for."""

import os

import pytest

SOAK = "TREADLE_SOAK"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip soak tests, but for ``-m soak`` or ``TREADLE_SOAK=1``."""
    wanted = str(config.getoption("markexpr") or "")
    chosen = "soak" in wanted and "not soak" not in wanted
    if chosen or os.environ.get(SOAK, "") not in {"", "0"}:
        return
    skip = pytest.mark.skip(reason=f"takes minutes; ask for it with -m soak or {SOAK}=1")
    for item in items:
        if item.get_closest_marker("soak") is not None:
            item.add_marker(skip)
