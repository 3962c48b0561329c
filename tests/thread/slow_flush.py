"""A disk that takes its time to acknowledge."""

from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

from actors.rollout import Recorder

from .stage import Stage


@attrs.define(eq=False)
class SlowFlush:
    """Holds every flush of all recorders until `go_on`."""

    begun: trio.Event = attrs.field(factory=trio.Event)
    _gate: trio.Event = attrs.field(factory=trio.Event)

    def go_on(self) -> None:
        self._gate.set()

    async def hold(self) -> None:
        self.begun.set()
        await self._gate.wait()


@contextmanager
def slow_flush(_stage: Stage) -> Generator[SlowFlush]:
    slow = SlowFlush()
    original = Recorder.flush

    async def flush(self: Recorder) -> None:
        await slow.hold()
        await original(self)

    Recorder.flush = flush  # type: ignore[method-assign]
    try:
        yield slow
    finally:
        Recorder.flush = original  # type: ignore[method-assign]
