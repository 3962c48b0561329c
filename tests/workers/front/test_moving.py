"""Workers that give their threads away, and nobody notices."""

from pathlib import Path

import pytest
import trio
import trio.testing

from actors.workers.front import failover
from tests.server.app_stage import say
from tests.waiting import until

from .failover_stage import begin_turn, told_of
from .stage import open_stage


async def test_a_worker_gives_its_threads_away_and_nobody_notices(tmp_path: Path) -> None:
    """Followers are told nothing of it and follow on; new threads go elsewhere meanwhile."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        threads = [await client.start_thread() for _ in range(4)]
        for thread in threads:
            await stage.simple_turn(client, thread)
        worker = stage.workers[0]
        moved = [thread for thread in threads if stage.worker_of(thread) is worker]
        since = client.position
        await stage.front.move_away(worker, grace=5)  # type: ignore[arg-type]
        fresh = await client.start_thread()

        assert worker.threads == {}
        assert {stage.worker_of(thread) for thread in (*threads, fresh)} == {stage.workers[1]}
        for thread in moved:
            await stage.settled(thread)
            await stage.simple_turn(client, thread, "and on")
            told = told_of(client, since, thread)
            assert not {"warning", "thread/closed"} & set(told)
        worker.kill()
        await client.ask("model/list")
        assert "warning" not in client.methods(since)


async def test_a_turn_ends_before_its_thread_moves(tmp_path: Path) -> None:
    """What is about the turn still gets there; new turns wait for the new worker."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        turn = await client.start_turn(thread)
        response = await worker.model.next_request()
        async with trio.open_nursery() as nursery:

            async def move() -> None:
                await stage.front.move_away(worker, grace=10)  # type: ignore[arg-type]

            nursery.start_soon(move)
            await until(lambda: bool(worker.released))
            read = await client.ask("thread/read", threadId=thread)
            assert read["thread"]["status"]["type"] == "active"
            begun = client.send("turn/start", threadId=thread, input=say("next"))
            response.say("done").complete(10)
            ended = await client.completed(turn)
        heir = await stage.settled(thread)
        following = (await client.answer_to(begun))["turn"]["id"]
        (await heir.model.next_request()).say("more").complete(10)
        await client.completed(following)

        assert ended["status"] == "completed"
        assert heir is not worker
        assert following != turn


async def test_a_turn_that_takes_too_long_is_interrupted_when_its_thread_moves(
    tmp_path: Path,
) -> None:
    """Its end is told by the worker that had it."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        turn, worker = await begin_turn(stage, client, thread)
        since = client.position
        await stage.front.move_away(worker, grace=0.05)  # type: ignore[arg-type]
        await stage.settled(thread)

        assert (await client.completed(turn, since=since))["status"] == "interrupted"
        assert told_of(client, since, thread).count("turn/completed") == 1
        await stage.simple_turn(client, thread)


async def test_a_worker_dies_while_it_gives_its_threads_away(tmp_path: Path) -> None:
    """They go on as after any death, and moving away has ended."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        turn, worker = await begin_turn(stage, client, thread)
        async with trio.open_nursery() as nursery:

            async def move() -> None:
                await stage.front.move_away(worker, grace=10)  # type: ignore[arg-type]

            nursery.start_soon(move)
            await until(lambda: bool(worker.released))
            worker.kill()
        assert (await client.completed(turn))["status"] == "interrupted"
        heir = await stage.settled(thread)
        assert heir is not worker
        await stage.simple_turn(client, thread)


async def test_a_thread_that_is_being_opened_moves_as_well(tmp_path: Path) -> None:
    """A request that went to a worker before it began to leave is not lost."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        worker = stage.workers[0]
        started = client.send("thread/start")
        async with trio.open_nursery() as nursery:

            async def move() -> None:
                while not worker.threads:  # every step counts: it may be open right after
                    await trio.lowlevel.checkpoint()
                await stage.front.move_away(worker, grace=1)  # type: ignore[arg-type]

            nursery.start_soon(move)
            thread = (await client.answer_to(started))["thread"]["id"]
        assert await stage.settled(thread) is stage.workers[1]
        await stage.simple_turn(client, thread)


async def test_a_worker_keeps_a_thread_until_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the disk does not take is only in that worker; the thread is used there meanwhile."""
    monkeypatch.setattr(failover, "_UNSAVED", 0.01)
    async with open_stage(tmp_path) as stage, trio.open_nursery() as nursery:
        client = await stage.connect()
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        worker.unsaved = True
        moved = trio.Event()

        async def move_away() -> None:
            await stage.front.move_away(worker, grace=1)  # type: ignore[arg-type]
            moved.set()

        nursery.start_soon(move_away)
        await until(lambda: len(worker.released) > 2)
        await stage.simple_turn(client, thread)
        assert stage.worker_of(thread) is worker
        assert not moved.is_set()
        worker.unsaved = False
        await moved.wait()

        assert await stage.settled(thread) is stage.workers[1]
    [told] = [record for record in caplog.records if "are not saved" in record.getMessage()]
    assert told.levelname == "WARNING"


async def test_what_cannot_be_moved_stays(tmp_path: Path) -> None:
    """An ephemeral thread is worked on where it is, to the end of its worker."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread(ephemeral=True)
        worker = stage.worker_of(thread)
        await stage.front.move_away(worker, grace=1)  # type: ignore[arg-type]

        assert stage.worker_of(thread) is worker
        await stage.simple_turn(client, thread)
