"""The world: clock, ids and randomness of one run."""

import time
import uuid

import trio
from trio.testing import MockClock

from actors.runtime import World

START = 1_770_000_000.0


def test_system_world_has_the_wall_clock_and_rising_ids() -> None:
    """Ids are version 7 UUIDs of the present time, each above the one before."""
    world = World.system()

    before = time.time()
    now = world.now()
    ids = [world.new_id() for _ in range(1000)]

    assert before <= now <= time.time()
    assert ids == sorted(set(ids))
    assert {uuid.UUID(text).version for text in ids} == {7}
    assert abs((uuid.UUID(ids[0]).int >> 80) / 1000 - now) < 60


async def test_deterministic_clock_follows_the_mock_clock(autojump_clock: MockClock) -> None:
    """It starts where it is told and moves with trio's clock only."""
    world = World.deterministic(1, START)
    assert world.now() == START + trio.current_time()
    begin = world.now()

    await trio.sleep(30)

    assert world.now() == begin + 30


async def test_deterministic_worlds_of_one_seed_are_equal(autojump_clock: MockClock) -> None:
    """Ids and random numbers repeat, and do not disturb each other."""
    one, other = World.deterministic(7, START), World.deterministic(7, START)

    ids = [one.new_id() for _ in range(5)]

    assert [other.new_id() for _ in range(5)] == ids
    assert one.random.random() == World.deterministic(7, START).random.random()
    assert World.deterministic(8, START).new_id() != ids[0]


async def test_deterministic_ids_are_valid_and_rise(autojump_clock: MockClock) -> None:
    """Also beyond 4096 in one millisecond; and they carry the time of the clock."""
    world = World.deterministic(1, START)

    ids = [world.new_id() for _ in range(5000)]
    await trio.sleep(10)
    ids.append(world.new_id())

    parsed = [uuid.UUID(text) for text in ids]
    assert ids == sorted(set(ids))
    assert {(one.version, one.variant) for one in parsed} == {(7, uuid.RFC_4122)}
    assert parsed[0].int >> 80 == int(START * 1000)
    assert parsed[-1].int >> 80 == int((START + 10) * 1000)


async def test_deterministic_ids_rise_even_if_the_clock_goes_back(
    autojump_clock: MockClock,
) -> None:
    """An id is never below one that was given out before."""
    world = World.deterministic(1, START)
    await trio.sleep(1)
    ids = [world.new_id()]

    assert world.new_id() > ids[0]
