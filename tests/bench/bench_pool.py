"""
What a pool costs, and how soon it has a worker again.

``python -m tests.bench pool``: a worker out of the spare, and one that is forked for want
of it, beside a server from cold; the turns of ten threads when a worker of three is killed beside the same without;
and what goes through the front beside what goes to a server of its own.  The two servers
of a row run at the same time and are asked in turns by the same client; CPU time is that
of all their processes.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import orjson
import trio

from actors.server.serving import ServeRecipe
from actors.workers.process.fork_link import ForkServer
from tests.tools.processes import wait_gone
from tests.workers.process.spares import wait_spare

from .codex_client import Client
from .codex_sides import Server
from .line import Line, Measure, Spent

__all__ = ["lines"]

_PIECES: Final = 5000
_SCENARIO: Final = f"""
name = "pool"
[[reply]]
times = "always"
when = {{ user = "bench:deltas" }}
delta_chars = 7
[[reply.steps]]
say = "{"a word " * _PIECES}"
[[reply]]
times = "always"
[[reply.steps]]
say = "done"
"""
_SHORT: Final = """
name = "short"
[[reply]]
times = "always"
[[reply.steps]]
say = "done"
"""
"""To read the other one takes as long as all the rest that a worker does until it is ready."""

_ROOT: Final = Path(__file__).parents[2]
_THREADS: Final = 10
_WORKERS: Final = 3
_END_PATIENCE: Final = 20.0


@attrs.frozen
class _Place:
    """Folders of a server, and what its model plays."""

    folder: Path
    text: str = _SCENARIO

    @property
    def scenario(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "scenario.toml"
        path.write_text(self.text)
        return path

    @contextmanager
    def serve(self, *words: str) -> Generator[Server]:
        """Run a server with a client at its socket."""
        began = time.perf_counter()
        path = self.folder / "socket"
        command = (*words, "--listen", f"unix://{path}", "--scenario", str(self.scenario))
        with (
            _process(command, self.folder) as process,
            socket.socket(socket.AF_UNIX) as link,
        ):
            link.connect(str(path))
            with link.makefile("wb") as says:
                client = Client(says, link)
                client.initialize()
                yield Server(client, process, time.perf_counter() - began, self.folder)


@contextmanager
def _process(words: tuple[str, ...], folder: Path) -> "Generator[subprocess.Popen[bytes]]":
    with subprocess.Popen(
        [sys.executable, "-m", "actors.cli", *words, "-c", 'model="scripted"'],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "TREADLE_HOME": str(folder / "home")},
    ) as process:
        try:
            _wait_listening(process)
            yield process
            process.terminate()
            process.wait(_END_PATIENCE)
        finally:
            process.kill()


def _wait_listening(process: "subprocess.Popen[bytes]") -> None:
    assert process.stderr is not None
    said: list[bytes] = []
    while b"listening on" not in (line := process.stderr.readline()):
        said.append(line)
        if not line:
            raise AssertionError(f"it does not listen: {b''.join(said).decode()}")


def lines(rounds: int = 5, scale: float = 1.0) -> Iterator[Line]:
    """Measure everything."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        cold = [_from_cold(_Place(folder / "cold", _SHORT)) for _ in range(rounds - 1)]
        with _Place(folder / "alone").serve("app-server") as alone:
            yield from _beginning(
                folder / "ready", [*cold, alone.started_in], max(3, int(20 * scale))
            )
            with _Place(folder / "pool").serve("pool", "--workers", str(_WORKERS)) as pool:
                yield _failing_over(pool, rounds)
                yield _asking(alone, pool, rounds, max(50, int(1000 * scale)))
                yield _streaming(alone, pool, rounds)


# A worker is ready ----------------------------------------------------------------


def _from_cold(place: _Place) -> float:
    with place.serve("app-server") as server:
        return server.started_in


def _beginning(folder: Path, cold: list[float], count: int) -> Iterator[Line]:
    """Compare workers with servers that began from nothing, all to be asked."""
    plain = statistics.median(cold)
    taken = trio.run(_all_ready, _Place(folder, _SHORT), count)
    spared, forked = [one for one, _ in taken], [other for _, other in taken]
    for what, ours, target in (
        (f"median of {count}", statistics.median(spared), 15),
        ("best", min(spared), None),
        (f"no spare, median of {count}", statistics.median(forked), None),
    ):
        yield Line(
            name=f"a worker is ready, {what} : app-server from cold",
            unit="ms",
            plain=plain * 1e3,
            ours=ours * 1e3,
            ratio=ours / plain,
            target=target,
            measure=Measure.OURS,
        )


async def _all_ready(place: _Place, count: int) -> list[tuple[float, float]]:
    """
    Measure in turns a worker out of a spare and one that is forked.

    A pool finds a spare when a worker is replaced, and none for the second of two that died
    at the same time.
    """
    scenario, home = place.scenario, place.folder / "home"
    home.mkdir()
    recipe = ServeRecipe(home=str(home), cwd=str(place.folder), scenario=str(scenario))
    forks = ForkServer(recipe)
    try:
        async with forks.open_worker(0):
            pass  # the process that forks begins, too
        return [(await _spared(forks), await _forked(forks)) for _ in range(count)]
    finally:
        await forks.close()


