"""
Prints what Treadle costs: one table, ratios to plain trio beside it in the same run.

``python -m tests.bench`` takes some minutes; ``--quick`` takes some seconds and is good
for finding gross misses only; words choose groups, for example ``python -m tests.bench
turn resume``.  Reference and ours take turns within one process; a ratio is the median
of the ratios of the rounds, so that a busy machine disturbs both sides alike.

``python -m tests.bench codex`` measures the servers of Codex and of Treadle; see `codex`.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from . import (
    bench_codec,
    bench_interrupt,
    bench_kernel,
    bench_memory,
    bench_pool,
    bench_resume,
    bench_rollout,
    bench_skills,
    bench_threads,
    codex,
)
from .line import Line, line_from, table

__all__ = ["GROUPS", "main"]

Group = Callable[[int, float], Iterable[Line]]


def _kernel(rounds: int, _scale: float) -> Iterator[Line]:
    return map(line_from, bench_kernel.rows(rounds))


def _codec(rounds: int, scale: float) -> Iterator[Line]:
    rows = bench_codec.rows(
        rounds=rounds, megabytes=max(1, int(50 * scale)), times=max(1000, int(20_000 * scale))
    )
    return map(line_from, rows)


def _rollout(rounds: int, scale: float) -> Iterator[Line]:
    return map(line_from, bench_rollout.rows(rounds, max(1, int(50 * scale))))


def _memory(_rounds: int, scale: float) -> Iterator[Line]:
    return bench_memory.lines(scale)


def _resume(rounds: int, scale: float) -> Iterator[Line]:
    return bench_resume.lines(rounds, 50 * scale)


GROUPS: Final[dict[str, Group]] = {
    "kernel": _kernel,
    "codec": _codec,
    "rollout": _rollout,
    "submit": bench_threads.submitting,
    "turn": bench_threads.turning,
    "broadcast": bench_threads.broadcasting,
    "threads": bench_threads.living,
    "memory": _memory,
    "resume": _resume,
    "interrupt": bench_interrupt.lines,
    "skills": bench_skills.lines,
    "pool": bench_pool.lines,
}
"""What can be measured, by name: functions of rounds and of a scale, 1 for the real thing."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("groups", nargs="*", metavar="group", help=", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="2 rounds of a tenth of the work")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    unknown = {*options.groups} - {*GROUPS}
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    rounds, scale = (2, 0.1) if options.quick else (options.rounds, 1.0)
    lines: list[Line] = []
    for name in options.groups or GROUPS:
        for line in GROUPS[name](rounds, scale):
            lines.append(line)
            print(line, flush=True)
    print(f"\n{table(lines)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["codex"]:
        codex.main(sys.argv[2:])
    else:
        main()
