"""The mailbox: two lanes, bounded, one consumer."""

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.runtime import Mailbox, MailboxClosed, MailboxFull, MailboxStatistics

from .step_counter import counted_pauses


async def test_mailbox_gives_control_first_and_keeps_order_in_each_lane() -> None:
    """Control never waits behind work; each lane is first in, first out."""
    mailbox = Mailbox[str]("a")
    mailbox.send_nowait("work 1")
    await mailbox.send("work 2")
    mailbox.send_control_nowait("control 1")
    mailbox.send_control_nowait("control 2")

    received = [await mailbox.receive(), mailbox.receive_nowait(), await mailbox.receive()]
    mailbox.send_control_nowait("control 3")
    received += [await mailbox.receive(), await mailbox.receive()]

    assert received == ["control 1", "control 2", "work 1", "control 3", "work 2"]


async def test_mailbox_gives_control_that_comes_between_wake_up_and_run_first() -> None:
    """A consumer that was woken by work still takes control first."""
    mailbox = Mailbox[str]("a")
    received: list[str] = []

    async def consume() -> None:
        received.append(await mailbox.receive())
        received.append(await mailbox.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        mailbox.send_nowait("work")
        mailbox.send_control_nowait("control")

    assert received == ["control", "work"]


@pytest.mark.parametrize("capacity", [1, 2, 64])
def test_mailbox_refuses_work_beyond_its_capacity(capacity: int) -> None:
    """One message too many raises, enqueues nothing, and control still fits."""
    mailbox = Mailbox[int]("a", capacity=capacity, control_capacity=1)
    for number in range(capacity):
        mailbox.send_nowait(number)

    with pytest.raises(MailboxFull) as full:
        mailbox.send_nowait(-1)

    assert full.value.args == ("a", capacity)
    assert len(mailbox) == capacity
    mailbox.send_control_nowait(-2)


@pytest.mark.parametrize("capacity", [1, 2, 256])
def test_mailbox_refuses_control_beyond_its_own_capacity(capacity: int) -> None:
    """The control lane has its own bound."""
    mailbox = Mailbox[int]("a", control_capacity=capacity)
    for number in range(capacity):
        mailbox.send_control_nowait(number)

    with pytest.raises(MailboxFull) as full:
        mailbox.send_control_nowait(-1)

    assert full.value.args == ("a", capacity)
    assert len(mailbox) == capacity


@pytest.mark.parametrize("field", ["capacity", "control_capacity"])
def test_mailbox_needs_room(field: str) -> None:
    """A lane without room is refused."""
    with pytest.raises(ValueError, match=field):
        Mailbox("a", **{field: 0})


async def test_senders_get_room_in_the_order_in_which_they_asked() -> None:
    """Waiting senders are served first come, first served; newcomers go behind."""
    mailbox = Mailbox[int]("a", capacity=1)
    await mailbox.send(0)
    received: list[int] = []

    async with trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            nursery.start_soon(mailbox.send, number)
            await wait_all_tasks_blocked()
        received.append(await mailbox.receive())
        with pytest.raises(MailboxFull):
            mailbox.send_nowait(4)
        received += [await mailbox.receive() for _ in range(3)]

    assert received == [0, 1, 2, 3]


async def test_cancelled_sender_enqueues_nothing_and_loses_its_place() -> None:
    """Either the message is queued or the sender is cancelled, never both."""
    mailbox = Mailbox[int]("a", capacity=1)
    await mailbox.send(0)

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0):
            await mailbox.send(1)
        nursery.start_soon(mailbox.send, 2)
        await wait_all_tasks_blocked()
        received = [await mailbox.receive(), await mailbox.receive()]

    assert received == [0, 2]
    assert len(mailbox) == 0


