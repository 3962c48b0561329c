"""What clients see of a front: one app-server, whichever worker does the work."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from actors.server.rpc_connection import ClientRequest
from actors.workers.front import skill_news
from actors.workers.front.roster_states import State
from messages.ids import ThreadId
from messages.rpc.notifications import (
    ConfigWarningNotification,
    SkillsChangedNotification,
    WarningNotification,
)
from tests.server.app_stage import Client, open_app
from tests.waiting import until

from .stage import FrontStage, open_stage


async def test_a_client_is_welcomed_by_its_own_worker_and_known_to_all(tmp_path: Path) -> None:
    """One initialize; every worker knows the client before it can ask anything."""
    async with open_stage(tmp_path, workers=3) as stage:
        client = Client()
        stage.nursery.start_soon(stage.front.connections.serve, client.stream)
        answer = await client.ask("initialize", clientInfo={"name": "ide", "version": "7"})

        assert answer["codexHome"] == str(stage.home)
        assert "(ide; 7)" in answer["userAgent"]
        assert client.methods() == ["answer 1"]
        for worker in stage.workers:
            [connection] = worker.app.connections
            assert connection.initialized


async def test_threads_go_where_the_least_is_to_do_and_stay_there(tmp_path: Path) -> None:
    """Placement by load; all that concerns a thread goes to the worker that has it."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        threads = [await client.start_thread() for _ in range(4)]

        assert [stage.worker_of(thread).number for thread in threads] == [1, 2, 1, 2]
        for thread in threads:
            await stage.simple_turn(client, thread, f"hello {thread[-4:]}")
            read = await client.ask("thread/read", threadId=thread, includeTurns=True)
            assert len(read["thread"]["turns"]) == 1
        loaded = await client.ask("thread/loaded/list")
        assert loaded == {"data": sorted(threads), "nextCursor": None}


async def test_everybody_hears_what_all_are_to_hear(tmp_path: Path) -> None:
    """Broadcasts of any worker reach each client once."""
    async with open_stage(tmp_path) as stage:
        first, second = await stage.connect(), await stage.connect()
        threads = {await first.start_thread() for _ in range(4)}
        await trio.testing.wait_all_tasks_blocked(0.01)

        for client in (first, second):
            told = [
                message["params"]["thread"]["id"]
                for message in client.stream.told
                if message.get("method") == "thread/started"
            ]
            assert sorted(told) == sorted(threads)


async def test_two_clients_that_resume_one_thread_meet_at_one_worker(tmp_path: Path) -> None:
    """A stored thread is loaded once, although nobody had it when both asked."""
    async with open_stage(tmp_path) as stage:
        first, second = await stage.connect(), await stage.connect()
        thread = await first.start_thread()
        await stage.simple_turn(first, thread)
        await stage.worker_of(thread).app.ground.supervisor.remove_thread(ThreadId(thread))
        await first.notified("thread/closed")
        assert stage.front.statistics().threads == ()

        numbers = [client.send("thread/resume", threadId=thread) for client in (first, second)]
        answers = [await first.answer_to(numbers[0]), await second.answer_to(numbers[1])]

        assert [answer["thread"]["id"] for answer in answers] == [thread, thread]
        [told] = stage.front.statistics().threads
        assert (told.thread_id, told.state, told.followers) == (thread, State.LOADED, 2)
        assert sum(len(worker.threads) for worker in stage.workers) == 1


