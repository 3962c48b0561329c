"""How a worker goes on with a thread of another one, and gives one away."""

import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.models import ScriptedProvider
from actors.rollout import Files, new_rollout_path
from actors.rollout.journal import aside_path
from actors.runtime import World
from actors.workers.process.adoption import Unmovable, Unsaved, adopt, release
from messages.control import Closed, Opened, Overridden, TurnEnded, TurnStarted, WorkerEvent
from messages.ids import ThreadId, TurnId
from messages.ops import OverrideTurnContext
from tests.server.app_stage import Client, Stage, open_app

OPEN: dict[str, Any] = {"approvalPolicy": "never", "sandbox": "danger-full-access"}

TOOL = {"name": "look_up", "description": "Look it up.", "inputSchema": {"type": "object"}}


def opening(method: str = "thread/start", **params: Any) -> object:
    return {"method": method, "params": params}


@asynccontextmanager
async def open_next(stage: Stage, tmp_path: Path) -> AsyncGenerator[Stage]:
    """Serve what a server that dies at this very moment leaves on the disk."""
    folder = tmp_path / "next"
    shutil.copytree(stage.home, folder / "home")
    async with open_app(folder) as following:
        yield following


async def start(client: Client, **params: Any) -> ThreadId:
    return ThreadId(await client.start_thread(**{**OPEN, **params}))


async def _recorded(stage: Stage, thread_id: ThreadId, text: str) -> None:
    """Wait until a rollout says something, which takes the journal some milliseconds."""
    path = Path(stage.supervisor.get_thread(thread_id).rollout_path or "")
    with trio.fail_after(5):
        while text not in path.read_text():  # noqa: ASYNC110, ASYNC240
            await trio.sleep(0.001)


# Adopting ---------------------------------------------------------------------


async def test_a_recorded_thread_has_its_last_settings(tmp_path: Path) -> None:
    """Those it was opened with, and over them those of its last turn."""
    params = {"model": "gpt-5", "developerInstructions": "Be kind.", "personality": "friendly"}
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client, **params)
        turn_id = await client.start_turn(
            thread_id,
            cwd=str(tmp_path),
            approvalPolicy="on-request",
            sandboxPolicy={"type": "workspaceWrite", "networkAccess": True},
            model="gpt-5-codex",
            effort="high",
            summary="detailed",
            personality="pragmatic",
        )
        (await stage.model.next_request()).say("yes").complete(100)
        await client.completed(turn_id)
        before = stage.supervisor.get_thread(thread_id).config_snapshot
        async with open_next(stage, tmp_path) as following:
            await adopt(following.app.ground, thread_id, opening(**OPEN, **params))
            after = following.supervisor.get_thread(thread_id).config_snapshot
            loaded = following.app.loaded.get(thread_id)

    assert after == before
    assert after.effort == "high"
    assert loaded.followers == ()


@pytest.mark.parametrize("recorded", [True, False])
async def test_settings_that_were_changed_between_turns_are_kept(
    tmp_path: Path, recorded: bool
) -> None:
    """Unless the thread's last turn had them, or had others given to it later."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client, model="gpt-5")
        turn_id = TurnId(await client.start_turn(thread_id, model="gpt-5-codex"))
        (await stage.model.next_request()).say("yes").complete(100)
        await client.completed(turn_id)
        op = OverrideTurnContext(model="gpt-5.1", effort=None)
        since = (turn_id,) if recorded else (TurnId("a compaction"),)
        changed = (Overridden(op=op, turns=since), Overridden(op=OverrideTurnContext(cwd="/")))
        async with open_next(stage, tmp_path) as following:
            await adopt(following.app.ground, thread_id, opening(**OPEN), changed)
            thread = following.supervisor.get_thread(thread_id)
            await trio.testing.wait_all_tasks_blocked()
            after = thread.config_snapshot

    assert after.model == ("gpt-5-codex" if recorded else "gpt-5.1")
    assert after.cwd == "/"


async def test_an_open_turn_ends_when_its_thread_is_adopted(tmp_path: Path) -> None:
    """It was interrupted, and the thread takes the next one."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client)
        await stage.simple_turn(client, thread_id)
        broken = await client.start_turn(thread_id, "again")
        await stage.model.next_request()
        await _recorded(stage, thread_id, broken)
        async with open_next(stage, tmp_path) as following:
            said: list[WorkerEvent] = []
            following.app.loaded.on_event = said.append
            await adopt(following.app.ground, thread_id, None)
            await adopt(following.app.ground, thread_id, None)  # is there already
            other = await following.connect()
            resumed = await other.ask("thread/resume", threadId=thread_id)
            await following.simple_turn(other, thread_id)

    statuses = [(turn["id"], turn["status"]) for turn in resumed["thread"]["turns"]]
    assert statuses[1:] == [(broken, "interrupted")]
    assert statuses[0][1] == "completed"
    path = following.supervisor.home / Path(resumed["thread"]["path"])
    assert said[0] == Opened(thread_id=thread_id, path=str(path))
    kinds = [type(event) for event in said if not isinstance(event, Closed)]
    assert kinds[-2:] == [TurnStarted, TurnEnded]


