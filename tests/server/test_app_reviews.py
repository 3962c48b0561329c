"""Reviews in a thread of their own."""

from pathlib import Path

import pytest

from .app_stage import open_app

REVIEW = "review/start"
TARGET = {"type": "baseBranch", "branch": " main "}
HINT = "changes against 'main'"


async def test_a_detached_review_runs_in_a_fork(tmp_path: Path) -> None:
    """Announced before the answer; all that is told of it carries its own id."""
    async with open_app(tmp_path) as stage:
        client, other = await stage.connect(), await stage.connect()
        thread_id = await client.start_thread(approvalPolicy="never")
        await stage.simple_turn(client, thread_id)
        since, theirs = client.position, other.position
        answer = await client.ask(REVIEW, threadId=thread_id, target=TARGET, delivery="detached")
        order = client.methods(since)
        started = await other.notified("thread/started", since=theirs)
        (await stage.model.next_request()).say("all is well").complete(10)
        turn = await client.completed(answer["turn"]["id"], since=since)
        told = [m["params"] for m in client.stream.told[since:] if "params" in m]
        methods = client.methods(since)
        review_id = answer["reviewThreadId"]
        resumed = await other.ask("thread/resume", threadId=review_id)
        source = await client.ask("thread/read", threadId=thread_id, includeTurns=True)
        next_id = await stage.simple_turn(client, thread_id, "and on")

    assert order[:2] == ["thread/started", order[1]]
    assert order[1].startswith("answer")
    assert review_id != thread_id
    assert started["thread"]["id"] == review_id
    assert started["thread"]["forkedFromId"] == thread_id
    assert len(started["thread"]["turns"]) == 1
    assert answer["turn"]["status"] == "inProgress"
    [said] = answer["turn"]["items"]
    assert said["id"] == answer["turn"]["id"]
    assert said["content"] == [{"type": "text", "text": HINT, "text_elements": []}]
    assert turn["status"] == "completed"
    of_threads = {params["threadId"] for params in told if "threadId" in params}
    assert of_threads == {review_id}
    assert methods.index("turn/started") > methods.index(order[1])
    assert resumed["approvalPolicy"] == "never"
    assert len(resumed["thread"]["turns"]) == 2
    assert len(source["thread"]["turns"]) == 1
    assert next_id


async def test_a_review_of_a_thread_goes_on_beside_its_turn(tmp_path: Path) -> None:
    """Only what was recorded so far is reviewed."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        since = client.position
        running = await client.start_turn(thread_id, "more")
        first = await stage.model.next_request()
        answer = await client.ask(REVIEW, threadId=thread_id, target=TARGET, delivery="detached")
        second = await stage.model.next_request()
        second.say("fine").complete()
        review = await client.completed(answer["turn"]["id"], since=since)
        first.say("done").complete()
        turn = await client.completed(running, since=since)

    assert review["status"] == turn["status"] == "completed"


async def test_a_review_without_a_delivery_is_in_the_thread_itself(tmp_path: Path) -> None:
    """No thread is started for it."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        since = client.position
        answer = await client.ask(REVIEW, threadId=thread_id, target=TARGET)
        (await stage.model.next_request()).say("fine").complete()
        await client.completed(answer["turn"]["id"], since=since)
        told = client.methods(since)

    assert answer["reviewThreadId"] == thread_id
    assert "thread/started" not in told


@pytest.mark.parametrize("ephemeral", [False, True])
async def test_a_thread_without_a_record_cannot_be_reviewed_apart(
    tmp_path: Path, ephemeral: bool
) -> None:
    """There is nothing to fork."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread(ephemeral=ephemeral)
        refused = await client.refused(
            REVIEW, threadId=thread_id, target=TARGET, delivery="detached"
        )
        loaded = await client.ask("thread/loaded/list")

    assert refused == (-32600, f"no rollout found for thread id {thread_id}")
    assert loaded["data"] == [thread_id]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"type": "baseBranch", "branch": " "}, "branch must not be empty"),
        ({"type": "commit", "sha": ""}, "sha must not be empty"),
        ({"type": "custom", "instructions": "\n"}, "instructions must not be empty"),
        ({"type": "everything"}, "Invalid request: "),
    ],
)
async def test_a_target_that_says_nothing_starts_no_thread(
    tmp_path: Path, target: dict[str, str], problem: str
) -> None:
    """It is looked at first."""
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        thread_id = await client.start_thread()
        await stage.simple_turn(client, thread_id)
        code, message = await client.refused(
            REVIEW, threadId=thread_id, target=target, delivery="detached"
        )
        loaded = await client.ask("thread/loaded/list")

    assert code == -32600
    assert message.startswith(problem)
    assert loaded["data"] == [thread_id]
