"""The real Codex runs, records, resumes and forks threads under our driver and our mock model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.interop.app_server import (
    AppServer,
    JsonObject,
    RpcError,
    ServerRequest,
    open_app_server,
    write_config,
)
from tests.interop.codex_home import read_rollout, rollout_paths
from tests.interop.codex_turns import (
    run_turn,
    start_turn,
    wait_recorded,
    wait_turn_end,
)
from tests.interop.mock_responses import (
    Outcome,
    RecordedRequest,
    Reply,
    Silence,
    StreamEnd,
    answer,
    failed_answer,
    function_call,
    open_mock_responses,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)

_PATIENCE = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Codex's home, empty but for a project folder in it."""
    (tmp_path / "project").mkdir()
    return tmp_path


async def _start_thread(server: AppServer, home: Path, **settings: object) -> JsonObject:
    params = {"cwd": str(home / "project"), **settings}
    thread: JsonObject = (await server.request("thread/start", params))["thread"]
    return thread


async def _record_one_turn(codex: Path, home: Path) -> JsonObject:
    """A thread with one turn, recorded by a process that is gone."""
    async with open_mock_responses([answer(text_message("Hel", "lo"))]) as mock:
        write_config(home, mock.base_url)
        async with open_app_server(codex, home=home) as server:
            thread = await _start_thread(server, home)
            turn = await run_turn(server, thread["id"], "good morning")
            await wait_recorded(server, Path(thread["path"]), turn)
    return thread


def _said(request: RecordedRequest) -> list[tuple[str, str]]:
    """Role and text of the messages a model request carried, oldest first."""
    return [
        (item["role"], part["text"])
        for item in request.json["input"]
        if item["type"] == "message"
        for part in item["content"]
    ]


def _items(turns: list[JsonObject]) -> list[list[tuple[str, object]]]:
    """Kind and text of each item of each turn."""
    return [[(item["type"], _text(item)) for item in turn["items"]] for turn in turns]


def _text(item: JsonObject) -> object:
    return item["content"][0]["text"] if item["type"] == "userMessage" else item["text"]


def _kinds(rollout: list[dict[str, Any]]) -> list[str]:
    return [line["payload"].get("type", line["type"]) for line in rollout]


_GOOD_MORNING = [("userMessage", "good morning"), ("agentMessage", "Hello")]


async def test_codex_runs_turn_with_the_mock_model_and_records_it(codex: Path, home: Path) -> None:
    """A turn streams its text, completes, and stands in a rollout whose lines all parse."""
    script = [answer(reasoning("hm", encrypted_content="opaque"), text_message("Hel", "lo"))]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                thread = await _start_thread(server, home)
                turn = await run_turn(server, thread["id"], "good morning")
                await wait_recorded(server, Path(thread["path"]), turn)
                deltas = [
                    notification.params["delta"]
                    for notification in server.notifications
                    if notification.method == "item/agentMessage/delta"
                ]

    rollout = read_rollout(Path(thread["path"]))
    assert turn.is_good
    assert turn.text == "Hello"
    assert deltas == ["Hel", "lo"]
    assert [item["type"] for item in turn.items] == ["userMessage", "reasoning", "agentMessage"]
    assert [request.outcome for request in mock.requests] == [Outcome.SENT]
    assert mock.requests[0].header("session_id") == thread["id"]
    assert _said(mock.requests[0])[-1] == ("user", "good morning")
    assert rollout_paths(home) == [Path(thread["path"])]
    assert _kinds(rollout)[0] == "session_meta"
    assert rollout[0]["payload"]["id"] == thread["id"]
    assert all(line.keys() == {"timestamp", "type", "payload"} for line in rollout)
    assert {"user_message", "agent_message", "turn_context", "reasoning"} <= set(_kinds(rollout))


async def test_second_codex_resumes_thread_by_id(codex: Path, home: Path) -> None:
    """Another process reads the rollout, shows its turns, and goes on in the same file."""
    with trio.fail_after(_PATIENCE):
        thread = await _record_one_turn(codex, home)
        async with open_mock_responses([answer(text_message("again"))]) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                resumed = await server.request("thread/resume", {"threadId": thread["id"]})
                turn = await run_turn(server, thread["id"], "and now?")
                await wait_recorded(server, Path(thread["path"]), turn)

    said = _said(mock.requests[0])
    assert resumed["thread"]["id"] == thread["id"]
    assert resumed["thread"]["path"] == thread["path"]
    assert _items(resumed["thread"]["turns"]) == [_GOOD_MORNING]
    assert turn.text == "again"
    assert [text for text in said if text[1] in {"good morning", "Hello", "and now?"}] == [
        ("user", "good morning"),
        ("assistant", "Hello"),
        ("user", "and now?"),
    ]
    assert rollout_paths(home) == [Path(thread["path"])]
    assert _kinds(read_rollout(Path(thread["path"]))).count("user_message") == 2


