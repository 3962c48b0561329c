"""What waits for one client."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.server.rpc_errors import ConnectionGone
from actors.server.rpc_limits import Limits
from actors.server.rpc_outbox import Outbox, Overrun

MESSAGES = [b"%d" % number for number in range(10)]


def outbox(**limits: float) -> Outbox:
    return Outbox("connection 1", Limits(**limits))  # type: ignore[arg-type]


async def drain(box: Outbox) -> list[bytes]:
    taken: list[bytes] = []
    while batch := await box.take():
        taken += batch
    return taken


async def test_messages_are_taken_in_the_order_in_which_they_came() -> None:
    """In batches; whether they were put or posted makes no difference."""
    box = outbox()
    for message in MESSAGES[:4]:
        await box.put(message)
    box.post(MESSAGES[4])

    assert await box.take() == MESSAGES[:5]


async def test_writer_sleeps_until_there_is_something() -> None:
    """And gets it at once."""
    box = outbox()
    taken: list[bytes] = []

    async def write() -> None:
        taken.extend(await box.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await wait_all_tasks_blocked()
        box.post(b"a")

    assert taken == [b"a"]


async def test_sender_waits_for_room_and_newcomers_wait_behind() -> None:
    """First come, first served, however they came."""
    box = outbox(outbound=2)
    done: list[bytes] = []

    async def put(message: bytes) -> None:
        await box.put(message)
        done.append(message)

    async with trio.open_nursery() as nursery:
        await box.put(b"0")
        await box.put(b"1")
        nursery.start_soon(put, b"2")
        await wait_all_tasks_blocked()
        box.post(b"3")
        nursery.start_soon(put, b"4")
        await wait_all_tasks_blocked()
        assert done == []
        assert box.statistics().waiting == 3

        assert await box.take() == [b"0", b"1"]
        await wait_all_tasks_blocked()

        assert done == [b"2"]
        assert await box.take() == [b"2", b"3"]
        await wait_all_tasks_blocked()
        assert await box.take() == [b"4"]
    assert done == [b"2", b"4"]


@pytest.mark.parametrize(("size", "full"), [(99, False), (100, True), (101, True)])
async def test_bytes_fill_an_outbox_as_messages_do(size: int, full: bool) -> None:
    """One message may exceed the bound: it could never be sent otherwise."""
    box = outbox(outbound_bytes=100)

    await box.put(b"x" * size)

    assert box.statistics().full is full


@pytest.mark.parametrize(("count", "full"), [(1, False), (2, True)])
async def test_number_of_messages_fills_an_outbox(count: int, full: bool) -> None:
    """At the limit, not behind it."""
    box = outbox(outbound=2)

    for _ in range(count):
        await box.put(b"x")

    assert box.statistics().full is full


async def test_batch_ends_at_its_size_and_long_messages_go_alone() -> None:
    """64 KiB, the size of a pipe."""
    box = outbox()
    long, half = b"x" * 100_000, b"y" * 32 * 1024
    for message in (long, half, half, b"z"):
        await box.put(message)

    assert [await box.take() for _ in range(3)] == [[long], [half, half], [b"z"]]


async def test_too_long_a_line_of_posts_is_an_overrun() -> None:
    """Nothing is dropped without a word: the caller ends the connection."""
    box = outbox(outbound=1, posted=2)
    for _ in range(3):
        box.post(b"x")

    with pytest.raises(Overrun):
        box.post(b"x")


async def test_cancelled_sender_has_queued_nothing() -> None:
    """And holds up nobody behind it."""
    box = outbox(outbound=1)
    await box.put(b"0")
    with trio.move_on_after(0) as scope:
        await box.put(b"1")
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.put, b"2")
        await wait_all_tasks_blocked()

        assert await box.take() == [b"0"]
        assert await box.take() == [b"2"]


@pytest.mark.parametrize(("discard", "left"), [(False, [b"0", b"2"]), (True, [])])
async def test_closing_wakes_senders_and_leaves_or_discards_what_is_queued(
    discard: bool, left: list[bytes]
) -> None:
    """A posted message was taken by us, a waiting sender's was not."""
    box = outbox(outbound=1)
    await box.put(b"0")
    async with trio.open_nursery() as nursery:

        async def put() -> None:
            with pytest.raises(ConnectionGone):
                await box.put(b"1")

        nursery.start_soon(put)
        await wait_all_tasks_blocked()
        box.post(b"2")

        box.close(discard=discard)

    assert await drain(box) == left
    with pytest.raises(ConnectionGone):
        await box.put(b"3")
    with pytest.raises(ConnectionGone):
        box.post(b"3")


async def test_closing_wakes_the_writer() -> None:
    """It learns that there is nothing more."""
    box = outbox()
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            assert await box.take() == []

        nursery.start_soon(write)
        await wait_all_tasks_blocked()
        box.close()


async def test_patience_runs_while_it_is_full_and_anew_from_each_progress(
    mock_clock: MockClock,
) -> None:
    """A client that takes a little now and then is slow, and not gone."""
    box = outbox(outbound=1, patience=30)
    with box.sending() as scope:
        assert scope.deadline == float("inf")
        mock_clock.jump(100)
        await box.put(b"x")
        assert scope.deadline == 130

        mock_clock.jump(10)
        box.progress()

        assert scope.deadline == 140
        box.post(b"y")
        assert scope.deadline == 140


async def test_patience_does_not_run_while_there_is_room(mock_clock: MockClock) -> None:
    """A client that has nothing to catch up on may take its time."""
    box = outbox(outbound=2, patience=30)
    with box.sending() as scope:
        await box.put(b"x")
        box.progress()

        assert scope.deadline == float("inf")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=40), st.integers(1, 5))
def test_nothing_is_lost_or_moved_whatever_is_put_posted_and_taken(
    steps: list[tuple[bool, int]], capacity: int
) -> None:
    """The queue and the line behind it are one queue."""

    async def main() -> None:
        box = outbox(outbound=capacity, outbound_bytes=100)
        said: list[bytes] = []
        taken: list[bytes] = []
        async with trio.open_nursery() as nursery:
            for number, (post, size) in enumerate(steps):
                message = b"%d:" % number + b"x" * size
                said.append(message)
                if post:
                    box.post(message)
                else:
                    nursery.start_soon(box.put, message)
                    await wait_all_tasks_blocked()
                if size % 3 == 0:
                    taken.extend(await box.take())
            while len(taken) < len(said):
                taken.extend(await box.take())
        assert taken == said

    trio.run(main)
