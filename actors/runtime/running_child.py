"""One child that runs: its start handshake, its cancel scope and its farewell."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn, Protocol

import attrs
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .child import ChildSpec, Crash, ExitReason, Normal, Shutdown, StopOutcome
from .errors import NotStarted

__all__ = ["ChildOwner", "RunningChild", "log_crash", "open_bare_nursery", "stop_children"]

_logger = logging.getLogger("actors")

_NORMAL = Normal()
_SHUTDOWN = Shutdown()


@attrs.define(eq=False)
class _Start:
    """
    The task that waits for a child to come up, and what it will get.

    Attributes:
        task: Who waits.
        up: Whether the child said ``started()``.
        value: What it gave along.
        raise_cancel: Set once the waiting task is cancelled.
    """

    task: Task
    up: bool = False
    value: object = None
    raise_cancel: Callable[[], NoReturn] | None = None


@attrs.define(eq=False)
class _Farewell:
    """Counts children that still have to end."""

    remaining: int
    _all_ended: trio.Event = attrs.field(factory=trio.Event, init=False)

    def one_ended(self) -> None:
        """Count one less."""
        self.remaining -= 1
        if self.remaining == 0:
            self._all_ended.set()

    async def wait(self, patience: float) -> None:
        """Wait until all have ended, for at most *patience* seconds."""
        with trio.move_on_after(patience):
            if self.remaining:
                await self._all_ended.wait()
            else:
                await trio.lowlevel.checkpoint()


class ChildOwner(Protocol):
    """What a running child tells its supervisor.  None of these may wait or raise."""

    @property
    def name(self) -> str:
        """Name of the supervisor, for error texts."""
        ...

    def restart_after(self, child: "RunningChild", reason: ExitReason) -> float | None:
        """
        Say whether *child*, which ended by itself, runs again in the same task.

        Returns:
            Seconds to wait first; None if it does not.
        """
        ...

    def on_child_restarted(self, child: "RunningChild") -> None:
        """Hear that *child* is up again."""
        ...

    def on_child_ended(self, child: "RunningChild", reason: ExitReason) -> None:
        """Hear that *child* ended for good."""
        ...


@attrs.define(eq=False, weakref_slot=False)
class RunningChild:
    """
    A child between its start and its end, through any number of restarts.

    Small on purpose, there may be a hundred thousand: one object, one cancel
    scope, no nursery.

    Attributes:
        spec: How it runs.
        up: Whether it has said ``started()`` and has not ended since.
        stopping: Whether it was told to stop.
        reason: How it ended for good; None until then.
        restarts: When it was restarted, oldest first, as far as that counts.
    """

    spec: ChildSpec
    _owner: ChildOwner
    up: bool = attrs.field(default=False, init=False)
    stopping: bool = attrs.field(default=False, init=False)
    reason: ExitReason | None = attrs.field(default=None, init=False)
    restarts: tuple[float, ...] = attrs.field(default=(), init=False)
    # Around everything its task does.
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    # The one that waits for the first start, while it does.
    _start: _Start | None = attrs.field(default=None, init=False)
    # Those that wait for the end.
    _farewells: tuple[_Farewell, ...] = attrs.field(default=(), init=False)

    # Starting -----------------------------------------------------------

    @enable_ki_protection
    async def start(self, nursery: trio.Nursery) -> Any:
        """
        Run in *nursery*; return what the child gave to ``started``.

        Raises:
            NotStarted: It ended first, without an error.
            Exception: Whatever the child raised before it was up.

        Cancellation:
            Cancels the child, waits for its end, and then raises
            `trio.Cancelled`: it does not run on.
        """
        start = self._start = _Start(current_task())
        nursery.start_soon(self.live, name=self.spec.id)

        def abort(raise_cancel: RaiseCancelT) -> Abort:
            start.raise_cancel = raise_cancel
            self._scope.cancel()
            return Abort.FAILED

        await wait_task_rescheduled(abort)
        if start.up:
            return start.value
        if start.raise_cancel is not None:
            start.raise_cancel()
        if isinstance(self.reason, Crash):
            raise self.reason.error
        raise NotStarted(self._owner.name, self.spec.id)

    @property
    def was_up(self) -> bool:
        """Whether its first start succeeded."""
        return self._start is None

    @enable_ki_protection
    def started(self, value: object = None) -> None:
        """
        Note that the child is up, and gives *value* to whoever started it.

        The child calls this: the object is its ``task_status``, because one of
        its own would weigh 64 bytes.
        """
        if self.up:
            raise RuntimeError(f"child {self.spec.id!r} called started() twice")
        self.up = True
        start = self._start
        if start is None:
            self._owner.on_child_restarted(self)
        elif start.raise_cancel is None:
            # Otherwise nobody wants it any more: its scope is cancelled, and
            # its end wakes the task that waits.
            start.up, start.value = True, value
            self._start = None
            reschedule(start.task)

    # Running ------------------------------------------------------------

    async def live(self) -> None:
        """Be the child's task: run it, and again as its owner says, to the end."""
        reason: ExitReason = _SHUTDOWN
        delay: float | None
        try:
            with self._scope:
                while True:
                    reason = _SHUTDOWN
                    try:
                        await self.spec.run(task_status=self)
                        reason = self._how_it_returned()
                    except Exception as error:  # noqa: BLE001 -- here crashes end
                        reason = Crash(error)
                    except BaseExceptionGroup as group:
                        # Not `except*`, which would wrap a lone crash in a group.
                        # The rest (cancellation, Ctrl-C) goes on to its scope.
                        crashes, rest = group.split(Exception)
                        if crashes is not None:
                            reason = Crash(crashes)
                        raise (rest or group) from None
                    self.up = False
                    delay = None if self.stopping else self._owner.restart_after(self, reason)
                    if delay is None:
                        break
                    reason = _SHUTDOWN
                    await trio.sleep(delay)
        finally:
            self._end(reason)

    def _how_it_returned(self) -> ExitReason:
        if self.stopping:
            return _SHUTDOWN
        if not self.up:
            return Crash(NotStarted(self._owner.name, self.spec.id))
        return _NORMAL

    @enable_ki_protection
    def _end(self, reason: ExitReason) -> None:
        self.up = False
        self.reason = reason
        self._owner.on_child_ended(self, reason)
        if self._start is not None:
            reschedule(self._start.task)
        for farewell in self._farewells:
            farewell.one_ended()

    # Stopping -----------------------------------------------------------

    def tell_to_stop(self, farewell: _Farewell) -> None:
        """Ask it to stop, unless it was asked before; count its end in *farewell*."""
        self._farewells += (farewell,)
        if self.stopping:
            return
        self.stopping = True
        if self.spec.stop is None or not self.up:
            self._scope.cancel()
            return
        try:
            self.spec.stop()
        except Exception:
            # Its mailbox may be closed or full.  It still gets its time.
            _logger.warning("child %r could not be told to stop", self.spec.id, exc_info=True)

    def cancel(self) -> None:
        """Stop waiting for it to stop by itself."""
        self._scope.cancel()


