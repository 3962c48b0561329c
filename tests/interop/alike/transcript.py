"""What was said in a case: entries that can be compared between two servers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from tests.interop.app_server_words import JsonObject
from tests.interop.codex_turns import NO_TURN
from tests.interop.recorded_request import RecordedRequest

__all__ = ["Entry", "Scrubber", "entries_of", "head_of", "model_entry"]

Entry = dict[str, Any]
"""One of: ``answer`` or ``error`` to a method, ``says``, ``asks``, ``model``; and what was said."""

# fmt: off
_TIMES: Final = frozenset({
    "completedAt", "completedAtMs", "createdAt", "durationMs", "recencyAt", "resetsAt",
    "startedAt", "startedAtMs", "updatedAt",
})
# fmt: on
_NAMES: Final = {"cliVersion": "<version>", "userAgent": "<version>", "processId": "<process>"}
_VOLATILE: Final = (
    (re.compile(r"rollout-\d{4}(-\d\d){2}T\d\d(-\d\d){2}-"), "rollout-<time>-"),
    (re.compile(r"sessions/\d{4}/\d\d/\d\d/"), "sessions/<date>/"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?=\|)"), "<time>"),
    (re.compile(r"http://127\.0\.0\.1:\d+/v1"), "<mock>"),
    (re.compile(r"Wall time: \d+(\.\d+)? seconds"), "Wall time: <time>"),
    (re.compile(r"aborted by user after \d+(\.\d+)?s"), "aborted by user after <time>"),
    (re.compile(r"(session ID |\"session_id\": )\d+"), r"\1<session>"),
    (re.compile(r"Chunk ID: [0-9a-f]{6}"), "Chunk ID: <chunk>"),
)
# Contexts that Codex and we put before what the user says, in words of our own.
_CONTEXT: Final = re.compile(r"\s*<(environment_context|skills|permissions)|# AGENTS\.md")


# Ids of calls, as the scripts give them.
_CALL: Final = re.compile(r"[a-z]\d")


@attrs.frozen
class Scrubber:
    """
    Takes out of JSON what no two runs have in common; ids stay.

    Attributes:
        folders: What each folder of the run is called.
    """

    folders: Mapping[str, str]

    def scrub(self, value: Any, name: str = "") -> Any:
        """Give times, versions and folders names that do not change."""
        match value:
            case dict():
                return {key: self.scrub(each, key) for key, each in value.items()}
            case list():
                return [self.scrub(each) for each in value]
            case str():
                return _NAMES.get(name) or self._text(value)
            case int() | float() if name in _TIMES and not isinstance(value, bool):
                return "<time>"
            case _:
                return value

    def _text(self, text: str) -> str:
        for folder, name in self.folders.items():
            text = text.replace(folder, name)
        for volatile, name in _VOLATILE:
            text = volatile.sub(name, text)
        return text


def head_of(entry: Entry) -> str:
    """Say what an entry is, in one line: by this the entries of two transcripts are matched."""
    kind, method = next(iter(entry.items()))
    if kind not in {"says", "asks"}:
        return f"{kind} {method}"
    params = entry.get("params") or {}
    item = params.get("item") or {"id": params.get("itemId") or params.get("callId")}
    parts = (kind, method, item.get("type"), *filter(_CALL.fullmatch, (item["id"] or "",)))
    return " ".join(filter(None, parts))


def entries_of(log: Iterable[tuple[str, JsonObject]], methods: Mapping[str, str]) -> list[Entry]:
    """
    Make entries of what came, in its order; pieces of one item become one piece.

    Args:
        log: Whether each message was ``sent`` or ``came``, and the message.
        methods: What was asked in lines that are no request of the driver, by the id.
    """
    asked: dict[str, str] = dict(methods)
    entries: list[Entry] = []
    pieces: dict[str, Entry] = {}
    for direction, message in log:
        if direction == "sent":
            _note(message, asked)
        elif (entry := _entry(message, asked)) is not None and not _joined(entry, pieces):
            entries.append(entry)
    return entries


def _note(message: JsonObject, asked: dict[str, str]) -> None:
    if "method" in message and "id" in message:
        probing = (message.get("params") or {}).get("expectedTurnId") == NO_TURN
        asked[json.dumps(message["id"])] = "" if probing else message["method"]


def _entry(message: JsonObject, asked: Mapping[str, str]) -> Entry | None:
    match message:
        case {"method": method, "id": int() | str(), "params": params}:
            return {"asks": method, "params": params}
        case {"method": method, "params": params}:
            return {"says": method, "params": params}
        case {"method": method}:
            return {"says": method}
        case {"id": request_id}:
            method = asked.get(json.dumps(request_id), f"<unknown {request_id!r}>")
            kind = "answer" if "result" in message else "error"
            said = message.get("result") if kind == "answer" else message.get("error")
            return {kind: method, "said": said} if method else None
        case _:
            return {"rubbish": json.dumps(message)}


def _joined(entry: Entry, pieces: dict[str, Entry]) -> bool:
    """Add a piece to the one of its item that came first, if there is one."""
    params = entry.get("params")
    if not isinstance(params, dict) or "delta" not in params:
        return False
    place = {name: value for name, value in params.items() if name != "delta"}
    first = pieces.setdefault(json.dumps([entry["says"], place]), entry)
    if first is entry:
        return False
    first["params"]["delta"] += params["delta"]
    return True


def model_entry(request: RecordedRequest, tools: Iterable[str]) -> Entry:
    """
    Say what the model was asked, without the prose around it.

    Args:
        request: As the mock server got it.
        tools: Those whose descriptions are the client's.
    """
    body, wanted = request.json, set(tools)
    names = ("model", "reasoning", "tool_choice", "parallel_tool_calls", "store", "stream")
    return {
        "model": "request",
        "said": {
            **{name: body.get(name) for name in names},
            "format": (body.get("text") or {}).get("format"),
            "tools": [tool for tool in body["tools"] if tool.get("name") in wanted],
            "input": [item for item in map(_said, body["input"]) if item is not None],
        },
    }


def _said(item: JsonObject) -> JsonObject | None:
    if item.get("role") == "developer":
        return None
    if item.get("role") == "user" and _CONTEXT.match(item["content"][0].get("text", "")):
        return None
    return {name: value for name, value in item.items() if name != "id"}
