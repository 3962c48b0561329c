"""Every test here leaves nothing behind: no process, no file descriptor."""

import gc
import os
import uuid
from collections.abc import Iterator

import pytest

from .processes import MARK, marked_processes, open_descriptors


@pytest.fixture
def marked_env() -> dict[str, str]:
    """Variables for a test's commands, by which all that they start can be found."""
    return {"PATH": os.environ["PATH"], MARK: uuid.uuid4().hex}


@pytest.fixture(autouse=True)
def _nothing_left(marked_env: dict[str, str]) -> Iterator[None]:
    gc.collect()
    before = open_descriptors()
    yield
    gc.collect()
    assert marked_processes(marked_env[MARK]) == []
    assert open_descriptors() == before
