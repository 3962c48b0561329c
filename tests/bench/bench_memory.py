"""
What an idle thread weighs, in a process of its own.

``python -m tests.bench.bench_memory <threads> <used|fresh|bare> <rss|traced>`` prints bytes
a thread.  RSS is what the process grew by; traced is what Python allocated, and has a
run to itself because tracing weighs as much again.
"""

import gc
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import trio
import trio.testing

from .bench_threads import open_runtime, say, scenario_of, start
from .line import Line, Measure

__all__ = ["lines", "weigh"]

_ROOT: Final = Path(__file__).parents[2]
_PAGE_BYTES: Final = 4096
_LIMIT: Final = 20_000
_WARM: Final = 50


def weigh(count: int, state: str, how: str) -> Line:
    """
    Weigh idle threads.

    Args:
        count: How many.
        state:
            ``fresh``, just started; ``used``, after a turn each, with a rollout; both with
            the real tools.  ``bare`` is fresh without any tools.
        how: ``rss`` or ``traced``.
    """
    command = [sys.executable, "-m", "tests.bench.bench_memory", str(count), state, how]
    done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE)
    return Line(
        name=f"thread: memory of an idle one, {state}, {count} of them, {how}",
        unit="bytes",
        ours=float(done.stdout),
        target=_LIMIT,
        measure=Measure.OURS,
    )


def lines(scale: float = 1.0) -> Iterator[Line]:
    """Weigh at two sizes; what Python allocates is told beside what the system gave."""
    for how in ("rss", "traced"):
        yield weigh(int(1000 * scale), "bare", how)
    for count in (int(1000 * scale), int(10_000 * scale)):
        for how in ("rss", "traced"):
            yield weigh(count, "fresh", how)
    # Each has an open file; ten thousand are more than a process may have by default.
    for how in ("rss", "traced"):
        yield weigh(int(500 * scale), "used", how)


async def _weigh(count: int, state: str, how: str) -> float:
    async with open_runtime(scenario_of(1), tools=() if state == "bare" else None) as supervisor:
        for _ in range(_WARM):
            await say((await start(supervisor)).thread, "hello")
        before = _bytes(how)
        for _ in range(count):
            new = await start(supervisor)
            if state == "used":
                await say(new.thread, "hello")
        await trio.testing.wait_all_tasks_blocked(cushion=0.01)  # the last writes
        return (_bytes(how) - before) / count


def _bytes(how: str) -> int:
    gc.collect()
    if how == "traced":
        return tracemalloc.get_traced_memory()[0]
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def main() -> None:
    """Weigh what the command line says."""
    count, state, how = sys.argv[1:]
    if how == "traced":
        tracemalloc.start()
    print(trio.run(_weigh, int(count), state, how))


if __name__ == "__main__":
    main()
