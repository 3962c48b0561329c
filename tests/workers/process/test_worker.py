"""A worker as the pool sees it, over a socket whose other end the test holds."""

import array
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from actors.server.transports.message_stream import Farewell
from actors.workers.errors import (
    AdoptFailed,
    NotSavedYet,
    ReleaseFailed,
    WorkerLost,
    WorkerNotStarted,
)
from actors.workers.process.control_link import ControlLink
from actors.workers.process.descriptors import DescriptorSocket
from actors.workers.process.pool_link import PoolLink
from actors.workers.process.worker import Worker, WorkerThread
from messages.control import (
    Adopt,
    Closed,
    Connect,
    Done,
    Failed,
    Opened,
    Ping,
    Pong,
    PoolCommand,
    Ready,
    Release,
    Report,
    Reported,
    Stop,
    ThreadReport,
    TurnEnded,
    TurnStarted,
    WorkerEvent,
)
from messages.ids import ThreadId, TurnId
from tests.tools.processes import open_descriptors

A, B, TURN = ThreadId("a"), ThreadId("b"), TurnId("t")


@attrs.define(eq=False)
class FakeProcess:
    """Ends when it is killed, and takes its end of the socket along."""

    control: socket.socket
    pid: int = 4711
    status: int | None = None
    gone: trio.Event = attrs.field(factory=trio.Event)

    def kill(self) -> None:
        self.end(-signal.SIGKILL)

    def end(self, status: int) -> None:
        if not self.gone.is_set():
            self.status = status
            self.control.close()
            self.gone.set()

    async def wait_gone(self) -> int | None:
        await self.gone.wait()
        return self.status


@attrs.define(eq=False)
class Stage:
    worker: Worker
    process: FakeProcess
    link: PoolLink
    commands: list[PoolCommand] = attrs.field(factory=list[PoolCommand])

    async def next_command(self) -> PoolCommand:
        with trio.fail_after(5):
            while not self.commands:
                self.commands += await self.link.receive()
        return self.commands.pop(0)


@asynccontextmanager
async def open_stage(*, ready: bool = True) -> AsyncGenerator[Stage]:
    ours, theirs = socket.socketpair()
    process = FakeProcess(theirs)
    link = ControlLink("worker 3", DescriptorSocket.over(ours))
    worker = Worker(3, process, link, lambda: 1234.5)
    stage = Stage(worker, process, PoolLink(DescriptorSocket.over(theirs)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        nursery.start_soon(stage.link.run)
        if ready:
            stage.link.post(Ready(pid=process.pid))
            await worker.wait_begun()
        try:
            yield stage
        finally:
            process.kill()
            nursery.cancel_scope.cancel()


def opened(thread_id: ThreadId, **members: Any) -> Opened:
    return Opened(thread_id=thread_id, path=f"/{thread_id}", **members)


async def test_worker_keeps_what_it_says_of_its_threads() -> None:
    """In its order, and told on when it is kept."""
    heard: list[tuple[WorkerEvent, int]] = []
    said: list[WorkerEvent] = [
        opened(A),
        TurnStarted(thread_id=A, turn_id=TURN),
        opened(B, parent_id=A, ephemeral=True),
        TurnEnded(thread_id=A, turn_id=TURN),
        TurnStarted(thread_id=B, turn_id=TURN),
        Closed(thread_id=A),
    ]
    async with open_stage() as stage:
        worker = stage.worker
        assert (worker.accepting, worker.started_at) == (True, 1234.5)
        worker.on_event = lambda who, event: heard.append((event, len(who.threads)))
        for event in said:
            stage.link.post(event)
        while len(heard) < len(said):
            await trio.testing.wait_all_tasks_blocked()

        assert [event for event, _ in heard] == said
        assert [count for _, count in heard] == [1, 1, 2, 2, 2, 1]
        assert worker.threads == {
            B: WorkerThread(thread_id=B, path="/b", parent_id=A, ephemeral=True, turn_id=TURN)
        }
        assert worker.turns == 1
        assert repr(worker) == "<Worker 3 (pid 4711): accepting, 1 threads, 1 turns>"


async def test_worker_is_asked_and_answers() -> None:
    """Each answer reaches who asked, in whatever order they come."""
    report = ThreadReport(thread_id=A, cwd="/", model="m", followers=2, updated_at=5)
    got: dict[str, object] = {}
    async with open_stage() as stage, trio.open_nursery() as nursery:

        async def ask(name: str, call: Any) -> None:
            got[name] = await call()

        nursery.start_soon(ask, "ping", stage.worker.ping)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "report", stage.worker.report)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "adopt", lambda: stage.worker.adopt(A, {"method": "x"}))
        commands = [await stage.next_command() for _ in range(3)]
        stage.link.post(Done(number=3))
        stage.link.post(Reported(number=2, threads=(report,)))
        stage.link.post(Pong(number=1, threads=1, turns=0, memory_bytes=9))

    assert commands == [
        Ping(number=1),
        Report(number=2),
        Adopt(number=3, thread_id=A, opening={"method": "x"}),
    ]
    assert got == {
        "ping": Pong(number=1, threads=1, turns=0, memory_bytes=9),
        "report": (report,),
        "adopt": None,
    }


