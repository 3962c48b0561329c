"""Supervisors: one for a fixed set of children, one for any number of them."""

import logging
import math
import random
from collections.abc import Sequence
from typing import assert_never

import attrs
import trio

from .child import ChildSpec, Crash, ExitReason, Restart, StopOutcome, Strategy
from .dynamic_supervision import DynamicSupervisor, DynamicSupervisorStatistics
from .errors import DuplicateChild, IntensityExceeded
from .restart import Decision, GiveUp, Ignore, Intensity, Remove, RestartChildren, decide, recent
from .running_child import RunningChild, log_crash, open_bare_nursery, stop_children

__all__ = [
    "DynamicSupervisor",
    "DynamicSupervisorStatistics",
    "Supervisor",
    "SupervisorStatistics",
]

_logger = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class SupervisorStatistics:
    """
    One look at a supervisor.

    Attributes:
        name: Its name.
        children: Ids of the children it knows, in start order.
        up: Ids of those that run, in start order.
        restarts: How many restarts counted against its intensity at its last restart.
    """

    name: str
    children: tuple[str, ...]
    up: tuple[str, ...]
    restarts: int


def _check_ids(
    supervisor: "Supervisor",
    _: "attrs.Attribute[Sequence[ChildSpec]]",
    children: Sequence[ChildSpec],
) -> None:
    seen = set[str]()
    for child in children:
        if child.id in seen:
            raise DuplicateChild(supervisor.name, child.id)
        seen.add(child.id)