async def test_second_codex_resumes_thread_by_path(codex: Path, home: Path) -> None:
    """A path wins over the id, so that a rollout from elsewhere can be resumed."""
    with trio.fail_after(_PATIENCE):
        thread = await _record_one_turn(codex, home)
        async with open_app_server(codex, home=home) as server:
            params = {"threadId": "not looked at", "path": thread["path"]}
            resumed = await server.request("thread/resume", params)

    assert resumed["thread"]["id"] == thread["id"]
    assert _items(resumed["thread"]["turns"]) == [_GOOD_MORNING]


async def test_second_codex_reads_and_lists_thread_without_loading_it(
    codex: Path, home: Path
) -> None:
    """Reading shows the turns only when asked for them, and loads nothing."""
    with trio.fail_after(_PATIENCE):
        thread = await _record_one_turn(codex, home)
        async with open_app_server(codex, home=home) as server:
            short = await server.request("thread/read", {"threadId": thread["id"]})
            full = await server.request(
                "thread/read", {"threadId": thread["id"], "includeTurns": True}
            )
            listed = await server.request("thread/list")
            loaded = await server.request("thread/loaded/list")

    assert short["thread"]["turns"] == []
    assert short["thread"]["preview"] == "good morning"
    assert _items(full["thread"]["turns"]) == [_GOOD_MORNING]
    assert [entry["id"] for entry in listed["data"]] == [thread["id"]]
    assert loaded["data"] == []


async def test_codex_forks_thread_into_a_rollout_of_its_own(codex: Path, home: Path) -> None:
    """A fork has a new id, the old turns, and leaves the original as it was."""
    with trio.fail_after(_PATIENCE):
        thread = await _record_one_turn(codex, home)
        before = read_rollout(Path(thread["path"]))
        async with open_mock_responses([answer(text_message("apart"))]) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                forked = await server.request("thread/fork", {"threadId": thread["id"]})
                fork = forked["thread"]
                turn = await run_turn(server, fork["id"], "another way")
                await wait_recorded(server, Path(fork["path"]), turn)

    metas = [
        line["payload"]
        for line in read_rollout(Path(fork["path"]))
        if line["type"] == "session_meta"
    ]
    assert fork["id"] != thread["id"]
    assert _items(fork["turns"]) == [_GOOD_MORNING]
    assert turn.text == "apart"
    assert [meta["id"] for meta in metas] == [fork["id"], thread["id"]]
    assert metas[0]["forked_from_id"] == thread["id"]
    assert read_rollout(Path(thread["path"])) == before
    assert set(rollout_paths(home)) == {Path(thread["path"]), Path(fork["path"])}


async def test_codex_runs_command_and_tells_the_model(codex: Path, home: Path) -> None:
    """A call becomes an item, and its output goes into the next model request."""
    script = [
        answer(function_call("exec_command", {"cmd": "echo moin > said; cat said"})),
        answer(text_message("done")),
    ]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                thread = await _start_thread(server, home)
                turn = await run_turn(server, thread["id"], "say it")

    (command,) = [item for item in turn.items if item["type"] == "commandExecution"]
    told = mock.requests[1].json["input"][-1]
    assert turn.text == "done"
    assert (command["id"], command["status"], command["exitCode"]) == ("call_1", "completed", 0)
    assert (told["type"], told["call_id"]) == ("function_call_output", "call_1")
    assert "moin" in told["output"]
    assert (home / "project" / "said").read_text() == "moin\n"


@pytest.mark.parametrize(
    ("decision", "status", "is_written"),
    [("accept", "completed", True), ("decline", "declined", False)],
)
async def test_codex_asks_before_untrusted_command(
    codex: Path, home: Path, decision: str, status: str, *, is_written: bool
) -> None:
    """The handler's answer decides, and the turn goes on either way."""

    async def decide(request: ServerRequest) -> JsonObject:
        assert request.method == "item/commandExecution/requestApproval"
        return {"decision": decision}

    script = [
        answer(function_call("exec_command", {"cmd": "touch written"})),
        answer(text_message("done")),
    ]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url, approval_policy="untrusted")
            async with open_app_server(codex, home=home, handler=decide) as server:
                thread = await _start_thread(server, home)
                turn = await run_turn(server, thread["id"], "write")
                asked = server.server_requests

    statuses = {item["status"] for item in turn.items if item["type"] == "commandExecution"}
    assert [request.params["itemId"] for request in asked] == ["call_1"]
    assert statuses == {status}
    assert (home / "project" / "written").exists() is is_written
    assert turn.text == "done"