async def test_sender_that_got_room_is_not_cancelled_any_more() -> None:
    """Cancellation that comes after the message is queued does not report a lie."""
    mailbox = Mailbox[int]("a", capacity=1)
    await mailbox.send(0)
    scope = trio.CancelScope()
    sent: list[int] = []

    async def send() -> None:
        with scope:
            await mailbox.send(1)
            sent.append(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        assert mailbox.receive_nowait() == 0
        scope.cancel()

    assert sent == [1]
    assert mailbox.receive_nowait() == 1


async def test_cancelled_send_enqueues_nothing_even_when_there_is_room() -> None:
    """The fast path is a cancel point."""
    mailbox = Mailbox[int]("a")

    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.send(1)

    assert scope.cancelled_caught
    assert len(mailbox) == 0


Receive = Callable[[Mailbox[int]], Awaitable[int]]
RECEIVES = pytest.mark.parametrize("receive", [Mailbox[int].receive, Mailbox[int].receive_control])


@RECEIVES
async def test_cancelled_receive_takes_nothing(receive: Receive) -> None:
    """Cancelled with a message at hand, or while asleep: the message stays."""
    mailbox = Mailbox[int]("a")
    mailbox.send_control_nowait(1)

    with trio.CancelScope() as scope:
        scope.cancel()
        await receive(mailbox)
    assert scope.cancelled_caught
    assert mailbox.receive_nowait() == 1
    with trio.move_on_after(0) as scope:
        await receive(mailbox)

    assert scope.cancelled_caught
    assert not mailbox.statistics().waiting_receiver
    mailbox.send_control_nowait(2)
    assert await receive(mailbox) == 2


async def test_receiver_woken_and_cancelled_at_once_gets_the_message() -> None:
    """A wake-up that has happened wins over a later cancellation."""
    mailbox = Mailbox[int]("a")
    scope = trio.CancelScope()
    received: list[int] = []

    async def consume() -> None:
        with scope:
            received.append(await mailbox.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        mailbox.send_nowait(1)
        scope.cancel()

    assert received == [1]


async def test_second_consumer_is_refused() -> None:
    """One task receives at a time."""
    mailbox = Mailbox[int]("a")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await mailbox.receive()
        with pytest.raises(trio.BusyResourceError):
            await mailbox.receive_control()
        mailbox.send_nowait(1)


async def test_busy_consumer_hears_of_control_only() -> None:
    """`receive_control` sleeps through work, and leaves it for later."""
    mailbox = Mailbox[str]("a")
    received: list[str] = []

    async def consume() -> None:
        received.append(await mailbox.receive_control())
        received.append(await mailbox.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        mailbox.send_nowait("work")
        await wait_all_tasks_blocked()
        assert received == []
        mailbox.send_control_nowait("control")

    assert received == ["control", "work"]


async def test_mailbox_whose_message_was_stolen_lets_the_woken_consumer_sleep_on() -> None:
    """A nowait receive between wake-up and run takes the message; nothing breaks."""
    mailbox = Mailbox[int]("a")
    received: list[int] = []

    async def consume() -> None:
        received.append(await mailbox.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        mailbox.send_nowait(1)
        assert mailbox.receive_nowait() == 1
        await wait_all_tasks_blocked()
        mailbox.send_nowait(2)

    assert received == [2]


async def test_receive_nowait_says_when_there_is_nothing() -> None:
    """Empty and open is `trio.WouldBlock`; empty and closed is `MailboxClosed`."""
    mailbox = Mailbox[int]("a")

    with pytest.raises(trio.WouldBlock):
        mailbox.receive_nowait()
    mailbox.close()
    with pytest.raises(MailboxClosed):
        mailbox.receive_nowait()


async def test_closing_hands_out_what_is_left_and_ends_everyone() -> None:
    """The owner gets the queue, senders keep their message, nobody hangs."""
    mailbox = Mailbox[str]("a", capacity=1)
    ended: list[str] = []

    async def ends(name: str, call: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(MailboxClosed):
            await call()
        ended.append(name)

    async def wait_for_control() -> None:
        await mailbox.receive_control()

    mailbox.send_nowait("work")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends, "sender", lambda: mailbox.send("late"))
        nursery.start_soon(ends, "consumer", wait_for_control)
        await wait_all_tasks_blocked()
        left = mailbox.close()
    mailbox_of_two = Mailbox[str]("b")
    mailbox_of_two.send_nowait("work 1")
    mailbox_of_two.send_nowait("work 2")
    mailbox_of_two.send_control_nowait("control")

    assert left == ("work",)
    assert sorted(ended) == ["consumer", "sender"]
    assert mailbox.close() == ()
    assert mailbox_of_two.close() == ("control", "work 1", "work 2")


async def test_closed_mailbox_refuses_everything() -> None:
    """Every way in and out raises, and names the address."""
    mailbox = Mailbox[int]("a")
    mailbox.close()

    for call in (mailbox.send_nowait, mailbox.send_control_nowait):
        with pytest.raises(MailboxClosed, match="'a'"):
            call(1)
    with pytest.raises(MailboxClosed):
        await mailbox.send(1)
    with pytest.raises(MailboxClosed):
        await mailbox.receive()
    with pytest.raises(MailboxClosed):
        await mailbox.receive_control()
    assert mailbox.closed


@RECEIVES
async def test_busy_consumer_lets_others_run_every_64_messages(receive: Receive) -> None:
    """A full mailbox does not starve the rest of the program."""
    mailbox = Mailbox[int]("a", control_capacity=256)
    for number in range(200):
        mailbox.send_control_nowait(number)

    with counted_pauses() as pauses:
        at: list[int] = []
        for taken in range(200):
            steps = pauses.steps
            await receive(mailbox)
            if pauses.steps > steps:
                at.append(taken)

    assert at == [64, 128, 192]


async def test_message_is_received_or_handed_out_when_the_mailbox_closes_in_the_pause() -> None:
    """The consumer looks again after it let others run: one of the two has it."""
    mailbox = Mailbox[int]("a", capacity=100)
    for number in range(65):
        mailbox.send_nowait(number)
    got: list[int] = []

    async def close() -> None:
        got.extend(mailbox.close())

    async with trio.open_nursery() as nursery:
        for number in range(64):
            assert await mailbox.receive() == number
        nursery.start_soon(close)
        with contextlib.suppress(MailboxClosed):
            got.append(await mailbox.receive())

    assert got == [64]


async def test_statistics_and_repr_tell_the_state() -> None:
    """A look at the mailbox changes nothing and names everything."""
    mailbox = Mailbox[int]("thread/1", capacity=2)
    empty = MailboxStatistics(
        address="thread/1",
        work=0,
        capacity=2,
        control=0,
        control_capacity=256,
        waiting_senders=0,
        waiting_receiver=False,
        closed=False,
    )
    assert mailbox.statistics() == empty
    assert repr(mailbox) == (
        "<Mailbox 'thread/1': 0/2 work, 0/256 control, 0 senders waiting, open>"
    )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive)
        await wait_all_tasks_blocked()
        assert mailbox.statistics() == attrs.evolve(empty, waiting_receiver=True)
        assert repr(mailbox).endswith("idle>")
        mailbox.send_nowait(1)
    mailbox.send_control_nowait(0)
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(mailbox.send, number)
        await wait_all_tasks_blocked()
        assert mailbox.statistics() == attrs.evolve(empty, work=2, control=1, waiting_senders=1)
        for _ in range(4):
            mailbox.receive_nowait()

    mailbox.close()
    assert mailbox.statistics() == attrs.evolve(empty, closed=True)
    assert repr(mailbox).endswith("closed>")


# Against a model ------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 99)),
        st.tuples(st.just("wait to send"), st.integers(0, 99)),
        st.tuples(st.just("cancel a sender"), st.integers(0, 5)),
        st.tuples(st.just("control"), st.integers(0, 99)),
        st.tuples(st.just("receive"), st.just(0)),
        st.tuples(st.just("wait to receive"), st.just(0)),
        st.tuples(st.just("settle"), st.just(0)),
    ),
    max_size=40,
)


@attrs.define
class _Model:
    """Two bounded queues and a line of waiting senders."""

    work: deque[int] = attrs.field(factory=deque[int])
    control: deque[int] = attrs.field(factory=deque[int])
    waiting: deque[tuple[trio.CancelScope, int]] = attrs.field(
        factory=deque[tuple[trio.CancelScope, int]]
    )

    def take(self) -> int | None:
        if self.control:
            return self.control.popleft()
        if not self.work:
            return None
        message = self.work.popleft()
        if self.waiting:
            self.work.append(self.waiting.popleft()[1])
        return message


@given(steps=STEPS)
async def test_mailbox_behaves_like_two_queues_whatever_is_done(  # noqa: PLR0915 -- flat
    steps: list[tuple[str, int]],
) -> None:
    """Nothing is lost, doubled or reordered, and the bounds hold."""
    mailbox = Mailbox[int]("a", capacity=2, control_capacity=2)
    model = _Model()

    async def send(message: int, scope: trio.CancelScope) -> None:
        with scope:
            await mailbox.send(message)

    async with trio.open_nursery() as nursery:
        for what, value in steps:
            match what:
                case "send":
                    if len(model.work) < 2:
                        mailbox.send_nowait(value)
                        model.work.append(value)
                    else:
                        with pytest.raises(MailboxFull):
                            mailbox.send_nowait(value)
                case "wait to send":
                    scope = trio.CancelScope()
                    nursery.start_soon(send, value, scope)
                    await wait_all_tasks_blocked()
                    if len(model.work) < 2:
                        model.work.append(value)
                    else:
                        model.waiting.append((scope, value))
                case "cancel a sender":
                    if value < len(model.waiting):
                        model.waiting[value][0].cancel()
                        del model.waiting[value]
                        await wait_all_tasks_blocked()
                case "control":
                    if len(model.control) < 2:
                        mailbox.send_control_nowait(value)
                        model.control.append(value)
                    else:
                        with pytest.raises(MailboxFull):
                            mailbox.send_control_nowait(value)
                case "receive":
                    expected = model.take()
                    if expected is None:
                        with pytest.raises(trio.WouldBlock):
                            mailbox.receive_nowait()
                    else:
                        assert mailbox.receive_nowait() == expected
                case "wait to receive":
                    expected = model.take()
                    if expected is not None:
                        assert await mailbox.receive() == expected
                case _:
                    await wait_all_tasks_blocked()
            now = mailbox.statistics()
            assert (now.work, now.control) == (len(model.work), len(model.control))
            assert now.waiting_senders == len(model.waiting)
        for scope, _ in model.waiting:
            scope.cancel()
        await wait_all_tasks_blocked()
        assert mailbox.close() == (*model.control, *model.work)
