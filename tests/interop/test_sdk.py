"""
The published TypeScript SDK of Codex drives our executable as it drives Codex.

Each driver of the folder `sdk` is run against ours, and, where Codex is installed,
against Codex; what differs is in one table.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from tests.interop.codex_home import read_rollout, rollout_paths
from tests.interop.mock_responses import (
    Outcome,
    RecordedRequest,
    Reply,
    StreamEnd,
    Usage,
    answer,
    custom_tool_call,
    function_call,
    reasoning,
    refusal,
    text_message,
    unfinished_answer,
)
from tests.interop.sdk.driving import Place, Played, make_treadle, play
from tests.interop.sdk.package import sdk_module, why_no_sdk

pytestmark = pytest.mark.slow

_PATIENCE: Final = 60.0
_NOBODY: Final = "01a1fad3-e9a3-77df-86ee-000000000000"
_SCHEMA: Final = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
_PATCH: Final = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"

DIFFERENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "conversation": {
        r"told\.turns\.\d\.usage\.reasoning_output_tokens": "Codex tells them since 0.169",
    },
    "streaming": {
        r"told\.events\.\d+\.usage\.reasoning_output_tokens": "Codex tells them since 0.169",
        r"told\.events\.2\.message": "each HTTP client has its own words for a broken connection",
    },
    "failing": {
        r"told\.turns\.1\.usage\.reasoning_output_tokens": "Codex tells them since 0.169",
        r"(told\.turns|asked)\.2\..*": (
            "Codex begins a new thread for an id that nobody knows; since 0.169 it ends "
            "with exit code 1, as ours does"
        ),
    },
    "aborting": {
        r"told\.next\.usage\.reasoning_output_tokens": "Codex tells them since 0.169",
    },
}
"""What differs between ours and Codex 0.104, by driver: where, and why."""


def _plan(status: str) -> Any:
    steps = [{"step": "look", "status": status}, {"step": "tell", "status": "pending"}]
    return function_call("update_plan", {"plan": steps}, call_id=f"plan_{status}")


def _shell(*words: str) -> Any:
    return function_call("shell", {"command": list(words)}, call_id=f"call_{words[0]}")


def _script(driver: str) -> Iterable[Reply]:
    match driver:
        case "conversation":
            usage = Usage(cached_input_tokens=20, reasoning_output_tokens=4)
            yield answer(reasoning("hm"), text_message("Hel", "lo"), usage=usage)
            yield answer(text_message("fine"))
            yield answer(text_message('{"a": 1}'))
        case "streaming":
            yield unfinished_answer(end=StreamEnd.CUT)
            yield answer(reasoning("first", "second"), text_message("I look."), _plan("pending"))
            yield answer(_shell("echo", "hi"))
            yield answer(_shell("sh", "-c", "echo no >&2; exit 3"))
            yield answer(custom_tool_call("apply_patch", _PATCH, call_id="patch"))
            yield answer(_plan("completed"))
            yield answer(text_message("done"))
        case "failing":
            yield refusal(400, "no such thing", code="bad", kind="invalid")
            yield answer(text_message("good"))
            yield answer(text_message("who?"))
        case "aborting":
            yield unfinished_answer(text_message("I wait."), end=StreamEnd.STALL)
            yield answer(text_message("on"))
        case _:
            yield answer(text_message("hello"))


def _picture() -> bytes:
    """A PNG of one red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@attrs.define(eq=False)
