"""What a pool tells of itself: the answer to ``treadle/pool/read``."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import attrs
import trio

from messages.control import ThreadReport
from messages.ids import ThreadId
from messages.rpc.pool import (
    PoolClient,
    PoolReadResponse,
    PoolThread,
    PoolThreadStatus,
    PoolWorker,
    PoolWorkerState,
)

from .errors import WorkerLost
from .front.roster_states import State
from .front.values import FrontClient, FrontThread
from .process.worker import Worker
from .quarantine import Quarantine
from .slots import Slots
from .values import SlotStatistics

if TYPE_CHECKING:
    from .front.front import Front

__all__ = ["report_pool"]

_PATIENCE: Final = 1.0
"""Seconds in which a worker lists its threads; of one that takes longer less is told."""


async def report_pool(
    front: "Front", slots: Slots, quarantine: Quarantine, *, now: float, draining: bool
) -> PoolReadResponse:
    """
    Ask all workers, at once, and put together what they say.

    A worker that does not answer keeps nobody from hearing of the others.
    """
    reports: dict[ThreadId, ThreadReport] = {}
    async with trio.open_nursery() as nursery:
        for slot in slots:
            if slot.worker is not None:
                nursery.start_soon(_ask, slot.worker, reports)
    return PoolReadResponse(
        pid=os.getpid(),
        draining=draining,
        workers=tuple(_worker(slot) for slot in slots.statistics()),
        threads=(*_threads(front, reports), *_held(quarantine, now)),
        clients=tuple(map(_client, front.statistics().clients)),
    )


async def _ask(worker: Worker, reports: dict[ThreadId, ThreadReport]) -> None:
    with trio.move_on_after(_PATIENCE):
        try:
            reports.update({report.thread_id: report for report in await worker.report()})
        except WorkerLost:
            return  # its threads are on their way to another one


def _worker(slot: SlotStatistics) -> PoolWorker:
    return PoolWorker(
        slot=slot.slot,
        state=PoolWorkerState(slot.state.value),
        number=slot.worker,
        pid=slot.pid,
        threads=slot.threads,
        turns=slot.turns,
        memory_bytes=slot.memory_bytes,
        restarts=slot.restarts,
        started_at=None if slot.started_at is None else int(slot.started_at),
    )


def _threads(front: "Front", reports: dict[ThreadId, ThreadReport]) -> Iterator[PoolThread]:
    for thread in front.statistics().threads:
        if thread.state is State.RESERVED:
            continue  # nobody has it yet
        told = PoolThread(
            id=thread.thread_id,
            status=_status(thread),
            worker=thread.worker,
            turn_id=thread.turn_id,
            clients=thread.followers,
        )
        said = reports.get(thread.thread_id)
        yield (
            told
            if said is None
            else attrs.evolve(
                told, cwd=said.cwd, model=said.model, name=said.name, updated_at=said.updated_at
            )
        )


def _status(thread: FrontThread) -> PoolThreadStatus:
    if thread.state is not State.LOADED:
        return PoolThreadStatus.MOVING
    return PoolThreadStatus.IDLE if thread.turn_id is None else PoolThreadStatus.RUNNING


def _held(quarantine: Quarantine, now: float) -> Iterator[PoolThread]:
    for thread_id, until in quarantine.held(now):
        yield PoolThread(id=thread_id, status=PoolThreadStatus.HELD, held_until=int(until))


def _client(client: FrontClient) -> PoolClient:
    return PoolClient(
        id=client.id, peer=client.peer, worker=client.home, in_flight=client.in_flight
    )
