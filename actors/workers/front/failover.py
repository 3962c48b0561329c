"""What is done when a worker dies, or gives its threads away: they go on elsewhere."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.runtime import World
from actors.server.rpc_errors import ConnectionGone, RpcFailure
from messages.ids import ThreadId, TurnId

from ..errors import AdoptFailed, NotSavedYet, ReleaseFailed, WorkerLost
from ..quarantine import Quarantine
from . import words
from .call import Call
from .clients import Client, Clients
from .recorded_end import RecordedEnd
from .roster import Entry, Roster
from .roster_states import State
from .seats import Fate, Loss, Seat, Workers
from .telling import Teller, ends_of, find_ends
from .upstream import Upstream

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Failover"]

_log = logging.getLogger("actors")

_NEWS: Final = 0.5
"""Seconds between the end of what a worker says to a client and the news that it died."""

_AT_ONCE: Final = 16
"""Threads that are taken over at the same time; each is read from its rollout."""

_OPENING: Final = 10.0
"""Seconds that a worker gets to open what it was asked to open before it gives all away."""

_UNSAVED: Final = 1.0
"""Seconds until a worker is asked again for a thread that it could not save."""

_DIED: Final = "worker %d (pid %d) has died; threads that it had: %d, of these busy: %d"

_KEPT: Final = (
    "worker %d (pid %d) keeps threads that are not saved, because the disk takes nothing: %d; "
    "it is replaced when they are"
)

_QUIET: Final = 5.0
"""Seconds that requests for a thread may take before its worker lets go of it all the same."""


@attrs.define(eq=False)
class Failover:
    """
    Lets other workers go on with the threads of one that died, or gives them away.

    Nothing here is undone when one more worker dies: a thread that is homeless is
    sought a worker for as long as it takes, or until it is in quarantine.
    """

    _world: World
    _workers: Workers
    _roster: Roster
    _clients: Clients
    _quarantine: Quarantine
    _teller: Teller
    _nursery: trio.Nursery
    _limiter: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_AT_ONCE), init=False
    )

    # A worker dies -------------------------------------------------------------

    def lose(self, seat: Seat) -> None:
        """Take in that a worker has died; nothing when that is known."""
        if seat.losses is not None:
            return
        worker = seat.worker
        turns = {thread.thread_id: thread.turn_id for thread in worker.threads.values()}
        busy = [thread_id for thread_id, turn_id in turns.items() if turn_id is not None]
        busy += self._roster.opening_at(worker)
        held = set(self._quarantine.blame(busy, self._world.now()))
        had = self._roster.lose(worker)
        # Before any of them is given up: an agent's followers are found by its parent.
        losses = [self._loss(entry, turns.get(entry.thread_id), held) for entry in had]
        seat.losses = {loss.thread_id: loss for loss in losses}
        going_on = [entry for entry in had if seat.losses[entry.thread_id].fate is Fate.GOES_ON]
        for entry in had:
            if entry not in going_on:
                self._roster.give_up(entry)
        if had or busy:
            _log.warning(_DIED, worker.number, worker.pid, len(had), len(busy))
        self._nursery.start_soon(self._go_on, seat, going_on, name=f"after worker {worker.number}")

    def _loss(self, entry: Entry, turn_id: TurnId | None, held: set[ThreadId]) -> Loss:
        if entry.parent_id is not None or entry.ephemeral:
            fate = Fate.CLOSED
        elif entry.thread_id in held:
            fate = Fate.HELD
        else:
            fate = Fate.GOES_ON
        followers = frozenset(client.connection for client in self._roster.followers(entry))
        return Loss(thread_id=entry.thread_id, turn_id=turn_id, followers=followers, fate=fate)

    async def _go_on(self, seat: Seat, entries: Iterable[Entry]) -> None:
        await seat.worker.wait_gone()
        self._workers.clear(seat)
        for entry in entries:
            self._nursery.start_soon(self.adopt, entry, name=f"adoption of {entry.thread_id}")

    async def ended(self, client: Client, seat: Seat, upstream: Upstream) -> None:
        """Tell a client what follows from the last word of a worker."""
        worker = seat.worker
        with trio.move_on_after(_NEWS):
            await worker.died.wait()
        if not worker.died.is_set():
            if worker.accepting:
                _log.warning("%r is ended by the worker", upstream)
                client.connection.close(f"worker {worker.number} ended its connection")
                return
            await worker.died.wait()
        self.lose(seat)
        await self._teller.refuse(upstream)
        ends = await self._find_ends(seat, upstream)
        said = ends_of(client, seat, upstream, ends, self._held_until)
        await self._teller.tell(client, said)
        client.upstreams.pop(worker, None)
        self._clients.home_of(client)

    async def _find_ends(
        self, seat: Seat, upstream: Upstream
    ) -> dict[ThreadId, RecordedEnd | None]:
        if not upstream.told.turns:
            return {}
        await seat.cleared.wait()
        return await find_ends(seat, upstream)

    def _held_until(self, thread_id: ThreadId) -> float | None:
        return self._quarantine.held_until(thread_id, self._world.now())

    # A thread finds a worker ------------------------------------------------------

    async def adopt(self, entry: Entry) -> None:
        """Let a worker go on with a homeless thread, and its followers follow it there."""
        async with self._limiter:
            while entry.state is State.HOMELESS:
                worker = self._workers.for_thread()
                if worker is None:
                    await self._workers.wait_for_another()
                else:
                    await self._adopt_at(entry, worker)

    async def _adopt_at(self, entry: Entry, worker: "Worker") -> None:
        self._roster.adopt(entry, worker)
        try:
            await worker.adopt(entry.thread_id, entry.opening, entry.overridden)
        except AdoptFailed as failure:
            await self._give_up(entry, words.cut_off(failure.problem))
        except WorkerLost as lost:
            await self._try_again(entry, worker, begun=lost.begun)
        else:
            if worker.died.is_set():
                await self._try_again(entry, worker, begun=True)
            elif entry.thread_id not in worker.threads:
                await self._give_up(entry, words.cut_off("it ended as soon as it was there"))
            else:
                self._settle(entry, worker)

    async def _try_again(self, entry: Entry, worker: "Worker", *, begun: bool) -> None:
        self._roster.fail(entry)
        # What it did not begin with it did not die of, for example when it was stopped.
        if begun and self._quarantine.blame([entry.thread_id], self._world.now()):
            await self._give_up(entry, words.held(self._held_until(entry.thread_id)))
        else:
            await self._workers.wait_cleared(worker)

    async def _give_up(self, entry: Entry, problem: str) -> None:
        _log.error("thread %s is not gone on with: %s", entry.thread_id, problem)
        followers = set(entry.followers)
        self._roster.give_up(entry)
        for client in self._clients:
            said = [*words.closed(entry.thread_id, followed=client in followers)]
            if client in followers:
                said.append(words.warning(entry.thread_id, problem, core=client.core))
            # A slow client must not keep the others from hearing it.
            self._nursery.start_soon(self._teller.tell, client, said)
        await trio.lowlevel.checkpoint()

    # Its followers follow it there ---------------------------------------------------

    def _settle(self, entry: Entry, worker: "Worker") -> None:
        for client in tuple(entry.followers):
            # Before requests for the thread go there, so that none overtakes this.
            gate = client.rejoining[entry.thread_id] = trio.Event()
            self._nursery.start_soon(self._rejoin, client, entry, worker, gate)
        self._roster.settle(entry)

    async def _rejoin(
        self, client: Client, entry: Entry, worker: "Worker", gate: trio.Event
    ) -> None:
        try:
            await self._hear_out(client, entry, worker)
            upstream = await client.at(worker)
            # Where it is let go of, or gone already, this would load it once more.
            if entry.worker is worker and entry.state is State.LOADED:
                with entry.working():
                    params = {"threadId": entry.thread_id, "excludeTurns": True}
                    await upstream.call(Call("thread/resume"), params)
        except (WorkerLost, ConnectionGone):
            pass  # whoever follows from that does this again, or there is nobody
        except RpcFailure as refusal:
            entry.followers.pop(client, None)
            problem = words.unsettled(refusal.message)
            said = [*words.closed(entry.thread_id, followed=True)][1:]
            said.append(words.warning(entry.thread_id, problem, core=client.core))
            await self._teller.tell(client, said)
        finally:
            if client.rejoining.get(entry.thread_id) is gate:
                del client.rejoining[entry.thread_id]
            gate.set()

    async def _hear_out(self, client: Client, entry: Entry, worker: "Worker") -> None:
        """Wait until a client has all that other workers said of a thread."""
        for other, upstream in tuple(client.upstreams.items()):
            if other is worker:
                continue
            if other.died.is_set():
                await upstream.over.wait()
            elif not other.accepting:
                await self._say_nothing(upstream, entry.thread_id)

    async def _say_nothing(self, upstream: Upstream, thread_id: ThreadId) -> None:
        try:
            # Its answer comes after all that was said before.
            await upstream.call(Call("thread/unsubscribe"), {"threadId": thread_id})
        except RpcFailure as refusal:
            _log.debug("%r: %s", upstream, refusal)
        except WorkerLost:
            return
        upstream.told.forget(thread_id)
        upstream.told.active.discard(thread_id)

    # A worker gives its threads away ----------------------------------------------------

    async def move_away(self, seat: Seat, *, grace: float) -> None:
        """
        Let others go on with the threads of a worker that lives.

        Threads that cannot be moved, because nothing is recorded of them or they work for
        another one, stay.  One that is not saved, because the disk is full, is used where it
        is until it can be: this waits for that.

        Cancellation:
            Some are moved, some may be on their way and arrive all the same.
        """
        worker = seat.worker
        worker.accepting = False
        stuck: set[ThreadId] = set()
        unsaved: set[ThreadId] = set()
        warned = awaited = False
        while not worker.died.is_set():
            moving = [entry for entry in self._roster.at(worker) if _is_movable(entry, stuck)]
            if moving:
                unsaved.clear()
                await self._move_all(moving, _Leaving(worker, grace, stuck, unsaved))
                if unsaved and not warned:
                    _log.warning(_KEPT, worker.number, worker.pid, len(unsaved))
                warned = warned or bool(unsaved)
                await trio.sleep(_UNSAVED if unsaved else 0)
            elif awaited:
                return
            else:
                # Those that are still being opened; one whose client takes no answer is there.
                with trio.move_on_after(_OPENING):
                    await self._roster.wait_answered(worker)
                awaited = True

    async def _move_all(self, moving: Iterable[Entry], leaving: "_Leaving") -> None:
        arrivals: list[trio.Event] = []
        for entry in moving:
            arrivals.append(trio.Event())
            self._roster.release(entry)
            # Not in a nursery of this call: half way is no place to stay.
            self._nursery.start_soon(self._move, entry, leaving, arrivals[-1])
        for arrived in arrivals:
            await arrived.wait()

    async def _move(self, entry: Entry, leaving: "_Leaving", arrived: trio.Event) -> None:
        try:
            await self._give(entry, leaving)
        finally:
            arrived.set()

    async def _give(self, entry: Entry, leaving: "_Leaving") -> None:
        worker = leaving.worker
        try:
            with trio.move_on_after(_QUIET):
                await entry.wait_quiet()
            await worker.release(entry.thread_id, grace=leaving.grace)
        except WorkerLost:
            return  # as with all its threads
        except ReleaseFailed as failure:
            leaving.note(entry.thread_id, failure)
            if entry.state is State.RELEASING:
                self._keep(entry, worker)
            return
        if entry.state is State.RELEASING:
            self._roster.part(entry)
            await self.adopt(entry)

    def _keep(self, entry: Entry, worker: "Worker") -> None:
        self._roster.keep(entry)
        if entry.thread_id not in worker.threads:
            self._roster.closed(worker, entry.thread_id)


@attrs.define(eq=False)
class _Leaving:
    """
    A worker that gives its threads away.

    Attributes:
        grace: Seconds that running turns get to end by themselves.
        stuck: Threads that it cannot let go of.
        unsaved: Threads that it could not let go of at the last try.
    """

    worker: "Worker"
    grace: float
    stuck: set[ThreadId]
    unsaved: set[ThreadId]

    def note(self, thread_id: ThreadId, failure: ReleaseFailed) -> None:
        """Take in that it keeps a thread."""
        if isinstance(failure, NotSavedYet):
            self.unsaved.add(thread_id)
        else:
            _log.warning("%s", failure)
            self.stuck.add(thread_id)


def _is_movable(entry: Entry, stuck: set[ThreadId]) -> bool:
    return (
        entry.state is State.LOADED
        and entry.parent_id is None
        and not entry.ephemeral
        and entry.thread_id not in stuck
    )
