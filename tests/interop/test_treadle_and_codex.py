"""Threads go back and forth between Treadle and the real Codex, in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from actors import (
    ProviderInfo,
    ResponsesProvider,
    Supervisor,
    Thread,
    ThreadConfig,
    open_supervisor,
)
from actors.testing import collect_until
from messages.content import TextInput
from messages.events import AgentMessage, Event, TurnComplete
from messages.ops import UserInput
from messages.settings import AskForApproval, DangerFullAccess
from tests.interop.app_server import JsonObject, open_app_server, write_config
from tests.interop.codex_home import read_rollout
from tests.interop.codex_turns import run_turn, wait_recorded
from tests.interop.mock_responses import (
    RecordedRequest,
    Reply,
    answer,
    function_call,
    open_mock_responses,
    reasoning,
    text_message,
)

_PATIENCE = 60.0


@attrs.frozen
class Place:
    """A home that both programs share, and the project they work in."""

    home: Path

    @property
    def project(self) -> Path:
        """The working directory of every thread."""
        return self.home / "project"

    @property
    def config(self) -> ThreadConfig:
        """What Treadle's threads are started with; the same policies as Codex's."""
        return ThreadConfig(
            cwd=str(self.project),
            model="mock-model",
            approval_policy=AskForApproval.NEVER,
            sandbox_policy=DangerFullAccess(),
            base_instructions="Be helpful.",
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "project").mkdir()
    return Place(tmp_path)


@asynccontextmanager
async def open_treadle(place: Place, base_url: str) -> AsyncIterator[Supervisor]:
    """Treadle with its HTTP provider, asking the same mock that Codex asks."""
    info = ProviderInfo(id="mock", name="mock", base_url=base_url)
    async with (
        ResponsesProvider(info=info) as provider,
        open_supervisor(home=place.home, provider=provider) as supervisor,
    ):
        yield supervisor


async def say(thread: Thread, text: str) -> list[Event]:
    """Run one turn of a Treadle thread; returns its events."""
    await thread.submit(UserInput(items=(TextInput(text=text),)))
    return await collect_until(thread, TurnComplete)


def answers(events: list[Event]) -> list[str]:
    return [event.msg.message for event in events if isinstance(event.msg, AgentMessage)]


def said(request: RecordedRequest) -> list[tuple[str, str]]:
    """What a model request carries of the talk: role and text, without context messages."""
    return [
        (item["role"], part["text"])
        for item in request.json["input"]
        if item["type"] == "message" and item["role"] != "developer"
        for part in item["content"]
        if not part["text"].startswith(("<environment_context>", "# AGENTS.md"))
    ]


def turn_texts(thread: JsonObject) -> list[list[str]]:
    """The texts of a thread that Codex read, turn by turn."""
    return [
        [
            item["content"][0]["text"] if item["type"] == "userMessage" else item["text"]
            for item in turn["items"]
            if item["type"] in ("userMessage", "agentMessage")
        ]
        for turn in thread["turns"]
    ]


async def record_with_treadle(place: Place, script: list[Reply], texts: list[str]) -> Path:
    """A thread that Treadle ran and closed; returns its rollout."""
    async with open_mock_responses(script) as mock, open_treadle(place, mock.base_url) as treadle:
        new = await treadle.start_thread(place.config, persist_extended_history=True)
        for text in texts:
            await say(new.thread, text)
    assert new.thread.rollout_path is not None
    return Path(new.thread.rollout_path)


async def record_with_codex(
    codex: Path, place: Place, script: list[Reply], texts: list[str]
) -> Path:
    """A thread that Codex ran, in a process that is gone; returns its rollout."""
    async with open_mock_responses(script) as mock:
        write_config(place.home, mock.base_url)
        async with open_app_server(codex, home=place.home) as server:
            params = {"cwd": str(place.project)}
            thread = (await server.request("thread/start", params))["thread"]
            for text in texts:
                turn = await run_turn(server, thread["id"], text)
                await wait_recorded(server, Path(thread["path"]), turn)
    return Path(thread["path"])


TWO_TURNS = [
    answer(reasoning("hm", encrypted_content="opaque"), text_message("He", "llo")),
    answer(text_message("fine")),
]


def shell_turn(call_id: str, command: list[str]) -> list[Reply]:
    return [
        answer(function_call("shell", {"command": command}, call_id=call_id)),
        answer(text_message("ran it")),
    ]


async def test_codex_reads_and_resumes_thread_that_treadle_recorded(
    codex: Path, place: Place
) -> None:
    """Codex lists it, shows both turns, goes on in the same file with the whole history."""
    with trio.fail_after(_PATIENCE):
        path = await record_with_treadle(place, list(TWO_TURNS), ["good morning", "how are you"])
        thread_id = path.stem[-36:]
        async with open_mock_responses([answer(text_message("again"))]) as mock:
            write_config(place.home, mock.base_url)
            async with open_app_server(codex, home=place.home) as server:
                listed = await server.request(
                    "thread/list", {"modelProviders": [], "sourceKinds": ["exec"]}
                )
                read = await server.request(
                    "thread/read", {"threadId": thread_id, "includeTurns": True}
                )
                resumed = await server.request("thread/resume", {"threadId": thread_id})
                turn = await run_turn(server, thread_id, "and now?")
                await wait_recorded(server, path, turn)

    talk = [["good morning", "Hello"], ["how are you", "fine"]]
    assert [entry["id"] for entry in listed["data"]] == [thread_id]
    assert turn_texts(read["thread"]) == talk
    assert turn_texts(resumed["thread"]) == talk
    assert resumed["thread"]["path"] == str(path)
    assert turn.text == "again"
    assert said(mock.requests[0]) == [
        ("user", "good morning"),
        ("assistant", "Hello"),
        ("user", "how are you"),
        ("assistant", "fine"),
        ("user", "and now?"),
    ]
    carried = [i for i in mock.requests[0].json["input"] if i["type"] == "reasoning"]
    assert [item["encrypted_content"] for item in carried] == ["opaque"]


async def test_codex_shows_command_that_treadle_ran(codex: Path, place: Place) -> None:
    """Commands of an extended history stand in Codex's turns with output and exit code."""
    with trio.fail_after(_PATIENCE):
        script = shell_turn("call_1", ["echo", "from treadle"])
        path = await record_with_treadle(place, script, ["run it"])
        async with open_mock_responses([]) as mock:
            write_config(place.home, mock.base_url)
            async with open_app_server(codex, home=place.home) as server:
                read = await server.request(
                    "thread/read", {"threadId": path.stem[-36:], "includeTurns": True}
                )

    [turn] = read["thread"]["turns"]
    [command] = [item for item in turn["items"] if item["type"] == "commandExecution"]
    assert command["id"] == "call_1"
    assert command["exitCode"] == 0
    assert command["aggregatedOutput"] == "from treadle\n"
    assert command["status"] == "completed"
    assert turn["status"] == "completed"


