"""What clients notice when a worker dies: what they wait for, ask and follow."""

from pathlib import Path

import pytest
import trio
import trio.testing

from actors.workers.front import requests
from actors.workers.front.roster_states import State
from tests.server.app_stage import Client, say
from tests.waiting import until

from .failover_stage import told_of
from .stage import open_stage


async def test_requests_wait_for_a_thread_that_is_on_its_way(tmp_path: Path) -> None:
    """They come to the new worker after the client follows there."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        await stage.simple_turn(client, thread)
        worker = stage.worker_of(thread)
        [heir] = stage.others(worker)
        heir.may_adopt = trio.Event()
        worker.kill()
        await heir.adopting.wait()
        begun = client.send("turn/start", threadId=thread, input=say("hi"))
        listed = client.send("thread/loaded/list")
        assert (await client.answer_to(listed))["data"] == [thread]
        assert stage.entry(thread).state is State.ADOPTING
        heir.may_adopt.set()

        turn = (await client.answer_to(begun))["turn"]["id"]
        (await heir.model.next_request()).say("hi").complete(10)
        await client.completed(turn)
        assert told_of(client, 0, thread).count("turn/completed") == 2


async def test_a_request_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the client hears what the thread waits for."""
    monkeypatch.setattr(requests, "_PATIENCE", 0.1)
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        [heir] = stage.others(worker)
        heir.may_adopt = trio.Event()
        worker.kill()
        await heir.adopting.wait()
        code, message = await client.refused("turn/start", threadId=thread, input=say("hi"))
        assert (code, message) == (
            -32001,
            f"thread {thread} is adopting for more than 0.1 s: it is on its way to another "
            "worker; try again later",
        )
        heir.kill()
        code, message = await client.refused("model/list")
        assert (code, message) == (
            -32001,
            "no worker came up within 0.1 s; try again later",
        )


async def test_a_client_whose_own_worker_dies_gets_another(tmp_path: Path) -> None:
    """What all workers say is still heard once."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        [told] = stage.front.statistics().clients
        home = next(worker for worker in stage.workers if worker.number == told.home)
        home.kill()
        await client.ask("model/list")

        [heir] = stage.others(home)
        [told] = stage.front.statistics().clients
        assert told.home == heir.number


async def test_a_worker_dies_while_it_welcomes_a_client(tmp_path: Path) -> None:
    """Another worker does it; the client sees one answer."""
    async with open_stage(tmp_path, workers=0) as stage:
        first = await stage.add_worker(hold=True)
        await stage.add_worker()
        client = Client()
        stage.nursery.start_soon(stage.front.connections.serve, client.stream)
        number = client.send("initialize", clientInfo={"name": "test", "version": "1"})
        await trio.testing.wait_all_tasks_blocked(0.01)
        first.kill()
        first.may_connect.set()

        assert "userAgent" in await client.answer_to(number)
        assert "data" in await client.ask("model/list")
        assert client.methods() == ["answer 1", "answer 2"]


async def test_a_client_leaves_while_its_thread_is_on_its_way(tmp_path: Path) -> None:
    """The thread arrives all the same, and nobody follows it."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        [heir] = stage.others(worker)
        heir.may_adopt = trio.Event()
        worker.kill()
        await heir.adopting.wait()
        client.stream.hang_up()
        await until(lambda: not len(stage.front.connections))
        heir.may_adopt.set()

        assert await stage.settled(thread) is heir
        assert stage.entry(thread).followers == {}


async def test_a_client_of_core_events_hears_them_of_the_front_too(tmp_path: Path) -> None:
    """A turn that was cut off is an aborted one, and the reason is a warning."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect(treadleEvents=True)
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        turn = await client.start_turn(thread)
        await client.notified("codex/event/task_started", conversationId=thread)
        await worker.model.next_request()
        since = client.position
        worker.kill()
        aborted = await client.notified("codex/event/turn_aborted", since=since)
        warned = await client.notified("codex/event/warning", since=since)
        await stage.settled(thread)

        assert aborted["msg"] == {
            "type": "turn_aborted",
            "reason": "interrupted",
            "turn_id": turn,
        }
        assert (aborted["conversationId"], aborted["id"]) == (thread, turn)
        assert "died" in warned["msg"]["message"]
        assert "turn/completed" not in client.methods(since)
        assert "treadle/thread" in client.methods(since)
