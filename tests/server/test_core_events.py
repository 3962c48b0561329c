"""Connections that follow threads by their events, and those beside them."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.server import core_feed
from actors.thread import Thread
from actors.thread.decisions import goes_first
from messages.codec import to_json
from messages.content import TextInput
from messages.ids import CallId, ThreadId
from messages.ops import ExecApproval, Interrupt, ReviewDecisionKind, Submission, UserInput

from .app_stage import Client, Json, Stage, open_app

ASKING = 'approval_policy = "untrusted"\nsandbox_mode = "danger-full-access"\n'


async def connect(stage: Stage, **capabilities: Any) -> Client:
    """A client that wants events as they are."""
    client = Client()
    stage._nursery.start_soon(stage.app.connections.serve, client.stream)
    await client.ask(
        "initialize",
        clientInfo={"name": "test", "version": "1"},
        capabilities={"experimentalApi": True, "treadleEvents": True} | capabilities,
    )
    return client


def op(value: Any) -> Any:
    return to_json(value)


def said(text: str) -> Any:
    return op(UserInput(items=(TextInput(text=text),)))


def events(client: Client, since: int = 0) -> list[Json]:
    told = client.stream.told[since:]
    return [m["params"] for m in told if m.get("method", "").startswith("codex/event/")]


def kinds(client: Client) -> list[str]:
    return [event["msg"]["type"] for event in events(client)]


async def turn(stage: Stage, client: Client, thread_id: str, text: str = "hello") -> None:
    await client.ask("treadle/submit", threadId=thread_id, op=said(text))
    response = await stage.model.next_request()
    response.say(text.upper()).complete(100)
    await client.until(lambda m: m.get("method") == "codex/event/task_complete")


async def test_follower_by_events_hears_each_once_from_the_first_on(tmp_path: Path) -> None:
    """After the answer comes where the thread stands, then every event with its number."""
    async with open_app(tmp_path) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        await turn(stage, client, thread_id)

        methods = client.methods()
        first = methods.index("treadle/thread")
        assert methods.index("answer 2") < first
        standing = client.stream.told[first]["params"]
        assert standing["begins"]
        assert standing["thread"]["nextSeq"] == 1
        assert standing["thread"]["settings"]["cwd"] == str(stage.work)
        heard = events(client)
        assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
        assert {event["conversationId"] for event in heard} == {thread_id}
        assert kinds(client)[0] == "session_configured"
        assert kinds(client)[-1] == "task_complete"


async def test_neither_items_nor_questions_are_for_who_hears_events(tmp_path: Path) -> None:
    """It would hear all twice.  What goes to everybody it hears, too."""
    async with open_app(tmp_path, config=ASKING) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        await client.ask("treadle/submit", threadId=thread_id, op=said("do it"))
        (await stage.model.next_request()).call(
            "shell", {"command": ["touch", "x"]}, call_id="c"
        ).complete(1)
        await client.until(lambda m: m.get("method") == "codex/event/exec_approval_request")
        approval = ExecApproval(id=CallId("c"), decision=ReviewDecisionKind.DENIED)
        await client.ask("treadle/submit", threadId=thread_id, op=op(approval))
        (await stage.model.next_request()).say("ok").complete(2)
        await client.until(lambda m: m.get("method") == "codex/event/task_complete")

        others = {
            m["method"]
            for m in client.stream.told
            if "method" in m and not m["method"].startswith("codex/event/")
        }
        assert others == {
            "thread/started",
            "thread/status/changed",
            "treadle/thread",
            "treadle/thread/created",
        }
        assert not any("method" in m and "id" in m for m in client.stream.told)


async def test_other_clients_hear_what_they_always_heard(tmp_path: Path) -> None:
    """Whether or not somebody beside them hears the events."""
    heard: list[list[str]] = []
    for beside in (False, True):
        folder = tmp_path / str(beside)
        folder.mkdir()
        async with open_app(folder) as stage:
            client = await stage.connect()
            thread_id = await client.start_thread()
            if beside:
                other = await connect(stage)
                await other.ask("thread/resume", threadId=thread_id, excludeTurns=True)
            await stage.simple_turn(client, thread_id)
            heard.append(client.methods())
            if beside:
                await other.until(lambda m: m.get("method") == "codex/event/task_complete")
                assert not {"item/started", "turn/started"} & set(other.methods())
    assert heard[0] == heard[1]


async def test_answer_by_op_takes_the_question_back_from_other_clients(tmp_path: Path) -> None:
    """Whoever answers first."""
    async with open_app(tmp_path, config=ASKING) as stage:
        client, other = await stage.connect(), await connect(stage)
        thread_id = await client.start_thread()
        await other.ask("thread/resume", threadId=thread_id, excludeTurns=True)
        await client.start_turn(thread_id)
        response = await stage.model.next_request()
        response.call("shell", {"command": ["touch", "x"]}, call_id="c").complete(1)
        question = await client.asked("item/commandExecution/requestApproval")
        approval = ExecApproval(id=CallId("c"), decision=ReviewDecisionKind.DENIED)
        await other.ask("treadle/submit", threadId=thread_id, op=op(approval))

        resolved = await client.notified("serverRequest/resolved")
        assert resolved["requestId"] == question["id"]
        (await stage.model.next_request()).say("ok").complete(2)
        await client.notified("turn/completed")


async def test_follower_that_is_behind_is_told_how_much_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the event, and where the thread stands; its connection goes on."""
    monkeypatch.setattr(core_feed, "_CAPACITY", 128)
    async with open_app(tmp_path) as stage:
        client, quick = await connect(stage), await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        await quick.ask("thread/resume", threadId=thread_id, excludeTurns=True)
        await client.ask("treadle/submit", threadId=thread_id, op=said("tell me"))
        response = await stage.model.next_request()
        await wait_all_tasks_blocked()
        client.stream.takes = False
        for _ in range(20):
            response.say(*(f"word{number} " for number in range(20)))
            await wait_all_tasks_blocked()
        client.stream.take()
        response.complete(1)
        await client.until(lambda m: m.get("method") == "codex/event/task_complete")

        lags = [m for m in client.stream.told if m.get("method") == "treadle/lagged"]
        missed = sum(m["params"]["missed"] for m in lags)
        heard = events(client)
        assert missed > 0
        assert len(heard) + missed == heard[-1]["seq"]
        after = client.stream.told.index(lags[-1]) + 1
        assert client.stream.told[after]["method"] == "treadle/thread"
        assert not client.stream.told[after]["params"]["begins"]
        assert [m for m in quick.stream.told if m.get("method") == "treadle/lagged"] == []


