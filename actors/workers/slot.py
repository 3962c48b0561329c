"""The place of one worker: what starts it, listens for its heart, and replaces it."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.runtime import ChildSpec, Restart
from messages.control import Pong

from .errors import WorkerDied, WorkerLost
from .process.fork_link import ForkServer
from .process.worker import Worker, ending_in_words
from .values import SlotState, SlotStatistics

if TYPE_CHECKING:
    from .front.front import Front

__all__ = ["Pulse", "Slot"]

_log = logging.getLogger("actors")

_OVERSLEPT: Final = 0.25
"""
Seconds that our own clock may be late.

If it is later, it was us who stood still, as on a machine that slept: the answer of the
worker may lie there unread.
"""

_LAST_BREATH: Final = 0.25
"""Seconds that a process may take to end after it has closed everything."""


@attrs.frozen(kw_only=True)
class Pulse:
    """
    How a worker is known to live.

    Attributes:
        heartbeat: Seconds between an answer and the next question.
        patience: Seconds that an answer may take; a worker that takes longer is killed.
    """

    heartbeat: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))
    patience: float = attrs.field(default=5.0, validator=attrs.validators.gt(0))


@attrs.define(eq=False, repr=False)
class Slot:
    """
    One place of a pool: a child of its supervisor that has a worker, and after a crash another.

    The worker is known to the front from its start to its end.  When it dies, or does not
    answer in time and is killed for that, this child crashes, and its supervisor starts it
    again.  When it was to leave anyway, this child just ends.

    Attributes:
        place: Which, from 1.
        fork_server: Starts its workers.
        state: How it is.
        restarts: How often it was started again.
        grace: Seconds that threads get to end by themselves once it is told to stop.
        worker: The one that is up; None while there is none.
    """

    place: int
    fork_server: ForkServer
    _front: "Front"
    _pulse: Pulse
    _next_number: Callable[[], int]
    restarts: int = 0
    grace: float = attrs.field(default=0.0, init=False)
    state: SlotState = attrs.field(default=SlotState.STARTING, init=False)
    worker: Worker | None = attrs.field(default=None, init=False)
    _pong: Pong | None = attrs.field(default=None, init=False)
    _silent: bool = attrs.field(default=False, init=False)
    _told: trio.Event = attrs.field(factory=trio.Event, init=False)

    def spec(self, child_id: str) -> ChildSpec:
        """Say how it is run; see `ChildSpec`."""
        # TRANSIENT: a worker that dies while it leaves has nobody after it.
        return ChildSpec(id=child_id, run=self.run, restart=Restart.TRANSIENT, stop=self.stop)

    def leave(self) -> None:
        """Say that the worker gives its threads to others; after its end there is no other."""
        self.state = SlotState.LEAVING
        if self.worker is not None:
            self.worker.accepting = False

    def stop(self) -> None:
        """Let the worker close its threads within `grace`, and end."""
        if self.state is not SlotState.LEAVING:
            self.state = SlotState.STOPPING
        if self.worker is not None:
            self.worker.accepting = False
        self._told.set()

    def kill(self) -> None:
        """End the worker at once, if there is one; what it leaves behind is gone on with."""
        if self.worker is not None:
            self.worker.kill()

    async def run(self, *, task_status: trio.TaskStatus[Worker]) -> None:
        """
        Have a worker until it ends.

        Raises:
            WorkerNotStarted: It did not come up.
            WorkerDied: It ended without being told to.

        Cancellation:
            The worker is killed; its threads are where their rollouts say.
        """
        async with self.fork_server.open_worker(self._next_number()) as worker:
            self.worker, self._pong, self._silent = worker, None, False
            self._front.add_worker(worker)
            try:
                self._come_up()
                task_status.started(worker)
                _log.info("worker %d (pid %d) is up", worker.number, worker.pid)
                await self._have(worker)
            finally:
                self.worker = None
                worker.accepting = False
                # Who goes on with its threads waits until the process is gone: it ends by
                # itself, or leaving this block ends it.
                self._front.lose_worker(worker)
            if not self._is_expected():
                self.state = SlotState.STARTING
                raise WorkerDied(worker.number, worker.pid, await self._how_it_ended(worker))
        _log.info("worker %d (pid %d) has ended", worker.number, worker.pid)

    def _come_up(self) -> None:
        if self.state is SlotState.STARTING:
            self.state = SlotState.UP

    def _is_expected(self) -> bool:
        return self._told.is_set() or self.state is SlotState.LEAVING

    async def _have(self, worker: Worker) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen_for_heart, worker)
            nursery.start_soon(self._wait_told, nursery.cancel_scope)
            await worker.died.wait()
            nursery.cancel_scope.cancel()
        if not worker.died.is_set():
            await worker.stop(grace=self.grace)

    async def _wait_told(self, scope: trio.CancelScope) -> None:
        await self._told.wait()
        scope.cancel()

    async def _listen_for_heart(self, worker: Worker) -> None:
        while await self._is_answered(worker):  # noqa: ASYNC110 -- a clock
            await trio.sleep(self._pulse.heartbeat)

    async def _is_answered(self, worker: Worker) -> bool:
        try:
            with trio.move_on_after(self._pulse.patience) as patience:
                self._pong = await worker.ping()
                return True
        except WorkerLost:
            return False
        if trio.current_time() - patience.deadline > _OVERSLEPT:
            return True
        _log.warning(
            "worker %d (pid %d) has not answered for %g s and is killed",
            worker.number,
            worker.pid,
            self._pulse.patience,
        )
        self._silent = True
        worker.kill()
        return False

    async def _how_it_ended(self, worker: Worker) -> str:
        if self._silent:
            return f"did not answer for {self._pulse.patience:g} s and was killed"
        with trio.move_on_after(_LAST_BREATH):
            return ending_in_words(await worker.wait_gone())
        return "has closed its connection to the pool without ending, and is killed"

    def statistics(self) -> SlotStatistics:
        """Return how it is."""
        worker = self.worker
        if worker is None:
            return SlotStatistics(slot=self.place, state=self.state, restarts=self.restarts)
        return SlotStatistics(
            slot=self.place,
            state=self.state,
            worker=worker.number,
            pid=worker.pid,
            started_at=worker.started_at,
            threads=len(worker.threads),
            turns=worker.turns,
            memory_bytes=None if self._pong is None else self._pong.memory_bytes,
            restarts=self.restarts,
        )

    def __repr__(self) -> str:
        who = "no worker" if self.worker is None else f"pid {self.worker.pid}"
        return f"<Slot {self.place}: {self.state.value}, {who}, {self.restarts} restarts>"