async def test_codex_interrupts_turn_in_the_middle_of_a_stream(codex: Path, home: Path) -> None:
    """An interrupt ends the turn, keeps what was said, and the rollout says so."""
    # Whether Codex leaves the mock is not asked: it reads a silent stream on,
    # until the next event, long after the interrupt.
    script = [unfinished_answer(text_message("so far"), end=StreamEnd.STALL)]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                thread = await _start_thread(server, home)
                turn_id = await start_turn(server, thread["id"], "go on for ever")
                await server.wait_notification(
                    "item/completed", lambda params: params["item"]["type"] == "agentMessage"
                )
                params = {"threadId": thread["id"], "turnId": turn_id}
                await server.request("turn/interrupt", params)
                turn = await wait_turn_end(server, thread["id"], turn_id)
                await wait_recorded(server, Path(thread["path"]), turn)

    assert (turn.status, turn.text) == ("interrupted", "so far")
    assert _kinds(read_rollout(Path(thread["path"])))[-1] == "turn_aborted"


@pytest.mark.parametrize(
    ("reply", "info"),
    [
        (refusal(400, "no such model"), "other"),
        (refusal(500, "broken"), "internalServerError"),
        (failed_answer("insufficient_quota", "no money"), "usageLimitExceeded"),
        (unfinished_answer(text_message("half"), end=StreamEnd.CUT), "other"),
        (unfinished_answer(end=StreamEnd.CLOSE), "other"),
    ],
    ids=["400", "500", "failed", "cut", "closed"],
)
async def test_codex_fails_turn_when_the_model_does(
    codex: Path, home: Path, reply: Reply, info: str
) -> None:
    """Without retries each kind of failure ends the turn, and the next turn works."""
    script = [reply, answer(text_message("back"))]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                thread = await _start_thread(server, home)
                failed = await run_turn(server, thread["id"], "try")
                error = await server.wait_notification("error")
                turn = await run_turn(server, thread["id"], "try again")

    assert failed.status in {"failed", None}
    assert failed.error in (error["error"], None)
    assert error["error"]["codexErrorInfo"] == info
    assert error["willRetry"] is False
    assert turn.text == "back"
    assert len(mock.requests) == 2


async def test_codex_tries_again_when_it_may(codex: Path, home: Path) -> None:
    """With retries allowed a cut stream costs a notice, not the turn."""
    script = [unfinished_answer(end=StreamEnd.CUT), answer(text_message("at last"))]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url, stream_retries=1)
            async with open_app_server(codex, home=home) as server:
                thread = await _start_thread(server, home)
                turn = await run_turn(server, thread["id"], "try")
                error = await server.wait_notification("error")

    assert turn.is_good
    assert turn.text == "at last"
    assert error["willRetry"] is True


async def test_thread_of_a_killed_codex_can_be_resumed(codex: Path, home: Path) -> None:
    """What was recorded before a kill is there for the next process."""
    script: list[Reply] = [answer(text_message("Hel", "lo")), Silence()]
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            write_config(home, mock.base_url)
            async with open_app_server(codex, home=home) as server:
                thread = await _start_thread(server, home)
                turn = await run_turn(server, thread["id"], "good morning")
                await wait_recorded(server, Path(thread["path"]), turn)
                await start_turn(server, thread["id"], "and then?")
                await mock.wait_requests(2)
                await server.kill()
            async with open_app_server(codex, home=home) as server:
                resumed = await server.request("thread/resume", {"threadId": thread["id"]})

    assert _items(resumed["thread"]["turns"])[0] == _GOOD_MORNING
    assert _items(resumed["thread"]["turns"])[1] == [("userMessage", "and then?")]


async def test_codex_refuses_unknown_thread(codex: Path, home: Path) -> None:
    """Errors of Codex reach the caller with their code and text."""
    write_config(home, "http://127.0.0.1:9/v1")  # no request gets that far
    unknown = "01a1fa57-0f92-7062-b904-a783bd2aef78"
    with trio.fail_after(_PATIENCE):
        async with open_app_server(codex, home=home) as server:
            with pytest.raises(RpcError) as refused:
                await server.request("thread/resume", {"threadId": unknown})

    assert refused.value.code == -32600
    assert refused.value.message == f"no rollout found for thread id {unknown}"