async def test_a_question_of_a_worker_is_answered_under_its_own_number(tmp_path: Path) -> None:
    """Two workers may use the same number; the client sees two, and each gets its answer."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        threads = [
            await client.start_thread(approvalPolicy="untrusted", sandbox="danger-full-access")
            for _ in range(2)
        ]
        asked = [await _asked(stage, client, thread) for thread in threads]

        assert asked[0]["id"] != asked[1]["id"]
        for request, decision in zip(asked, ("accept", "decline"), strict=True):
            client.answer(request, {"decision": decision})
        for thread, request in zip(threads, asked, strict=True):
            resolved = await client.notified("serverRequest/resolved", threadId=thread)
            assert resolved["requestId"] == request["id"]
        items = [await _command_done(client, thread) for thread in threads]
        assert [item["status"] for item in items] == ["completed", "declined"]


async def _command_done(client: Client, thread: str) -> Any:
    def fits(message: Any) -> bool:
        if message.get("method") != "item/completed":
            return False
        params = message["params"]
        return params["threadId"] == thread and params["item"]["type"] == "commandExecution"

    return (await client.until(fits))["params"]["item"]


async def _asked(stage: FrontStage, client: Client, thread: str) -> Any:
    """Let a turn ask whether a command may run."""
    since = client.position
    await client.start_turn(thread)
    response = await stage.worker_of(thread).model.next_request()
    response.call("shell", {"command": ["sh", "-c", "touch x"]}, call_id=f"call-{thread}").complete(
        10
    )
    return await client.asked("item/commandExecution/requestApproval", since=since)


async def test_a_client_that_joins_late_is_asked_what_is_open(tmp_path: Path) -> None:
    """Each client gets a number of its own; the first answer counts, and both hear of it."""
    async with open_stage(tmp_path) as stage:
        first, second = await stage.connect(), await stage.connect()
        thread = await first.start_thread(approvalPolicy="untrusted", sandbox="danger-full-access")
        asked = await _asked(stage, first, thread)
        await second.ask("thread/resume", threadId=thread)
        again = await second.asked("item/commandExecution/requestApproval")
        second.answer(again, {"decision": "accept"})

        assert again["params"] == asked["params"]
        assert again["id"] != asked["id"]
        for client, request in ((first, asked), (second, again)):
            resolved = await client.notified("serverRequest/resolved")
            assert resolved == {"threadId": thread, "requestId": request["id"]}


async def test_a_client_that_left_a_thread_and_comes_back_is_asked_again(tmp_path: Path) -> None:
    """The same question under the same number, as from a lone server."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread(approvalPolicy="untrusted", sandbox="danger-full-access")
        asked = await _asked(stage, client, thread)
        await client.ask("thread/unsubscribe", threadId=thread)
        assert stage.entry(thread).followers == {}
        since = client.position
        await client.ask("thread/resume", threadId=thread)

        again = await client.asked("item/commandExecution/requestApproval", since=since)
        assert again == asked
        client.answer(again, {"decision": "accept"})
        assert (await client.notified("serverRequest/resolved"))["requestId"] == asked["id"]


async def test_requests_are_checked_in_the_order_of_a_lone_server(tmp_path: Path) -> None:
    """Unknown methods and bad params before the handshake, and that before the gate."""
    async with open_stage(tmp_path) as stage:
        client = Client()
        stage.nursery.start_soon(stage.front.connections.serve, client.stream)
        assert "unknown variant `nonsense`" in (await client.refused("nonsense"))[1]
        assert "Invalid request" in (await client.refused("thread/read"))[1]
        assert await client.refused("thread/list") == (-32600, "Not initialized")
        bad = await client.refused("initialize", clientInfo={"name": "a\nb", "version": "1"})
        assert bad[1].startswith("Invalid clientInfo.name")
        await client.ask("initialize", clientInfo={"name": "test", "version": "1"})
        again = await client.refused("initialize", clientInfo={"name": "test", "version": "1"})
        assert again == (-32600, "Already initialized")
        gated = await client.refused("collaborationMode/list")
        assert gated == (
            -32600,
            "collaborationMode/list requires experimentalApi capability",
        )
        unknown = await client.refused("thread/read", threadId="7")
        assert unknown[0] == -32600


