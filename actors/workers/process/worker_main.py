"""A worker process: an app-server whose clients the pool brings."""

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, assert_never

import attrs
import trio

from actors.config import ConfigError
from actors.models import ScenarioError, ScriptedProvider
from actors.server.app import AppServer
from actors.server.loaded_thread import LoadedThread
from actors.server.serving import Prepared, ServeRecipe, open_prepared, prepare
from actors.server.transports.lines import LineStream, SocketBytes
from actors.supervisor import HomeError
from messages.codec import encode
from messages.control import (
    Adopt,
    Closed,
    Connect,
    Done,
    Failed,
    Opened,
    Ping,
    Pong,
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
from messages.ids import ThreadId

from .adoption import Unmovable, Unsaved, adopt, release
from .descriptors import DescriptorSocket
from .own_memory import OwnMemory
from .pool_link import PoolLink

__all__ = ["rehearse", "work"]

_log = logging.getLogger("actors")

_MISTAKES: Final = (ConfigError, ScenarioError, HomeError)
"""What the user can mend, and whose text says how."""

_FAREWELL: Final = 0.4
"""Seconds that clients may take to be sent what is left for them when the worker stops."""


def work(recipe: ServeRecipe, control: socket.socket, number: int) -> int:
    """
    Be a worker until the pool says stop, or ends.

    Args:
        recipe: What it serves.
        control: Where the pool talks; the worker's own from here on.
        number: The pool's number for it.

    Returns:
        The exit code: 0 when it was told to stop, 1 when it could not begin.
    """
    _log_to_stderr(number)
    return trio.run(_work, control, lambda: prepare(recipe, dict(os.environ)))


def rehearse(recipe: ServeRecipe) -> None:
    """
    Come up and end once, as `work` does, with a pool that says stop at once.

    Most of what it takes a forked process to come up is to copy the memory that it writes to,
    and that stays copied.  Nothing else is left: the configuration is read again by `work`,
    a mistake in it is told then, and without threads nothing is written.

    Raises:
        Exception: What nobody foresaw; `work` would raise it as well.
    """

    def make() -> Prepared:
        # The provider's catalog would read a file in an OS thread, which would stay a while.
        return attrs.evolve(prepare(recipe, dict(os.environ)), provider=ScriptedProvider())

    control, pool = socket.socketpair()
    with control, pool:
        pool.sendall(encode(Stop(grace=0.0)) + b"\n")
        trio.run(_work, control, make)
    gc.collect()  # what was made for it, and not when the worker has other things to do


def _log_to_stderr(number: int) -> None:
    """Let warnings be seen: standard error is that of the pool."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    form = f"worker {number} (pid {os.getpid()}): %(levelname)s: %(message)s"
    handler.setFormatter(logging.Formatter(form))
    _log.addHandler(handler)


async def _work(control: socket.socket, make: Callable[[], Prepared]) -> int:
    link = PoolLink(DescriptorSocket.over(control))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run, name="messages to the pool")
        code = await _serve(link, make)
        await link.finish()
        nursery.cancel_scope.cancel()
    return code


async def _serve(link: PoolLink, make: Callable[[], Prepared]) -> int:
    try:
        # Not in an OS thread, which takes a millisecond: nobody else runs here yet.
        async with open_prepared(make()) as app:
            await _Serving(app, link).run()
    except _MISTAKES as error:
        link.post(Failed(problem=str(error)))
        return 1
    return 0


@attrs.define(eq=False)
class _Serving:
    """Does what the pool says."""

    _app: AppServer
    _link: PoolLink
    _clients: set[socket.socket] = attrs.field(factory=set[socket.socket], init=False)
    _memory: OwnMemory = attrs.field(factory=OwnMemory, init=False)
    # The threads with a turn.
    _running: set[ThreadId] = attrs.field(factory=set[ThreadId], init=False)

    async def run(self) -> None:
        """Serve until the pool says stop."""
        self._app.loaded.on_event = self._happened
        async with trio.open_nursery() as tasks:
            self._link.post(Ready(pid=os.getpid()))
            grace = await self._obey(tasks)
            await self._app.ground.supervisor.close_all_threads(grace=grace)
            for client in self._clients:
                with suppress(OSError):  # it has gone
                    client.shutdown(socket.SHUT_RD)  # as if it had said all it wanted
            tasks.cancel_scope.deadline = trio.current_time() + _FAREWELL

    def _happened(self, event: WorkerEvent) -> None:
        match event:
            case TurnStarted(thread_id=thread_id):
                self._running.add(thread_id)
            case TurnEnded(thread_id=thread_id) | Closed(thread_id=thread_id):
                self._running.discard(thread_id)
            case Opened():
                pass
            case _:
                assert_never(event)
        self._link.post(event)

    async def _obey(self, tasks: trio.Nursery) -> float:
        """Do as told; return the grace of threads when told to stop."""
        while True:
            for command in await self._link.receive():
                if isinstance(command, Stop):
                    return command.grace
                self._do(command, tasks)

    def _do(self, command: Connect | Ping | Adopt | Release | Report, tasks: trio.Nursery) -> None:
        match command:
            case Connect(client=client):
                tasks.start_soon(self._serve, client, self._link.take_client())
            case Ping(number=number):
                self._link.post(self._pong(number))
            case Adopt() | Release():
                tasks.start_soon(self._move, command)
            case Report(number=number):
                threads = tuple(map(_report, self._app.loaded))
                self._link.post(Reported(number=number, threads=threads))
            case _:
                assert_never(command)

    async def _serve(self, number: int, client: socket.socket | None) -> None:
        if client is None:
            _log.error("client %d came without a socket", number)
            return
        self._clients.add(client)
        try:
            stream = SocketBytes(trio.SocketStream(trio.socket.from_stdlib_socket(client)))
            connections = self._app.connections
            limit_bytes = connections.limits.message_bytes
            peer = f"the pool's client {number}"
            await connections.serve(LineStream.over(stream, peer, limit_bytes=limit_bytes))
        finally:
            self._clients.discard(client)
            client.close()

    async def _move(self, command: Adopt | Release) -> None:
        """Adopt or release a thread, and say how that went."""
        ground, thread_id = self._app.ground, command.thread_id
        problem: str | None = None
        later = False
        try:
            if isinstance(command, Adopt):
                await adopt(ground, thread_id, command.opening, command.overridden)
            else:
                await release(ground, thread_id, grace=command.grace)
        except Unmovable as error:
            problem, later = error.problem, isinstance(error, Unsaved)
        except Exception as error:  # noqa: BLE001 -- logged; the other threads go on
            _log.exception("thread %s could not be moved", thread_id)
            problem = f"{type(error).__name__}: {error}"
        self._link.post(Done(number=command.number, problem=problem, later=later))

    def _pong(self, number: int) -> Pong:
        return Pong(
            number=number,
            threads=sum(1 for _ in self._app.loaded),
            turns=len(self._running),
            memory_bytes=self._memory.size_bytes(),
        )


def _report(loaded: LoadedThread) -> ThreadReport:
    settings = loaded.thread.config_snapshot
    return ThreadReport(
        thread_id=loaded.thread_id,
        cwd=settings.cwd,
        model=settings.model,
        name=loaded.name,
        path=loaded.thread.rollout_path,
        turn_id=loaded.thread.snapshot().turn_id,
        followers=len(loaded.followers),
        updated_at=loaded.facts.updated_at,
    )
