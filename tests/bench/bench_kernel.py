"""
What the kernel costs, as ratios to plain trio measured beside it.

``python -m tests.bench.bench_kernel [rounds]`` prints one row an operation.
Reference and ours take turns within one process; a ratio is the median of the
ratios of the single rounds.  Only ratios mean something on a shared machine.
"""

import functools
import gc
import math
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

import attrs
import trio
import trio.testing

from actors.runtime import (
    Actor,
    ActorRef,
    ChildSpec,
    DynamicSupervisor,
    EventChannel,
    Mailbox,
    Reply,
)

# Measures one run: seconds, CPU seconds.
Run = Callable[[], tuple[float, float]]
Spent = tuple[float, float]


@attrs.frozen(kw_only=True)
class Row:
    """
    One line of the table.

    Attributes:
        name: What was measured.
        unit: Of *reference* and *ours*.
        reference: Plain trio, median of all rounds.
        ours: The kernel, median of all rounds.
        ratio: Median of ours / reference in each round.
        cpu_ratio: The same in CPU time; None for memory.
        target: Highest good ratio; None if there is none.
    """

    name: str
    unit: str
    reference: float
    ours: float
    ratio: float
    cpu_ratio: float | None
    target: float | None


@attrs.define
class _Stopwatch:
    """Measures a block, in wall time and in CPU time."""

    spent: Spent = (0.0, 0.0)
    _begin: Spent = (0.0, 0.0)

    def __enter__(self) -> Self:
        gc.collect()
        self._begin = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        end = time.perf_counter(), time.process_time()
        self.spent = end[0] - self._begin[0], end[1] - self._begin[1]


def paired(
    name: str,
    reference: Callable[[], Awaitable[Spent]],
    ours: Callable[[], Awaitable[Spent]],
    *,
    operations: int,
    rounds: int,
    target: float | None,
) -> Row:
    """Run both in turns, *rounds* times; return the row."""
    pairs = [(trio.run(reference), trio.run(ours)) for _ in range(rounds)]
    each = 1e6 / operations
    return Row(
        name=name,
        unit="us",
        reference=statistics.median(a[0] for a, _ in pairs) * each,
        ours=statistics.median(b[0] for _, b in pairs) * each,
        ratio=statistics.median(b[0] / a[0] for a, b in pairs),
        cpu_ratio=statistics.median(b[1] / a[1] for a, b in pairs),
        target=target,
    )


# Submitting ---------------------------------------------------------------


async def raw_one_way(count: int) -> Spent:
    send, receive = trio.open_memory_channel[int](64)
    watch = _Stopwatch()

    async def consume() -> None:
        async for _ in receive:
            pass

    with watch:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            for number in range(count):
                await send.send(number)
            send.close()
    return watch.spent


async def our_one_way(count: int) -> Spent:
    mailbox = Mailbox[int]("bench")
    watch = _Stopwatch()

    async def consume() -> None:
        for _ in range(count):
            await mailbox.receive()

    with watch:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            for number in range(count):
                await mailbox.send(number)
    return watch.spent


async def raw_round_trips(count: int, events: int) -> Spent:
    to_thread, ops = trio.open_memory_channel[int](64)
    to_client, received = trio.open_memory_channel[int](64)
    watch = _Stopwatch()

    async def thread() -> None:
        async for op in ops:
            for _ in range(events):
                await to_client.send(op)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread)
        with watch:
            for number in range(count):
                await to_thread.send(number)
                for _ in range(events):
                    await received.receive()
        to_thread.close()
    return watch.spent


async def our_round_trips(count: int, events: int, others: int = 0) -> Spent:
    mailbox = Mailbox[int]("bench")
    channel = EventChannel[int]()
    watch = _Stopwatch()

    async def thread() -> None:
        for _ in range(count):
            op = await mailbox.receive()
            for _ in range(events):
                channel.publish(op)
        channel.close()

    async def other() -> None:
        async for _ in channel.subscribe():
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread)
        for _ in range(others):
            nursery.start_soon(other)
        subscription = channel.subscribe()
        with watch:
            for number in range(count):
                await mailbox.send(number)
                for _ in range(events):
                    await subscription.receive()
    return watch.spent


# Broadcast ------------------------------------------------------------------


