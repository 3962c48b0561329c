"""
What it costs to go on with a long conversation, through the whole runtime.

``python -m tests.bench.bench_resume [megabytes]`` writes a rollout, resumes it and
forks it.  The reference is `orjson.loads` of each line, kept, with the collector off:
what any reader of JSON Lines has to do.
"""

import gc
import math
import statistics
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs
import orjson
import trio

from actors import ScriptedProvider, ThreadConfig, load_rollout, open_supervisor
from actors.rollout import new_rollout_path
from messages.codec import encode_line
from messages.content import InputText, OutputText
from messages.events import (
    AgentMessage,
    AgentReasoning,
    TokenCount,
    TokenUsage,
    TokenUsageInfo,
    TurnComplete,
    TurnStarted,
    UserMessage,
)
from messages.ids import CallId, ThreadId, TurnId
from messages.items import (
    FunctionCall,
    FunctionCallOutput,
    Message,
    ReasoningItem,
    SummaryText,
)
from messages.rollout import RolloutItem, SessionMeta
from messages.settings import SourceKind

from .line import Line, Measure, Spent, Stopwatch

__all__ = ["lines", "write_rollout"]

_MEGABYTE: Final = 1_000_000
_STAMP: Final = "2026-02-11T09:30:00.000Z"
_BEGAN: Final = 1_770_802_200.0
_THREAD: Final = ThreadId("019c4c26-1111-7111-8111-111111111111")
_WORDS: Final = "a sentence of some forty characters here. "


def write_rollout(
    home: Path,
    megabytes: float,
    *,
    thread: ThreadId = _THREAD,
    began: float = _BEGAN,
    **meta: Any,
) -> Path:
    """
    Write the rollout of a long conversation: turns with a command of 4 KB output each.

    Args:
        home: Below which it is put.
        megabytes: How long it is at least; 0 is one turn.
        thread: Whose it is.
        began: When, in seconds since the Unix epoch.
        meta: Members of its `SessionMeta` that are not as usual.
    """
    path = new_rollout_path(home, began, thread)
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with path.open("wb") as file:
        for seq, item in enumerate(_conversation(_usual_meta(thread, meta))):
            size += file.write(encode_line(item, timestamp=_STAMP, seq=seq))
            if size > megabytes * _MEGABYTE and isinstance(item, TurnComplete):
                return path
    raise AssertionError("the conversation never ends")


def _usual_meta(thread: ThreadId, meta: Mapping[str, Any]) -> SessionMeta:
    usual = SessionMeta(
        id=thread,
        timestamp=_STAMP,
        cwd="/",
        originator="bench",
        cli_version="0",
        source=SourceKind.EXEC,
        model_provider="scripted",
    )
    return attrs.evolve(usual, **meta)


def _conversation(meta: SessionMeta) -> Iterator[RolloutItem]:
    yield meta
    for number in count(1):
        yield from _turn(number)


def _turn(number: int) -> Iterator[RolloutItem]:
    turn, call = TurnId(f"turn-{number}"), CallId(f"call-{number}")
    usage = TokenUsage(input_tokens=number * 100, output_tokens=9, total_tokens=number * 100 + 9)
    info = TokenUsageInfo(total_token_usage=usage, last_token_usage=usage)
    question, thought, answer = (f"{word} {number}: {_WORDS}" for word in ("do", "I", "done"))
    output = orjson.dumps({"output": _WORDS * 98, "metadata": {"exit_code": 0}}).decode()
    yield TurnStarted(turn_id=turn, model_context_window=200_000)
    yield Message(role="user", content=(InputText(text=question),))
    yield UserMessage(message=question)
    yield AgentReasoning(text=thought)
    yield ReasoningItem(summary=(SummaryText(text=thought),))
    yield FunctionCall(name="shell", arguments='{"command":["ls"]}', call_id=call)
    yield FunctionCallOutput(call_id=call, output=output)
    yield AgentMessage(message=answer)
    yield Message(role="assistant", content=(OutputText(text=answer),))
    yield TokenCount(info=info)
    yield TurnComplete(turn_id=turn, last_agent_message=answer)


def _parse(path: Path) -> Spent:
    with Stopwatch() as watch:
        gc.disable()
        with path.open("rb") as file:
            kept = [orjson.loads(line) for line in file]
    gc.enable()
    assert kept
    return watch.spent


def _load(path: Path) -> Spent:
    with Stopwatch() as watch:
        loaded = load_rollout(path)
    assert loaded.damaged == ()
    return watch.spent


async def _resume(home: Path, path: Path, *, fork: bool) -> Spent:
    async with open_supervisor(home=home, provider=ScriptedProvider()) as supervisor:
        config = ThreadConfig(cwd="/")
        with Stopwatch() as watch:
            if fork:
                new = await supervisor.fork_thread(None, config, path)
            else:
                new = await supervisor.resume_thread_from_rollout(config, path)
        assert new.session_configured.initial_messages
        await supervisor.close_all_threads(grace=math.inf)
    if fork:
        await trio.Path(new.thread.rollout_path or "").unlink()
    return watch.spent


def lines(rounds: int = 5, megabytes: float = 50) -> Iterator[Line]:
    """Measure loading alone, resuming and forking, each beside the parsing of the same file."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        path = write_rollout(home, megabytes)
        size = path.stat().st_size / _MEGABYTE
        found: dict[str, list[tuple[Spent, Spent]]] = {"load": [], "resume": [], "fork": []}
        for _ in range(rounds):
            for name, pairs in found.items():
                plain = _parse(path)
                if name == "load":
                    ours = _load(path)
                else:
                    ours = trio.run(partial(_resume, home, path, fork=name == "fork"))
                pairs.append((plain, ours))
        for name, pairs in found.items():
            yield from _rates(name, pairs, size)


def _rates(name: str, pairs: list[tuple[Spent, Spent]], size: float) -> Iterator[Line]:
    plain = statistics.median(a.wall for a, _ in pairs)
    ours = statistics.median(b.wall for _, b in pairs)
    cpu = statistics.median(b.cpu for _, b in pairs)
    ratio = statistics.median(b.wall / a.wall for a, b in pairs)
    cpu_ratio = statistics.median(b.cpu / a.cpu for a, b in pairs)
    title = f"{name} of {size:.0f} MB : orjson.loads of each line, kept"
    if name != "fork":
        yield Line(
            name=title,
            unit="MB/s",
            plain=size / plain,
            ours=size / ours,
            cpu=size / cpu,
            ratio=ratio,
            cpu_ratio=cpu_ratio,
            target=200,
            measure=Measure.RATE,
        )
    if name == "load":
        return
    yield Line(
        name=f"{name} of {size:.0f} MB",
        unit="ms",
        plain=plain * 1e3,
        ours=ours * 1e3,
        cpu=cpu * 1e3,
        ratio=ratio,
        cpu_ratio=cpu_ratio,
    )


if __name__ == "__main__":
    for each in lines(megabytes=float(sys.argv[1]) if sys.argv[1:] else 50):
        print(each, flush=True)
