"""What most tests of rollouts need."""

import pytest

from actors.rollout import Durability
from actors.runtime import World

from .samples import START


@pytest.fixture
def world() -> World:
    return World.deterministic(seed=1, start=START)


@pytest.fixture(params=Durability, ids=lambda d: d.value)
def durability(request: pytest.FixtureRequest) -> Durability:
    """Each of them."""
    chosen: Durability = request.param
    return chosen