async def test_a_thread_of_which_nothing_was_recorded_begins_again(tmp_path: Path) -> None:
    """Under the same id, with what it was opened with, tools of the client included."""
    params = {**OPEN, "model": "gpt-5", "dynamicTools": [TOOL]}
    async with open_app(tmp_path) as stage:
        thread_id = ThreadId(World.system().new_id())
        await adopt(stage.app.ground, thread_id, opening(**params))
        client = await stage.connect()
        await client.ask("thread/resume", threadId=thread_id)
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        tools = [tool["name"] for tool in response.request.tools]  # type: ignore[index]
        response.say("yes").complete(100)
        await client.completed(turn_id)
        described = (await client.ask("thread/read", threadId=thread_id))["thread"]
        settings = stage.supervisor.get_thread(thread_id).config_snapshot

    assert described["id"] == thread_id
    assert Path(described["path"]).stem.endswith(thread_id)
    assert settings.model == "gpt-5"
    assert "look_up" in tools


@pytest.mark.parametrize(
    ("thread_id", "opened_by", "problem"),
    [
        ("01a1ff56-e391-71ab-8a59-9c471844237d", opening(ephemeral=True), "ephemeral"),
        ("01a1ff56-e391-71ab-8a59-9c471844237d", opening("thread/read"), "no request that opens"),
        ("01a1ff56-e391-71ab-8a59-9c471844237d", "thread/start", "no request that opens"),
        ("01a1ff56-e391-71ab-8a59-9c471844237d", opening(model=3), "cannot be read"),
        ("01a1ff56-e391-71ab-8a59-9c471844237d", None, "no rollout"),
        (
            "01a1ff56-e391-71ab-8a59-9c471844237d",
            opening("thread/resume", threadId="x", path="/nowhere"),
            "no rollout",
        ),
        (
            "01a1ff56-e391-71ab-8a59-9c471844237d",
            opening(config={"approval_policy": 3}),
            "error deriving config",
        ),
        ("../../etc", None, "no UUID"),
    ],
)
async def test_what_cannot_be_adopted_is_told(
    tmp_path: Path, thread_id: str, opened_by: object, problem: str
) -> None:
    """And no thread is there."""
    async with open_app(tmp_path) as stage:
        with pytest.raises(Unmovable, match=problem):
            await adopt(stage.app.ground, ThreadId(thread_id), opened_by)

        assert stage.supervisor.list_thread_ids() == ()


async def test_an_archived_thread_is_not_begun_again(tmp_path: Path) -> None:
    """There is something recorded of it, after all."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client)
        await stage.simple_turn(client, thread_id)
        await client.ask("thread/archive", threadId=thread_id)
        with pytest.raises(Unmovable, match="unarchive"):
            await adopt(stage.app.ground, thread_id, opening(**OPEN))


async def test_a_rollout_outside_of_the_home_is_gone_on_with_there(tmp_path: Path) -> None:
    """By the path with which a client resumed it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client)
        await stage.simple_turn(client, thread_id)
        path = (await client.ask("thread/read", threadId=thread_id))["thread"]["path"]
    outside = tmp_path / "kept.jsonl"
    shutil.move(path, outside)
    async with open_app(tmp_path) as stage:
        said = opening("thread/resume", threadId="", path=str(outside))
        await adopt(stage.app.ground, thread_id, said)
        thread = stage.supervisor.get_thread(thread_id)

    assert thread.rollout_path == str(outside)


