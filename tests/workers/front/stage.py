"""A front over workers that are in this process, and clients in memory."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.runtime import World
from actors.server.app import AppServer, open_app_server
from actors.server.ground import ServerSetup
from actors.server.rpc_limits import Limits
from actors.server.transports.lines import LineStream, SocketBytes
from actors.server.transports.message_stream import MessageStream
from actors.testing import ManualModel, open_test_supervisor
from actors.workers.errors import AdoptFailed, NotSavedYet, ReleaseFailed, WorkerLost
from actors.workers.front.front import Front, open_front
from actors.workers.front.roster import Entry
from actors.workers.front.roster_states import State
from actors.workers.process.adoption import Unmovable, adopt, release
from actors.workers.process.whole_lines import WholeLines
from actors.workers.process.worker import WorkerThread
from actors.workers.quarantine import Quarantine
from messages.control import Closed, Opened, Overridden, TurnEnded, TurnStarted, WorkerEvent
from messages.ids import ThreadId
from messages.settings import SourceKind
from messages.value import Json
from tests.server.app_stage import Client
from tests.waiting import until

START = 1_767_225_600.0
_LIMIT = 1 << 30


@attrs.define(eq=False, repr=False)
class RoomWorker:
    """
    Does what `Worker` does, without a process: an app-server that can end at any moment.

    Attributes:
        holds: Set while adoptions may go on; a test that clears it holds them up.
        on_adopt: Called when an adoption begins.
    """

    number: int
    app: AppServer
    model: ManualModel
    scope: trio.CancelScope
    gone: trio.Event
    nursery: trio.Nursery
    accepting: bool = True
    died: trio.Event = attrs.field(factory=trio.Event)
    on_event: Any = None
    threads: dict[ThreadId, WorkerThread] = attrs.field(factory=dict)
    adopted: list[tuple[ThreadId, Json]] = attrs.field(factory=list)
    released: list[ThreadId] = attrs.field(factory=list)
    may_adopt: trio.Event = attrs.field(factory=trio.Event)
    may_connect: trio.Event = attrs.field(factory=trio.Event)
    adopting: trio.Event = attrs.field(factory=trio.Event)
    problem: str | None = None
    unsaved: bool = False
    clients: list[socket.socket] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.may_adopt.set()
        self.may_connect.set()
        self.app.loaded.on_event = self._happened

    @property
    def pid(self) -> int:
        return 1000 + self.number

    @property
    def turns(self) -> int:
        return sum(thread.turn_id is not None for thread in self.threads.values())

    def _happened(self, event: WorkerEvent) -> None:
        if self.died.is_set():
            return
        thread_id = event.thread_id
        match event:
            case Opened():
                self.threads[thread_id] = WorkerThread(
                    thread_id=thread_id,
                    path=event.path,
                    parent_id=event.parent_id,
                    ephemeral=event.ephemeral,
                )
            case Closed():
                self.threads.pop(thread_id, None)
            case TurnStarted():
                self.threads[thread_id] = attrs.evolve(
                    self.threads[thread_id], turn_id=event.turn_id
                )
            case TurnEnded():
                self.threads[thread_id] = attrs.evolve(self.threads[thread_id], turn_id=None)
        if self.on_event is not None:
            self.on_event(self, event)

    def _check(self) -> None:
        if self.died.is_set():
            raise WorkerLost(self.number, self.pid)

    async def connect(self, client: int) -> MessageStream:
        self._check()
        await self.may_connect.wait()
        self._check()
        ours, theirs = socket.socketpair()
        self.clients.append(theirs)
        stream = SocketBytes(trio.SocketStream(trio.socket.from_stdlib_socket(theirs)))
        served = LineStream.over(stream, f"client {client}", limit_bytes=_LIMIT)
        self.nursery.start_soon(self.app.connections.serve, served)
        own = SocketBytes(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
        return LineStream(f"worker {self.number}", own, WholeLines(_LIMIT))

    async def adopt(
        self, thread_id: ThreadId, opening: Json, overridden: tuple[Overridden, ...] = ()
    ) -> None:
        self.adopted.append((thread_id, opening))
        self.adopting.set()
        await self._unless_dead(self.may_adopt.wait)
        try:
            if self.problem is not None:
                raise Unmovable(self.problem)
            await self._unless_dead(adopt, self.app.ground, thread_id, opening, overridden)
        except WorkerLost:
            raise WorkerLost(self.number, self.pid, begun=True) from None
        except Unmovable as problem:
            raise AdoptFailed(self.number, thread_id, str(problem)) from None

    async def release(self, thread_id: ThreadId, *, grace: float) -> None:
        self.released.append(thread_id)
        if self.unsaved:
            raise NotSavedYet(self.number, thread_id, "the disk is full")

        async def let_go() -> None:
            await release(self.app.ground, thread_id, grace=grace)

        try:
            await self._unless_dead(let_go)
        except Unmovable as problem:
            raise ReleaseFailed(self.number, thread_id, str(problem)) from None

    async def _unless_dead(self, work: Any, *args: Any) -> None:
        self._check()
        problem: Unmovable | None = None
        async with trio.open_nursery() as nursery:

            async def die() -> None:
                await self.died.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(die)
            try:
                await work(*args)
            except Unmovable as raised:
                problem = raised
            nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem
        self._check()

    def kill(self) -> None:
        """End like a process: sockets first, so that nobody can say anything more."""
        if self.died.is_set():
            return
        for client in self.clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.accepting = False
        self.died.set()
        self.scope.cancel()

    async def wait_gone(self) -> int | None:
        await self.gone.wait()
        return -9


@attrs.define(eq=False)
class FrontStage:
    """A front, its workers and its clients."""

    front: Front
    home: Path
    work: Path
    nursery: trio.Nursery
    workers: list[RoomWorker] = attrs.field(factory=list)

    async def add_worker(self, *, hold: bool = False) -> RoomWorker:
        """Bring up one more worker; with *hold* it does not know clients before it may."""
        worker: RoomWorker = await self.nursery.start(self._run, len(self.workers) + 1)
        if hold:
            worker.may_connect = trio.Event()
        self.workers.append(worker)
        self.front.add_worker(worker)  # type: ignore[arg-type]
        return worker

    async def _run(self, number: int, *, task_status: trio.TaskStatus[RoomWorker]) -> None:
        model, gone = ManualModel(), trio.Event()
        setup = ServerSetup(
            environ={"PATH": "/usr/bin:/bin", "HOME": str(self.home)},
            cwd=self.work,
            provider_id=model.info.id,
        )
        world = World.deterministic(seed=number, start=START)
        try:
            with trio.CancelScope() as scope:
                async with (
                    open_test_supervisor(
                        provider=model,
                        home=self.home,
                        world=world,
                        session_source=SourceKind.VSCODE,
                    ) as supervisor,
                    open_app_server(supervisor, setup, world=world) as app,
                    trio.open_nursery() as nursery,
                ):
                    worker = RoomWorker(number, app, model, scope, gone, nursery)
                    task_status.started(worker)
                    await trio.sleep_forever()
        finally:
            gone.set()

    async def connect(self, *, opted_out: tuple[str, ...] = (), **capabilities: Any) -> Client:
        client = Client()
        self.nursery.start_soon(self.front.connections.serve, client.stream)
        await client.ask(
            "initialize",
            clientInfo={"name": "test", "version": "1"},
            capabilities={
                "experimentalApi": True,
                "optOutNotificationMethods": list(opted_out),
                **capabilities,
            },
        )
        return client

    def entry(self, thread_id: str) -> Entry:
        found = self.front._roster.find(ThreadId(thread_id))
        assert found is not None
        return found

    def worker_of(self, thread_id: str) -> RoomWorker:
        found = self.entry(thread_id).worker
        assert isinstance(found, RoomWorker)
        return found

    async def settled(self, thread_id: str) -> RoomWorker:
        """Wait until a thread is where it stays, and all follow it there who did before."""
        entry = self.entry(thread_id)
        await until(
            lambda: (
                entry.state is State.LOADED
                and not self.worker_of(thread_id).died.is_set()
                and not any(entry.thread_id in client.rejoining for client in self.front._clients)
            )
        )
        return self.worker_of(thread_id)

    def others(self, worker: RoomWorker) -> list[RoomWorker]:
        return [other for other in self.workers if other is not worker and not other.died.is_set()]

    async def simple_turn(self, client: Client, thread_id: str, text: str = "hello") -> str:
        """Run a turn in which the model answers with the same words in capitals."""
        since = client.position
        turn_id = await client.start_turn(thread_id, text)
        response = await self.worker_of(thread_id).model.next_request()
        response.say(text.upper()).complete(100)
        await client.completed(turn_id, since=since)
        return turn_id


@asynccontextmanager
async def open_stage(
    folder: Path, *, workers: int = 2, quarantine: Quarantine | None = None, **limits: Any
) -> AsyncGenerator[FrontStage]:
    """Open a front with some workers; nothing inside takes longer than 20 seconds."""
    home, work = folder / "home", folder / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    world = World.deterministic(seed=0, start=START)
    held = Quarantine() if quarantine is None else quarantine  # an empty one counts as false
    with trio.fail_after(20):
        async with (
            trio.open_nursery() as nursery,
            open_front(world, Limits(**limits), held) as front,
        ):
            stage = FrontStage(front, home, work, nursery)
            for _ in range(workers):
                await stage.add_worker()
            yield stage
            nursery.cancel_scope.cancel()
