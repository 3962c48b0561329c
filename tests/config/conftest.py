"""Fixtures for tests of configurations."""

from pathlib import Path

import pytest

from .places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Empty ones."""
    return Places(tmp_path.resolve()).make()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    return tmp_path