async def test_problems_of_threads_are_errors_with_their_words() -> None:
    """Who asked hears which worker, which thread and why."""
    async with open_stage() as stage, trio.open_nursery() as nursery:

        async def adopt() -> None:
            with pytest.raises(AdoptFailed) as caught:
                await stage.worker.adopt(A, None)
            assert (caught.value.thread_id, caught.value.problem) == (A, "it is gone")

        async def release() -> None:
            with pytest.raises(ReleaseFailed, match="it is busy"):
                await stage.worker.release(A, grace=2.5)

        nursery.start_soon(adopt)
        assert await stage.next_command() == Adopt(number=1, thread_id=A)
        stage.link.post(Done(number=1, problem="it is gone"))
        nursery.start_soon(release)
        assert await stage.next_command() == Release(number=2, thread_id=A, grace=2.5)
        stage.link.post(Done(number=2, problem="it is busy"))


async def test_a_thread_that_must_stay_for_now_is_told_apart() -> None:
    """Asking again later may help."""
    async with open_stage() as stage, trio.open_nursery() as nursery:

        async def release() -> None:
            with pytest.raises(NotSavedYet, match="the disk is full"):
                await stage.worker.release(A, grace=2.5)

        nursery.start_soon(release)
        assert await stage.next_command() == Release(number=1, thread_id=A, grace=2.5)
        stage.link.post(Done(number=1, problem="the disk is full", later=True))


async def test_a_client_gets_a_socket_of_its_own() -> None:
    """What one side sends, the other one receives; the worker's end closes when it is killed."""
    async with open_stage() as stage:
        streams = [await stage.worker.connect(number) for number in (5, 6)]
        assert [await stage.next_command() for _ in streams] == [
            Connect(client=5),
            Connect(client=6),
        ]
        taken = [stage.link.take_client(), stage.link.take_client()]
        await streams[1].send([b'{"id":1}'], lambda: None)
        assert taken[0] is not None
        assert taken[1] is not None
        assert taken[1].recv(100) == b'{"id":1}\n'
        taken[0].send(b'{"method":"a"}\n{"method":"b"}\n')
        taken[0].close()
        taken[1].close()
        first = [await streams[0].receive() for _ in range(3)]
        for stream in streams:
            await trio.aclose_forcefully(stream._bytes._stream)  # type: ignore[attr-defined]

    assert first == [b'{"method":"a"}', b'{"method":"b"}', None]
    assert stage.link.take_client() is None


@pytest.mark.parametrize("half", [b'{"id":1}', b'{"method":"x","params":{"a":{}}'])
async def test_a_message_without_its_end_is_none(half: bytes) -> None:
    """The worker died while it wrote it; what came before it is heard."""
    async with open_stage() as stage, trio.open_nursery() as nursery:

        async def connect() -> None:
            stream = await stage.worker.connect(5)
            assert await stream.receive() == b'{"id":0}'
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive()
            await stream.aclose(Farewell())

        nursery.start_soon(connect)
        assert await stage.next_command() == Connect(client=5)
        theirs = stage.link.take_client()
        assert theirs is not None
        with theirs:
            theirs.sendall(b'{"id":0}\n' + half)


async def test_death_is_heard_behind_the_last_words() -> None:
    """Everybody who waits is told, and nothing can be asked any more."""
    async with open_stage() as stage, trio.open_nursery() as nursery:
        lost: list[WorkerLost] = []

        async def ping() -> None:
            with pytest.raises(WorkerLost) as caught:
                await stage.worker.ping()
            lost.append(caught.value)

        nursery.start_soon(ping)
        await trio.testing.wait_all_tasks_blocked()
        for event in (opened(A), TurnStarted(thread_id=A, turn_id=TURN)):
            stage.process.control.send(_line(event))
        stage.process.end(-9)
        with trio.fail_after(5):
            await stage.worker.died.wait()
        await ping()
        with pytest.raises(WorkerLost):
            await stage.worker.connect(1)

    assert [(error.number, error.pid) for error in lost] == [(3, 4711), (3, 4711)]
    assert stage.worker.threads[A].turn_id == TURN
    assert not stage.worker.accepting


