"""
Load on a pool whose workers are killed and stopped at random, and what must hold after it.

Clients write down what they were told; `Chaos.problems` compares that with what the
threads say and what is in the files when the storm is over.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import orjson
import trio

from actors.client.rpc_client import ConnectionLost, RpcCallError, RpcClient

__all__ = ["SCENARIO", "Chaos", "Storm", "faults_of_rollout"]

SCENARIO: Final = r"""
name = "chaos"
pace = 0.002
delta_chars = 6

[[reply]]
when = { last = "output" }
times = "always"
[[reply.steps]]
say = "The command printed {output}, and that was turn {user}."

[[reply]]
when = { user_matches = 'tool' }
times = "always"
[[reply.steps]]
call = "shell"
arguments = { command = ["bash", "-c", "sleep 0.1; echo made"] }

[[reply]]
times = "always"
[[reply.steps]]
think = "Some thoughts about {user}."
[[reply.steps]]
say = "This is the answer to {user}, with enough words to come in several pieces."
"""

_TURN_PATIENCE: Final = 45.0
"""Seconds within which a turn that was begun has its end, whatever happens to its worker."""

_RETRY: Final = 0.05


@attrs.frozen(kw_only=True)
class Storm:
    """
    How wild it is.

    Attributes:
        seconds: How long.
        pause: Least and most seconds between two blows.
        stopped: How many of the blows only stop the worker (SIGSTOP).
        seed: Of the choices.
    """

    seconds: float
    pause: tuple[float, float] = (0.5, 1.5)
    stopped: float = 0.3
    seed: int = 7


@attrs.define(eq=False)
class _Told:
    """What clients were told of one thread."""

    thread_id: str
    started: Counter[str] = attrs.field(factory=Counter[str])
    ended: Counter[str] = attrs.field(factory=Counter[str])
    status: dict[str, str] = attrs.field(factory=dict[str, str])
    # By turn: the items that were told of as completed, by id, with their text.
    items: defaultdict[str, dict[str, str]] = attrs.field(
        factory=lambda: defaultdict[str, dict[str, str]](dict)
    )
    sent: dict[str, str] = attrs.field(factory=dict[str, str])
    changed: trio.Event = attrs.field(factory=trio.Event)

    def note(self, method: str, params: dict[str, Any]) -> None:
        """Take in one notification."""
        match method:
            case "turn/started":
                self.started[params["turn"]["id"]] += 1
            case "turn/completed":
                turn = params["turn"]
                self.ended[turn["id"]] += 1
                self.status[turn["id"]] = turn["status"]
            case "item/completed":
                item = params["item"]
                self.items[params["turnId"]][item["id"]] = _text(item)
            case _:
                return
        self.changed.set()
        self.changed = trio.Event()


def _text(item: dict[str, Any]) -> str:
    if item["type"] == "userMessage":
        return "".join(part.get("text", "") for part in item["content"])
    return str(item.get("text") or item.get("aggregatedOutput") or "")


@attrs.define(eq=False)
class Chaos:
    """
    One run: threads under load, and blows.

    Attributes:
        clients: Connections to the pool, which share the threads evenly.
        threads: How many.
        turns: How many were accepted.
        refused: How often a turn was refused, because its worker had just died.
        blows: How often a worker was killed or stopped.
    """

    clients: tuple[RpcClient, ...]
    threads: int
    turns: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)
    blows: Counter[str] = attrs.field(factory=Counter[str], init=False)
    _told: dict[str, _Told] = attrs.field(factory=dict[str, _Told], init=False)
    _problems: list[str] = attrs.field(factory=list[str], init=False)
    _over: bool = attrs.field(default=False, init=False)

    async def run(self, storm: Storm, cwd: Path) -> None:
        """Start the threads, let it storm over them, and wait until each has answered once more."""
        async with trio.open_nursery() as listening:
            for client in self.clients:
                listening.start_soon(self._listen, client)
            async with trio.open_nursery() as nursery:
                for number in range(self.threads):
                    client = self.clients[number % len(self.clients)]
                    nursery.start_soon(self._drive, client, number, cwd)
                nursery.start_soon(self._blow, storm)
            listening.cancel_scope.cancel()

    # Clients -----------------------------------------------------------------

    async def _listen(self, client: RpcClient) -> None:
        async for said in client.notifications():
            thread_id = said.params.get("threadId") if isinstance(said.params, dict) else None
            if thread_id in self._told:
                self._told[thread_id].note(said.method, said.params)

    async def _drive(self, client: RpcClient, number: int, cwd: Path) -> None:
        started = await client.request(
            "thread/start",
            {"cwd": str(cwd), "approvalPolicy": "never", "sandbox": "danger-full-access"},
        )
        told = _Told(started["thread"]["id"])
        self._told[told.thread_id] = told
        count = 0
        while not self._over:
            count += 1
            word = "tool" if count % 4 == 0 else "words"
            await self._turn(client, told, f"{word} {number}.{count}")
        last = await self._turn(client, told, f"words {number}.last", until="completed")
        if last is None:
            self._problems.append(f"{told.thread_id} does not answer afterwards")

    async def _turn(
        self, client: RpcClient, told: _Told, text: str, until: str | None = None
    ) -> str | None:
        """Run one turn to its end, and again until it ends as wanted; give its id."""
        with trio.move_on_after(_TURN_PATIENCE):
            while True:
                turn_id = await self._begin(client, told, text)
                while not told.ended[turn_id]:
                    await told.changed.wait()
                if until in (None, told.status[turn_id]):
                    return turn_id
        if until is None:
            self._problems.append(f"{told.thread_id}: {text!r} has no end")
        return None

    async def _begin(self, client: RpcClient, told: _Told, text: str) -> str:
        params = {"threadId": told.thread_id, "input": [{"type": "text", "text": text}]}
        while True:
            try:
                answer = await client.request("turn/start", params)
            except RpcCallError:
                self.refused += 1
                await trio.sleep(_RETRY)
                continue
            turn_id = str(answer["turn"]["id"])
            self.turns += 1
            told.sent[turn_id] = text
            return turn_id

    # Blows ---------------------------------------------------------------------

    async def _blow(self, storm: Storm) -> None:
        chance = random.Random(storm.seed)
        end = trio.current_time() + storm.seconds
        while trio.current_time() < end:
            await trio.sleep(chance.uniform(*storm.pause))
            workers = (await self.clients[0].request("treadle/pool/read", {}))["workers"]
            up = [worker["pid"] for worker in workers if worker["state"] == "up"]
            if up:
                blow = signal.SIGSTOP if chance.random() < storm.stopped else signal.SIGKILL
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(up), blow)
                    self.blows[blow.name] += 1
        self._over = True

    # Afterwards ------------------------------------------------------------------

    async def problems(self, home: Path) -> list[str]:
        """Say all that should not be so; empty when everything held."""
        for told in self._told.values():
            self._problems += _ends(told)
            try:
                read = await self.clients[0].request(
                    "thread/read", {"threadId": told.thread_id, "includeTurns": True}
                )
            except (RpcCallError, ConnectionLost) as problem:
                self._problems.append(f"{told.thread_id} cannot be read: {problem}")
                continue
            self._problems += _losses(told, read["thread"])
        rollouts = sorted(home.glob("sessions/**/*.jsonl"))  # noqa: ASYNC240 -- a test
        if len(rollouts) != self.threads:
            self._problems.append(f"{len(rollouts)} rollouts of {self.threads} threads")
        for path in rollouts:
            self._problems += faults_of_rollout(path)
        return self._problems


def _ends(told: _Told) -> Iterator[str]:
    for turn_id in told.sent:
        if told.ended[turn_id] != 1:
            yield f"{told.thread_id}: turn {turn_id} has {told.ended[turn_id]} ends"
    for turn_id, count in told.started.items():
        if count != 1 or told.ended[turn_id] != 1:
            yield f"{told.thread_id}: turn {turn_id} began {count}, ended {told.ended[turn_id]} times"


def _losses(told: _Told, thread: dict[str, Any]) -> Iterator[str]:
    turns = {turn["id"]: turn for turn in thread["turns"]}
    for turn_id, items in told.items.items():
        turn = turns.get(turn_id)
        if turn is None:
            yield f"{told.thread_id}: turn {turn_id} is lost with {len(items)} items"
            continue
        if turn["status"] != told.status.get(turn_id):
            yield (
                f"{told.thread_id}: turn {turn_id} was told {told.status.get(turn_id)}, "
                f"is {turn['status']}"
            )
        kept = Counter(_text(item) for item in turn["items"])
        missing = Counter(items.values()) - kept
        if missing:
            yield f"{told.thread_id}: turn {turn_id} lost {sorted(missing)}"


def faults_of_rollout(path: Path) -> Iterator[str]:
    """
    Find what two writers, or none, would have left in a rollout.

    Each line is whole, their numbers count up by one, and each turn that began ended once.
    """
    begun: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    expected = 0
    for number, line in enumerate(path.read_bytes().splitlines()):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield f"{path.name}: line {number} is torn"
            continue
        if record.get("seq") != expected:
            yield f"{path.name}: line {number} has seq {record.get('seq')}, not {expected}"
        expected = record.get("seq", expected) + 1
        payload = record["payload"]
        if record["type"] == "event_msg":
            match payload["type"]:
                case "task_started" | "turn_started":
                    begun[payload["turn_id"]] += 1
                case "task_complete" | "turn_complete" | "turn_aborted":
                    ended[payload.get("turn_id") or ""] += 1
                case _:
                    pass
    if begun != ended or any(count != 1 for count in begun.values()):
        odd = {turn for turn in {*begun, *ended} if (begun[turn], ended[turn]) != (1, 1)}
        yield f"{path.name}: turns without exactly one begin and end: {sorted(odd)}"
