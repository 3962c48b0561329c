"""Turns: one after the other, many at once, long ones, and how they end."""

import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

import attrs
import orjson

from .codex_client import Client, Silent
from .codex_rows import Found, Measure, Row
from .codex_sides import Server, Side

__all__ = ["MEASURES"]

_QUIET: Final = 2.0
"""Seconds without a word after which nothing more comes of a turn."""

_PIECES: Final = 5000
_LOSS_ITEMS: Final = 5


def _turn(side: Side, scale: float) -> Found:
    count = max(5, int(100 * scale))
    with side.serve() as server:
        thread = server.start_thread()
        for _ in range(5):
            server.run_turn(thread)
        written, began = server.cpu(), side.written()
        taken = [server.run_turn(thread) for _ in range(count)]
        spent, size = server.cpu() - written, side.written() - began
    return {
        "one turn": statistics.median(taken) * 1e3,
        "one turn: CPU": spent / count * 1e3,
        "one turn: bytes in the rollout": size / count / 1e3,
    }


@attrs.define(eq=False)
class _Crowd:
    """Threads that run turns at once; each begins the next when it hears of an end."""

    server: Server
    left: dict[str, int]
    began: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    taken: list[float] = attrs.field(factory=list[float], init=False)
    last: float = attrs.field(default=0.0, init=False)

    def run(self) -> int:
        """Run all turns, and return how many never ended."""
        for thread in self.left:
            self._begin(thread)
        try:
            while self.began:
                for method, line in self.server.client.receive(_QUIET):
                    if method == "turn/completed":
                        self._end(orjson.loads(line)["params"]["threadId"])
        except Silent:
            return len(self.began)
        return 0

    def _begin(self, thread: str) -> None:
        self.left[thread] -= 1
        self.began[thread] = time.perf_counter()
        self.server.start_turn(thread)

    def _end(self, thread: str) -> None:
        self.last = time.perf_counter()
        self.taken.append(self.last - self.began.pop(thread))
        if self.left[thread]:
            self._begin(thread)


def _crowd(side: Side, scale: float) -> Found:
    threads, turns = max(4, int(50 * scale)), max(2, int(10 * scale))
    with side.serve() as server:
        server.run_turn(server.start_thread())
        crowd = _Crowd(server, {server.start_thread(): turns for _ in range(threads)})
        spent, began = server.cpu(), time.perf_counter()
        lost = crowd.run()
        spent = server.cpu() - spent
    ended = len(crowd.taken)
    return {
        "50 threads x 10 turns at once": ended / (crowd.last - began),
        "50 threads x 10 turns at once: CPU a turn": spent / ended * 1e3,
        "50 threads x 10 turns at once: p95": _percentile(crowd.taken, 0.95) * 1e3,
        "turns that never end": 100 * lost / (ended + lost),
    }


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _deltas(side: Side, scale: float) -> Found:
    count = max(500, int(_PIECES * scale))
    found: dict[str, float] = {}
    for suffix, opted_out in (("", ()), (", without the mirror", _MIRRORED)):
        with side.serve(opted_out) as server:
            thread = server.start_thread()
            server.run_turn(thread, "deltas-100")
            server.client.heard.clear()
            spent = server.cpu()
            taken = server.run_turn(thread, f"deltas-{count}")
            spent = server.cpu() - spent
            heard = server.client.heard["item/agentMessage/delta"]
        found[f"5,000 deltas in a turn{suffix}"] = heard / taken
        found[f"5,000 deltas in a turn{suffix}: CPU a delta"] = spent / count * 1e6
        found[f"5,000 deltas in a turn{suffix}: not told"] = count - heard
    return found


_MIRRORED: Final = tuple(
    f"codex/event/{kind}" for kind in ("agent_message_delta", "agent_message_content_delta")
)
"""What Codex 0.104 says beside each delta, and its own clients opt out of."""


def _shell(side: Side, scale: float) -> Found:
    count = max(3, int(20 * scale))
    with side.serve() as server:
        thread = server.start_thread()
        server.run_turn(thread, "shell")
        spent = server.cpu()
        taken = [server.run_turn(thread, "shell") for _ in range(count)]
        spent = server.cpu() - spent
    return {
        "one command in a turn": statistics.median(taken) * 1e3,
        "one command in a turn: CPU": spent / count * 1e3,
    }