@attrs.define(eq=False, repr=False)
class Supervisor:
    """
    Keeps a fixed set of children running.

    Children start in the order given, each when the one before is up, and stop
    in reverse order, each within its own time.  When one ends by itself, it
    and its group are restarted as *strategy* says, after a jittered delay.
    When that happened too often the supervisor gives up: it stops all
    children in reverse order and raises `IntensityExceeded`.

    Ends are handled one after the other: while a group restarts, other
    children that crash wait for their turn.

    To run one supervisor under another, make *run* and *stop* its child spec's,
    with an infinite *shutdown*.  It can run again after it has ended.

    Attributes:
        name: For error texts, logs and the repr.
        children: In start order.
        strategy: Who restarts together.
        intensity: How often there may be a restart, whoever caused it.
        jitter: Where the random part of restart delays comes from.
        cancel_grace: Seconds to wait for a child that was cancelled.

    Source:
        OTP ``supervisor``.  There a restart is at once; here it is delayed.
    """

    name: str
    children: Sequence[ChildSpec] = attrs.field(validator=_check_ids)
    strategy: Strategy = attrs.field(default=Strategy.ONE_FOR_ONE, kw_only=True)
    intensity: Intensity = attrs.field(factory=Intensity, kw_only=True)
    jitter: random.Random = attrs.field(kw_only=True)
    cancel_grace: float = attrs.field(default=5.0, kw_only=True, validator=attrs.validators.ge(0))

    # Known children by id, in start order: fewer than *children* once a
    # TEMPORARY one has ended.
    _specs: dict[str, ChildSpec] = attrs.field(factory=dict[str, ChildSpec], init=False)
    _running: dict[str, RunningChild] = attrs.field(factory=dict[str, RunningChild], init=False)
    # Children that ended by themselves and were not dealt with yet, oldest
    # first.  Bounded by the number of children: a later end of the same child
    # takes the place of the earlier.
    _ended: dict[str, ExitReason] = attrs.field(factory=dict[str, ExitReason], init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    _history: tuple[float, ...] = attrs.field(default=(), init=False)
    # Around all work but the stopping of children; None while it does not run.
    _work: trio.CancelScope | None = attrs.field(default=None, init=False)

    # Running ------------------------------------------------------------

    async def run(
        self, *, task_status: "trio.TaskStatus[Supervisor]" = trio.TASK_STATUS_IGNORED
    ) -> None:
        """
        Start all children, say ``started(self)``, and look after them until told to stop.

        Returns when `stop` was called and all children have ended.

        Raises:
            IntensityExceeded: From the crash that was one too many.
            NotStarted: A child returned before it was up.
            Exception:
                Whatever a child raised before it was up for the first time;
                it is not retried.  In all these cases the other children were
                stopped first, in reverse order.
            RuntimeError: It runs already.

        Cancellation:
            All children are cancelled at once.
        """
        if self._work is not None:
            raise RuntimeError(f"supervisor {self.name!r} runs already")
        failure: Exception | None = None
        self._specs = {child.id: child for child in self.children}
        self._history = ()
        self._work = trio.CancelScope()
        try:
            async with open_bare_nursery() as nursery:
                with self._work:
                    try:
                        await self._start_all(nursery)
                        task_status.started(self)
                        await self._look_after(nursery)
                    except Exception as error:  # noqa: BLE001 -- raised below, bare
                        failure = error
                await self._stop(self._stop_order(), cancel_grace=self.cancel_grace)
        finally:
            self._work = None
            self._ended.clear()
        if failure is not None:
            # Not from within the nursery, which would wrap it in a group.
            raise failure

    def stop(self) -> None:
        """
        Tell it to stop; does nothing if it does not run.

        It stops its children in reverse order, and then `run` returns.
        """
        if self._work is not None:
            self._work.cancel()

    async def _start_all(self, nursery: trio.Nursery) -> None:
        for spec in self.children:
            await self._start(spec, nursery)

    async def _start(self, spec: ChildSpec, nursery: trio.Nursery) -> None:
        child = self._running[spec.id] = RunningChild(spec, self)
        await child.start(nursery)

    def _stop_order(self) -> tuple[str, ...]:
        return tuple(child_id for child_id in reversed(self._specs) if child_id in self._running)

    async def _stop(self, ids: Sequence[str], *, cancel_grace: float) -> None:
        for child_id in ids:
            child = self._running.get(child_id)
            if child is None:
                continue  # it ended by itself
            outcomes = await stop_children(
                [child], grace=child.spec.shutdown, cancel_grace=cancel_grace
            )
            outcome = outcomes[child_id]
            if outcome is not StopOutcome.COMPLETED:
                _logger.warning("child %r of %r stopped: %s", child_id, self.name, outcome.value)

    async def _look_after(self, nursery: trio.Nursery) -> None:
        while True:
            while not self._ended:
                self._news = trio.Event()
                await self._news.wait()
            child_id = next(iter(self._ended))
            reason = self._ended.pop(child_id)
            # Its end came while its group was restarted: that dealt with it.
            if child_id in self._specs and child_id not in self._running:
                await self._deal_with(child_id, reason, nursery)

    # Deciding and acting --------------------------------------------------

    async def _deal_with(self, child_id: str, reason: ExitReason, nursery: trio.Nursery) -> None:
        ended: tuple[str, ExitReason] | None = (child_id, reason)
        # A crash while children start again is one more crash.
        while ended is not None:
            ended = await self._deal_once(*ended, nursery)

    async def _deal_once(
        self, child_id: str, reason: ExitReason, nursery: trio.Nursery
    ) -> tuple[str, ExitReason] | None:
        decision = self._decide(child_id, reason)
        if not isinstance(decision, GiveUp):
            log_crash(self.name, child_id, reason)
        match decision:
            case Ignore():
                return None
            case Remove():
                del self._specs[child_id]
                return None
            case GiveUp():
                error = reason.error if isinstance(reason, Crash) else None
                limits = self.intensity
                raise IntensityExceeded(
                    self.name, child_id, limits.restarts, limits.period
                ) from error
            case RestartChildren(stop=stop, start=start):
                return await self._restart(stop, start, nursery)
            case _:
                assert_never(decision)

    def _decide(self, child_id: str, reason: ExitReason) -> Decision:
        now = trio.current_time()
        period = self.intensity.period
        decision = decide(
            child_id,
            reason,
            children=tuple(self._specs.values()),
            strategy=self.strategy,
            history=self._history,
            now=now,
            intensity=self.intensity,
        )
        if isinstance(decision, RestartChildren):
            self._history = (*recent(self._history, now=now, period=period), now)
        return decision

    async def _restart(
        self, stop: Sequence[str], start: Sequence[str], nursery: trio.Nursery
    ) -> tuple[str, ExitReason] | None:
        # Waits as long as it takes: no child may run twice at a time.
        await self._stop(stop, cancel_grace=math.inf)
        for child_id in stop:
            if self._specs[child_id].restart is Restart.TEMPORARY:
                del self._specs[child_id]
        delay = self.intensity.delay(len(self._history), self.jitter)
        _logger.info("supervisor %r restarts %s in %.3f s", self.name, ", ".join(start), delay)
        await trio.sleep(delay)
        for child_id in start:
            try:
                await self._start(self._specs[child_id], nursery)
            except Exception as error:  # noqa: BLE001 -- a crash, and dealt with as such
                return child_id, Crash(error)
        return None

    # What children report: see `ChildOwner` -------------------------------

    def restart_after(self, child: RunningChild, reason: ExitReason) -> float | None:  # noqa: ARG002
        """Say no: its group may restart with it, so that takes a new task."""
        return None

    def on_child_restarted(self, child: RunningChild) -> None:
        """Never hear of it, for the same reason."""

    def on_child_ended(self, child: RunningChild, reason: ExitReason) -> None:
        """Note the end of a child, to deal with it in turn."""
        child_id = child.spec.id
        del self._running[child_id]
        if child.was_up and not child.stopping:
            self._ended[child_id] = reason
            self._news.set()

    # Looking ------------------------------------------------------------

    def statistics(self) -> SupervisorStatistics:
        """Return which children there are, and which of them run."""
        return SupervisorStatistics(
            name=self.name,
            children=tuple(self._specs),
            up=tuple(name for name in self._specs if self._is_up(name)),
            restarts=len(self._history),
        )

    def _is_up(self, child_id: str) -> bool:
        child = self._running.get(child_id)
        return child is not None and child.up

    def __repr__(self) -> str:
        now = self.statistics()
        state = "stopped" if self._work is None else "running"
        return (
            f"<Supervisor {now.name!r}: {self.strategy.value}, {len(now.up)} of "
            f"{len(now.children)} children up, {now.restarts} restarts, {state}>"
        )
