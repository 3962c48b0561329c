"""Whether what a server said is valid by the schemas of a generation of clients."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import jsonschema

from messages.rpc.requests import CLIENT_REQUESTS
from tests.interop.app_server_words import JsonObject
from tests.interop.schemas import BUNDLE

__all__ = ["Checked", "Checker", "Said"]

Said = tuple[str | None, JsonObject]
"""A message, and the method that it answers, if it answers one."""

_TOO_NEW: Final = '"type": "dynamicToolCall"'
"""What only the newest generation has; older clients pass over such items."""

_TOO_OLD: Final = '"approvalPolicy": "on-failure"'
"""What only older clients ask for, and are told then."""


@attrs.define
class Checked:
    """
    What came of many messages.

    Attributes:
        valid: Messages by kind.
        unknown: Methods that this generation does not know, or that say what it does not.
        problems: One line for each message that is not valid.
    """

    valid: Counter[str] = attrs.field(factory=Counter)
    unknown: Counter[str] = attrs.field(factory=Counter)
    problems: list[str] = attrs.field(factory=list)


class Checker:
    """Checks messages by the schemas in *folder*."""

    def __init__(self, folder: Path) -> None:
        text = (folder / BUNDLE).read_text(encoding="utf-8")
        self._definitions: dict[str, Any] = json.loads(text)["definitions"]
        self._validators: dict[str, jsonschema.Draft7Validator] = {}
        newest = "DynamicToolCallStatus" in self._definitions["v2"]
        self._foreign = _TOO_OLD if newest else _TOO_NEW

    def check(self, messages: Iterable[Said]) -> Checked:
        """Check them all; what is the same but for its ids is checked again."""
        checked = Checked()
        for method, message in messages:
            kind, name, schema = self._described(method, message)
            if schema is None or self._foreign in json.dumps(message):
                checked.unknown[f"{kind} {name}"] += 1
                continue
            validator = self._validator(f"{kind} {name}", schema)
            said = message["result"] if kind == "answer" else message
            error = jsonschema.exceptions.best_match(validator.iter_errors(said))
            if error is None:
                checked.valid[kind] += 1
            else:
                checked.problems.append(f"{kind} {name}: {error.json_path}: {error.message}"[:500])
        return checked

    def _described(self, method: str | None, message: JsonObject) -> tuple[str, str, Any]:
        """Say what a message is, and what describes it; None for what is not known."""
        if "method" in message:
            union = "ServerRequest" if "id" in message else "ServerNotification"
            return union, message["method"], self._variant(union, message["method"])
        if "error" in message:
            return "error", method or "", {"$ref": "#/definitions/JSONRPCError"}
        assert method is not None, "an answer to what nobody asked"
        name = CLIENT_REQUESTS[method].response.__name__
        for path, group in (("v2/", self._definitions["v2"]), ("", self._definitions)):
            if name in group:
                return "answer", method, {"$ref": f"#/definitions/{path}{name}"}
        return "answer", method, None

    def _variant(self, union: str, method: str) -> Any:
        return next(
            (
                variant
                for variant in self._definitions[union]["oneOf"]
                if variant["properties"]["method"]["enum"] == [method]
            ),
            None,
        )

    def _validator(self, name: str, schema: Any) -> jsonschema.Draft7Validator:
        if name not in self._validators:
            whole = {**schema, "definitions": self._definitions}
            self._validators[name] = jsonschema.Draft7Validator(whole)
        return self._validators[name]