async def raw_broadcast(readers: int, burst: int, bursts: int, *, drained: bool) -> Spent:
    channels = [trio.open_memory_channel[int](512) for _ in range(readers)]
    watch = _Stopwatch()

    async def read(receive: "trio.MemoryReceiveChannel[int]") -> None:
        async for _ in receive:
            pass

    async def read_drained(receive: "trio.MemoryReceiveChannel[int]") -> None:
        async for _ in receive:
            try:
                while True:
                    receive.receive_nowait()
            except trio.WouldBlock:
                pass

    async with trio.open_nursery() as nursery:
        for _, receive in channels:
            nursery.start_soon(read_drained if drained else read, receive)
        await trio.testing.wait_all_tasks_blocked()
        with watch:
            for number in range(bursts):
                for _ in range(burst):
                    for send, _ in channels:
                        send.send_nowait(number)
                await trio.testing.wait_all_tasks_blocked()
        for send, _ in channels:
            send.close()
    return watch.spent


async def our_broadcast(readers: int, burst: int, bursts: int, *, many: bool) -> Spent:
    channel = EventChannel[int](capacity=512)
    watch = _Stopwatch()

    async def read() -> None:
        async for _ in channel.subscribe():
            pass

    async def read_many() -> None:
        with channel.subscribe() as subscription:
            try:
                while True:
                    await subscription.receive_many()
            except trio.EndOfChannel:
                pass

    async with trio.open_nursery() as nursery:
        for _ in range(readers):
            nursery.start_soon(read_many if many else read)
        await trio.testing.wait_all_tasks_blocked()
        with watch:
            for number in range(bursts):
                for _ in range(burst):
                    channel.publish(number)
                await trio.testing.wait_all_tasks_blocked()
        channel.close()
    return watch.spent


async def raw_lagging(readers: int, burst: int, bursts: int) -> Spent:
    """Full channels lose what does not fit, as the ring does."""
    channels = [trio.open_memory_channel[int](512) for _ in range(readers)]
    watch = _Stopwatch()

    async def read(receive: "trio.MemoryReceiveChannel[int]") -> None:
        async for _ in receive:
            pass

    async with trio.open_nursery() as nursery:
        for _, receive in channels:
            nursery.start_soon(read, receive)
        await trio.testing.wait_all_tasks_blocked()
        with watch:
            for number in range(bursts):
                for _ in range(burst):
                    for send, _ in channels:
                        try:  # noqa: SIM105 -- `suppress` would add to what is measured
                            send.send_nowait(number)
                        except trio.WouldBlock:
                            pass
                await trio.testing.wait_all_tasks_blocked()
        for send, _ in channels:
            send.close()
    return watch.spent


# Asking ---------------------------------------------------------------------


@attrs.define(eq=False)
class _EventQuestion:
    done: trio.Event = attrs.field(factory=trio.Event)
    value: int = 0


