"""A front over real worker processes, which are killed, stopped and replaced."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.runtime import World
from actors.server.rpc_limits import Limits
from actors.workers.front.front import Front, open_front
from actors.workers.front.roster_states import State
from actors.workers.process.worker import Worker
from actors.workers.quarantine import Quarantine
from messages.ids import ThreadId
from tests.server.app_stage import Client
from tests.waiting import PATIENCE

from ..process.stage import OPEN, open_forks

pytestmark = pytest.mark.slow


@attrs.define(eq=False)
class Floor:
    """A front and the processes behind it."""

    front: Front
    workers: list[Worker]
    nursery: trio.Nursery

    async def connect(self) -> Client:
        client = Client()
        self.nursery.start_soon(self.front.connections.serve, client.stream)
        await client.ask("initialize", clientInfo={"name": "test", "version": "1"})
        return client

    def worker_of(self, thread: str) -> Worker:
        entry = self.front._roster.find(ThreadId(thread))
        assert entry is not None
        assert entry.worker is not None
        return entry.worker


@asynccontextmanager
async def open_floor(folder: Path, *, workers: int = 2) -> AsyncGenerator[Floor]:
    async with (
        open_forks(folder) as forks,
        open_front(World.system(), Limits(), Quarantine()) as front,
        trio.open_nursery() as nursery,
        AsyncExitStack() as stack,
    ):
        floor = Floor(front, [], nursery)
        for number in range(1, workers + 1):
            worker = await stack.enter_async_context(forks.open_worker(number))
            floor.workers.append(worker)
            front.add_worker(worker)
        yield floor
        nursery.cancel_scope.cancel()


async def _finish(client: Client, thread: str, text: str) -> dict[str, Any]:
    since = client.position
    turn = await client.start_turn(thread, text)
    return await client.completed(turn, since=since)


async def test_a_turn_is_cut_off_by_a_kill_and_its_thread_goes_on(tmp_path: Path) -> None:
    """All that was acknowledged is there; the client stays connected and is told."""
    async with open_floor(tmp_path) as floor:
        client = await floor.connect()
        thread = await client.start_thread(**OPEN)
        assert (await _finish(client, thread, "one"))["status"] == "completed"
        worker = floor.worker_of(thread)
        turn = await client.start_turn(thread, "sleep")
        await client.until(
            lambda m: (
                m.get("method") == "item/started"
                and m["params"]["item"]["type"] == "commandExecution"
            )
        )
        since = client.position

        os.kill(worker.pid, signal.SIGKILL)
        assert (await client.completed(turn, since=since))["status"] == "interrupted"
        await client.notified("warning", threadId=thread, since=since)
        assert (await _finish(client, thread, "two"))["status"] == "completed"

        read = await client.ask("thread/read", threadId=thread, includeTurns=True)
        statuses = [each["status"] for each in read["thread"]["turns"]]
        assert statuses == ["completed", "interrupted", "completed"]
        assert floor.worker_of(thread) is not worker
        assert len(floor.front.statistics().workers) == 1


async def test_a_thread_moves_to_another_process_and_its_client_follows(tmp_path: Path) -> None:
    """Rolling: the old process ends, and nobody was told anything of it."""
    async with open_floor(tmp_path) as floor:
        client = await floor.connect()
        threads = [await client.start_thread(**OPEN) for _ in range(4)]
        for thread in threads[:2]:
            await _finish(client, thread, "before")
        first, second = floor.workers
        since = client.position
        await floor.front.move_away(first, grace=5)
        await first.stop(grace=1)
        for thread in threads:
            assert (await _finish(client, thread, "after"))["status"] == "completed"

        assert {floor.worker_of(thread) for thread in threads} == {second}
        told = client.methods(since)
        assert not {"warning", "thread/closed"} & set(told)
        assert all(t.state is State.LOADED for t in floor.front.statistics().threads)
        answer = await client.ask("model/list")
        assert answer["data"]


async def test_a_process_that_was_stopped_holds_up_nobody_else(tmp_path: Path) -> None:
    """Clients come and work meanwhile; when it is killed its thread goes on."""
    async with open_floor(tmp_path) as floor:
        client = await floor.connect()
        thread = await client.start_thread(**OPEN)
        worker = floor.worker_of(thread)
        os.kill(worker.pid, signal.SIGSTOP)
        with trio.fail_after(PATIENCE):
            late = await floor.connect()  # whose own worker is the other one
            assert (await late.ask("model/list"))["data"]
        waiting = client.send("thread/read", threadId=thread)
        worker.kill()

        assert (await client.answer_to(waiting))["thread"]["id"] == thread
        for each in (client, late):
            assert (await each.ask("thread/loaded/list"))["data"] == [thread]
