"""A supervisor of children that come and go, and what its callbacks were told."""

import random

import attrs
import trio

from actors.runtime import ChildSpec, DynamicSupervisor, ExitReason, IntensityExceeded, StopOutcome

COMPLETED, TIMED_OUT, FAILED = StopOutcome.COMPLETED, StopOutcome.TIMED_OUT, StopOutcome.FAILED


@attrs.define(eq=False)
class Told:
    """What the callbacks were told, in order."""

    log: list[tuple[object, ...]] = attrs.field(factory=list[tuple[object, ...]])
    gave_up: list[IntensityExceeded] = attrs.field(factory=list[IntensityExceeded])

    def on_exit(self, child_id: str, reason: ExitReason) -> None:
        self.log.append(("exit", child_id, reason))

    def on_restarting(self, child_id: str, reason: ExitReason, delay: float) -> None:
        self.log.append(("restarting", child_id, reason))
        assert 0.05 <= delay <= 1

    def on_restarted(self, child_id: str) -> None:
        self.log.append(("restarted", child_id))

    def on_gave_up(self, child_id: str, error: IntensityExceeded) -> None:
        self.log.append(("gave up", child_id))
        self.gave_up.append(error)


def supervise(told: Told | None = None, **fields: object) -> DynamicSupervisor:
    """Return a supervisor that tells *told*."""
    callbacks: dict[str, object] = {}
    if told is not None:
        callbacks = {
            "on_exit": told.on_exit,
            "on_restarting": told.on_restarting,
            "on_restarted": told.on_restarted,
            "on_gave_up": told.on_gave_up,
        }
    return DynamicSupervisor(
        "threads",
        jitter=random.Random(0),
        **callbacks,  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )


def slow_spec() -> ChildSpec:
    """Return a child that never comes up."""

    async def run(*, task_status: "trio.TaskStatus[None]") -> None:
        await trio.sleep_forever()

    return ChildSpec(id="slow", run=run)