async def raw_ask(clients: int, count: int) -> Spent:
    send, receive = trio.open_memory_channel[_EventQuestion](max(64, clients))
    watch = _Stopwatch()

    async def serve() -> None:
        async for question in receive:
            question.value = 1
            question.done.set()

    async def client() -> None:
        for _ in range(count // clients):
            question = _EventQuestion()
            await send.send(question)
            await question.done.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with watch:
            async with trio.open_nursery() as asking:
                for _ in range(clients):
                    asking.start_soon(client)
        send.close()
    return watch.spent


@attrs.frozen
class _Question:
    reply: Reply[int]


@attrs.define(eq=False)
class _Server(Actor[_Question]):
    async def handle(self, message: _Question) -> None:
        message.reply.answer(1)


async def our_ask(clients: int, count: int) -> Spent:
    server = _Server(address="bench", capacity=128)
    watch = _Stopwatch()

    async def client(ref: ActorRef[_Question]) -> None:
        for _ in range(count // clients):
            await ref.ask(_Question)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        with watch:
            async with trio.open_nursery() as asking:
                for _ in range(clients):
                    asking.start_soon(client, server.ref)
        server.stop()
    return watch.spent


# Children -------------------------------------------------------------------


@attrs.define(eq=False)
class _RawThread:
    """A task with two channels, as small as it can be written."""

    send: "trio.MemorySendChannel[str]"
    ops: "trio.MemoryReceiveChannel[str]"
    events: "tuple[trio.MemorySendChannel[str], trio.MemoryReceiveChannel[str]]"

    async def run(self, *, task_status: "trio.TaskStatus[object]") -> None:
        with self.send, self.ops:
            task_status.started(self)
            async for op in self.ops:
                if op == "stop":
                    return


def _raw_thread() -> _RawThread:
    send, ops = trio.open_memory_channel[str](64)
    return _RawThread(send, ops, trio.open_memory_channel[str](64))


@attrs.define(eq=False)
class _Thread:
    """The same on the kernel."""

    mailbox: Mailbox[str]
    events: EventChannel[str] = attrs.field(factory=EventChannel[str])

    async def run(self, *, task_status: "trio.TaskStatus[object]") -> None:
        task_status.started(self)
        while await self.mailbox.receive() != "stop":
            pass
        self.mailbox.close()
        self.events.close()

    def stop(self) -> None:
        self.mailbox.send_control_nowait("stop")


def _spec(number: int) -> ChildSpec:
    thread = _Thread(Mailbox(str(number)))
    return ChildSpec(id=thread.mailbox.address, run=thread.run, stop=thread.stop)


def _supervisor() -> DynamicSupervisor:
    return DynamicSupervisor("bench", jitter=random.Random(0))


async def raw_life(count: int, part: str) -> Spent:
    """Time one *part* of the life of many tasks: "start", "stop" or "cancel"."""
    start, stop, cancel = _Stopwatch(), _Stopwatch(), _Stopwatch()
    threads: list[_RawThread] = []
    with trio.CancelScope() as host:
        async with trio.open_nursery() as nursery:
            with start:
                for _ in range(count):
                    thread = _raw_thread()
                    await nursery.start(thread.run)
                    threads.append(thread)
            await trio.testing.wait_all_tasks_blocked()
            if part == "cancel":
                host.cancel()
                cancel.__enter__()
            else:
                with stop:
                    for thread in threads:
                        thread.send.send_nowait("stop")
                    while nursery.child_tasks:
                        await trio.lowlevel.checkpoint()
    if part == "cancel":
        cancel.__exit__()
    return {"start": start, "stop": stop, "cancel": cancel}[part].spent


async def our_life(count: int, part: str) -> Spent:
    """The same for children of a dynamic supervisor."""
    start, stop, cancel = _Stopwatch(), _Stopwatch(), _Stopwatch()
    with trio.CancelScope() as host:
        async with _supervisor() as supervisor:
            with start:
                for number in range(count):
                    await supervisor.start_child(_spec(number))
            await trio.testing.wait_all_tasks_blocked()
            if part == "cancel":
                host.cancel()
                cancel.__enter__()
            else:
                with stop:
                    await supervisor.stop_all(grace=math.inf)
    if part == "cancel":
        cancel.__exit__()
    return {"start": start, "stop": stop, "cancel": cancel}[part].spent


async def raw_memory(count: int) -> float:
    threads: list[_RawThread] = []
    async with trio.open_nursery() as nursery:
        before = _traced_bytes()
        for _ in range(count):
            thread = _raw_thread()
            nursery.start_soon(functools.partial(thread.run, task_status=trio.TASK_STATUS_IGNORED))
            threads.append(thread)
        await trio.testing.wait_all_tasks_blocked()
        used = _traced_bytes() - before
        nursery.cancel_scope.cancel()
    return used / count


async def our_memory(count: int) -> float:
    async with _supervisor() as supervisor:
        before = _traced_bytes()
        for number in range(count):
            await supervisor.start_child(_spec(number))
        await trio.testing.wait_all_tasks_blocked()
        return (_traced_bytes() - before) / count


def _traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def memory(count: int) -> Row:
    """Return what an idle child weighs."""
    tracemalloc.start()
    try:
        reference, ours = trio.run(raw_memory, count), trio.run(our_memory, count)
    finally:
        tracemalloc.stop()
    return Row(
        name=f"idle child, {count} of them",
        unit="bytes",
        reference=reference,
        ours=ours,
        ratio=ours / reference,
        cpu_ratio=None,
        target=3200 / 6840,
    )


# The table ------------------------------------------------------------------


def rows(rounds: int = 5) -> list[Row]:
    """Measure everything; about a minute with 5 rounds."""
    return [*submitting(rounds), *broadcasting(rounds), *asking(rounds), *children(rounds)]


def submitting(rounds: int) -> list[Row]:
    """Return the rows on the way in and out of one actor."""
    p = functools.partial
    return [
        paired(
            "submit, one way",
            p(raw_one_way, 10_000),
            p(our_one_way, 10_000),
            operations=10_000,
            rounds=rounds,
            target=0.2,
        ),
        paired(
            "submit -> event round trip",
            p(raw_round_trips, 5_000, 1),
            p(our_round_trips, 5_000, 1),
            operations=5_000,
            rounds=rounds,
            target=1.0,
        ),
        paired(
            "the same, one more subscriber",
            p(raw_round_trips, 5_000, 1),
            p(our_round_trips, 5_000, 1, 1),
            operations=5_000,
            rounds=rounds,
            target=1.2,
        ),
        paired(
            "turn of 20 events",
            p(raw_round_trips, 500, 20),
            p(our_round_trips, 500, 20),
            operations=500,
            rounds=rounds,
            target=0.4,
        ),
    ]


def broadcasting(rounds: int) -> list[Row]:
    """Return the rows on many subscribers; microseconds a delivery."""
    p = functools.partial
    found: list[Row] = []
    for burst, readers, target in (
        (1, 10, 0.8),
        (1, 100, 0.8),
        (1, 1000, 0.8),
        (64, 10, None),
        (64, 100, 0.35),
        (64, 1000, 0.15),
    ):
        bursts = max(1, 40_000 // burst // readers)
        label = f"broadcast, burst {burst}, {readers} readers"
        table = p(paired, operations=bursts * burst * readers, rounds=rounds)
        naive = p(raw_broadcast, readers, burst, bursts, drained=False)
        found.append(
            table(label, naive, p(our_broadcast, readers, burst, bursts, many=False), target=target)
        )
        if burst > 1:
            many = p(our_broadcast, readers, burst, bursts, many=True)
            drained = p(raw_broadcast, readers, burst, bursts, drained=True)
            found += [
                table(f"{label}, receive_many", naive, many, target=0.1),
                table(
                    f"{label}, of drained channels",
                    drained,
                    p(our_broadcast, readers, burst, bursts, many=False),
                    target=0.9,
                ),
            ]
    found.append(
        paired(
            "100 lagging readers, an event",
            p(raw_lagging, 100, 2048, 2),
            p(our_broadcast, 100, 2048, 2, many=False),
            operations=2 * 2048,
            rounds=rounds,
            target=0.15,
        )
    )
    return found


def asking(rounds: int) -> list[Row]:
    """Return the rows on questions to one actor."""
    return [
        paired(
            f"ask, {clients} clients",
            functools.partial(raw_ask, clients, 10_000),
            functools.partial(our_ask, clients, 10_000),
            operations=10_000,
            rounds=rounds,
            target=target,
        )
        for clients, target in ((1, 1.2), (100, 0.4))
    ]


def children(rounds: int) -> list[Row]:
    """Return the rows on starting, keeping and stopping children."""
    found = [memory(10_000)]
    found += [
        paired(
            f"{part}, {count} children",
            functools.partial(raw_life, count, part),
            functools.partial(our_life, count, part),
            operations=count,
            rounds=rounds,
            target=target,
        )
        for count in (1_000, 10_000)
        for part, target in (("start", 0.8), ("stop", 1.5), ("cancel", 1.5))
    ]
    return found


def table(lines: Sequence[Row]) -> str:
    """Return *lines* as text."""
    head = f"{'operation':48} {'unit':6} {'plain':>9} {'ours':>9} {'ratio':>7} {'cpu':>7} {'target':>7}"
    return "\n".join([head, *(_line(row) for row in lines)])


def _line(row: Row) -> str:
    cpu = "" if row.cpu_ratio is None else f"{row.cpu_ratio:.3f}"
    target = "" if row.target is None else f"{row.target:.2f}"
    missed = " *" if row.target is not None and row.ratio > row.target else ""
    return (
        f"{row.name:48} {row.unit:6} {row.reference:9.2f} {row.ours:9.2f} "
        f"{row.ratio:7.3f} {cpu:>7} {target:>7}{missed}"
    )


if __name__ == "__main__":
    print(table(rows(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
