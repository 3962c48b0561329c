"""What a client and ``codex app-server`` say to each other, as values and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import attrs

__all__ = [
    "AppServerClosedError",
    "Handler",
    "JsonObject",
    "Listener",
    "Notification",
    "Predicate",
    "RpcError",
    "ServerRequest",
]

JsonObject: TypeAlias = dict[str, Any]


class RpcError(Exception):
    """
    Codex answered a request with an error, or a handler wants to answer with one.

    Attributes:
        code: Codex uses -32600 for nearly everything.
        message: In the words of who answered.
        data: The error's own data, or None.
    """

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"error {self.code}: {self.message}"


class AppServerClosedError(Exception):
    """
    The process went away; what was waited for can not come any more.

    Attributes:
        stderr: The end of what it wrote there.
    """

    def __init__(self, stderr: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr

    def __str__(self) -> str:
        return f"codex app-server went away; its stderr ends with {self.stderr!r}"


@attrs.frozen
class Notification:
    """What Codex said unasked; *params* is empty when it sent none."""

    method: str
    params: JsonObject


@attrs.frozen
class ServerRequest:
    """What Codex asked its client, for example for an approval."""

    id: int | str
    method: str
    params: JsonObject


# Returns the result, or raises `RpcError` to answer with an error.
Handler: TypeAlias = Callable[[ServerRequest], Awaitable[JsonObject]]
Predicate: TypeAlias = Callable[[JsonObject], bool]
# Hears what goes over the wire, in order, each message whole.
Listener: TypeAlias = Callable[[Literal["sent", "came"], JsonObject], None]