async def _spared(forks: ForkServer) -> float:
    spare = await wait_spare(forks)
    taken, pid = await _ready(forks)
    assert pid == spare
    return taken


async def _forked(forks: ForkServer) -> float:
    spare = await wait_spare(forks)
    os.kill(spare, signal.SIGKILL)  # the next one comes after a request
    await wait_gone(spare)
    taken, _ = await _ready(forks)
    return taken


async def _ready(forks: ForkServer) -> tuple[float, int]:
    began = time.perf_counter()
    async with forks.open_worker(1) as worker:
        return time.perf_counter() - began, worker.pid


# A worker is killed ---------------------------------------------------------------


def _failing_over(server: Server, rounds: int) -> Line:
    """Kill the worker with the most threads, and let each thread run a turn."""
    threads = [server.start_thread() for _ in range(_THREADS)]
    _turn_in_each(server, threads)
    pairs = [_killed_once(server, threads) for _ in range(rounds)]
    _wait_all_up(server)
    return Line(
        name=f"SIGKILL to a turn in each of {_THREADS} threads, {_WORKERS} workers : without it",
        unit="ms",
        plain=statistics.median(plain for plain, _ in pairs) * 1e3,
        ours=statistics.median(killed for _, killed in pairs) * 1e3,
        ratio=statistics.median(killed / plain for plain, killed in pairs),
    )


def _killed_once(server: Server, threads: list[str]) -> tuple[float, float]:
    _wait_all_up(server)
    plain = _turn_in_each(server, threads)
    now = server.client.request("treadle/pool/read")
    [(number, _)] = Counter(thread["worker"] for thread in now["threads"]).most_common(1)
    [pid] = [worker["pid"] for worker in now["workers"] if worker["number"] == number]
    os.kill(pid, signal.SIGKILL)
    return plain, _turn_in_each(server, threads)


def _wait_all_up(server: Server) -> None:
    """Wait for the replacement of the one that was killed before."""
    while True:
        now = server.client.request("treadle/pool/read")
        states = [worker["state"] for worker in now["workers"]]
        if states == ["up"] * _WORKERS and all(thread["worker"] for thread in now["threads"]):
            return


def _turn_in_each(server: Server, threads: list[str]) -> float:
    """Run a turn in each, all at once; one that is refused or cut off begins again."""
    client, began = server.client, time.perf_counter()
    asked: dict[int, str] = {}
    left = set(threads)
    for thread in threads:
        asked[server.start_turn(thread)] = thread
    while left or asked:
        for method, line in client.receive():
            if method == "turn/completed":
                params = orjson.loads(line)["params"]
                thread = params["threadId"]
                if params["turn"]["status"] == "completed":
                    left.discard(thread)
                else:
                    asked[server.start_turn(thread)] = thread
        for number, thread in list(asked.items()):
            if (answer := client.take(number)) is not None:
                del asked[number]
                if "error" in orjson.loads(answer.line):
                    asked[server.start_turn(thread)] = thread
    return time.perf_counter() - began


# Through the front ----------------------------------------------------------------


def _asking(alone: Server, pool: Server, rounds: int, count: int) -> Line:
    def ask(server: Server) -> Callable[[], None]:
        thread = server.start_thread()
        server.run_turn(thread)

        def look() -> None:
            for _ in range(count):
                server.client.request("thread/read", {"threadId": thread})

        return look

    name = "a request (thread/read) through the front : straight to a server"
    return _side_by_side(name, (alone, pool), ask, rounds=rounds, operations=count)


def _streaming(alone: Server, pool: Server, rounds: int) -> Line:
    def stream(server: Server) -> Callable[[], None]:
        thread = server.start_thread()
        server.run_turn(thread)

        def run() -> None:
            server.run_turn(thread, "deltas")

        return run

    name = f"a delta of {_PIECES:,} in a turn through the front : straight to a server"
    return _side_by_side(name, (alone, pool), stream, rounds=rounds, operations=_PIECES)


def _side_by_side(
    name: str,
    servers: tuple[Server, Server],
    prepare: Callable[[Server], Callable[[], None]],
    *,
    rounds: int,
    operations: int,
) -> Line:
    """Let both do the same in turns; microseconds an operation."""
    alone, pool = servers
    straight, through = prepare(alone), prepare(pool)
    pairs = [(_spent(alone, straight), _spent(pool, through)) for _ in range(rounds)]
    each = 1e6 / operations
    return Line(
        name=name,
        unit="us",
        plain=statistics.median(a.wall for a, _ in pairs) * each,
        ours=statistics.median(b.wall for _, b in pairs) * each,
        ratio=statistics.median(b.wall / a.wall for a, b in pairs),
        # Of all rounds together: the system counts it in hundredths of a second.
        cpu_ratio=sum(b.cpu for _, b in pairs) / max(0.01, sum(a.cpu for a, _ in pairs)),
        cpu=statistics.median(b.cpu for _, b in pairs) * each,
    )


def _spent(server: Server, work: Callable[[], None]) -> Spent:
    cpu, wall = server.cpu(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - wall, server.cpu() - cpu)
