"""
How long an interrupt takes in the midst of each tool, and what the real tools cost to have.

The moments are those of `tests.hostile`, with real files, processes and MCP servers; only
the model is played.  Measured from submitting the op to reading the event that ends the
turn, in milliseconds.
"""

import statistics
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio

from actors import Supervisor
from actors.tools import Tool
from messages.events import TurnAborted
from messages.ops import Interrupt

from ..hostile.arena import open_arena
from ..hostile.moments import MOMENTS, Moment
from .bench_threads import open_runtime, say, scenario_of, start
from .line import Line, Measure, Spent, Stopwatch, compared

__all__ = ["lines"]

_MOST_FOR_TOOLS: Final = 2.0
"""How many times more a thread may cost because it has all tools."""


def lines(rounds: int, scale: float) -> Iterator[Line]:
    """Interrupt every tool, and start threads with and without tools."""
    for name, moment in MOMENTS.items():
        taken = [trio.run(_interrupted, moment) for _ in range(rounds)]
        yield Line(
            name=f"interrupt: {name}",
            unit="ms",
            ours=statistics.median(taken) * 1000,
            target=moment.within * 1000,
            measure=Measure.OURS,
        )
    count = max(20, int(500 * scale))
    for what, turns in (("start", 0), ("start and first turn", 1)):
        yield compared(
            f"thread: {what} with all tools, beside one without any",
            partial(_lives, count, turns, ()),
            partial(_lives, count, turns, None),
            rounds=rounds,
            operations=count,
            target=_MOST_FOR_TOOLS,
            measure=Measure.CPU_RATIO,
        )


async def _interrupted(moment: Moment) -> float:
    """Come to a moment, interrupt, and return the seconds until the turn has ended."""
    async with _folder() as folder:
        usual = "usual" not in moment.settings
        processes = moment.processes and usual
        async with open_arena(folder, processes=processes, **moment.settings) as arena:
            arena.quiet = None
            await moment.begin(arena)
            began = time.perf_counter()
            await arena.do(Interrupt())
            ended = await arena.wait_end()
            taken = time.perf_counter() - began
            await arena.wait_commands()
    assert isinstance(ended, TurnAborted)
    return taken


@asynccontextmanager
async def _folder() -> AsyncGenerator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


async def _lives(count: int, turns: int, tools: tuple[Tool, ...] | None) -> Spent:
    """Start threads one after the other, and let each make so many turns."""
    async with open_runtime(scenario_of(1), tools=tools) as supervisor:
        await _live(supervisor, 10, turns)
        with Stopwatch() as watch:
            await _live(supervisor, count, turns)
    return watch.spent


async def _live(supervisor: Supervisor, count: int, turns: int) -> None:
    for _ in range(count):
        thread = (await start(supervisor)).thread
        for _ in range(turns):
            await say(thread, "hello")
