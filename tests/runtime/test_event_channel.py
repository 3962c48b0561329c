"""The event channel: one bounded ring, readers at their own pace."""

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.runtime import (
    AlreadyClosed,
    ChannelClosed,
    EventChannel,
    EventChannelStatistics,
    Lagged,
    Subscription,
)

from .step_counter import counted_pauses


def drain(subscription: Subscription[int]) -> list[int | Lagged]:
    """Return all that can be read now."""
    found: list[int | Lagged] = []
    try:
        while True:
            found.append(subscription.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        return found


async def test_every_subscription_gets_every_later_event_in_order() -> None:
    """A subscription without a start reads what is published from then on."""
    channel = EventChannel[int]()
    channel.publish(0)
    first = channel.subscribe()
    channel.publish(1)
    second = channel.subscribe()
    channel.publish(2)

    assert [await first.receive(), first.receive_nowait()] == [1, 2]
    assert await second.receive_many() == [2]


def test_events_are_numbered_without_gaps_from_the_first_seq() -> None:
    """A restarted actor goes on with the numbers of its predecessor."""
    channel = EventChannel[str](first_seq=7, capacity=2)
    assert (channel.next_seq, channel.oldest_seq) == (7, 7)

    assert [channel.publish(event) for event in "abc"] == [7, 8, 9]
    assert (channel.next_seq, channel.oldest_seq, channel.capacity) == (10, 8, 2)


@pytest.mark.parametrize(("capacity", "first_seq"), [(0, 1), (1, 0), (-1, 1)])
def test_channel_needs_room_and_numbers_from_1(capacity: int, first_seq: int) -> None:
    """Nonsense is refused at once."""
    with pytest.raises(ValueError, match="from 1"):
        EventChannel(capacity=capacity, first_seq=first_seq)


@pytest.mark.parametrize(
    ("from_seq", "expected"),
    [
        (1, [Lagged(6), 6, 7, 8]),
        (6, [Lagged(1), 6, 7, 8]),
        (7, [6, 7, 8]),
        (9, [8]),
        (10, []),
        (None, []),
    ],
)
async def test_subscription_starts_at_a_seq_still_in_the_ring(
    from_seq: int | None, expected: list[int | Lagged]
) -> None:
    """What the ring has lost before the start is one `Lagged`."""
    channel = EventChannel[int](capacity=3)
    for event in range(9):
        channel.publish(event)

    subscription = channel.subscribe(from_seq=from_seq)

    assert drain(subscription) == expected


def test_seq_before_a_restart_lags_by_what_the_new_channel_never_had() -> None:
    """A client can ask for an old seq after a restart."""
    channel = EventChannel[int](first_seq=10)
    channel.publish(0)

    assert drain(channel.subscribe(from_seq=4)) == [Lagged(6), 0]


@pytest.mark.parametrize("from_seq", [0, -1, 3])
def test_subscription_from_the_future_is_refused(from_seq: int) -> None:
    """Beyond the next seq there is nothing to wait for; below 1 there never was."""
    channel = EventChannel[int]()
    channel.publish(0)

    with pytest.raises(ValueError, match=f"seq {from_seq}:"):
        channel.subscribe(from_seq=from_seq)
    assert channel.statistics().subscriptions == 0


async def test_reader_that_falls_behind_gets_one_lagged_and_goes_on() -> None:
    """The exact number of lost events, then the oldest one left; others lose nothing."""
    channel = EventChannel[int](capacity=4)
    slow, quick = channel.subscribe(), channel.subscribe()
    seen: list[int | Lagged] = []
    for event in range(10):
        channel.publish(event)
        seen += drain(quick)

    assert await slow.receive() == Lagged(6)
    assert await slow.receive() == 6
    channel.publish(10)
    channel.publish(11)
    assert drain(slow) == [Lagged(1), 8, 9, 10, 11]
    assert seen == list(range(10))


async def test_receive_many_reads_around_the_end_of_the_ring() -> None:
    """At most one `Lagged`, at the head, and everything else in order."""
    channel = EventChannel[int](capacity=4)
    subscription = channel.subscribe()
    for event in range(3):
        channel.publish(event)
    assert await subscription.receive_many() == [0, 1, 2]
    for event in range(3, 6):
        channel.publish(event)
    assert await subscription.receive_many() == [3, 4, 5]
    for event in range(6, 16):
        channel.publish(event)

    assert await subscription.receive_many() == [Lagged(6), 12, 13, 14, 15]


async def test_sleeping_readers_are_woken_by_one_event() -> None:
    """Everybody who waits gets it, by whichever way they read."""
    channel = EventChannel[int]()
    got: dict[str, object] = {}

    async def one() -> None:
        got["one"] = await channel.subscribe().receive()

    async def many() -> None:
        got["many"] = await channel.subscribe().receive_many()

    async def loop() -> None:
        got["loop"] = [event async for event in channel.subscribe()]

    async with trio.open_nursery() as nursery:
        for reader in (one, many, loop):
            nursery.start_soon(reader)
        await wait_all_tasks_blocked()
        assert channel.statistics().waiting == 3
        channel.publish(1)
        channel.publish(2)
        await wait_all_tasks_blocked()
        channel.close()

    assert got == {"one": 1, "many": [1, 2], "loop": [1, 2]}


async def test_closed_channel_is_read_to_its_end_and_then_ends() -> None:
    """What is in the ring can be read, also by those who subscribe later."""
    channel = EventChannel[int]()
    early = channel.subscribe()
    channel.publish(1)
    channel.publish(2)
    channel.close()
    channel.close()

    assert [event async for event in early] == [1, 2]
    with pytest.raises(ChannelClosed):
        await early.receive()
    with pytest.raises(ChannelClosed):
        await early.receive_many()
    with pytest.raises(ChannelClosed):
        early.receive_nowait()
    assert await channel.subscribe(from_seq=2).receive() == 2
    with pytest.raises(ChannelClosed):
        await channel.subscribe().receive()
    with pytest.raises(AlreadyClosed):
        channel.publish(3)
    assert channel.next_seq == 3
    assert channel.closed


async def test_sleeping_readers_end_when_the_channel_closes() -> None:
    """After exit nothing hangs."""
    channel = EventChannel[int]()
    ended: list[str] = []

    async def one() -> None:
        with pytest.raises(ChannelClosed):
            await channel.subscribe().receive()
        ended.append("one")

    async def loop() -> None:
        async for _ in channel.subscribe():
            pass
        ended.append("loop")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(loop)
        await wait_all_tasks_blocked()
        channel.close()

    assert sorted(ended) == ["loop", "one"]


async def test_closed_subscription_refuses_and_leaves_the_count() -> None:
    """Closing twice counts once; the channel goes on."""
    channel = EventChannel[int]()
    with channel.subscribe() as subscription:
        channel.publish(1)
        assert channel.statistics().subscriptions == 1
    subscription.close()

    assert channel.statistics().subscriptions == 0
    for call in (subscription.receive, subscription.receive_many, subscription.__anext__):
        with pytest.raises(AlreadyClosed):
            await call()
    with pytest.raises(AlreadyClosed):
        subscription.receive_nowait()


@pytest.mark.parametrize("woken", [False, True])
async def test_reader_whose_subscription_is_closed_gets_an_error(*, woken: bool) -> None:
    """Whether it still sleeps or was just woken by an event."""
    channel = EventChannel[int]()
    subscription = channel.subscribe()

    async def read() -> None:
        with pytest.raises(AlreadyClosed):
            await subscription.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        if woken:
            channel.publish(1)
        subscription.close()


async def test_second_reader_of_one_subscription_is_refused() -> None:
    """Also in the moment between wake-up and run: the event is the sleeper's."""
    channel = EventChannel[int]()
    subscription = channel.subscribe()
    got: list[int | Lagged] = []

    async def read() -> None:
        got.append(await subscription.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        for _ in range(2):
            for call in (subscription.receive, subscription.receive_many, subscription.__anext__):
                with pytest.raises(trio.BusyResourceError):
                    await call()
            with pytest.raises(trio.BusyResourceError):
                subscription.receive_nowait()
            channel.publish(1)

    assert got == [1]
    assert subscription.receive_nowait() == 1


@pytest.mark.parametrize("method", ["receive", "receive_many", "__anext__"])
async def test_cancelled_reader_reads_nothing(method: str) -> None:
    """With an event at hand or asleep, the event is still there afterwards."""
    channel = EventChannel[int]()
    subscription = channel.subscribe()
    read = getattr(subscription, method)

    with trio.move_on_after(0) as asleep:
        await read()
    channel.publish(1)
    with trio.CancelScope() as ready:
        ready.cancel()
        await read()

    assert asleep.cancelled_caught
    assert ready.cancelled_caught
    assert channel.statistics().waiting == 0
    assert subscription.receive_nowait() == 1


@pytest.mark.parametrize("method", ["receive", "__anext__"])
async def test_busy_reader_lets_others_run_every_64_events(method: str) -> None:
    """A full ring does not starve the rest of the program."""
    channel = EventChannel[int]()
    subscription = channel.subscribe()
    for event in range(200):
        channel.publish(event)

    with counted_pauses() as pauses:
        at: list[int] = []
        for taken in range(200):
            steps = pauses.steps
            await getattr(subscription, method)()
            if pauses.steps > steps:
                at.append(taken)

    assert at == [64, 128, 192]


async def test_reader_of_many_lets_others_run_after_64_events() -> None:
    """A publisher and a reader in step cannot keep the loop for themselves."""
    channel = EventChannel[int]()
    subscription = channel.subscribe()

    with counted_pauses() as pauses:
        for _ in range(10):
            for event in range(64):
                channel.publish(event)
            await subscription.receive_many()

    assert pauses.steps == 9


def test_idle_channel_holds_no_ring() -> None:
    """The ring grows with its content, up to the capacity."""
    channel = EventChannel[int](capacity=1_000_000)

    assert channel.oldest_seq == channel.next_seq == 1


async def test_channel_that_keeps_nothing_read_is_empty_when_all_have_read() -> None:
    """What one of the subscriptions has not read stays, and the numbers go on."""
    channel = EventChannel[int](capacity=3, keeps_read=False)
    quick, slow = channel.subscribe(), channel.subscribe()

    async with trio.open_nursery() as nursery:

        async def read(subscription: Subscription[int], seen: list[int | Lagged]) -> None:
            async for value in subscription:
                seen.append(value)

        seen: list[int | Lagged] = []
        nursery.start_soon(read, quick, seen)
        for value in range(5):
            channel.publish(value)
            await wait_all_tasks_blocked()
        kept = channel.next_seq - channel.oldest_seq
        late: list[int | Lagged] = []
        nursery.start_soon(read, slow, late)
        await wait_all_tasks_blocked()
        left = channel.next_seq - channel.oldest_seq
        channel.publish(5)
        await wait_all_tasks_blocked()
        channel.close()

    assert seen == [0, 1, 2, 3, 4, 5]
    assert late == [Lagged(2), 2, 3, 4, 5]
    assert (kept, left, channel.next_seq) == (3, 0, 7)
    assert channel.subscribe(from_seq=2).receive_nowait() == Lagged(5)


@pytest.mark.parametrize("method", ["receive", "receive_nowait", "receive_many", "__anext__"])
async def test_something_is_done_once_before_anybody_reads(method: str) -> None:
    """Not when it is published, and not again for the next event or reader."""
    channel = EventChannel[int](capacity=2)
    readers = [channel.subscribe(), channel.subscribe()]
    done: list[int] = []

    def act() -> None:
        done.append(channel.publish(7))

    channel.publish(0)
    channel.before_read(act)
    channel.publish(1)
    assert done == []
    seen: list[object] = []
    for reader in readers:
        found = getattr(reader, method)()
        seen.append(found if method == "receive_nowait" else await found)

    assert done == [3]
    assert seen == [[Lagged(1), 1, 7]] * 2 if method == "receive_many" else [Lagged(1)] * 2


async def test_statistics_and_repr_tell_the_state() -> None:
    """A look changes nothing and names everything."""
    channel = EventChannel[int](capacity=2)
    subscription = channel.subscribe()
    for event in range(3):
        channel.publish(event)

    stats = EventChannelStatistics(
        next_seq=4, oldest_seq=2, capacity=2, subscriptions=1, waiting=0, closed=False
    )
    assert channel.statistics() == stats
    assert repr(channel) == (
        "<EventChannel: 2/2 events, next 4, 1 subscriptions (0 waiting), open>"
    )
    assert repr(subscription) == "<Subscription: next 1, 3 behind, open>"
    assert subscription.next_seq == 1
    drain(subscription)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subscription.receive)
        await wait_all_tasks_blocked()
        assert channel.statistics() == attrs.evolve(stats, waiting=1)
        assert repr(subscription) == "<Subscription: next 4, 0 behind, waiting>"
        channel.publish(4)
    channel.close()
    subscription.close()
    assert repr(channel).endswith("closed>")
    assert repr(subscription).endswith("closed>")


# Against a model ------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["one", "many", "next"]), st.integers(0, 3)),
        st.tuples(st.just("subscribe"), st.integers(-1, 30)),
    ),
    max_size=40,
)


