"""What signals do to a running turn."""

import signal
from contextlib import suppress
from typing import Final

import attrs
import trio

from actors.runtime import MailboxFull
from actors.thread import Thread, ThreadClosed
from messages.ops import Interrupt, Shutdown

__all__ = ["SIGNALS", "Stopper"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_GRACE: Final = 1.2
"""Seconds in which a thread that was told to end by a signal does so by itself."""

_BASE: Final = 128
"""Exit code of what a signal ended, without the signal's own number; the shells' rule."""


@attrs.define(eq=False)
class Stopper:
    """
    Ends a run when a signal says so.

    The first Ctrl-C interrupts the turn, and the run goes on to its end with what
    there is to say about that; the second cancels everything.  SIGTERM and SIGHUP
    end the thread in order, with a deadline.  Before a turn runs there is nothing
    to interrupt, and every signal cancels.

    Attributes:
        scope: Cancelled to end at once; the run is inside.
        exit_code: That of the first signal; None while none came.
    """

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    exit_code: int | None = None
    _thread: Thread | None = attrs.field(default=None, init=False)
    _turn_runs: bool = attrs.field(default=False, init=False)
    _interrupting: bool = attrs.field(default=False, init=False)

    def watch(self, thread: Thread) -> None:
        """Say which thread runs from now on."""
        self._thread = thread

    def turn_started(self) -> None:
        """Say that there is a turn that can be interrupted."""
        self._turn_runs = True
        if self._interrupting:
            # The interrupt came between the submission and this; it found no turn.
            self._submit(Interrupt())

    async def listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Act on signals until cancelled."""
        # What our starter wants us to ignore, as nohup does with SIGHUP, we ignore.
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*heard) as signals:
            task_status.started()
            async for number in signals:
                self.on_signal(number)

    def on_signal(self, number: int) -> None:
        """Act on one signal."""
        first = self.exit_code is None
        if first:
            self.exit_code = _BASE + number
        if self._thread is None or not first:
            self.scope.cancel()
        elif number == signal.SIGINT:
            self._interrupting = True
            if self._turn_runs:
                self._submit(Interrupt())
        else:
            self.end()

    def end(self) -> None:
        """End the thread in order, or cancel when it takes too long."""
        if self._thread is None:
            self.scope.cancel()
            return
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + _GRACE)
        self._submit(Shutdown())

    def _submit(self, op: Interrupt | Shutdown) -> None:
        # Ended already, or told so often that it must have heard.
        with suppress(ThreadClosed, MailboxFull):
            if self._thread is not None:
                self._thread.submit_nowait(op)
