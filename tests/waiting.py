"""
Waiting for the ends of processes, and for what nobody tells.

Whoever can wait for an event (an answer, a line, the end of a pipe, a `trio.Event`) does
that.  What is left is looked at again and again: the state of another process, of the
system, or of an object that has no event for it.  That happens here and nowhere else, so
that it has an end, and leaves the machine to those who are waited for.
"""

import math
import os
import select
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import trio
from trio.testing import MockClock

__all__ = ["PATIENCE", "answer_until", "look_until", "until", "wait_ended"]

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds after which what did not come about never will, on a busy machine, too."""

_SHORTEST: Final = 0.0005
_LONGEST: Final = 0.02
"""Seconds between two looks: few at first, because most of it has come about at once."""


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; a mock clock stands still meanwhile, also one that jumps."""
    with _clock_that_stands_still():
        for pause in _pauses():
            if holds():
                return
            # A mock clock would not let us sleep, and a loop of checkpoints never rests.
            await trio.to_thread.run_sync(time.sleep, pause)


async def answer_until(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], object]) -> T:
    """Ask again and again until the answer is wanted; return that."""
    pauses = _pauses()
    while not wanted(answer := await ask()):  # noqa: ASYNC110 -- nobody tells
        await trio.sleep(next(pauses))
    return answer


def look_until(look: Callable[[], T], wanted: Callable[[T], object]) -> T:
    """Look again and again until what is there is wanted; return that."""
    pauses = _pauses()
    while not wanted(found := look()):
        time.sleep(next(pauses))
    return found


def wait_ended(*pids: int) -> None:
    """Wait for the ends of processes, which need not be children of ours."""
    end = time.monotonic() + PATIENCE
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended, _, _ = select.select([handle], [], [], max(0.0, end - time.monotonic()))
        finally:
            os.close(handle)
        assert ended, f"process {pid} did not end within {PATIENCE:g} s"


def _pauses() -> Iterator[float]:
    end, pause = time.monotonic() + PATIENCE, _SHORTEST
    while time.monotonic() < end:
        yield pause
        pause = min(2 * pause, _LONGEST)
    raise AssertionError(f"it did not come about within {PATIENCE:g} s")


@contextmanager
def _clock_that_stands_still() -> Iterator[None]:
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock):
        yield
        return
    before, clock.autojump_threshold = clock.autojump_threshold, math.inf
    try:
        yield
    finally:
        clock.autojump_threshold = before