async def test_treadle_resumes_and_continues_thread_that_codex_recorded(
    codex: Path, place: Place
) -> None:
    """The model sees Codex's turns, the new ones are appended, and Codex reads them all."""
    with trio.fail_after(_PATIENCE):
        path = await record_with_codex(
            codex, place, list(TWO_TURNS), ["good morning", "how are you"]
        )
        before = read_rollout(path)
        async with (
            open_mock_responses([answer(text_message("again"))]) as mock,
            open_treadle(place, mock.base_url) as treadle,
        ):
            new = await treadle.resume_thread_from_rollout(place.config, path)
            events = await say(new.thread, "and now?")
        async with open_mock_responses([]) as silent:
            write_config(place.home, silent.base_url)
            async with open_app_server(codex, home=place.home) as server:
                read = await server.request(
                    "thread/read", {"threadId": new.thread_id, "includeTurns": True}
                )

    assert new.thread_id == before[0]["payload"]["id"]
    assert new.session_configured.initial_messages
    assert answers(events) == ["again"]
    assert said(mock.requests[0])[-1] == ("user", "and now?")
    assert [text for _, text in said(mock.requests[0])] == [
        "good morning",
        "Hello",
        "how are you",
        "fine",
        "and now?",
    ]
    assert read_rollout(path)[: len(before)] == before
    assert turn_texts(read["thread"]) == [
        ["good morning", "Hello"],
        ["how are you", "fine"],
        ["and now?", "again"],
    ]


async def test_treadle_forks_thread_that_codex_recorded(codex: Path, place: Place) -> None:
    """A fork before the second message holds the first turn only, and Codex reads it."""
    with trio.fail_after(_PATIENCE):
        path = await record_with_codex(
            codex, place, list(TWO_TURNS), ["good morning", "how are you"]
        )
        parent = path.read_bytes()
        async with (
            open_mock_responses([answer(text_message("another way"))]) as mock,
            open_treadle(place, mock.base_url) as treadle,
        ):
            new = await treadle.fork_thread(1, place.config, path)
            await say(new.thread, "or else?")
        async with open_mock_responses([]) as silent:
            write_config(place.home, silent.base_url)
            async with open_app_server(codex, home=place.home) as server:
                read = await server.request(
                    "thread/read", {"threadId": new.thread_id, "includeTurns": True}
                )

    assert path.read_bytes() == parent
    assert new.session_configured.forked_from_id == path.stem[-36:]
    assert said(mock.requests[0]) == [
        ("user", "good morning"),
        ("assistant", "Hello"),
        ("user", "or else?"),
    ]
    assert [turn for turn in turn_texts(read["thread"]) if turn] == [
        ["good morning", "Hello"],
        ["or else?", "another way"],
    ]


async def test_codex_forks_thread_that_treadle_recorded_and_treadle_resumes_the_fork(
    codex: Path, place: Place
) -> None:
    """Three hands on one conversation: each goes on where the one before stopped."""
    with trio.fail_after(_PATIENCE):
        path = await record_with_treadle(place, list(TWO_TURNS), ["good morning", "how are you"])
        async with open_mock_responses([answer(text_message("in the fork"))]) as mock:
            write_config(place.home, mock.base_url)
            async with open_app_server(codex, home=place.home) as server:
                forked = (await server.request("thread/fork", {"threadId": path.stem[-36:]}))[
                    "thread"
                ]
                turn = await run_turn(server, forked["id"], "fork")
                await wait_recorded(server, Path(forked["path"]), turn)
        async with (
            open_mock_responses([answer(text_message("home again"))]) as last,
            open_treadle(place, last.base_url) as treadle,
        ):
            new = await treadle.resume_thread_from_rollout(place.config, forked["path"])
            events = await say(new.thread, "back")

    assert new.thread_id == forked["id"]
    assert answers(events) == ["home again"]
    assert [text for _, text in said(last.requests[0])] == [
        "good morning",
        "Hello",
        "how are you",
        "fine",
        "fork",
        "in the fork",
        "back",
    ]