@pytest.mark.parametrize("reads", [True, False])
async def test_death_says_whether_an_adoption_was_begun(reads: bool) -> None:
    """A worker that was stopped has read nothing, and does not die of what it was asked."""
    async with open_stage() as stage, trio.open_nursery() as nursery:
        lost: list[WorkerLost] = []

        async def adopt() -> None:
            with pytest.raises(WorkerLost) as caught:
                await stage.worker.adopt(A, None)
            lost.append(caught.value)

        nursery.start_soon(adopt)
        if reads:
            assert await stage.next_command() == Adopt(number=1, thread_id=A)
        await trio.testing.wait_all_tasks_blocked(0.01)
        stage.process.end(-9)

    assert [error.begun for error in lost] == [reads]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"rubbish\n",
        b'{"type":"ping","number":1}\n{"type":"rubbish"}\n',
        b'{"type":"turn_started","thread_id":"a","turn_id":"t"}\n',
    ],
)
async def test_a_worker_that_says_rubbish_is_killed(
    rubbish: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not believed any more, and the log says so."""
    with caplog.at_level(logging.ERROR, "actors"):
        async with open_stage() as stage:
            stage.process.control.send(rubbish)
            with trio.fail_after(5):
                await stage.worker.died.wait()

            assert await stage.worker.wait_gone() == -9
            assert not stage.worker.accepting
    assert "is killed" in caplog.text


async def test_a_worker_that_cannot_begin_says_why() -> None:
    """Or nothing, and then it is known that it ended."""
    async with open_stage(ready=False) as stage:
        stage.link.post(Failed(problem="no home"))
        with pytest.raises(WorkerNotStarted, match="no home"):
            await stage.worker.wait_begun()
    for status, how in ((1, "ended by itself with exit code 1"), (-9, "was killed by SIGKILL")):
        async with open_stage(ready=False) as stage:
            stage.process.end(status)
            with pytest.raises(WorkerNotStarted, match=f"it {how} before it was ready"):
                await stage.worker.wait_begun()


async def test_stop_gives_time_and_then_kills(autojump_clock: trio.testing.MockClock) -> None:
    """One that ends in time is not killed; one that does not is, a second after its grace."""
    statuses: list[int | None] = []
    for obeys in (True, False):
        async with open_stage() as stage, trio.open_nursery() as nursery:
            begun = trio.current_time()
            nursery.start_soon(lambda: stage.worker.stop(grace=3.0))
            assert await stage.next_command() == Stop(grace=3.0)
            assert not stage.worker.accepting
            if obeys:
                stage.process.end(0)
        statuses.append(stage.process.status)
        assert trio.current_time() - begun == (0 if obeys else 4.0)

    assert statuses == [0, -9]


async def test_commands_wait_when_the_worker_reads_nothing() -> None:
    """A call that is given up while it waits has said nothing, and no socket is left open."""
    async with open_stage() as stage, trio.open_nursery() as nursery:
        for _ in range(65):  # one is being sent
            nursery.start_soon(stage.worker.adopt, A, "x" * (1 << 20))
        await trio.testing.wait_all_tasks_blocked()
        before = open_descriptors()
        nursery.start_soon(stage.worker.connect, 1)
        await trio.testing.wait_all_tasks_blocked()
        waiting = open_descriptors()
        nursery.cancel_scope.cancel()

        assert waiting == before + 2
    assert not stage.worker.accepting
    assert open_descriptors() <= before


def _line(message: object) -> bytes:
    from messages.codec import encode

    return encode(message) + b"\n"


async def test_descriptors_arrive_with_their_bytes() -> None:
    """One at a time and in order, and those nobody takes are closed."""
    one, two = (DescriptorSocket.over(each) for each in socket.socketpair())
    pipes = [os.pipe() for _ in range(20)]
    for index, (_, writing) in enumerate(pipes):
        await one.send(b"%d\n" % index, (writing,))
        os.close(writing)
    await one.send(b"end\n")
    received = b""
    while not received.endswith(b"end\n"):
        received += await two.receive()
    for reading, _ in pipes[:10]:
        taken = two.take_descriptor()
        assert taken is not None
        os.write(taken, b"x")
        os.close(taken)
        assert os.read(reading, 10) == b"x"
    two.close()
    for reading, _ in pipes:
        assert os.read(reading, 10) == b""  # nobody holds its other end
        os.close(reading)
    with pytest.raises(trio.BrokenResourceError):
        await one.send(b"x")
    one.close()
    assert array.array("i").itemsize == 4
