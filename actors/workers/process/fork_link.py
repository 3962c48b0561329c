"""
The pool's side of `fork_server`: worker processes that are ready in milliseconds.

To start Python and import everything takes half a second; so one process does that once,
and forks.  It is not our own process, because what is forked must have no OS threads, no
event loop and nothing of any client.
"""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import attrs
import orjson
import trio

from actors.runtime import World
from actors.server.serving import ServeRecipe

from ..errors import WorkerNotStarted
from .control_link import ControlLink
from .descriptors import DescriptorSocket
from .forked import ForkedProcess, ForkFailed
from .worker import Worker

__all__ = ["ForkServer"]

_CLEAN_UP: Final = 1.0
"""Seconds that a process may take to end after it was told, or after SIGKILL."""

_LENGTH_BYTES: Final = 4

_PATIENCE: Final = 30.0
"""Seconds in which a process that lives has forked, and a worker is ready: both take
milliseconds when all is loaded, and a second or two before that."""

_PARENT_DIED: Final = "the process that forks workers ended; see the log for its last words"


def _environ() -> Mapping[str, str]:
    return dict(os.environ)


@attrs.define(eq=False)
class ForkServer:
    """
    Makes worker processes out of one recipe.

    The process behind it starts when a worker is first needed, which takes half a second,
    and again after it died.  One that hangs is left to the workers that it has, and another
    one starts.  Whoever makes a fork server closes it, and with it all its workers.

    Attributes:
        recipe: What each worker serves.
        environ: The environment of workers; that of this process by default.
        world: For the time; the real one by default.
        patience: Seconds that forking may take, and after it a worker until it is ready.
    """

    recipe: ServeRecipe
    environ: Mapping[str, str] = attrs.field(factory=_environ, repr=False, kw_only=True)
    world: World = attrs.field(factory=World.system, repr=False, kw_only=True)
    patience: float = attrs.field(default=_PATIENCE, kw_only=True)
    _starting: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _door: DescriptorSocket | None = attrs.field(default=None, init=False)
    _process: trio.Process | None = attrs.field(default=None, init=False)
    # Those that hung; the end of their door would be the end of their workers.
    _given_up: list[tuple[DescriptorSocket, trio.Process]] = attrs.field(
        factory=list[tuple[DescriptorSocket, trio.Process]], init=False
    )

    @property
    def pid(self) -> int | None:
        """The number of the process behind it; None while there is none."""
        return None if self._process is None else self._process.pid

    @asynccontextmanager
    async def open_worker(self, number: int) -> AsyncGenerator[Worker]:
        """
        Have a worker that can serve clients, for as long as the block lasts.

        At its end the process is killed, and is gone.

        Args:
            number: For logs and statistics.

        Raises:
            WorkerNotStarted: It cannot be had, for example because of the configuration.
        """
        failure: Exception | None = None
        with ExitStack() as stack:
            control, process = await self._fork(number, stack)
            worker = Worker(number, process, ControlLink(f"worker {number}", control), self._now)
            async with trio.open_nursery() as nursery:
                # Not cancelled with the block: its end is to be seen.
                watching = trio.CancelScope(shield=True)
                nursery.start_soon(_watch, worker, process, watching, name=f"worker {number}")
                try:
                    await self._wait_begun(worker)
                    yield worker
                except Exception as exc:  # noqa: BLE001 -- raised again below, not in a group
                    failure = exc
                finally:
                    worker.kill()
                    with trio.move_on_after(_CLEAN_UP, shield=True):
                        await worker.wait_gone()
                        await worker.died.wait()
                    watching.cancel()
        if failure is not None:
            raise failure

    def _now(self) -> float:
        return self.world.now()

    async def _fork(self, number: int, stack: ExitStack) -> tuple[DescriptorSocket, ForkedProcess]:
        with _not_started(number):
            control, life = await self._ask(number, stack)
            asked = self._process
            with trio.move_on_after(self.patience):
                process = await ForkedProcess.of(life)
                stack.callback(process.close)
                return control, process
        if self._process is asked:
            self._give_up()
        problem = f"has not answered for {self.patience:g} s, and is given up"
        raise WorkerNotStarted(number, f"the process that forks workers {problem}")

    def _give_up(self) -> None:
        if self._door is not None and self._process is not None:
            self._given_up.append((self._door, self._process))
        self._door = self._process = None

    async def _wait_begun(self, worker: Worker) -> None:
        with trio.move_on_after(self.patience):
            await worker.wait_begun()
            return
        problem = f"it was not ready within {self.patience:g} s, and is killed"
        raise WorkerNotStarted(worker.number, problem)

    async def _ask(
        self, number: int, stack: ExitStack
    ) -> tuple[DescriptorSocket, DescriptorSocket]:
        """Ask for a fork with the other ends of the sockets that are returned."""
        control, its_control = socket.socketpair()
        life, its_life = socket.socketpair()
        ours = DescriptorSocket.over(control), DescriptorSocket.over(life)
        for each in ours:
            stack.callback(each.close)
        with its_control, its_life:
            await self._hand_over(number, (its_control.fileno(), its_life.fileno()))
        return ours

    async def _hand_over(self, number: int, descriptors: tuple[int, int]) -> None:
        """Send a request; a process that died is replaced once."""
        request = number.to_bytes(_LENGTH_BYTES, "big")
        async with self._starting:
            if self._door is not None:
                try:
                    await self._door.send(request, descriptors)
                except trio.BrokenResourceError:
                    await self._end()
                else:
                    return
            try:
                door = await self._start()
                await door.send(request, descriptors)
            except trio.BrokenResourceError:
                raise ForkFailed(0) from None

    async def _start(self) -> DescriptorSocket:
        script = str(Path(__file__).with_name("fork_server.py"))
        ours, theirs = socket.socketpair()
        self._door = DescriptorSocket.over(ours)
        begun = False
        try:
            with theirs:
                # Not trio.run_process: its life is this object's, not a task's.
                self._process = await trio.lowlevel.open_process(
                    [sys.executable, "-P", script, str(os.getpid())],
                    stdin=theirs,
                    stdout=subprocess.DEVNULL,
                    env=self.environ,
                    start_new_session=True,
                )
            await self._door.send(self._first_words())
            begun = True
        finally:
            if not begun:
                with trio.move_on_after(2 * _CLEAN_UP, shield=True):
                    await self._end()
        return self._door

    def _first_words(self) -> bytes:
        path = [os.path.abspath(folder) for folder in sys.path]  # noqa: PTH100 -- "" is here
        start = orjson.dumps({"path": path, "recipe": self.recipe.to_json()})
        return len(start).to_bytes(_LENGTH_BYTES, "big") + start

    async def close(self) -> None:
        """
        End the process, and kill the workers that are left.

        Cancellation:
            Shielded, for at most two seconds, and two for each process that hung.
        """
        async with self._starting:
            await self._end()
            while self._given_up:
                await _end_process(*self._given_up.pop())

    async def _end(self) -> None:
        door, process = self._door, self._process
        self._door = self._process = None
        await _end_process(door, process)


async def _end_process(door: DescriptorSocket | None, process: trio.Process | None) -> None:
    if door is not None:
        door.close()
    if process is None:
        return
    with trio.move_on_after(_CLEAN_UP, shield=True):
        await process.wait()
        return
    process.kill()
    with trio.move_on_after(_CLEAN_UP, shield=True):
        await process.wait()


async def _watch(worker: Worker, process: ForkedProcess, scope: trio.CancelScope) -> None:
    with scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.run, name=f"end of worker {worker.number}")
            await worker.run()


@contextmanager
def _not_started(number: int) -> Generator[None]:
    try:
        yield
    except ForkFailed as exc:
        problem = os.strerror(exc.number) if exc.number else _PARENT_DIED
        raise WorkerNotStarted(number, problem) from exc
    except OSError as exc:
        problem = f"the process that forks workers cannot be started: {exc.strerror or exc}"
        raise WorkerNotStarted(number, problem) from exc
