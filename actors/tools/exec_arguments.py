"""Reads the arguments of the calls that start processes and type into them."""

import os
from collections.abc import Mapping
from typing import Final

import attrs

from messages.value import Json

from .errors import ToolError
from .tool_arguments import optional_text, read_list, read_text, unfit

__all__ = ["ExecRequest", "StdinRequest", "read_exec_request", "read_stdin_request"]

_SHORTEST: Final = 0.25
_SHORTEST_POLL: Final = 5.0
_LONGEST: Final = 30.0
"""Seconds that a call waits.  Source: Codex, ``unified_exec/mod.rs``, as the others."""

_EXEC_YIELD_MS: Final = 10_000
_STDIN_YIELD_MS: Final = 250

_MAX_OUTPUT_TOKENS: Final = 10_000


@attrs.frozen(kw_only=True)
class ExecRequest:
    """
    A process that the model wants started.

    Attributes:
        argv: The shell and the script.
        cwd: Absolute when the turn's own is.
        tty: It gets a terminal, and its input stays open.
        patience: Seconds to wait for its end.
        max_output_tokens: Room for its output in the answer.
        escalated: It asks for more rights than the sandbox gives.
        justification: Why, in the model's words.
        prefix_rule: First words of the commands it wants allowed with this one.
    """

    argv: tuple[str, ...]
    cwd: str
    tty: bool
    patience: float
    max_output_tokens: int
    escalated: bool
    justification: str | None
    prefix_rule: tuple[str, ...] | None


@attrs.frozen(kw_only=True)
class StdinRequest:
    """
    What the model types, and where.

    Attributes:
        chars: Empty to look only.
        patience: Seconds to wait for the end of the process.
        max_output_tokens: Room for its output in the answer.
    """

    session_id: int
    chars: str
    patience: float
    max_output_tokens: int


def read_exec_request(arguments: Mapping[str, Json], *, cwd: str, shell: str) -> ExecRequest:
    """
    Read a call of ``exec_command``; arguments that are not known are ignored.

    Args:
        cwd: Where relative ``workdir``s start.
        shell: For calls that name none.

    Raises:
        ToolError: An argument does not fit.
    """
    shell = optional_text(arguments, "shell") or shell
    option = "-lc" if _flag(arguments, "login", default=True) else "-c"
    workdir = optional_text(arguments, "workdir")
    return ExecRequest(
        argv=(shell, option, read_text(arguments, "cmd")),
        cwd=os.path.join(cwd, workdir) if workdir else cwd,  # noqa: PTH118 -- keeps ".." as is
        tty=_flag(arguments, "tty", default=False),
        patience=_patience(arguments, _EXEC_YIELD_MS, _SHORTEST),
        max_output_tokens=_max_output_tokens(arguments),
        escalated=optional_text(arguments, "sandbox_permissions") == "require_escalated",
        justification=optional_text(arguments, "justification") or None,
        prefix_rule=_prefix(arguments),
    )


def read_stdin_request(arguments: Mapping[str, Json]) -> StdinRequest:
    """
    Read a call of ``write_stdin``; arguments that are not known are ignored.

    Raises:
        ToolError: An argument does not fit.
    """
    if "session_id" not in arguments:
        raise ToolError("failed to parse function arguments: missing field session_id")
    chars = optional_text(arguments, "chars") or ""
    shortest = _SHORTEST if chars else _SHORTEST_POLL
    return StdinRequest(
        session_id=int(_number(arguments, "session_id", 0)),
        chars=chars,
        patience=_patience(arguments, _STDIN_YIELD_MS, shortest),
        max_output_tokens=_max_output_tokens(arguments),
    )


def _patience(arguments: Mapping[str, Json], default_ms: float, shortest: float) -> float:
    wished = _number(arguments, "yield_time_ms", default_ms) / 1000
    return min(max(wished, shortest), _LONGEST)


def _max_output_tokens(arguments: Mapping[str, Json]) -> int:
    return max(int(_number(arguments, "max_output_tokens", _MAX_OUTPUT_TOKENS)), 0)


def _prefix(arguments: Mapping[str, Json]) -> tuple[str, ...] | None:
    if arguments.get("prefix_rule") is None:
        return None
    words: list[str] = []
    for number, word in enumerate(read_list(arguments, "prefix_rule")):
        if not isinstance(word, str):
            raise unfit(f"prefix_rule[{number}]", "a string", word)
        words.append(word)
    return tuple(words) or None


def _flag(arguments: Mapping[str, Json], name: str, *, default: bool) -> bool:
    value = arguments.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise unfit(name, "a boolean", value)
    return value


def _number(arguments: Mapping[str, Json], name: str, default: float) -> float:
    value = arguments.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unfit(name, "a number", value)
    return value
