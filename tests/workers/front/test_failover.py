"""What becomes of threads when their workers die."""

from pathlib import Path

import pytest
import trio
import trio.testing

from actors.workers.front.roster_states import State
from actors.workers.quarantine import Quarantine
from messages.ids import ThreadId
from tests.server.app_stage import Client, say
from tests.waiting import until

from .failover_stage import begin_turn, told_of
from .stage import START, FrontStage, RoomWorker, open_stage

ASKING = {"approvalPolicy": "untrusted", "sandbox": "danger-full-access"}


async def test_a_thread_goes_on_when_its_worker_dies(tmp_path: Path) -> None:
    """The turn ends once, the client is told why, and asks on as if nothing had been."""
    async with open_stage(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread = await client.start_thread()
        first = await stage.simple_turn(client, thread)
        turn, worker = await begin_turn(stage, client, thread)
        since, others = client.position, other.position

        worker.kill()
        warning = await client.notified("warning", threadId=thread, since=since)
        last = await stage.simple_turn(client, thread, "and on")

        told = told_of(client, since, thread)
        assert told[:3] == ["turn/completed", "thread/status/changed", "warning"]
        assert told.count("turn/completed") == 2
        ended = await client.completed(turn, since=since)
        assert (ended["status"], ended["error"], ended["items"]) == ("interrupted", None, [])
        assert warning["message"] == (
            f"worker {worker.number} (pid {worker.pid}) died; the running turn was interrupted; "
            "another worker goes on with the thread, and what ran in its background is gone"
        )
        assert told_of(other, others, thread)[:1] == ["thread/status/changed"]
        assert "turn/completed" not in told_of(other, others, thread)
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
        told = told_of(other, since, thread)
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
                await until(lambda: stage.entry(thread).worker is not worker)  # noqa: B023
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
        turn, worker = await begin_turn(stage, client, thread)
        loaded = worker.app.loaded.find(ThreadId(thread))
        assert loaded is not None
        async with loaded.starting:  # so that nothing is answered
            begun = client.send("turn/start", threadId=thread, input=say("more"))
            read = client.send("thread/read", threadId=thread)
            await until(lambda: any(m.get("id") == read for m in client.stream.told))
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
        assert told_of(client, since, thread)[:3] == [
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
        turn, worker = await begin_turn(stage, client, thread)
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
        turn, worker = await begin_turn(stage, client, thread)
        since = client.position
        worker.kill()
        warning = await client.notified("warning", threadId=thread, since=since)

        assert told_of(client, since, thread)[-5:] == [
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
        await until(lambda: len(worker.threads) == 2)
        [agent] = set(worker.threads) - {thread}
        await client.notified("turn/started", threadId=agent)
        since = client.position
        worker.kill()

        await client.notified("thread/closed", threadId=agent, since=since)
        await client.notified("warning", threadId=thread, since=since)
        await stage.settled(thread)
        told = told_of(client, since, agent)
        assert told.count("turn/completed") == told.count("thread/closed") == 1
        assert (await client.ask("thread/loaded/list"))["data"] == [thread]


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
        assert told_of(client, since, thread).count("warning") == 1


async def test_threads_wait_for_a_worker_when_none_is_left(tmp_path: Path) -> None:
    """A single worker dies and is replaced; requests that came meanwhile are answered."""
    async with open_stage(tmp_path, workers=1) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        turn, worker = await begin_turn(stage, client, thread)
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
            turn, worker = await begin_turn(stage, client, thread)
            since = client.position
            worker.kill()
            await client.completed(turn, since=since)
            await client.notified("warning", threadId=thread, since=since)
            if deaths == 1:
                await stage.settled(thread)

        assert told_of(client, since, thread)[-3:] == [
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
            turn, worker = await begin_turn(stage, client, thread)
            worker.kill()
            await client.completed(turn)
            await stage.settled(thread)
            assert len(quarantine) == 1
            await stage.simple_turn(client, thread)

        assert len(quarantine) == 0
        assert stage.entry(thread).state is State.LOADED