async def test_event_is_written_once_for_all_who_hear_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not at all when nobody does."""
    written: list[int] = []
    take = core_feed.CoreEvents.take

    def counting(self: core_feed.CoreEvents, event: Any) -> None:
        written.append(event.seq)
        take(self, event)

    monkeypatch.setattr(core_feed.CoreEvents, "take", counting)
    async with open_app(tmp_path) as stage:
        client = await stage.connect()
        quiet = await client.start_thread()
        await stage.simple_turn(client, quiet)
        assert written == []

        one, other = await connect(stage), await connect(stage)
        thread_id = (await one.ask("thread/start"))["thread"]["id"]
        await other.ask("thread/resume", threadId=thread_id, excludeTurns=True)
        await turn(stage, one, thread_id)
        assert len(written) == len(set(written)) == len(events(one))


def kept_events(stage: Stage, thread_id: str) -> int:
    """How many messages the channel of those holds who follow a thread by its events."""
    loaded = stage.app.ground.loaded.find(ThreadId(thread_id))
    assert loaded is not None
    if loaded._core is None:
        return 0
    now = loaded._core._channel.statistics()
    return now.next_seq - now.oldest_seq


async def test_events_that_all_have_heard_are_not_kept(tmp_path: Path) -> None:
    """A thread that rests is small, whatever it said."""
    async with open_app(tmp_path) as stage:
        one, other = await connect(stage), await connect(stage)
        thread_id = (await one.ask("thread/start"))["thread"]["id"]
        await other.ask("thread/resume", threadId=thread_id, excludeTurns=True)
        await turn(stage, one, thread_id)
        await wait_all_tasks_blocked()

        assert kinds(one)[-1] == kinds(other)[-1] == "task_complete"
        assert kept_events(stage, thread_id) == 0


async def test_events_that_nobody_follows_any_more_are_not_kept(tmp_path: Path) -> None:
    """Whoever comes back hears what comes from then on, with its numbers."""
    async with open_app(tmp_path) as stage:
        one, plain = await connect(stage), await stage.connect()
        thread_id = (await one.ask("thread/start"))["thread"]["id"]
        await turn(stage, one, thread_id)
        await plain.ask("thread/resume", threadId=thread_id, excludeTurns=True)
        assert await one.ask("thread/unsubscribe", threadId=thread_id) == {"status": "unsubscribed"}
        heard = len(events(one))
        await stage.simple_turn(plain, thread_id)
        await wait_all_tasks_blocked()

        assert kept_events(stage, thread_id) == 0
        assert len(events(one)) == heard
        since = one.position
        await one.ask("thread/resume", threadId=thread_id, excludeTurns=True)
        await turn(stage, one, thread_id, "again")
        standing = next(m for m in one.stream.told[since:] if m.get("method") == "treadle/thread")
        seqs = [event["seq"] for event in events(one, since)]
        assert standing["params"]["begins"]
        first = standing["params"]["thread"]["nextSeq"]
        assert first > heard + 1
        assert seqs == list(range(first, first + len(seqs)))


async def test_bad_submissions_are_refused_and_say_why(tmp_path: Path) -> None:
    """Nothing is queued."""
    async with open_app(tmp_path) as stage:
        client, plain = await connect(stage), await stage.connect(experimental=False)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]

        async def refusal(**params: Any) -> tuple[int, str]:
            return await client.refused("treadle/submit", **params)

        code, text = await refusal(threadId=thread_id, op={"type": "user_input", "items": 7})
        assert code == -32600
        assert text.startswith("Invalid request: expected a list")
        assert "op.items" in text
        assert await refusal(threadId=thread_id, op={"type": "dance"}) == (
            -32600,
            "Invalid request: there is no op 'dance' at $.op",
        )
        nobody = "01a1ff62-a241-7154-a93f-570b5789a369"
        assert await refusal(threadId=nobody, op=op(Interrupt())) == (
            -32600,
            f"no thread with id: {nobody}",
        )
        assert await plain.refused("treadle/submit", threadId=thread_id, op=op(Interrupt())) == (
            -32600,
            "treadle/submit requires experimentalApi capability",
        )


async def test_full_queue_makes_work_wait_and_lets_interrupts_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not to wait is refused."""
    submit = Thread.submit_with_id

    async def full(self: Thread, submission: Submission) -> None:
        if not goes_first(submission.op):
            await trio.sleep_forever()
        await submit(self, submission)

    async with open_app(tmp_path) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        monkeypatch.setattr(Thread, "submit_with_id", full)
        waiting = client.send("treadle/submit", threadId=thread_id, op=said("hello"))
        hurried = client.send("treadle/submit", threadId=thread_id, op=said("now"), nowait=True)
        params = {"threadId": thread_id, "op": op(Interrupt()), "submissionId": "mine"}

        assert await client.ask("treadle/submit", **params) == {"submissionId": "mine"}
        refused = await client.until(lambda m: m.get("id") == hurried)
        assert refused["error"]["data"] == {"kind": "MailboxFull", "capacity": 64}
        assert not any(m.get("id") == waiting for m in client.stream.told)


