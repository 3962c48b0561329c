"""A supervisor for many children of one kind that come and go."""

import logging
import random
import types
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self, TypeVarTuple, assert_never

import attrs
import trio
from trio.lowlevel import checkpoint_if_cancelled, enable_ki_protection

from .child import ChildSpec, Crash, ExitReason, StopOutcome, Strategy
from .errors import DuplicateChild, IntensityExceeded, SupervisorStopped, UnknownChild
from .restart import GiveUp, Ignore, Intensity, Remove, RestartChildren, decide, recent
from .running_child import RunningChild, log_crash, open_bare_nursery, stop_children

__all__ = ["DynamicSupervisor", "DynamicSupervisorStatistics"]

Args = TypeVarTuple("Args")

_logger = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class DynamicSupervisorStatistics:
    """
    One look at a dynamic supervisor.

    Attributes:
        name: Its name.
        children: How many it has, in whatever state.
        up: How many of them run.
        stopping: How many were told to stop and have not ended.
        open: Whether it takes new children.
    """

    name: str
    children: int
    up: int
    stopping: int
    open: bool


@attrs.define(eq=False, repr=False)
class DynamicSupervisor:
    """
    Starts, restarts and stops any number of unrelated children.

    Each child has an intensity of its own.  A child that crashes is started
    again after a jittered delay; when it has used up its intensity, the
    supervisor gives up on this child only.  Siblings never notice, and no
    crash leaves the supervisor: only what is not an `Exception`
    (`KeyboardInterrupt`, `SystemExit`) does.

    Use it as an asynchronous context manager, once.  Leaving the block stops
    all children: politely, within *shutdown* seconds, if the block ends by
    itself, and by cancelling them if it raises.  When the host is cancelled,
    so are the children.

    Callbacks run in the child's task and must not wait.  What they raise is
    logged and changes nothing.

    The number of children is bounded by the caller only.

    Attributes:
        name: For error texts, logs and the repr.
        jitter: Where the random part of restart delays comes from.
        intensity: How often each child may be restarted.
        shutdown: Seconds that children get when the block is left.
        cancel_grace: Seconds to wait for a child that was cancelled.
        on_exit:
            Told exactly once for each child whose start succeeded, when it has
            ended for good, and how.  The id is free by then.
        on_restarting:
            Told when a child has ended and will be started again: its id, how
            it ended, and after how many seconds.
        on_restarted: Told when it is up again.
        on_gave_up:
            Told just before *on_exit* when a child has used up its intensity.
            The cause of the error is the crash that was one too many.

    Source:
        OTP ``DynamicSupervisor`` of Elixir.  There the intensity is shared by
        all children, and exceeding it stops all of them.
    """

    name: str
    jitter: random.Random = attrs.field(kw_only=True)
    intensity: Intensity = attrs.field(factory=Intensity, kw_only=True)
    shutdown: float = attrs.field(default=5.0, kw_only=True, validator=attrs.validators.ge(0))
    cancel_grace: float = attrs.field(default=5.0, kw_only=True, validator=attrs.validators.ge(0))
    on_exit: Callable[[str, ExitReason], object] | None = attrs.field(default=None, kw_only=True)
    on_restarting: Callable[[str, ExitReason, float], object] | None = attrs.field(
        default=None, kw_only=True
    )
    on_restarted: Callable[[str], object] | None = attrs.field(default=None, kw_only=True)
    on_gave_up: Callable[[str, IntensityExceeded], object] | None = attrs.field(
        default=None, kw_only=True
    )

    # In start order.  Invariant: a child is in here from its start to its end.
    _children: dict[str, RunningChild] = attrs.field(factory=dict[str, RunningChild], init=False)
    # Where the children's tasks run; None before and after the block.
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _block: AbstractAsyncContextManager[None] | None = attrs.field(default=None, init=False)

    # The block ----------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError(f"supervisor {self.name!r} was entered before; make a new one")
        self._block = self._run()
        await self._block.__aenter__()
        return self

    # Not async: what waits is the block, which is a nursery.
    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> Awaitable[bool | None]:
        if self._block is None:
            raise RuntimeError(f"supervisor {self.name!r} was never entered; use `async with`")
        return self._block.__aexit__(exc_type, exc, traceback)

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[None, None]:
        async with open_bare_nursery() as nursery:
            self._nursery = nursery
            try:
                yield
            finally:
                self._nursery = None  # from here on `start_child` refuses
            await self.stop_all(grace=self.shutdown)

    # Children -----------------------------------------------------------

    @enable_ki_protection
    async def start_child(self, spec: ChildSpec) -> Any:
        """
        Start a child; return what it gave to ``task_status.started()``.

        A crash before that is a failed start: it is raised here and not
        retried.  From then on the supervisor looks after the child.

        Raises:
            DuplicateChild: There is a child of that id.
            SupervisorStopped: The block was left, or not entered yet.
            NotStarted: The child returned, or was told to stop, before it was up.
            Exception: Whatever the child raised before it was up.

        Cancellation:
            The child is cancelled too, and has ended when `trio.Cancelled` is
            raised.
        """
        await checkpoint_if_cancelled()
        if self._nursery is None:
            raise SupervisorStopped(self.name)
        if spec.id in self._children:
            raise DuplicateChild(self.name, spec.id)
        child = self._children[spec.id] = RunningChild(spec, self)
        return await child.start(self._nursery)

    async def stop_child(self, child_id: str, *, grace: float | None = None) -> StopOutcome:
        """
        Tell a child to stop, and wait for its end.

        A child that is starting, or waits to be restarted, is cancelled.

        Args:
            child_id: Whom.
            grace:
                Seconds it gets before it is cancelled; by default as its spec
                says.

        Returns:
            How it ended.

        Raises:
            UnknownChild: There is no such child.

        Cancellation:
            The child was told to stop, and is not waited for.
        """
        child = self._children.get(child_id)
        if child is None:
            raise UnknownChild(self.name, child_id)
        grace = child.spec.shutdown if grace is None else grace
        outcomes = await stop_children([child], grace=grace, cancel_grace=self.cancel_grace)
        return outcomes[child_id]

    async def stop_all(self, *, grace: float) -> dict[str, StopOutcome]:
        """
        Tell all children to stop, at once, and wait for their end.

        Children that are started meanwhile are not concerned.

        Args:
            grace: Seconds they get together; then those that still run are cancelled.

        Returns:
            How each ended, by id, in start order.

        Cancellation:
            All were told to stop, and are not waited for.
        """
        return await stop_children(
            tuple(self._children.values()), grace=grace, cancel_grace=self.cancel_grace
        )

    def child_ids(self) -> tuple[str, ...]:
        """Return the ids of all children, in start order; also of those that are starting."""
        return tuple(self._children)

    def __contains__(self, child_id: object) -> bool:
        return child_id in self._children

    def __len__(self) -> int:
        return len(self._children)

    # What children report: see `ChildOwner` -------------------------------

    def restart_after(self, child: RunningChild, reason: ExitReason) -> float | None:
        """Decide over a child that ended by itself."""
        if not child.was_up:
            return None
        now = trio.current_time()
        decision = decide(
            child.spec.id,
            reason,
            children=(child.spec,),
            strategy=Strategy.ONE_FOR_ONE,
            history=child.restarts,
            now=now,
            intensity=self.intensity,
        )
        match decision:
            case Ignore() | Remove():
                return None
            case GiveUp():
                self._give_up(child, reason)
                return None
            case RestartChildren():
                child.restarts = (
                    *recent(child.restarts, now=now, period=self.intensity.period),
                    now,
                )
                delay = self.intensity.delay(len(child.restarts), self.jitter)
                log_crash(self.name, child.spec.id, reason)
                _logger.info("child %r of %r restarts in %.3f s", child.spec.id, self.name, delay)
                self._tell(self.on_restarting, child.spec.id, reason, delay)
                return delay
            case _:
                assert_never(decision)

    def on_child_restarted(self, child: RunningChild) -> None:
        """Hear that a child is up again."""
        self._tell(self.on_restarted, child.spec.id)

    def on_child_ended(self, child: RunningChild, reason: ExitReason) -> None:
        """Hear that a child has ended for good."""
        del self._children[child.spec.id]
        if child.was_up:
            log_crash(self.name, child.spec.id, reason)
            self._tell(self.on_exit, child.spec.id, reason)

    def _give_up(self, child: RunningChild, reason: ExitReason) -> None:
        limits = self.intensity
        error = IntensityExceeded(self.name, child.spec.id, limits.restarts, limits.period)
        if isinstance(reason, Crash):
            error.__cause__ = reason.error
        self._tell(self.on_gave_up, child.spec.id, error)

    def _tell(self, callback: Callable[[*Args], object] | None, *args: *Args) -> None:
        if callback is None:
            return
        try:
            callback(*args)
        except Exception:
            # It runs in a child's task, which is not to blame.
            _logger.exception("callback %r of supervisor %r failed", callback, self.name)

    # Looking ------------------------------------------------------------

    def statistics(self) -> DynamicSupervisorStatistics:
        """Return how many children there are, and in what state."""
        children = self._children.values()
        return DynamicSupervisorStatistics(
            name=self.name,
            children=len(children),
            up=sum(child.up for child in children),
            stopping=sum(child.stopping for child in children),
            open=self._nursery is not None,
        )

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<DynamicSupervisor {now.name!r}: {now.children} children, {now.up} up, "
            f"{now.stopping} stopping, {'open' if now.open else 'closed'}>"
        )