class Stage:
    """Plays each driver once per program, whoever asks for it first."""

    sdk: Path
    _folders: pytest.TempPathFactory
    _played: dict[tuple[str, Path | None], tuple[Place, Played]] = attrs.field(factory=dict)

    async def play(self, driver: str, codex: Path | None = None) -> tuple[Place, Played]:
        """Play with our executable, or with Codex."""
        known = self._played.get((driver, codex))
        if known is not None:
            return known
        folder = self._folders.mktemp(driver)
        (folder / "picture.png").write_bytes(_picture())
        place = Place(folder)
        with trio.fail_after(_PATIENCE):
            played = await play(
                driver,
                self.sdk,
                make_treadle(folder) if codex is None else codex,
                place,
                _script(driver),
                image=str(folder / "picture.png"),
                schema=_SCHEMA,
                nobody=_NOBODY,
            )
        self._played[driver, codex] = (place, played)
        return place, played


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The stage; skips when the SDK is not installed."""
    module = sdk_module()
    if module is None:
        pytest.skip(why_no_sdk())
    return Stage(module, tmp_path_factory)


def parts(request: RecordedRequest) -> list[dict[str, Any]]:
    """What the user said last, part by part."""
    said = [item for item in request.json["input"] if item.get("role") == "user"]
    content: list[dict[str, Any]] = said[-1]["content"]
    return content


def texts(request: RecordedRequest) -> list[str]:
    """Everything that was said before the model answers, without what describes the place."""
    return [
        part["text"]
        for item in request.json["input"]
        if item["type"] == "message" and item["role"] in ("user", "assistant")
        for part in item["content"]
        if "text" in part and not part["text"].startswith(("<environment_context>", "# AGENTS.md"))
    ]


async def test_a_conversation_is_started_gone_on_with_and_resumed(stage: Stage) -> None:
    """With one id, the whole past, a schema for the answer, and a picture."""
    _, played = await stage.play("conversation")

    turns = played.told["turns"]
    assert [turn.get("thrown") for turn in turns] == [None, None, None]
    assert len({turn["id"] for turn in turns}) == 1
    assert turns[0]["items"] == [
        {"id": "item_0", "type": "reasoning", "text": "hm"},
        {"id": "item_1", "type": "agent_message", "text": "Hello"},
    ]
    assert [turn["finalResponse"] for turn in turns] == ["Hello", "fine", '{"a": 1}']
    assert [turn["usage"] for turn in turns] == [
        {
            "input_tokens": 100 * count,
            "cached_input_tokens": 20,
            "cache_write_input_tokens": 0,
            "output_tokens": 10 * count,
            "reasoning_output_tokens": 4,
        }
        for count in (1, 2, 3)
    ]
    last = played.requests[-1]
    assert last.json["text"]["format"] == {
        "type": "json_schema",
        "strict": True,
        "schema": _SCHEMA,
        "name": "codex_output_schema",
    }
    assert "format" not in played.requests[0].json.get("text", {})
    [url] = [part["image_url"] for part in parts(last) if part["type"] == "input_image"]
    assert url.startswith("data:image/png;base64,")
    assert texts(last)[:4] == ["good morning", "Hello", "and now?", "fine"]
    assert texts(last)[-1] == "look\n\nwhat is it?"


async def test_everything_in_a_turn_is_streamed(stage: Stage) -> None:
    """A retry, reasoning, messages, commands, a patch and a plan, each with its item."""
    place, played = await stage.play("streaming")

    told = played.told
    assert "thrown" not in told
    kinds = [
        (event["type"], event.get("item", {}).get("type"), event.get("item", {}).get("id"))
        for event in told["events"]
    ]
    assert kinds == [
        ("thread.started", None, None),
        ("turn.started", None, None),
        ("error", None, None),
        ("item.completed", "reasoning", "item_0"),
        ("item.completed", "reasoning", "item_1"),
        ("item.completed", "agent_message", "item_2"),
        ("item.started", "todo_list", "item_3"),
        ("item.started", "command_execution", "item_4"),
        ("item.completed", "command_execution", "item_4"),
        ("item.started", "command_execution", "item_5"),
        ("item.completed", "command_execution", "item_5"),
        ("item.completed", "file_change", "item_6"),
        ("item.updated", "todo_list", "item_3"),
        ("item.completed", "agent_message", "item_7"),
        ("item.completed", "todo_list", "item_3"),
        ("turn.completed", None, None),
    ]
    retry = told["events"][2]["message"]
    assert retry.startswith("Reconnecting... 1/1 (stream disconnected before completion: ")
    failed = told["events"][10]["item"]
    assert (failed["status"], failed["exit_code"]) == ("failed", 3)
    assert failed["aggregated_output"] == "no\n"
    assert (place.project / "new.txt").read_text() == "hello\n"


async def test_a_failed_turn_is_thrown_and_the_next_one_is_not(stage: Stage) -> None:
    """The thread is free at once, also while the process of the failed turn still ends."""
    _, played = await stage.play("failing")

    failed, good, unknown = played.told["turns"]
    assert "no such thing" in failed["thrown"]
    assert (good["finalResponse"], good["id"]) == ("good", failed["id"])
    assert texts(played.requests[1])[-2:] == ["fail", "once more"]
    assert unknown["thrown"].startswith("Codex Exec exited with code 1: treadle: no thread ")
    assert _NOBODY in unknown["thrown"]


async def test_an_aborted_turn_ends_at_once_and_leaves_a_thread_to_go_on_with(
    stage: Stage,
) -> None:
    """The request for the model is given up, and the record has the turn's end."""
    place, played = await stage.play("aborting")

    aborted = played.told["aborted"]
    assert aborted["name"] == "AbortError"
    assert [event["type"] for event in aborted["events"]] == [
        "thread.started",
        "turn.started",
        "item.completed",
    ]
    assert played.told["next"]["finalResponse"] == "on"
    assert played.told["next"]["id"] == aborted["events"][0]["thread_id"]
    assert played.requests[0].outcome is Outcome.CLIENT_LEFT
    [path] = rollout_paths(place.home)
    ends = [line["payload"]["type"] for line in read_rollout(path) if line["type"] == "event_msg"]
    assert [kind for kind in ends if kind in ("turn_aborted", "task_complete")] == [
        "turn_aborted",
        "task_complete",
    ]


