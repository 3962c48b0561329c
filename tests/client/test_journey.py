"""A program is the same wherever its threads run."""

from pathlib import Path

import pytest
import trio

from .journey import travel
from .stage import PLACES, open_place


@pytest.mark.slow
async def test_one_program_sees_the_same_wherever_its_threads_run(tmp_path: Path) -> None:
    """Event for event, but for ids and times."""
    seen: dict[str, list[str]] = {}

    async def run(place: str) -> None:
        # Of one length, as the model counts the words that it is told.
        folder = tmp_path / str(PLACES.index(place))
        folder.mkdir()
        async with open_place(place, folder) as manager:
            seen[place] = await travel(manager, folder)

    async with trio.open_nursery() as nursery:
        for place in PLACES:
            nursery.start_soon(run, place)

    here = seen.pop("here")
    assert len(here) > 200
    for place, lines in seen.items():
        assert lines == here, place
