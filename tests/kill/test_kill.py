"""A process is killed at any moment: what it acknowledged is there, and it goes on."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import attrs
import orjson
import pytest

from tests.waiting import wait_ended

from .ledger import Ledger
from .worker import MARK

ROOT = Path(__file__).parents[2]

LIVE = 4
"""Rollouts that workers go on with; the oldest is left alone when there are more."""

LARGEST = 60_000
"""Bytes from which on a rollout is left alone: a check reads it as a whole."""


@attrs.define(eq=False)
class Slaughter:
    """
    One home, and one worker after the other that is killed in it.

    Attributes:
        seed: Makes the same workers and the same moments again, as far as the
            machine lets it.
        live: Rollouts that the next worker may go on with.
    """

    home: Path
    seed: int
    server: subprocess.Popen[bytes]
    ledger: Ledger = attrs.field(factory=Ledger)
    live: list[str] = attrs.field(factory=list[str])
    chance: Random = attrs.field(init=False)
    round: int = 0
    seen: set[str] = attrs.field(factory=set[str])

    def __attrs_post_init__(self) -> None:
        self.chance = Random(self.seed)

    def kill_one(self, *, crash: bool = False) -> None:
        """
        Let a worker begin, kill it, and check everything it touched.

        Args:
            crash: Whether it kills itself at a file operation, instead of being
                killed at any time.
        """
        chance = self.chance
        spec = self._spec(tools=not crash and chance.random() < 0.1)
        if crash:
            how = chance.choice(("before", "within", "within", "after"))
            spec["crash"] = {"at": 1 + int(chance.random() ** 2 * 40), "how": how}
        # Early moments are tried more often: opening, resuming and forking are short.
        after = None if crash else 1 + int(chance.random() ** 2 * 60)
        outcome = self._run(spec, after, chance.uniform(0, 0.004))
        assert outcome["status"] == -9, "\n".join(map(str, outcome["reports"][-3:]))
        self._check(outcome, spec, whole=False)

    def finish(self) -> None:
        """Let a last worker go on with everything, end in order, and leave nothing open."""
        paths = [path for path, book in self.ledger.books.items() if book.text]
        for start in range(0, len(paths), 20):
            spec = self._spec(tools=False)
            spec.update(resume=paths[start : start + 20], fork=[], new=0, turns=1)
            outcome = self._run(spec, None, 0)
            assert outcome["status"] == 0, outcome
            self._check(outcome, spec, whole=True)

    def _spec(self, *, tools: bool) -> dict[str, Any]:
        self.round += 1
        chance = self.chance
        resume = [path for path in self.live if chance.random() < 0.6]
        return {
            "home": str(self.home),
            "seed": self.seed,
            "name": f"{self.home.name}-{self.seed}-{self.round}",
            "fsync": chance.random() < 0.3,
            "resume": resume,
            "fork": [path for path in self.live if chance.random() < 0.15],
            "new": chance.choice((0, 0, 1, 2)) if resume else 2,
            "tools": tools,
            "turns": None,
            "crash": None,
        }

    def _run(self, spec: dict[str, Any], after: int | None, delay: float) -> dict[str, Any]:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        job = {"spec": spec, "after": after, "delay": delay}
        self.server.stdin.write(orjson.dumps(job) + b"\n")
        self.server.stdin.flush()
        outcome: dict[str, Any] = orjson.loads(self.server.stdout.readline())
        assert not outcome["hung"], outcome["reports"][-20:]
        return outcome

    def _check(self, outcome: dict[str, Any], spec: dict[str, Any], *, whole: bool) -> None:
        reports = outcome["reports"]
        self.seen |= {report["what"] for report in reports}
        touched = self.ledger.take(reports, whole=whole)
        for path in sorted(touched):
            if self.ledger.books[path].text and path not in self.live:
                self.live.append(path)
        books = self.ledger.books
        self.live = [path for path in self.live if len(books[path].text) < LARGEST][-LIVE:]
        if spec["tools"]:
            assert_gone(spec["name"])


def assert_gone(name: str) -> None:
    """Check that no process of a worker is left a moment after its death (P8)."""
    while found := _marked(name):
        wait_ended(*(int(process.split()[0]) for process in found))


def _marked(name: str) -> list[str]:
    wanted = f"{MARK}={name}".encode()
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()!r}")
            except OSError:  # it has just ended, or is not ours
                continue
    return found


@pytest.fixture
def slaughter(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Slaughter]:
    """A home with a fork server; its seed is printed when the test fails."""
    seed = int(os.environ.get("TREADLE_KILL_SEED") or time.time_ns() % 1_000_000)
    print(f"TREADLE_KILL_SEED={seed} makes these kills again")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kill.fork_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        yield Slaughter(tmp_path, seed, server)
        assert server.stdin is not None
        server.stdin.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_worker_keeps_every_promise_when_it_is_killed_at_any_moment(slaughter: Slaughter) -> None:
    """Acknowledged records are there, turns end exactly once, threads resume (P2, P3)."""
    wanted = {"start", "resume", "fork", "ended", "removing"}
    for number in range(80):
        slaughter.kill_one()
        if number >= 30 and wanted <= slaughter.seen:
            break

    slaughter.finish()

    assert wanted <= slaughter.seen


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_worker_keeps_every_promise_when_it_dies_at_a_file_operation(slaughter: Slaughter) -> None:
    """Before, after and in the middle of any operation: a torn line costs only itself (P4)."""
    for _ in range(25):
        slaughter.kill_one(crash=True)

    slaughter.finish()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_worker_keeps_every_promise_over_thousands_of_deaths(slaughter: Slaughter) -> None:
    """2,000 times, of both kinds."""
    for number in range(2000):
        slaughter.kill_one(crash=number % 4 == 0)

    slaughter.finish()
