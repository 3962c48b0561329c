"""Turns whose end was recorded, and told to nobody."""

import socket
from pathlib import Path

import pytest

from actors.rollout import tail
from actors.workers.front.recorded_end import read_end
from messages.ids import ThreadId
from tests.waiting import until

from .failover_stage import begin_turn
from .stage import open_stage


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
        await until(lambda: not worker.turns)
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
        second, _ = await begin_turn(stage, client, thread)
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
