"""Workers, their starter and a front that do nothing, for tests of who starts and stops them."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import trio

from actors.runtime import Intensity
from actors.workers.errors import WorkerLost, WorkerNotStarted
from actors.workers.slot import Pulse
from actors.workers.slots import Slots
from messages.control import Pong


@attrs.define(eq=False)
class FakeWorker:
    number: int
    log: list[str]
    accepting: bool = True
    died: trio.Event = attrs.field(factory=trio.Event)
    threads: dict[str, str] = attrs.field(factory=dict)
    turns: int = 0
    answers: bool = True
    stubborn: bool = False
    lingers: bool = False
    status: int | None = None
    started_at: float = 100.0

    @property
    def pid(self) -> int:
        return 1000 + self.number

    def end(self, status: int) -> None:
        if self.status is None:
            self.status = status
            self.accepting = False
            self.died.set()

    def kill(self) -> None:
        if self.status is None:
            self.log.append(f"kill {self.number}")
        self.end(-9)

    async def ping(self) -> Pong:
        await trio.lowlevel.checkpoint()
        if not self.answers:
            await self.died.wait()
        if self.died.is_set():
            raise WorkerLost(self.number, self.pid)
        return Pong(number=1, threads=0, turns=0, memory_bytes=5)

    async def wait_gone(self) -> int | None:
        if self.lingers:
            await trio.sleep_forever()
        await self.died.wait()
        return self.status

    async def stop(self, *, grace: float) -> None:
        self.log.append(f"stop {self.number} within {grace:g}")
        if self.stubborn:
            await trio.sleep(grace + 1)
            self.kill()
        await trio.lowlevel.checkpoint()
        self.end(0)


@attrs.define(eq=False)
class FakeForkServer:
    log: list[str]
    workers: list[FakeWorker] = attrs.field(factory=list)
    fails: bool = False

    @asynccontextmanager
    async def open_worker(self, number: int) -> AsyncGenerator[FakeWorker]:
        await trio.lowlevel.checkpoint()
        if self.fails:
            raise WorkerNotStarted(number, "no room")
        worker = FakeWorker(number, self.log)
        self.workers.append(worker)
        self.log.append(f"open {number}")
        try:
            yield worker
        finally:
            worker.kill()
            self.log.append(f"gone {number}")


@attrs.define(eq=False)
class FakeFront:
    log: list[str]
    known: list[FakeWorker] = attrs.field(factory=list)
    moving: trio.Event | None = None

    def add_worker(self, worker: FakeWorker) -> None:
        self.log.append(f"add {worker.number}")
        self.known.append(worker)

    def lose_worker(self, worker: FakeWorker) -> None:
        self.log.append(f"lose {worker.number}")
        self.known.remove(worker)

    async def move_away(self, worker: FakeWorker, *, grace: float) -> None:
        self.log.append(f"move away {worker.number} within {grace:g}")
        assert not worker.accepting
        if self.moving is not None:
            await self.moving.wait()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Stage:
    slots: Slots
    front: FakeFront
    fork_server: FakeForkServer
    log: list[str]

    @property
    def workers(self) -> list[FakeWorker]:
        return self.fork_server.workers

    def take(self) -> list[str]:
        taken, self.log[:] = list(self.log), []
        return taken


def make_stage(
    places: int = 2,
    *,
    intensity: Intensity | None = None,
    heartbeat: float = 1.0,
    patience: float = 5.0,
) -> Stage:
    log: list[str] = []
    front, fork_server = FakeFront(log), FakeForkServer(log)
    slots = Slots(
        places,
        cast("Any", fork_server),
        cast("Any", front),
        Pulse(heartbeat=heartbeat, patience=patience),
        intensity or Intensity(restarts=3, period=60.0),
        random.Random(1),
    )
    return Stage(slots, front, fork_server, log)


@asynccontextmanager
async def open_stage(places: int = 2, **options: Any) -> AsyncGenerator[Stage]:
    stage = make_stage(places, **options)
    async with stage.slots.supervisor:
        await stage.slots.open_all()
        yield stage
        await stage.slots.stop_all()
