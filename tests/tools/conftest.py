"""What tests of real processes share."""

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


@pytest.fixture
def nothing_left(marked_env: dict[str, str]) -> Iterator[None]:
    """The test leaves nothing behind: no process, no file descriptor."""
    before = open_descriptors()
    yield
    assert marked_processes(marked_env[MARK]) == []
    if open_descriptors() != before:
        gc.collect()  # what an earlier test's objects held may have gone meanwhile
    assert open_descriptors() <= before
