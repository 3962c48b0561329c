"""Deaths and moves at random under load; what clients were told must add up all the same."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.workers.front.roster_states import State
from actors.workers.quarantine import Quarantine
from tests.server.app_stage import Client, RefusedError

from .stage import FrontStage, RoomWorker, open_stage

pytestmark = pytest.mark.slow


async def _answer_all(worker: RoomWorker) -> None:
    """Play the model of one worker: every answer in two pieces, with a little time between."""
    while True:
        response = await worker.model.next_request()
        response.say("some ")
        await trio.sleep(0.003)
        response.say("words").complete(10)


async def _use(client: Client, thread: str, over: trio.Event) -> int:
    """Run turns, one after another, until it is over; say how many ended."""
    turns = 0
    while not over.is_set():
        since = client.position
        try:
            turn = await client.start_turn(thread, "go")
        except RefusedError as refusal:
            assert "died during turn/start" in refusal.message
            await client.ask("thread/read", threadId=thread)
            continue
        await client.completed(turn, since=since)
        turns += 1
    return turns


async def _storm(stage: FrontStage, chance: random.Random, over: trio.Event) -> None:
    for _ in range(14):
        await trio.sleep(chance.uniform(0.02, 0.12))
        worker = chance.choice([each for each in stage.workers if not each.died.is_set()])
        if chance.random() < 0.35:
            await stage.front.move_away(worker, grace=0.05)  # type: ignore[arg-type]
        heir = await stage.add_worker()
        stage.nursery.start_soon(_answer_all, heir)
        worker.kill()
    over.set()


def _of(client: Client, method: str) -> Counter[str]:
    return Counter(
        message["params"]["turn"]["id"]
        for message in client.stream.told
        if message.get("method") == method
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_turn_that_began_ends_once_whatever_happens(tmp_path: Path, seed: int) -> None:
    """For everybody who follows; and each thread answers when it is over."""
    chance, over = random.Random(seed), trio.Event()
    async with open_stage(tmp_path, workers=3, quarantine=Quarantine(crashes=1000)) as stage:
        for worker in stage.workers:
            stage.nursery.start_soon(_answer_all, worker)
        clients = [await stage.connect() for _ in range(3)]
        threads = [await clients[number % 2].start_thread() for number in range(6)]
        for thread in threads:
            await clients[2].ask("thread/resume", threadId=thread)
        async with trio.open_nursery() as nursery:
            for number, thread in enumerate(threads):
                nursery.start_soon(_use, clients[number % 2], thread, over)
            nursery.start_soon(_storm, stage, chance, over)
        for thread in threads:
            await stage.settled(thread)
        for number, thread in enumerate(threads):
            turn = await clients[number % 2].start_turn(thread, "last")
            for client in (clients[number % 2], clients[2]):
                await client.completed(turn)

        for client in clients:
            started, ended = _of(client, "turn/started"), _of(client, "turn/completed")
            assert set(started.values()) <= {1}
            assert set(ended.values()) <= {1}
            assert started.keys() <= ended.keys()
        [loaded] = [(await each.ask("thread/loaded/list"))["data"] for each in clients[:1]]
        assert loaded == sorted(threads)
        assert {told.state for told in stage.front.statistics().threads} == {State.LOADED}
        await _check_records(clients[2], threads)


async def _check_records(client: Client, threads: list[str]) -> None:
    """Compare what was told with what is recorded."""
    told: dict[str, Any] = {
        message["params"]["turn"]["id"]: message["params"]["turn"]["status"]
        for message in client.stream.told
        if message.get("method") == "turn/completed"
    }
    for thread in threads:
        read = await client.ask("thread/read", threadId=thread, includeTurns=True)
        recorded = {turn["id"]: turn["status"] for turn in read["thread"]["turns"]}
        for turn, status in recorded.items():
            assert status in ("completed", "interrupted")
            if told.get(turn) == "completed":
                assert status == "completed"