async def test_ids_of_clients_come_back_as_they_were(tmp_path: Path) -> None:
    """Also texts with anything in them, and the same id twice."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        odd = 'a","result":{"x'
        for each in (odd, "7", 7, -(2**63), odd):
            client.stream.say({"method": "model/list", "id": each, "params": {}})
        client.stream.say({"method": "thread/read", "id": odd, "params": {"threadId": "no"}})
        await client.stream.wait_told(1 + 6)

        ids = [message["id"] for message in client.stream.told[1:]]
        assert sorted(map(repr, ids)) == sorted(map(repr, (odd, "7", 7, -(2**63), odd, odd)))
        assert sum("error" in message for message in client.stream.told) == 1


async def test_a_list_says_how_threads_of_other_workers_are(tmp_path: Path) -> None:
    """The worker that lists does not know, but the front does."""
    async with open_stage(tmp_path, workers=3) as stage:
        client = await stage.connect()
        threads = [await client.start_thread() for _ in range(3)]
        for thread in threads:
            await stage.simple_turn(client, thread)
        await client.start_turn(threads[2])
        await client.notified("turn/started", threadId=threads[2])
        await stage.worker_of(threads[2]).model.next_request()
        await client.ask("thread/archive", threadId=threads[0])

        listed = (await client.ask("thread/list"))["data"]
        statuses = {thread["id"]: thread["status"] for thread in listed}
        assert statuses == {
            threads[1]: {"type": "idle"},
            threads[2]: {"type": "active", "activeFlags": []},
        }


async def test_pages_of_loaded_threads_are_those_of_a_lone_server(tmp_path: Path) -> None:
    """Same paging, same complaints."""
    (tmp_path / "lone").mkdir()
    async with open_stage(tmp_path) as stage, open_app(tmp_path / "lone") as lone:
        client, other = await stage.connect(), await lone.connect()
        for _ in range(3):
            await client.start_thread()
        ids = (await client.ask("thread/loaded/list"))["data"]
        first = await client.ask("thread/loaded/list", limit=2)
        rest = await client.ask("thread/loaded/list", limit=2, cursor=first["nextCursor"])

        assert first == {"data": ids[:2], "nextCursor": ids[1]}
        assert rest == {"data": ids[2:], "nextCursor": None}
        for params in ({"cursor": "x"}, {"limit": -1}):
            assert await client.refused("thread/loaded/list", **params) == await other.refused(
                "thread/loaded/list", **params
            )


async def test_servers_of_mcp_are_reloaded_by_all_workers(tmp_path: Path) -> None:
    """One empty answer for all, or the first refusal."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        assert await client.ask("config/mcpServer/reload") == {}
        (stage.home / "config.toml").write_text("model = [")
        assert (await client.refused("config/mcpServer/reload"))[0] == -32600


async def test_a_method_of_the_pool_is_answered_without_workers(tmp_path: Path) -> None:
    """`extra` gets the request with its params typed, as a method of a server does."""
    async with open_stage(tmp_path, workers=1) as stage:

        async def answer(request: ClientRequest) -> object:
            await trio.lowlevel.checkpoint()
            return {"said": request.params.value}

        stage.front.extra["mock/experimentalMethod"] = answer
        client = await stage.connect()
        assert await client.ask("mock/experimentalMethod", value="x") == {"said": "x"}


async def test_what_every_worker_says_by_itself_is_heard_once(tmp_path: Path) -> None:
    """From the client's own worker alone."""
    async with open_stage(tmp_path, workers=3) as stage:
        client = await stage.connect()
        for worker in stage.workers:
            worker.app.ground.broadcast(ConfigWarningNotification(summary="odd"))
        await client.ask("model/list")
        for worker in stage.workers:
            worker.app.ground.broadcast(WarningNotification(message=str(worker.number)))
        for number in "123":
            await client.notified("warning", message=number)

        assert client.methods().count("configWarning") == 1