async def test_a_file_without_a_whole_line_is_no_past(tmp_path: Path) -> None:
    """Its writer died in its first line: nobody was told that anything was recorded."""
    thread_id = ThreadId(World.system().new_id())
    day = tmp_path / "home/sessions/2026/01/02"
    day.mkdir(parents=True)
    torn = day / f"rollout-2026-01-02T03-04-05-{thread_id}.jsonl"
    torn.write_bytes(b'{"crc":"0000')
    async with open_app(tmp_path) as stage:
        await adopt(stage.app.ground, thread_id, opening(**OPEN))
        client = await stage.connect()
        await client.ask("thread/resume", threadId=thread_id)
        await stage.simple_turn(client, thread_id)
    async with open_app(tmp_path) as stage:
        await adopt(stage.app.ground, thread_id, opening(**OPEN))
        client = await stage.connect()
        resumed = await client.ask("thread/resume", threadId=thread_id)

    assert len(resumed["thread"]["turns"]) == 1


@pytest.mark.parametrize("left", [b"", b'{"crc":"0000'])
async def test_a_file_without_a_whole_line_is_in_nobodys_way(
    tmp_path: Path, mock_clock: trio.testing.MockClock, left: bytes
) -> None:
    """Not even when its writer died so soon that the next rollout has the same name."""
    mock_clock.rate = 0.1  # all of this is in one second, on a slow machine as well
    async with open_app(tmp_path, provider=ScriptedProvider()) as stage:
        thread_id = ThreadId(World.system().new_id())
        path = _begun(stage, thread_id, left)
        await adopt(stage.app.ground, thread_id, opening(**OPEN))
        client = await stage.connect()
        await client.ask("thread/resume", threadId=thread_id)
        completed = await client.completed(await client.start_turn(thread_id))
        recorded = path.read_text().splitlines()

    assert completed["status"] == "completed"
    assert thread_id in recorded[0]
    assert all(map(json.loads, recorded))
    torn = aside_path(path)
    assert (torn.read_bytes() if torn.exists() else b"") == (left and left + b"\n")