def _interrupt(side: Side, scale: float) -> Found:
    with side.serve() as server:
        thread = server.start_thread()
        server.run_turn(thread)
        taken = [_interrupted(server, thread) for _ in range(max(3, int(20 * scale)))]
    return {"interrupt to turn/completed": statistics.median(taken) * 1e3}


def _interrupted(server: Server, thread: str) -> float:
    client = server.client
    number = server.start_turn(thread, "stall-20")
    turn_id = client.wait("turn/started")["turn"]["id"]
    for _ in range(20):
        client.wait("item/agentMessage/delta")
    client.drop(number)
    began = time.perf_counter()
    number = client.send("turn/interrupt", {"threadId": thread, "turnId": turn_id})
    turn = client.wait("turn/completed")["turn"]
    assert turn["status"] == "interrupted", turn
    taken = time.perf_counter() - began
    client.drop(number)
    return taken


def _loss(side: Side, _scale: float) -> Found:
    """Kill it at once when the fifth item is told to be complete, and look what is left."""
    with side.serve() as server:
        thread = server.start_thread()
        server.start_turn(thread, "loss")
        told = _items_told(server.client)
        server.kill()
    with side.serve() as server:
        answer = server.client.request("thread/resume", {"threadId": thread})
    turn = answer["thread"]["turns"][-1]
    kept = [item["type"] for item in turn["items"]]
    for kind in kept:
        if kind in told:
            told.remove(kind)
    return {
        "SIGKILL in mid-turn: completed items missing": len(told),
        "SIGKILL in mid-turn: told as completed": turn["status"] == "completed",
    }


def _items_told(client: Client) -> list[str]:
    kinds: list[str] = []
    while True:
        for method, line in client.receive():
            if method == "item/completed":
                item: Any = orjson.loads(line)["params"]["item"]
                # What the user said is there before anything is told.
                if item["type"] != "userMessage":
                    kinds.append(item["type"])
                if len(kinds) == _LOSS_ITEMS:
                    return kinds


def _exec(side: Side, scale: float) -> Found:
    words = ("exec", "--skip-git-repo-check", "bench:text")
    side.run(*words)
    taken = [side.run(*words) for _ in range(max(2, int(5 * scale)))]
    return {"exec of one turn, whole process": statistics.median(taken) * 1e3}


MEASURES: Final = (
    Measure(
        "turn",
        (
            Row(name="one turn", unit="ms"),
            Row(name="one turn: CPU", unit="ms", aim=4),
            Row(name="one turn: bytes in the rollout", unit="kB"),
        ),
        _turn,
    ),
    Measure(
        "crowd",
        (
            Row(name="50 threads x 10 turns at once", unit="turns/s", more_is_better=True, aim=4),
            Row(name="50 threads x 10 turns at once: CPU a turn", unit="ms", aim=4),
            Row(name="50 threads x 10 turns at once: p95", unit="ms"),
            Row(name="turns that never end", unit="%", at_most=0, is_total=True),
        ),
        _crowd,
    ),
    Measure(
        "deltas",
        tuple(
            row
            for suffix, aim in (("", 2.5), (", without the mirror", None))
            for row in (
                Row(
                    name=f"5,000 deltas in a turn{suffix}",
                    unit="deltas/s",
                    more_is_better=True,
                    aim=aim,
                ),
                Row(name=f"5,000 deltas in a turn{suffix}: CPU a delta", unit="us"),
                Row(name=f"5,000 deltas in a turn{suffix}: not told", unit="", at_most=0),
            )
        ),
        _deltas,
    ),
    Measure(
        "shell",
        (
            Row(name="one command in a turn", unit="ms"),
            Row(name="one command in a turn: CPU", unit="ms"),
        ),
        _shell,
    ),
    Measure("interrupt", (Row(name="interrupt to turn/completed", unit="ms"),), _interrupt),
    Measure(
        "loss",
        (
            Row(
                name="SIGKILL in mid-turn: completed items missing",
                unit="of 5",
                at_most=0,
                is_total=True,
            ),
            Row(name="SIGKILL in mid-turn: told as completed", unit="", at_most=0, is_total=True),
        ),
        _loss,
    ),
    Measure("exec", (Row(name="exec of one turn, whole process", unit="ms"),), _exec),
)