@pytest.mark.slow
async def test_a_change_of_skills_is_heard_whichever_worker_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and what others say after it as one; none of it is lost."""
    monkeypatch.setattr(skill_news, "_PERIOD", 0.4)
    async with open_stage(tmp_path, workers=3) as stage:
        client = await stage.connect()
        [other, *_] = [worker for worker in stage.workers if worker.number != 1]
        other.app.ground.broadcast(SkillsChangedNotification())
        await client.notified("skills/changed")
        since = client.position
        for worker in stage.workers:
            worker.app.ground.broadcast(SkillsChangedNotification())
            worker.app.ground.broadcast(WarningNotification(message=str(worker.number)))
        for number in "123":
            await client.notified("warning", message=number)
        assert "skills/changed" not in client.methods(since)
        await client.notified("skills/changed", since=since)
        await client.ask("model/list")

        assert client.methods(since).count("skills/changed") == 1


async def test_a_switched_skill_is_heard_of_by_clients_of_all_workers(tmp_path: Path) -> None:
    """Only the worker that was asked says so."""
    async with open_stage(tmp_path) as stage:
        folder = stage.home / "skills" / "greet"
        folder.mkdir(parents=True)
        (folder / "SKILL.md").write_text("---\nname: greet\ndescription: says hello\n---\n")
        first, second = await stage.connect(), await stage.connect()
        homes = [client.home for client in stage.front.statistics().clients]
        await first.ask("skills/config/write", path=str(folder / "SKILL.md"), enabled=False)
        for client in (first, second):
            await client.notified("skills/changed")

        assert len(set(homes)) == 2


async def test_nothing_new_is_taken_when_the_pool_ends(tmp_path: Path) -> None:
    """What runs goes on and can be looked at; new clients, threads and turns are refused."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        stage.front.refuse_new("the pool is shutting down; connect again when it is back")

        for method, params in (
            ("thread/start", {}),
            ("turn/start", {"threadId": thread, "input": []}),
            ("thread/resume", {"threadId": "0199a213-81c0-7800-8aa1-bbab2a035a53"}),
        ):
            code, message = await client.refused(method, **params)
            assert (code, "the pool is shutting down" in message) == (-32001, True)
        assert (await client.ask("thread/resume", threadId=thread))["thread"]["id"] == thread
        late = Client()
        stage.nursery.start_soon(stage.front.connections.serve, late.stream)
        code, message = await late.refused(
            "initialize", clientInfo={"name": "test", "version": "1"}
        )
        assert (code, "no more clients are taken" in message) == (-32001, True)


@pytest.mark.slow
async def test_a_worker_that_says_rubbish_is_killed(tmp_path: Path) -> None:
    """It is not believed, and its threads go on elsewhere."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        worker = stage.worker_of(thread)
        [connection] = worker.app.connections
        await connection.put(b'{"id":999,"result":{}}')

        await client.notified("warning", threadId=thread)
        assert worker.died.is_set()
        await stage.settled(thread)
        assert stage.front.statistics().workers == (3 - worker.number,)


@pytest.mark.slow
async def test_a_client_that_takes_nothing_holds_up_nobody_else(tmp_path: Path) -> None:
    """It is closed when patience is over; who follows the same thread hears everything."""
    async with open_stage(tmp_path, workers=1, patience=0.2, outbound=4) as stage:
        slow, quick = await stage.connect(), await stage.connect()
        thread = await quick.start_thread()
        await slow.ask("thread/resume", threadId=thread)
        slow.stream.takes = False
        turn = await quick.start_turn(thread)
        response = await stage.workers[0].model.next_request()
        response.say(*[f"piece {number} " for number in range(500)]).complete(10)
        await quick.completed(turn)
        await until(lambda: slow.stream.farewell is not None)

        assert quick.methods().count("item/agentMessage/delta") == 500
        await until(lambda: len(stage.workers[0].app.connections) == 1)
        assert list(stage.entry(thread).followers) == list(stage.front._clients)


@pytest.mark.slow
async def test_a_client_whose_connection_a_worker_ends_is_ended(tmp_path: Path) -> None:
    """It would not know what it misses; a worker does that when it loses patience."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        [connection] = stage.workers[1].app.connections
        connection.close("enough")
        await until(lambda: client.stream.farewell is not None)

        assert client.stream.farewell is not None
        assert client.stream.farewell.reason == "worker 2 ended its connection"
        assert stage.front.statistics().clients == ()


async def test_a_client_that_leaves_is_forgotten_by_all_workers(tmp_path: Path) -> None:
    """Its threads go on."""
    async with open_stage(tmp_path) as stage:
        client = await stage.connect()
        thread = await client.start_thread()
        client.stream.hang_up()
        await until(lambda: not any(len(worker.app.connections) for worker in stage.workers))

        assert stage.front.statistics().clients == ()
        assert stage.entry(thread).followers == {}
        assert ThreadId(thread) in stage.worker_of(thread).threads