@given(capacity=st.integers(1, 9), first_seq=st.integers(1, 12), steps=STEPS)
async def test_channel_behaves_like_an_endless_log_with_a_moving_start(
    capacity: int, first_seq: int, steps: list[tuple[str, int]]
) -> None:
    """For each reader, events and `Lagged` together account for every seq, once."""
    channel = EventChannel[int](capacity=capacity, first_seq=first_seq)
    next_seq = first_seq
    readers: list[tuple[Subscription[int], int]] = []

    for what, value in steps:
        oldest = max(first_seq, next_seq - capacity)
        if what == "publish":
            for _ in range(value):
                # Each event is its own seq.
                assert channel.publish(next_seq) == next_seq
                next_seq += 1
        elif what == "subscribe":
            if value == -1:
                readers.append((channel.subscribe(), next_seq))
            elif 1 <= value <= next_seq:
                readers.append((channel.subscribe(from_seq=value), value))
            else:
                with pytest.raises(ValueError, match="cannot subscribe"):
                    channel.subscribe(from_seq=value)
        elif value < len(readers):
            subscription, cursor = readers[value]
            if cursor == next_seq:
                with pytest.raises(trio.WouldBlock):
                    subscription.receive_nowait()
                continue
            if what == "many":
                lost = [Lagged(oldest - cursor)] if cursor < oldest else []
                events = list(range(max(cursor, oldest), next_seq))
                assert await subscription.receive_many() == [*lost, *events]
                cursor = next_seq
            else:
                read = subscription.receive if what == "one" else subscription.__anext__
                if cursor < oldest:
                    assert await read() == Lagged(oldest - cursor)
                    cursor = oldest
                else:
                    assert await read() == cursor
                    cursor += 1
            readers[value] = (subscription, cursor)
        assert channel.oldest_seq == max(first_seq, next_seq - capacity)

    channel.close()
    for subscription, cursor in readers:
        oldest = max(first_seq, next_seq - capacity)
        rest = [event async for event in subscription]
        lost = [Lagged(oldest - cursor)] if cursor < oldest else []
        assert rest == [*lost, *range(max(cursor, oldest), next_seq)]


async def test_channel_that_is_told_to_forget_is_empty_when_all_have_read() -> None:
    """What was there before is forgotten, too, when the next one has read it."""
    channel = EventChannel[int](capacity=3)
    channel.publish(0)
    reader = channel.subscribe(from_seq=1)
    channel.forget_read()
    kept = channel.next_seq - channel.oldest_seq

    async with trio.open_nursery() as nursery:
        seen: list[int | Lagged] = []

        async def read() -> None:
            async for value in reader:
                seen.append(value)

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        left = channel.next_seq - channel.oldest_seq
        waits = reader.waiting
        channel.publish(1)
        channel.close()

    assert seen == [0, 1]
    assert (kept, left, waits, reader.waiting) == (1, 0, True, False)