async def test_a_file_that_somebody_writes_is_left_alone(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    """Its first line may come in this very moment; the turn says why there is none here."""
    mock_clock.rate = 0.1
    async with open_app(tmp_path, provider=ScriptedProvider()) as stage:
        thread_id = ThreadId(World.system().new_id())
        path = _begun(stage, thread_id, b"")
        fd = Files().open(path)
        await adopt(stage.app.ground, thread_id, opening(**OPEN))
        client = await stage.connect()
        await client.ask("thread/resume", threadId=thread_id)
        completed = await client.completed(await client.start_turn(thread_id))
        os.write(fd, b"mine\n")
        os.close(fd)
        mock_clock.rate = 100  # to save it is tried for some seconds

    assert completed["status"] == "failed"
    assert "File exists" in completed["error"]["message"]
    assert path.read_bytes() == b"mine\n"


def _begun(stage: Stage, thread_id: ThreadId, left: bytes) -> Path:
    """Leave what somebody began in the first second of 2026, which is now."""
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    path = new_rollout_path(stage.home, now, thread_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(left)
    return path


# Releasing -----------------------------------------------------------------------


async def test_a_released_thread_is_free_and_nobody_hears_of_it(tmp_path: Path) -> None:
    """Neither who follows it nor who does not; another process can go on at once."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await start(client)
        await stage.simple_turn(client, thread_id)
        await trio.testing.wait_all_tasks_blocked()  # both heard how it ended
        said: list[WorkerEvent] = []
        stage.app.loaded.on_event = said.append
        positions = client.position, other.position
        await release(stage.app.ground, thread_id, grace=1.0)
        async with open_app(tmp_path) as following:
            await adopt(following.app.ground, thread_id, opening(**OPEN))
        told = client.methods(positions[0]), other.methods(positions[1])
        with pytest.raises(Unmovable, match="not loaded here"):
            await release(stage.app.ground, thread_id, grace=1.0)

    assert told == ([], [])
    assert said == [Closed(thread_id=thread_id)]


async def test_release_waits_for_the_turn(tmp_path: Path) -> None:
    """Its end is told to who follows, and no other turn begins."""
    async with open_app(tmp_path) as stage, trio.open_nursery() as nursery:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await start(client)
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        since = client.position
        nursery.start_soon(lambda: release(stage.app.ground, thread_id, grace=60.0))
        await trio.testing.wait_all_tasks_blocked()
        late = other.send("turn/start", threadId=thread_id, input=[{"type": "text", "text": "x"}])
        await trio.testing.wait_all_tasks_blocked()
        assert stage.app.loaded.find(thread_id) is not None
        response.say("yes").complete(100)
        completed = await client.completed(turn_id, since=since)
        with pytest.raises(Exception, match=r"ended|closed|not found"):
            await other.answer_to(late)

    assert completed["status"] == "completed"
    assert "thread/closed" not in client.methods(since)
    assert stage.app.loaded.find(thread_id) is None


async def test_a_turn_that_outlasts_its_grace_is_interrupted(tmp_path: Path) -> None:
    """And that is told."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client)
        turn_id = await client.start_turn(thread_id)
        await stage.model.next_request()
        since = client.position
        with trio.fail_after(10):
            await release(stage.app.ground, thread_id, grace=0.0)
        completed = await client.completed(turn_id, since=since)

    assert completed["status"] == "interrupted"
    assert "thread/closed" not in client.methods(since)


async def test_a_thread_stays_while_the_disk_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said last is only here; and its turn goes on, because nothing is gained."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client)
        turn_id = await client.start_turn(thread_id)
        response = await stage.model.next_request()
        failing = [1]
        statistics = stage.supervisor.statistics
        monkeypatch.setattr(
            type(stage.supervisor),
            "statistics",
            lambda _: attrs.evolve(statistics(), failing_rollouts=failing[0]),
        )
        with pytest.raises(Unsaved, match="a rollout in its worker cannot be written"):
            await release(stage.app.ground, thread_id, grace=0.0)
        assert stage.supervisor.get_thread(thread_id).snapshot().turn_id == turn_id
        since = client.position
        response.say("yes").complete(100)
        completed = await client.completed(turn_id, since=since)
        failing[0] = 0
        await release(stage.app.ground, thread_id, grace=0.0)

    assert completed["status"] == "completed"
    assert stage.app.loaded.find(thread_id) is None


async def test_an_ephemeral_thread_is_not_released(tmp_path: Path) -> None:
    """Nobody could go on with it, so it stays."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client, ephemeral=True)
        with pytest.raises(Unmovable, match="ephemeral"):
            await release(stage.app.ground, thread_id, grace=0.0)

        assert stage.app.loaded.find(thread_id) is not None


# What is said of threads -------------------------------------------------------------


async def test_threads_say_what_happens_to_them(tmp_path: Path) -> None:
    """From the first to the last, in order."""
    said: list[WorkerEvent] = []
    async with open_app(tmp_path) as stage:
        stage.app.loaded.on_event = said.append
        client = await stage.connect()
        thread_id = await start(client)
        turn_id = TurnId(await stage.simple_turn(client, thread_id))
        ephemeral = await start(client, ephemeral=True)
        path = stage.supervisor.get_thread(thread_id).rollout_path
        await stage.supervisor.remove_thread(thread_id)
        await client.notified("thread/closed", threadId=thread_id)

    assert said[:5] == [
        Opened(thread_id=thread_id, path=path),
        TurnStarted(thread_id=thread_id, turn_id=turn_id),
        TurnEnded(thread_id=thread_id, turn_id=turn_id),
        Opened(thread_id=ephemeral, ephemeral=True),
        Closed(thread_id=thread_id),
    ]


async def test_a_given_id_must_be_free_and_an_id(tmp_path: Path) -> None:
    """Nothing is started otherwise."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await start(client)
        config = (await stage.app.ground.config()).thread_config()
        with pytest.raises(Exception, match="already loaded"):
            await stage.supervisor.start_thread(config, thread_id=thread_id)
        with pytest.raises(ValueError, match="UUID"):
            await stage.supervisor.start_thread(config, thread_id=ThreadId(thread_id.upper()))

        assert stage.supervisor.list_thread_ids() == (thread_id,)
