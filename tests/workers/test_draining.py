"""Turns that come to their end before everything does."""

import trio
from trio.testing import MockClock

from actors.workers.draining import wait_for_turns

from .slot_stage import open_stage


async def test_nobody_waits_when_no_turn_runs(mock_clock: MockClock) -> None:
    """Not even for a moment."""
    async with open_stage(2) as stage:
        assert await wait_for_turns(lambda: stage.slots, grace=10) == 0
        mock_clock.autojump_threshold = 0


async def test_waiting_ends_with_the_last_turn(autojump_clock: MockClock) -> None:
    """In whichever worker it is."""
    async with open_stage(2) as stage:
        stage.workers[0].turns, stage.workers[1].turns = 1, 2

        async def end_them() -> None:
            await trio.sleep(1)
            stage.workers[0].turns = 0
            await trio.sleep(1)
            stage.workers[1].turns = 0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_them)
            begun = trio.current_time()
            left = await wait_for_turns(lambda: stage.slots, grace=10)

        assert left == 0
        assert 2 <= trio.current_time() - begun < 2.1


async def test_waiting_ends_when_its_time_is_over(autojump_clock: MockClock) -> None:
    """And says how many turns still run; no time is no waiting."""
    async with open_stage(2) as stage:
        stage.workers[0].turns, stage.workers[1].turns = 1, 2
        begun = trio.current_time()

        assert await wait_for_turns(lambda: stage.slots, grace=3) == 3
        assert trio.current_time() - begun == 3
        assert await wait_for_turns(lambda: stage.slots, grace=0) == 3
        assert trio.current_time() - begun == 3


async def test_a_worker_that_dies_meanwhile_is_not_waited_for(autojump_clock: MockClock) -> None:
    """Its turns have ended with it."""
    async with open_stage(1) as stage:
        stage.workers[0].turns = 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_soon, stage.workers[0])
            assert await wait_for_turns(lambda: stage.slots, grace=100) == 0


async def _end_soon(worker: object) -> None:
    await trio.sleep(1)
    worker.end(-9)  # type: ignore[attr-defined]
