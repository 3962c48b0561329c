"""Counts how often a task lets others run."""

from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio


@attrs.define(eq=False, slots=False)
class StepCounter(trio.abc.Instrument):
    """
    Counts the steps of one task.

    Attributes:
        task: Whose.
        steps: How often it got the word since counting began.
    """

    task: trio.lowlevel.Task
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.steps += 1


@contextmanager
def counted_pauses() -> Generator[StepCounter, None, None]:
    """Count how often the current task lets others run in this block."""
    counter = StepCounter(trio.lowlevel.current_task())
    trio.lowlevel.add_instrument(counter)
    try:
        yield counter
    finally:
        trio.lowlevel.remove_instrument(counter)