async def test_closing_says_how_the_thread_ended_after_its_last_event(tmp_path: Path) -> None:
    """All who follow it have heard so by then."""
    async with open_app(tmp_path) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]

        assert await client.ask("treadle/close", threadId=thread_id) == {"outcome": "completed"}

        methods = client.methods()
        # Beside it only what goes to everybody.
        after = methods[methods.index("thread/closed") :]
        assert set(after[:-1]) <= {"thread/closed", "thread/status/changed"}
        assert kinds(client)[-1] == "shutdown_complete"
        last = [m["params"] for m in client.stream.told if m.get("method") == "treadle/thread"][-1]
        assert last["thread"]["state"] == "closed"
        refused = await client.refused("treadle/close", threadId=thread_id, grace=-1)
        assert refused == (-32600, "grace is a number of seconds from 0, not -1")
        again = await client.ask("treadle/close", threadId=thread_id)
        assert again == {"outcome": "not_found"}


async def test_thread_that_does_not_end_in_time_is_cancelled(tmp_path: Path) -> None:
    """And the answer says so."""
    async with open_app(tmp_path) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        await client.ask("treadle/submit", threadId=thread_id, op=said("hello"))
        await stage.model.next_request()

        answer = await client.ask("treadle/close", threadId=thread_id, grace=0.0)

        assert answer == {"outcome": "timed_out"}
        assert "turn_aborted" in kinds(client)


async def test_changed_settings_are_told_before_the_event_that_shows_them(tmp_path: Path) -> None:
    """Who read the event never knows less than who is in the process."""
    async with open_app(tmp_path) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        override = {"type": "override_turn_context", "model": "other"}
        await client.ask("treadle/submit", threadId=thread_id, op=override)
        await turn(stage, client, thread_id)

        told = client.stream.told
        [changed] = [
            index
            for index, m in enumerate(told)
            if m.get("method") == "treadle/thread"
            and not m["params"]["begins"]
            and m["params"]["thread"]["settings"] is not None
        ]
        settings = told[changed]["params"]["thread"]["settings"]
        assert settings["collaboration"]["settings"]["model"] == "other"
        assert changed < [m.get("method") for m in told].index("codex/event/task_started")


async def test_steering_and_revoking_are_answered_by_the_thread(tmp_path: Path) -> None:
    """Refusals name their class, for programs."""
    async with open_app(tmp_path) as stage:
        client = await connect(stage)
        thread_id = (await client.ask("thread/start"))["thread"]["id"]
        items = [to_json(TextInput(text="x"))]
        number = client.send("treadle/steer", threadId=thread_id, items=items)
        told = await client.until(lambda m: m.get("id") == number)
        assert told["error"]["data"] == {"kind": "NoActiveTurn"}
        approval = {"command": ["ls"], "cwd": "/", "escalated": False, "tty": False}
        answer = await client.ask("treadle/approval/revoke", threadId=thread_id, approval=approval)
        assert answer == {"revoked": False}
