"""Plays scenario files by the commands in their heads, and says what came of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

from tests.cli.running import Bench

from .bridge import Bridge, serving

__all__ = ["FOLDER", "Outcome", "Script", "Way", "missing", "play"]

FOLDER = Path(__file__).parent

_PATIENCE = 60.0


class Way(Enum):
    """Who plays the model."""

    SCRIPTED = "scripted"  # the scripted model, inside the program
    HTTP = "http"  # a server that the program asks


@attrs.frozen
class Script:
    """
    A scenario file and what its head says: how to run it, and what must come of it.

    In the head stand, indented, the commands; the exit code if it is not 0; and lines that
    must be written, in which ``...`` stands for anything: ``|`` on standard output in this
    order, ``*`` there too but anywhere, ``!`` on standard error in this order.
    """

    path: Path
    commands: tuple[tuple[str, ...], ...]
    code: int
    out: tuple[str, ...]
    anywhere: tuple[str, ...]
    err: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Script:
        head = [line[1:] for line in path.read_text().splitlines() if line.startswith("#")]
        text = "\n".join(head).replace("\\\n", " ")
        commands = re.findall(r"^ {3}treadle (.*)$", text, re.MULTILINE)
        code = re.search(r"^ {3}exit code (\d+)$", text, re.MULTILINE)
        marked: dict[str, list[str]] = {"|": [], "*": [], "!": []}
        for mark, line in re.findall(r"^ {3}([|*!]) (.*)$", text, re.MULTILINE):
            marked[mark].append(line)
        return cls(
            path,
            tuple(tuple(shlex.split(command)) for command in commands),
            int(code[1]) if code else 0,
            *(tuple(lines) for lines in marked.values()),
        )

    @property
    def name(self) -> str:
        return self.path.stem


@attrs.frozen
class Outcome:
    """
    What came of all commands of a script; without what differs from run to run.

    Attributes:
        out: What was written to standard output.
        err: What was written to standard error.
        files: Content of what is in the working directory, by relative path.
        records: Lines of all rollouts, the oldest rollout first.
        subagents: What the requests were marked with; none for the scripted model.
    """

    code: int
    out: str
    err: str
    files: dict[str, bytes]
    records: list[Any]
    subagents: frozenset[str | None]


def play(script: Script, bench: Bench, way: Way, *, as_process: bool = False) -> Outcome:
    """Run the commands one after the other; all but the last must end well."""
    run = _run_process if as_process else _run_here
    with _served(script, way) as bridge:
        if bridge is not None:
            bench.home.mkdir(exist_ok=True)
            (bench.home / "config.toml").write_text(_CONFIG.format(base_url=bridge.base_url))
        code, out, err = 0, "", ""
        for command in script.commands:
            assert code == 0, (out, err)
            code, more_out, more_err = run(bench, list(_words(command, way)))
            out, err = out + more_out, err + more_err
        asked = [] if bridge is None else bridge.requests
    return Outcome(
        code=code,
        out=_plain(out, bench),
        err=_plain(err, bench),
        files=_files(bench.cwd),
        records=json.loads(_plain(json.dumps(list(map(_kept, _records(bench)))), bench)),
        subagents=frozenset(request.subagent for request in asked),
    )


_CONFIG = """
model = "scripted"
model_provider = "mock"
[model_providers.mock]
base_url = "{base_url}"
"""


@contextmanager
def _served(script: Script, way: Way) -> Iterator[Bridge | None]:
    if way is Way.SCRIPTED:
        yield None
        return
    with serving(script.path) as bridge:
        yield bridge


def _words(command: Sequence[str], way: Way) -> Iterator[str]:
    words = iter(command)
    for word in words:
        if word == "--scenario" and way is Way.HTTP:
            next(words)
            continue
        yield word.replace("tests/scenarios", str(FOLDER))


def _run_here(bench: Bench, words: Sequence[str]) -> tuple[int, str, str]:
    ran = bench.run(*words)
    return ran.code, ran.out, ran.err


def _run_process(bench: Bench, words: Sequence[str]) -> tuple[int, str, str]:
    with bench.process(*words) as process:
        out, err = process.communicate(timeout=_PATIENCE)
    return process.returncode, out.decode(), err.decode()


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _records(bench: Bench) -> Iterator[dict[str, Any]]:
    for rollout in bench.rollouts():
        yield from map(json.loads, rollout.read_text().splitlines())


def missing(expected: Sequence[str], text: str) -> str | None:
    """Find the first of the lines that does not come, in this order; None when all do."""
    lines = iter(text.splitlines())
    for pattern in expected:
        glob = re.sub(r"([\[?*])", r"[\1]", pattern).replace("...", "*")
        if not any(fnmatchcase(line, glob) for line in lines):
            return pattern
    return None


_VOLATILE = (
    (
        re.compile(
            r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])"
        ),
        "UUID",
    ),
    (re.compile(r"\b(call|msg|rs|fc|ctc)_(?:UUID|http\d+)_\d+_\d+"), r"\1_ID"),
    (re.compile(r"Chunk ID: \w+"), "Chunk ID: ID"),
    (re.compile(r"Wall time: [\d.]+"), "Wall time: TIME"),
    (re.compile(r"\d+ milliseconds"), "TIME milliseconds"),
    (re.compile(r"(session ID|process) \d+"), r"\1 ID"),
    (re.compile(r'(\\"session_id\\": )\d+'), r"\1ID"),
    (re.compile(r"\d+\.\d+ s\b"), "TIME s"),
)
_VOLATILE_KEYS = frozenset({"timestamp", "crc", "seq", "model_provider"})


def _plain(text: str, bench: Bench) -> str:
    text = text.replace(str(bench.cwd), "/work").replace(str(bench.home), "/home")
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text


def _kept(value: Any) -> Any:
    match value:
        case {"type": "token_count"}:
            return {"type": "token_count"}  # estimates, which count the characters of paths
        case dict():
            return {
                key: _kept(member) for key, member in value.items() if key not in _VOLATILE_KEYS
            }
        case list():
            return [_kept(member) for member in value]
        case _:
            return value
