"""Our app-server and Codex's, given the same model and the same client."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.interop.app_server import AppServer, JsonObject, ServerRequest, open_app_server
from tests.interop.codex_home import write_config
from tests.interop.codex_turns import run_turn
from tests.interop.mock_responses import open_mock_responses
from tests.interop.scripted_replies import answer, function_call, text_message

_PATIENCE = 60.0
_ROOT = Path(__file__).resolve().parents[2]

# What one of the two says and the other does not: mirrors of the core's events, that are
# gone from newer versions of Codex, what only these know, and output of short commands.
_OURS_OR_THEIRS = (
    "account/rateLimits/updated",
    "configWarning",
    "item/commandExecution/outputDelta",
    "serverRequest/resolved",
    "thread/status/changed",
    "thread/tokenUsage/updated",
    "turn/diff/updated",
    "warning",
)


def _treadle(folder: Path) -> Path:
    """Make a program that is called as Codex is."""
    program = folder / "treadle-as-codex"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m actors.cli "$@"\n')
    program.chmod(0o755)
    return program


def _outline(server: AppServer) -> list[str]:
    """Say what came, without what may differ; deltas of one item count as one."""
    lines: list[str] = []
    for notification in server.notifications:
        method, params = notification.method, notification.params
        if method.startswith("codex/event/") or method in _OURS_OR_THEIRS:
            continue
        line = method
        item = params.get("item")
        if item is not None:
            line += f" {item['type']} {item.get('status', '')} {item.get('text', '')}"
            if method == "item/started" and item["type"] == "commandExecution":
                continue  # Codex 0.104 does not start what is not run
        if method == "turn/completed":
            line += f" {params['turn']['status']}"
        # Codex 0.104 completes a declined item twice.
        if not lines or lines[-1] != line:
            lines.append(line)
    return _turn_start_first(lines)


def _turn_start_first(lines: list[str]) -> list[str]:
    """Codex 0.104 may say that a turn started after its first item."""
    if "turn/started" in lines:
        lines.remove("turn/started")
        lines.insert(lines.index("thread/started") + 1, "turn/started")
    return lines


async def _run(
    program: Path, home: Path, script: list[Any], decision: object = None
) -> tuple[list[str], list[JsonObject], list[str], str]:
    """
    Start a thread and run one turn.

    Returns:
        What came, what was asked, the names of the members of the answer to
        ``thread/start``, and what the model was told last.
    """
    asked: list[JsonObject] = []

    async def decide(request: ServerRequest) -> JsonObject:
        asked.append({"method": request.method, **request.params})
        return {"decision": decision}

    home.mkdir()  # noqa: ASYNC240 -- one folder
    with trio.fail_after(_PATIENCE):
        async with open_mock_responses(script) as mock:
            policy = "never" if decision is None else "untrusted"
            write_config(home, mock.base_url, approval_policy=policy)
            async with open_app_server(program, home=home, handler=decide) as server:
                started = await server.request("thread/start", {"cwd": str(home)})
                await server.wait_notification("thread/started")
                turn = await run_turn(server, started["thread"]["id"], "go")
                assert turn.is_good or decision == "cancel"
                lines = _outline(server)
    last = json.dumps(mock.requests[-1].json["input"][-1])
    return lines, asked, sorted(started), last


async def test_a_plain_turn_is_told_alike(codex: Path, tmp_path: Path) -> None:
    """The same notifications in the same order; our answers have all members of Codex's."""
    script = [answer(text_message("Hel", "lo"))]
    theirs = await _run(codex, tmp_path / "codex", script)
    ours = await _run(_treadle(tmp_path), tmp_path / "treadle", script)

    assert ours[0] == theirs[0]
    assert set(theirs[2]) <= set(ours[2])


@pytest.mark.parametrize("decision", ["accept", "decline", "cancel"])
async def test_an_approval_is_asked_and_told_alike(
    codex: Path, tmp_path: Path, decision: str
) -> None:
    """Whatever the client decides, both say the same of the command and of the turn."""
    script = [
        answer(function_call("exec_command", {"cmd": "touch x; echo made"}, call_id="c1")),
        answer(text_message("done")),
    ]
    theirs = await _run(codex, tmp_path / "codex", script, decision)
    ours = await _run(_treadle(tmp_path), tmp_path / "treadle", script, decision)

    assert ours[0] == theirs[0]
    [asked], [wanted] = ours[1], theirs[1]
    assert asked["itemId"] == wanted["itemId"] == "c1"
    assert asked["command"] == wanted["command"]
    assert set(wanted) <= set(asked)
    assert ("rejected by user" in ours[3]) == ("rejected by user" in theirs[3])
