"""Reads the arguments of the shell tools."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar, cast

import attrs

from messages.value import Json

from .errors import ToolError

__all__ = ["DEFAULT_TIMEOUT", "ShellRequest", "read_shell_request"]

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds that a command gets when the model names no time.  Source: Codex, ``exec.rs``."""


_T = TypeVar("_T", bool, str)

_NAMES: Final[Mapping[type, str]] = {bool: "boolean", str: "string"}


@attrs.frozen(kw_only=True)
class ShellRequest:
    """
    What the model wants to run.

    Attributes:
        argv: Never empty.
        cwd: Absolute when the turn's own is.
        timeout: Seconds.
        escalated: It asks for more rights than the sandbox gives.
        justification: Why it should run, in the model's words.
        prefix_rule: First words of the commands it wants allowed with this one.
    """

    argv: tuple[str, ...]
    cwd: str
    timeout: float
    escalated: bool
    justification: str | None
    prefix_rule: tuple[str, ...] | None


def read_shell_request(arguments: Mapping[str, Json], *, cwd: str, shell: str) -> ShellRequest:
    """
    Read a call: ``command`` is a list of words, or a script for *shell*.

    Arguments that are not known are ignored.

    Raises:
        ToolError: One of those that are known does not fit.

    Source:
        Codex, ``ShellToolCallParams`` and ``ShellCommandToolCallParams``: two tools there,
        one takes the list and one the script.  Here each takes both.
    """
    login = _read(arguments, "login", bool, default=True)
    workdir = _read(arguments, "workdir", str, default="")
    escalation = _read(arguments, "sandbox_permissions", str, default="use_default")
    return ShellRequest(
        argv=_read_command(arguments.get("command"), shell, login=login),
        cwd=os.path.join(cwd, workdir) if workdir else cwd,  # noqa: PTH118 -- keeps ".." as is
        timeout=_read_timeout(arguments),
        escalated=escalation == "require_escalated",
        justification=_read(arguments, "justification", str, default="") or None,
        prefix_rule=_read_prefix(arguments.get("prefix_rule")),
    )


def _read_command(command: Json, shell: str, *, login: bool) -> tuple[str, ...]:
    if isinstance(command, str):
        return (shell, "-lc" if login else "-c", command)
    if not isinstance(command, list):
        raise _misfit("command", "a list of strings or a script", command)
    argv = _read_words("command", cast("list[Json]", command))  # isinstance cannot say so
    if not argv:
        raise ToolError("failed to parse function arguments: command is empty")
    return argv


def _read_prefix(value: Json) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise _misfit("prefix_rule", "a list of strings", value)
    return _read_words("prefix_rule", cast("list[Json]", value)) or None


def _read_words(name: str, words: Sequence[Json]) -> tuple[str, ...]:
    read: list[str] = []
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise _misfit(f"{name}[{number}]", "a string", word)
        read.append(word)
    return tuple(read)


def _read_timeout(arguments: Mapping[str, Json]) -> float:
    value = arguments.get("timeout_ms")
    if value is None:
        value = arguments.get("timeout")
    if value is None:
        return DEFAULT_TIMEOUT
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _misfit("timeout_ms", "a number of milliseconds", value)
    if value < 0 or math.isnan(value):
        raise ToolError(f"failed to parse function arguments: timeout_ms is {value}, below 0")
    return value / 1000


def _read(arguments: Mapping[str, Json], name: str, kind: type[_T], *, default: _T) -> _T:
    value = arguments.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise _misfit(name, f"a {_NAMES[kind]}", value)
    return value


def _misfit(name: str, expected: str, value: Json) -> ToolError:
    return ToolError(
        f"failed to parse function arguments: {name}: expected {expected}, "
        f"got {type(value).__name__}"
    )