@asynccontextmanager
async def open_bare_nursery() -> AsyncGenerator[trio.Nursery, None]:
    """
    Open a nursery out of which a lone error comes as it is, not in a group.

    For blocks whose caller should not have to know that there is a nursery:
    as no child's crash gets out of its task, it is the block's own error, or
    a `KeyboardInterrupt`.
    """
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        error, *others = group.exceptions
        if others:
            raise
        # Raising here would put the group, which holds the error, behind it.
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context


def log_crash(supervisor: str, child_id: str, reason: ExitReason) -> None:
    """Log the crash of a child that was up; nothing else tells of it for sure."""
    if isinstance(reason, Crash):
        _logger.error("child %r of %r crashed", child_id, supervisor, exc_info=reason.error)


async def stop_children(
    children: Sequence[RunningChild], *, grace: float, cancel_grace: float
) -> dict[str, StopOutcome]:
    """
    Tell *children* to stop, all at once, and wait for their end.

    Args:
        children: None of them has ended.
        grace: Seconds they get together; then those that still run are cancelled.
        cancel_grace:
            Seconds they get after that.  A child that shields itself for
            longer is reported like any that timed out, and goes on until its
            shield ends.

    Returns:
        How each ended, by id, in the order of *children*.

    Cancellation:
        All have been told to stop; none has been cancelled.
    """
    farewell = _Farewell(len(children))
    for child in children:
        child.tell_to_stop(farewell)
    await farewell.wait(grace)
    late = {child.spec.id for child in children if child.reason is None}
    for child in children:
        if child.reason is None:
            child.cancel()
    if late:
        await farewell.wait(cancel_grace)
    return {child.spec.id: _outcome(child, late) for child in children}


def _outcome(child: RunningChild, late: set[str]) -> StopOutcome:
    if child.spec.id in late:
        return StopOutcome.TIMED_OUT
    if isinstance(child.reason, Crash):
        return StopOutcome.FAILED
    return StopOutcome.COMPLETED
