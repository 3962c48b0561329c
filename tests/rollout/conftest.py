"""What most tests of rollouts need."""

import pytest

from actors.runtime import World

from .samples import START


@pytest.fixture
def world() -> World:
    return World.deterministic(seed=1, start=START)
