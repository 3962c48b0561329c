r"""
Scenarios: what the scripted model answers, in a small TOML or YAML file.

A scenario is a list of replies.  Each model request is answered by the first
reply, in the order of the file, that was not played as often as it may be and
whose conditions hold::

    name = "count the files"
    pace = 0.02                # seconds before each piece of text; 0 by default
    delta_chars = 16           # characters in a piece; 24 by default

    [[reply]]
    when = { user_matches = "(?i)count in (?P<folder>\\S+)" }
    [[reply.steps]]
    think = "A job for the shell."
    [[reply.steps]]
    call = "shell"
    arguments = { command = ["sh", "-c", "ls {folder} | wc -l"] }

    [[reply]]
    when = { last = "output", exit_code = 0 }
    times = "always"           # or a number; once by default
    usage = { input_tokens = 100, output_tokens = 5 }
    [[reply.steps]]
    say = "There are {output} files in {folder}."

Conditions (all that are given must hold): ``user`` and ``output`` are contained
in what the user said last and in what the last tool call since then gave;
``user_matches`` and ``output_matches`` are regular expressions searched there;
``exit_code`` is that of the last call, if its process has ended; ``last`` is what
the model answers to, ``"user"`` or ``"output"``; ``model`` and ``subagent`` are equal
to the request's.

What a call gave is its output without the frame that tells the model exit code and
time.  Of a process that goes on the frame stays: it names the session, which
``output_matches`` can pick out for the next call.

Steps, played in order:

``say``
    Text of a message.
``think``
    Summary of what the model thinks, a text or a list of parts; besides ``raw``,
    the thoughts themselves, and ``encrypted``, the same for the server's eyes.
``call``
    Name of a tool; besides ``arguments``, a table or the JSON text itself, or
    ``input``, the text for a tool that takes free text; and ``call_id``.  What is
    filled into a table is text; in JSON text it may become a number, too.
``stall``
    Seconds of silence, or ``"forever"``.
``error``
    The request fails: an HTTP status, or one of the names in `ERROR_NAMES`;
    besides ``message`` and ``delay`` (seconds the server asks to wait).
``cut``
    ``true``: the answer breaks off.

In all texts of steps ``{user}``, ``{output}``, ``{exit_code}``, ``{model}``,
``{history}`` (what the user said before, a line each) and the named groups of
the reply's own expressions are filled in; other braces stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

import attrs

from messages.events import TokenUsage
from messages.value import Json

__all__ = [
    "ERROR_NAMES",
    "Call",
    "CustomCall",
    "Cut",
    "Fail",
    "LastItem",
    "Reply",
    "Say",
    "Scenario",
    "ScenarioError",
    "Stall",
    "Step",
    "Think",
    "When",
]

ERROR_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "connection": frozenset({"message"}),
    "context_window": frozenset[str](),
    "internal": frozenset({"delay"}),
    "invalid_image": frozenset[str](),
    "invalid_request": frozenset({"message"}),
    "overloaded": frozenset[str](),
    "quota": frozenset[str](),
    "rate_limit": frozenset({"delay"}),
    "stream": frozenset({"message", "delay"}),
    "usage_limit": frozenset({"message"}),
    "usage_not_included": frozenset[str](),
}
"""Names of errors in a scenario, and what may stand beside each."""


class ScenarioError(ValueError):
    """
    A scenario cannot be played; nothing of it was.

    Attributes:
        source: The file.
        place: Where in it, for example ``reply 2, step 1``; empty for all of it.
        problem: What is wrong there.
        way_out: What would be right.
    """

    def __init__(self, source: str, place: str, problem: str, way_out: str) -> None:
        super().__init__(source, place, problem, way_out)
        self.source = source
        self.place = place
        self.problem = problem
        self.way_out = way_out

    def __str__(self) -> str:
        where = f"{self.source}: {self.place}" if self.place else self.source
        return f"scenario {where}: {self.problem}; {self.way_out}"


class LastItem(Enum):
    """What the model answers to."""

    USER = "user"
    OUTPUT = "output"


@attrs.frozen(kw_only=True)
class When:
    """Conditions on a request; None is no condition, and all others must hold."""

    user: str | None = None
    user_matches: re.Pattern[str] | None = None
    output: str | None = None
    output_matches: re.Pattern[str] | None = None
    exit_code: int | None = None
    last: LastItem | None = None
    model: str | None = None
    subagent: str | None = None


@attrs.frozen
class Say:
    """Say something."""

    text: str


@attrs.frozen(kw_only=True)
class Think:
    """Think: summary parts, never empty; raw and encrypted thoughts where there are any."""

    summary: tuple[str, ...]
    raw: str | None = None
    encrypted: str | None = None


@attrs.frozen(kw_only=True)
class Call:
    """Call a tool; arguments are a JSON object, or text that is sent as it is."""

    tool: str
    arguments: Json
    call_id: str | None = None


@attrs.frozen(kw_only=True)
class CustomCall:
    """Call a tool that takes free text."""

    tool: str
    input: str
    call_id: str | None = None


@attrs.frozen
class Stall:
    """Keep silent, in seconds; may be infinite."""

    seconds: float


@attrs.frozen(kw_only=True)
class Fail:
    """
    Fail.

    Attributes:
        error: An HTTP status, or one of `ERROR_NAMES`.
        message: In the server's words; empty for the usual ones.
        delay: Seconds the server asks to wait; None when it does not ask.
    """

    error: int | str
    message: str = ""
    delay: float | None = None


@attrs.frozen
class Cut:
    """Break off without an end."""


Step: TypeAlias = Say | Think | Call | CustomCall | Stall | Fail | Cut


@attrs.frozen(kw_only=True)
class Reply:
    """
    One answer to one request.

    Attributes:
        times: How often it may be played in one thread; None without limit.
        usage: What it claims to have used; None for an estimate.
        pace: Seconds before each piece of text.
        delta_chars: Characters in a piece.
    """

    steps: tuple[Step, ...]
    when: When = attrs.field(factory=When)
    times: int | None = 1
    usage: TokenUsage | None = None
    pace: float = 0.0
    delta_chars: int = 24


@attrs.frozen(kw_only=True)
class Scenario:
    """A list of replies with a name; see the module for how one is chosen."""

    name: str
    replies: tuple[Reply, ...]
