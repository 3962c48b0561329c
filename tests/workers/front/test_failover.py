"""What becomes of threads and clients when workers die, or give their threads away."""

import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from actors.rollout import tail
from actors.workers.front import failover, requests
from actors.workers.front.recorded_end import read_end
from actors.workers.front.roster_states import State
from actors.workers.quarantine import Quarantine
from messages.ids import ThreadId
from tests.server.app_stage import Client, say

from .stage import START, FrontStage, RoomWorker, open_stage

ASKING = {"approvalPolicy": "untrusted", "sandbox": "danger-full-access"}


async def _begin(stage: FrontStage, client: Client, thread: str) -> tuple[str, RoomWorker]:
    """Let a turn run that does not end."""
    worker = stage.worker_of(thread)
    turn = await client.start_turn(thread)
    await client.notified("turn/started", threadId=thread)
    await worker.model.next_request()
    return turn, worker


def _told(client: Client, since: int, thread: str) -> list[str]:
    """List what a client was told of one thread, by method."""
    told = []
    for message in client.stream.told[since:]:
        params = message.get("params") or {}
        if params.get("threadId") == thread or params.get("conversationId") == thread:
            told.append(message["method"])
    return told


# A worker dies ----------------------------------------------------------------


async def test_a_thread_goes_on_when_its_worker_dies(tmp_path: Path) -> None:
    """The turn ends once, the client is told why, and asks on as if nothing had been."""
    async with open_stage(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread = await client.start_thread()
        first = await stage.simple_turn(client, thread)
        turn, worker = await _begin(stage, client, thread)
        since, others = client.position, other.position

        worker.kill()
        warning = await client.notified("warning", threadId=thread, since=since)
        last = await stage.simple_turn(client, thread, "and on")

        told = _told(client, since, thread)
        assert told[:3] == ["turn/completed", "thread/status/changed", "warning"]
        assert told.count("turn/completed") == 2
        ended = await client.completed(turn, since=since)
        assert (ended["status"], ended["error"], ended["items"]) == ("interrupted", None, [])
        assert warning["message"] == (
            f"worker {worker.number} (pid {worker.pid}) died; the running turn was interrupted; "
            "another worker goes on with the thread, and what ran in its background is gone"
        )
        assert _told(other, others, thread)[:1] == ["thread/status/changed"]
        assert "turn/completed" not in _told(other, others, thread)
        read = await client.ask("thread/read", threadId=thread, includeTurns=True)
        assert [(t["id"], t["status"]) for t in read["thread"]["turns"]] == [
            (first, "completed"),
            (turn, "interrupted"),
            (last, "completed"),
        ]


async def test_an_idle_thread_goes_on_and_its_followers_with_it(tmp_path: Path) -> None:
    """Nothing is ended that did not run; all who followed follow on."""
    async with open_stage(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread = await client.start_thread()
        await stage.simple_turn(client, thread)
        await other.ask("thread/resume", threadId=thread)
        worker, since = stage.worker_of(thread), other.position

        worker.kill()
        for each in (client, other):
            await each.notified("warning", threadId=thread)
        await stage.settled(thread)
        turn = await stage.simple_turn(client, thread, "again")

        await other.completed(turn, since=since)
        told = _told(other, since, thread)
        assert told[0] == "warning"
        assert told.count("turn/started") == told.count("turn/completed") == 1


@pytest.mark.parametrize("dies", [True, False])
async def test_settings_that_no_turn_has_recorded_are_not_lost(tmp_path: Path, dies: bool) -> None:
    """Neither when the worker dies nor when it gives the thread away, nor twice."""
    async with open_stage(tmp_path, workers=3) as stage:
        client = await stage.connect(treadleEvents=True)
        thread = await client.start_thread()
        turn = await client.ask(
            "treadle/submit",
            threadId=thread,
            op={"type": "user_input", "items": [{"type": "text", "text": "hello"}]},
        )
        (await stage.worker_of(thread).model.next_request()).say("HELLO").complete(100)
        await client.notified("codex/event/task_complete", id=turn["submissionId"])
        for op in ({"model": "other"}, {"cwd": "/"}):
            op = {"type": "override_turn_context", **op}
            await client.ask("treadle/submit", threadId=thread, op=op)
        for _ in range(2):
            worker = stage.worker_of(thread)
            if dies:
                worker.kill()
                await stage.until(lambda: stage.entry(thread).worker is not worker)  # noqa: B023
            else:
                await stage.front.move_away(worker, grace=1)  # type: ignore[arg-type]
            await stage.settled(thread)
            await trio.testing.wait_all_tasks_blocked(0.01)
        supervisor = stage.worker_of(thread).app.ground.supervisor
        settings = supervisor.get_thread(ThreadId(thread)).config_snapshot

        assert (settings.model, settings.cwd) == ("other", "/")


async def test_a_thread_of_which_nothing_is_recorded_begins_again(tmp_path: Path) -> None:
    """Under its own id, with what its opening asked for."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        tool = {"name": "find", "description": "d", "inputSchema": {"type": "object"}}
        thread = await client.start_thread(dynamicTools=[tool], model="mock-1")
        worker = stage.worker_of(thread)
        worker.kill()
        [heir] = stage.others(worker)
        await stage.settled(thread)

        assert heir.adopted == [
            (
                thread,
                {
                    "method": "thread/start",
                    "params": {"dynamicTools": [tool], "model": "mock-1"},
                },
            )
        ]
        turn = await client.start_turn(thread)
        request = await heir.model.next_request()
        request.say("hi").complete(10)
        await client.completed(turn)


async def test_what_was_asked_of_a_worker_that_died_is_asked_again_or_refused(
    tmp_path: Path,
) -> None:
    """What only looks is answered by another worker; of the rest the client hears what is known."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        turn, worker = await _begin(stage, client, thread)
        loaded = worker.app.loaded.find(ThreadId(thread))
        assert loaded is not None
        async with loaded.starting:  # so that nothing is answered
            begun = client.send("turn/start", threadId=thread, input=say("more"))
            read = client.send("thread/read", threadId=thread)
            await stage.until(lambda: any(m.get("id") == read for m in client.stream.told))
            since = client.position
            worker.kill()
            refusal = await client.until(lambda m: m.get("id") == begun, since=since)
        answer = await client.answer_to(read)
        await client.completed(turn)

        assert refusal["error"] == {
            "code": -32603,
            "message": f"worker {worker.number} died during turn/start: if it had begun a turn, "
            "that was interrupted; thread/read shows what is recorded of it",
        }
        assert client.methods(since)[0] == f"answer {begun}"
        assert answer["thread"]["id"] == thread


async def test_open_questions_are_settled_when_their_worker_dies(tmp_path: Path) -> None:
    """Under the number that the client knows; a late answer does nothing."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread(**ASKING)
        turn, worker = await _ask_command(stage, client, thread)
        asked = await client.asked("item/commandExecution/requestApproval")
        since = client.position
        worker.kill()
        resolved = await client.notified("serverRequest/resolved", since=since)
        client.answer(asked, {"decision": "accept"})
        await client.completed(turn, since=since)
        await stage.settled(thread)

        assert resolved == {"threadId": thread, "requestId": asked["id"]}
        assert _told(client, since, thread)[:3] == [
            "serverRequest/resolved",
            "turn/completed",
            "thread/status/changed",
        ]
        assert len(stage.front.connections.questions) == 0


async def _ask_command(stage: FrontStage, client: Client, thread: str) -> tuple[str, RoomWorker]:
    worker = stage.worker_of(thread)
    turn = await client.start_turn(thread)
    response = await worker.model.next_request()
    response.call("shell", {"command": ["sh", "-c", "touch x"]}, call_id="c1").complete(10)
    return turn, worker


async def test_a_client_that_joined_in_the_middle_of_a_turn_hears_its_end(tmp_path: Path) -> None:
    """It was not told of the beginning, but of a turn that runs."""
    async with open_stage(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread = await client.start_thread()
        turn, worker = await _begin(stage, client, thread)
        joined = await other.ask("thread/resume", threadId=thread, excludeTurns=True)
        assert joined["thread"]["status"]["type"] == "active"
        since = other.position
        worker.kill()

        ended = await other.completed(turn, since=since)
        assert ended["status"] == "interrupted"


async def test_a_thread_that_is_not_recorded_ends_with_its_worker(tmp_path: Path) -> None:
    """The client is told, and nobody seeks a worker for it."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread(ephemeral=True)
        turn, worker = await _begin(stage, client, thread)
        since = client.position
        worker.kill()
        warning = await client.notified("warning", threadId=thread, since=since)

        assert _told(client, since, thread)[-5:] == [
            "turn/completed",
            "thread/status/changed",
            "thread/status/changed",
            "thread/closed",
            "warning",
        ]
        assert warning["message"].endswith("interrupted, and this thread ended with it")
        assert (await client.ask("thread/loaded/list"))["data"] == []
        assert (
            "thread not found"
            in (await client.refused("turn/interrupt", threadId=thread, turnId=turn))[1]
        )


async def test_agents_end_with_their_worker(tmp_path: Path) -> None:
    """Whoever follows the thread that they work for hears that they are closed."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread(sandbox="danger-full-access", approvalPolicy="never")
        worker = stage.worker_of(thread)
        await client.start_turn(thread)
        response = await worker.model.next_request()
        response.call("spawn_agent", {"message": "help"}, call_id="c1").complete(10)
        await stage.until(lambda: len(worker.threads) == 2)
        [agent] = set(worker.threads) - {thread}
        await client.notified("turn/started", threadId=agent)
        since = client.position
        worker.kill()

        await client.notified("thread/closed", threadId=agent, since=since)
        await client.notified("warning", threadId=thread, since=since)
        await stage.settled(thread)
        told = _told(client, since, agent)
        assert told.count("turn/completed") == told.count("thread/closed") == 1
        assert (await client.ask("thread/loaded/list"))["data"] == [thread]


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
        assert _told(client, 0, thread).count("turn/completed") == 2


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


async def test_a_second_worker_dies_while_it_takes_over(tmp_path: Path) -> None:
    """The third one gets the thread; nobody notices more than one death that was theirs."""
    async with open_stage(tmp_path, workers=3) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        await stage.simple_turn(client, thread)
        worker = stage.worker_of(thread)
        second = stage.others(worker)[0]
        second.may_adopt = trio.Event()
        since = client.position
        worker.kill()
        await second.adopting.wait()
        second.kill()
        last = await stage.settled(thread)
        turn = await stage.simple_turn(client, thread, "still here")

        assert last is stage.workers[2]
        assert turn
        assert _told(client, since, thread).count("warning") == 1


async def test_threads_wait_for_a_worker_when_none_is_left(tmp_path: Path) -> None:
    """A single worker dies and is replaced; requests that came meanwhile are answered."""
    async with open_stage(tmp_path, workers=1) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        turn, worker = await _begin(stage, client, thread)
        worker.kill()
        await client.completed(turn)
        listed = client.send("model/list")
        read = client.send("thread/read", threadId=thread)
        await trio.testing.wait_all_tasks_blocked(0.01)
        heir = await stage.add_worker()

        assert "data" in await client.answer_to(listed)
        assert (await client.answer_to(read))["thread"]["id"] == thread
        assert await stage.settled(thread) is heir
        assert client.methods().count("configWarning") == 0


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
        await stage.until(lambda: not len(stage.front.connections))
        heir.may_adopt.set()

        assert await stage.settled(thread) is heir
        assert stage.entry(thread).followers == {}


async def test_a_thread_that_nobody_can_go_on_with_is_closed(tmp_path: Path) -> None:
    """All hear that it is not loaded, and its followers why."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        [heir] = stage.others(worker)
        heir.problem = "its rollout is damaged"
        since = client.position
        worker.kill()
        await client.notified("thread/closed", threadId=thread, since=since)
        warning = await client.until(
            lambda m: m.get("method") == "warning" and "no worker" in m["params"]["message"]
        )

        assert warning["params"]["message"] == (
            "no worker could go on with the thread: its rollout is damaged; "
            "thread/resume tries it again"
        )
        assert stage.front.statistics().threads == ()


@pytest.mark.slow
async def test_a_thread_that_workers_die_of_is_left_alone(tmp_path: Path) -> None:
    """In quarantine after so many deaths in a row; requests hear until when, and the way out."""
    quarantine = Quarantine(crashes=2, period=600)
    async with open_stage(tmp_path, workers=3, quarantine=quarantine) as stage:
        client = await stage.connect()
        thread, calm = await client.start_thread(), await client.start_thread()
        for deaths in (1, 2):
            turn, worker = await _begin(stage, client, thread)
            since = client.position
            worker.kill()
            await client.completed(turn, since=since)
            await client.notified("warning", threadId=thread, since=since)
            if deaths == 1:
                await stage.settled(thread)

        assert _told(client, since, thread)[-3:] == [
            "thread/status/changed",
            "thread/closed",
            "warning",
        ]
        code, message = await client.refused("thread/resume", threadId=thread)
        assert code == -32600
        assert "in quarantine" in message
        assert "UTC" in message
        assert (
            "in quarantine"
            in (await client.refused("turn/start", threadId=thread, input=say("hi")))[1]
        )
        read = await client.ask("thread/read", threadId=thread, includeTurns=True)
        assert [turn["status"] for turn in read["thread"]["turns"]] == ["interrupted"] * 2
        assert (await stage.settled(calm)).number
        assert (await client.ask("thread/loaded/list"))["data"] == [calm]
        assert quarantine.held_until(ThreadId(thread), START) is not None
        await client.ask("thread/delete", threadId=thread)
        assert len(quarantine) == 0


async def test_a_turn_that_ends_clears_its_thread(tmp_path: Path) -> None:
    """Only deaths in a row count."""
    quarantine = Quarantine(crashes=2, period=600)
    async with open_stage(tmp_path, workers=3, quarantine=quarantine) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        for _ in range(2):
            turn, worker = await _begin(stage, client, thread)
            worker.kill()
            await client.completed(turn)
            await stage.settled(thread)
            assert len(quarantine) == 1
            await stage.simple_turn(client, thread)

        assert len(quarantine) == 0
        assert stage.entry(thread).state is State.LOADED


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


# A worker gives its threads away ---------------------------------------------------


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
            told = _told(client, since, thread)
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
            await stage.until(lambda: bool(worker.released))
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
        turn, worker = await _begin(stage, client, thread)
        since = client.position
        await stage.front.move_away(worker, grace=0.05)  # type: ignore[arg-type]
        await stage.settled(thread)

        assert (await client.completed(turn, since=since))["status"] == "interrupted"
        assert _told(client, since, thread).count("turn/completed") == 1
        await stage.simple_turn(client, thread)


async def test_a_worker_dies_while_it_gives_its_threads_away(tmp_path: Path) -> None:
    """They go on as after any death, and moving away has ended."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        turn, worker = await _begin(stage, client, thread)
        async with trio.open_nursery() as nursery:

            async def move() -> None:
                await stage.front.move_away(worker, grace=10)  # type: ignore[arg-type]

            nursery.start_soon(move)
            await stage.until(lambda: bool(worker.released))
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
                while not worker.threads:
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
        await stage.until(lambda: len(worker.released) > 2)
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


# What was recorded and not told ------------------------------------------------------


@pytest.mark.parametrize("core", [False, True])
async def test_a_turn_that_had_ended_before_anybody_was_told_ends_as_it_did(
    tmp_path: Path, core: bool
) -> None:
    """What is recorded counts, not what the client could still be told."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect(treadleEvents=core)
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        turn = await client.start_turn(thread)
        response = await worker.model.next_request()
        since = client.position
        for each in worker.clients:
            each.shutdown(socket.SHUT_WR)
        response.say("last words").complete(10)
        await stage.until(lambda: not worker.turns)
        worker.kill()

        if core:
            ended = await client.notified("codex/event/task_complete", since=since)
            assert ended["msg"] == {
                "type": "task_complete",
                "turn_id": turn,
                "last_agent_message": "last words",
            }
            warning = (await client.notified("codex/event/warning", since=since))["msg"]
        else:
            completed = await client.completed(turn, since=since)
            assert (completed["status"], completed["items"]) == ("completed", [])
            warning = await client.notified("warning", threadId=thread, since=since)
        assert "the turn had just ended (completed)" in warning["message"]


async def test_the_end_of_a_turn_is_found_among_the_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the rollout is; half a line is none, and so is no file."""
    async with open_stage(tmp_path, workers=1) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        path = Path(str(stage.worker_of(thread).threads[ThreadId(thread)].path))
        assert read_end(path, "any") is None
        first = await stage.simple_turn(client, thread)
        second, _ = await _begin(stage, client, thread)
        await client.ask("turn/interrupt", threadId=thread, turnId=second)

        def status(turn: str) -> str | None:
            end = read_end(path, turn)
            return None if end is None else end.turn.status.value

        assert [status(first), status(second), status("other")] == [
            "completed",
            "interrupted",
            None,
        ]
        monkeypatch.setattr(tail, "_TAIL_BYTES", 600)
        assert [status(first), status(second)] == [None, "interrupted"]
        cut = path.read_bytes()[:-10]  # noqa: ASYNC240 -- a test
        path.write_bytes(cut)  # noqa: ASYNC240
        assert status(second) is None
