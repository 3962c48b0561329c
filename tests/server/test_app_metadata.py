"""What clients keep beside threads, over the app-server."""

from pathlib import Path
from typing import Any

import pytest

from .app_stage import open_app

UPDATE = "thread/metadata/update"
UNKNOWN = "00000000-0000-7000-8000-000000000000"
BRANCH = {"sha": None, "branch": "b", "originUrl": None}


async def test_what_is_kept_is_said_wherever_the_thread_is(tmp_path: Path) -> None:
    """Loaded, read, listed, and after a restart; a member that is not said stays."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        first = await client.ask(UPDATE, threadId=thread_id, gitInfo={"sha": "a", "branch": "b"})
        second = await other.ask(
            UPDATE, threadId=thread_id, gitInfo={"sha": None}, daybreakEnabled=True
        )
        read = await other.ask("thread/read", threadId=thread_id)
        listed = await client.ask("thread/list")
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        stored = await client.ask("thread/read", threadId=thread_id)
        cleared = await client.ask(UPDATE, threadId=thread_id, gitInfo={"branch": None})
        resumed = await client.ask("thread/resume", threadId=thread_id)

    assert first["thread"]["gitInfo"] == {"sha": "a", "branch": "b", "originUrl": None}
    for thread in (second["thread"], read["thread"], listed["data"][0], stored["thread"]):
        assert thread["id"] == thread_id
        assert thread["gitInfo"] == BRANCH
        assert thread["daybreakEnabled"] is True
    assert second["thread"]["status"] == {"type": "idle"}
    assert cleared["thread"]["gitInfo"] is resumed["thread"]["gitInfo"] is None
    assert cleared["thread"]["status"] == {"type": "notLoaded"}


async def test_threads_without_a_record_and_archived_ones_keep_it_too(tmp_path: Path) -> None:
    """The first do not wait for one, the second do not come back for it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        fresh = await client.start_thread()
        early = await client.ask(UPDATE, threadId=fresh, gitInfo={"branch": "b"})
        nothing = await client.ask(UPDATE, threadId=fresh)
        await stage.simple_turn(client, fresh)
        later = await client.ask("thread/read", threadId=fresh)
        await client.ask("thread/archive", threadId=fresh)
        archived = await client.ask(UPDATE, threadId=fresh, gitInfo={"sha": "a"})
        loaded = await client.ask("thread/loaded/list")

    for answer in (early, nothing, later):
        assert answer["thread"]["gitInfo"] == BRANCH
    assert archived["thread"]["gitInfo"] == {**BRANCH, "sha": "a"}
    assert loaded["data"] == []


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"threadId": UNKNOWN, "gitInfo": {"sha": "a"}}, f"thread not found: {UNKNOWN}"),
        ({"threadId": "x"}, "invalid thread id: "),
        ({"gitInfo": {}}, "gitInfo must include at least one field"),
        ({"gitInfo": {"sha": " "}}, "gitInfo.sha must not be empty"),
        ({"gitInfo": {"originUrl": ""}}, "gitInfo.originUrl must not be empty"),
        ({"gitInfo": {"sha": 5}}, "Invalid request: "),
        ({"projectId": "p"}, "project not found: p"),
    ],
)
async def test_what_cannot_be_kept_is_refused(
    tmp_path: Path, params: dict[str, Any], problem: str
) -> None:
    """Nothing changes."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        code, message = await client.refused(UPDATE, **{"threadId": thread_id, **params})
        cleared = await client.ask(UPDATE, threadId=thread_id, projectId="")

    assert code == -32600
    assert message.startswith(problem)
    assert cleared["thread"]["gitInfo"] is None
    assert cleared["thread"]["projectId"] is None


async def test_an_ephemeral_thread_keeps_nothing(tmp_path: Path) -> None:
    """Nobody could read it again."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(ephemeral=True)
        refused = await client.refused(UPDATE, threadId=thread_id, gitInfo={"sha": "a"})

    assert refused == (
        -32600,
        f"ephemeral thread does not support metadata updates: {thread_id}",
    )