async def test_every_option_of_the_sdk_counts_or_is_told(stage: Stage, tmp_path: Path) -> None:
    """Address and key go before those of the environment; what is for Codex only is an item."""
    place = Place(tmp_path)
    with trio.fail_after(_PATIENCE):
        played = await play(
            "options",
            stage.sdk,
            make_treadle(tmp_path),
            place,
            _script("options"),
            codex={
                "baseUrl": "mock",
                "apiKey": "of the SDK",
                "env": {**place.environ(), "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
                "config": {
                    "model_provider": "openai",
                    "sandbox_workspace_write": {"exclude_slash_tmp": True},
                    "shell_environment_policy": {"set": {}, "exclude": ['a "b"', "c"]},
                    "features": {"web_search_request": False},
                },
                "configOverrides": ["model_reasoning_summary=detailed"],
            },
            thread={
                "model": "gpt-5.2-codex",
                "threadSource": "mine",
                "sandboxMode": "workspace-write",
                "modelReasoningEffort": "high",
                "networkAccessEnabled": True,
                "webSearchMode": "live",
                "approvalPolicy": "on-request",
                "additionalDirectories": ["beside", str(tmp_path)],
            },
            turn={"cyberAccessProgram": "standard"},
        )

    assert "thrown" not in played.told
    items = [event["item"] for event in played.told["events"] if "item" in event]
    assert [item["type"] for item in items] == ["error"] * 3 + ["agent_message"]
    for item, word in zip(items, ("--thread-source", "--cyber", "web_search"), strict=False):
        assert word in item["message"]
    [request] = played.requests
    assert request.header("authorization") == "Bearer of the SDK"
    assert request.header("originator") == "codex_sdk_ts"
    assert request.json["model"] == "gpt-5.2-codex"
    assert request.json["reasoning"] == {"effort": "high", "summary": "detailed"}
    lines = read_rollout(rollout_paths(place.home)[0])
    assert lines[0]["payload"]["originator"] == "codex_sdk_ts"
    assert lines[0]["payload"]["source"] == "exec"
    [context] = [line["payload"] for line in lines if line["type"] == "turn_context"]
    assert context["approval_policy"] == "never"
    assert context["sandbox_policy"] == {
        "type": "workspace-write",
        "writable_roots": [str(place.project / "beside"), str(tmp_path)],
        "network_access": True,
        "exclude_tmpdir_env_var": False,
        "exclude_slash_tmp": True,
    }


@pytest.mark.parametrize("driver", DIFFERENCES)
async def test_codex_tells_the_sdk_the_same(stage: Stage, codex: Path, driver: str) -> None:
    """Event by event and request by request, but for what the table says."""
    ours, theirs = [
        flattened(facts(*await stage.play(driver, program))) for program in (None, codex)
    ]

    rows = DIFFERENCES[driver]
    differing = {
        path: (ours.get(path), theirs.get(path))
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    }
    used = {row for row in rows for path in differing if re.fullmatch(row, path)}
    unexplained = {
        path: both
        for path, both in differing.items()
        if not any(re.fullmatch(row, path) for row in rows)
    }
    assert unexplained == {}
    assert used == set(rows)


def facts(place: Place, played: Played) -> dict[str, Any]:
    """What is compared: what the driver told, and what the model was asked."""
    asked = [
        {
            "originator": request.header("originator"),
            "said": parts(request),
            "format": request.json.get("text", {}).get("format"),
        }
        for request in played.requests
    ]
    return {
        "told": without_chance(played.told, place, {}),
        "asked": without_chance(asked, place, {}),
    }


def without_chance(value: Any, place: Place, ids: dict[str, str]) -> Any:
    """Leave out what differs from run to run: ids are numbered, folders have a name."""
    match value:
        case dict():
            return {key: without_chance(inner, place, ids) for key, inner in value.items()}
        case list():
            return [without_chance(inner, place, ids) for inner in value]
        case str():
            text = value.replace(str(place.folder), "FOLDER")
            return _UUID.sub(lambda found: ids.setdefault(found[0], f"ID{len(ids)}"), text)
        case _:
            return value


_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def flattened(value: Any) -> dict[str, Any]:
    """Each leaf by its path."""
    return dict(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    match value:
        case dict() | list() if value:
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            for key, member in inner:
                yield from _leaves(member, f"{path}.{key}".removeprefix("."))
        case _:
            yield path, value
