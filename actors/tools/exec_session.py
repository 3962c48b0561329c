"""One process that the model talks to, from its start to its end."""

import contextlib
import logging
from collections.abc import Mapping
from typing import Final

import attrs
import trio

from .capture import OUTPUT_LIMIT_BYTES, OutputBuffer
from .errors import SpawnError
from .exec_report import SessionReport
from .exec_text import Characters
from .keeper_link import DRAIN, STOP
from .live_process import LiveProcess, open_live_process

__all__ = ["END", "ExecSession"]

_logger = logging.getLogger(__name__)

END: Final = STOP + DRAIN
"""Seconds from `ExecSession.stop` to the end, at most, unless a process cannot be killed."""

_ABORTED: Final = "command aborted by user"

_CRASHED: Final = "execution error: internal error while the process ran"

_TYPED_AT_ONCE_BYTES: Final = 512

_NO_EXIT_CODE: Final = -1


@attrs.define(eq=False, kw_only=True)
class ExecSession:
    """
    One process, its output that nobody read yet, and how it ended.

    `run` is a task of the thread and owns the process; everybody else only looks, types
    and says stop.  Output is read as it comes, whether anybody wants it or not, so that
    the process never waits for us; of what is not asked for, the first and the last half
    MiB stay.

    Attributes:
        id: What the model calls it by.
        argv: What is started, which may be a sandbox around the command.
        env: All its variables.
        tty: Whether it has a terminal, and so an input.
        report: Tells clients; knows the command and the call.
        started: When it was to start, in seconds since the Unix epoch.
    """

    id: int
    argv: tuple[str, ...]
    env: Mapping[str, str] = attrs.field(repr=False)
    tty: bool
    report: SessionReport = attrs.field(repr=False)
    started: float

    _process: LiveProcess | None = attrs.field(default=None, init=False)
    _unread: OutputBuffer = attrs.field(init=False, repr=False)
    _characters: Characters = attrs.field(factory=Characters, init=False, repr=False)
    _began: float = attrs.field(default=0.0, init=False)
    _finished: float = attrs.field(default=0.0, init=False)
    _exit_code: int | None = attrs.field(default=None, init=False)
    _why: str = attrs.field(default=_ABORTED, init=False)
    _failure: SpawnError | None = attrs.field(default=None, init=False)
    # The call that started it went on without it.
    _alone: bool = attrs.field(default=False, init=False)
    _entered: bool = attrs.field(default=False, init=False)
    _up: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)
    _ended: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)
    # Two, because the start and the wait are cancelled but not what lies around them.
    _starting: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False, repr=False)
    _running: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._unread = OutputBuffer(OUTPUT_LIMIT_BYTES)

    @property
    def ended(self) -> bool:
        """Whether it is over, with everything it started."""
        return self._ended.is_set()

    @property
    def exit_code(self) -> int | None:
        """None while it runs, -1 when it was stopped, otherwise as shells have it."""
        if not self.ended:
            return None
        return _NO_EXIT_CODE if self._exit_code is None else self._exit_code

    async def run(self) -> None:
        """
        Start the process and stay with it to its end; raises nothing.

        Cancellation:
            The process and all it started are ended; its end is told all the same.
        """
        self._entered = True
        self._began = self._finished = trio.current_time()
        try:
            await self._live()
        except* Exception:  # a bug here must not end the thread
            _logger.exception("exec session %d crashed", self.id)
            self._exit_code, self._why = None, _CRASHED
        finally:
            self._finish()

    async def wait_up(self) -> None:
        """
        Wait until the process runs.

        Raises:
            SpawnError: It could not be started.
        """
        await self._up.wait()
        if self._failure is not None:
            raise self._failure

    async def wait_ended(self) -> None:
        """Wait until it is over."""
        await self._ended.wait()

    async def end(self) -> None:
        """Stop it, and wait until it is over; for its call, which must leave nothing behind."""
        self.stop()
        if self._entered:  # otherwise it does not start any more
            await self._ended.wait()

    def stop(self, why: str = _ABORTED) -> None:
        """
        End it soon: SIGTERM, 0.25 s, SIGKILL.  One that ended is left as it is.

        Args:
            why: For clients; the first reason counts.
        """
        if not self._running.cancel_called:
            self._why = why
        self._starting.cancel()
        self._running.cancel()

    def go_on_alone(self) -> None:
        """Let it run on without its call: from now on its end is told from here."""
        self._alone = True
        self.report.leave_running()

    def tell_end(self) -> None:
        """Tell clients how it ended; for the call that it did not outlive."""
        duration = self._finished - self._began
        if self._exit_code is None:
            self.report.break_off(self._why, duration)
        else:
            self.report.end(self._exit_code, duration)

    def peek(self) -> bytes:
        """Look at the output that was not read yet."""
        return self._unread.render()

    def read(self) -> OutputBuffer:
        """Take the output that came since the last time."""
        unread, self._unread = self._unread, OutputBuffer(OUTPUT_LIMIT_BYTES)
        return unread

    async def type(self, data: bytes) -> None:
        """
        Type into its terminal; returns when all of it was taken.

        Raises:
            trio.BrokenResourceError: It is about to end, and takes nothing any more.
            trio.ClosedResourceError: It has ended, or has no terminal.

        Cancellation:
            The beginning of *data* may have been taken.
        """
        process = self._process
        if process is None:
            raise trio.ClosedResourceError
        for start in range(0, len(data), _TYPED_AT_ONCE_BYTES):
            await process.write(data[start : start + _TYPED_AT_ONCE_BYTES])

    async def _live(self) -> None:
        opening = open_live_process(self.argv, cwd=self.report.cwd, env=self.env, tty=self.tty)
        async with contextlib.AsyncExitStack() as stack:
            with self._starting:
                try:
                    self._process = await stack.enter_async_context(opening)
                except SpawnError as error:
                    self._failure = error
            if self._process is not None:
                self._began = trio.current_time()
                self._up.set()
                await self._follow(self._process)

    async def _follow(self, process: LiveProcess) -> None:
        """Read until the end, and for the 0.2 s that something it left behind may still write."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, process)
            with self._running:
                self._exit_code = await process.wait()
            if self._exit_code is None:
                # The pump goes on meanwhile: what it says on SIGTERM is output, too.
                with trio.move_on_after(STOP, shield=True):
                    await process.stop()
            self._finished = trio.current_time()
            nursery.cancel_scope.deadline = self._finished + DRAIN
        for piece in process.receive_rest():
            self._take(piece)

    async def _pump(self, process: LiveProcess) -> None:
        while piece := await process.receive():
            self._take(piece)

    def _take(self, data: bytes) -> None:
        for piece in self._characters.feed(data):
            self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        self._unread.append(piece)
        self.report.tell_output(piece)

    def _finish(self) -> None:
        self._process = None
        if self._exit_code is None:
            self._finished = trio.current_time()
        if rest := self._characters.finish():
            self._keep(rest)
        self._up.set()
        self._ended.set()
        if self._alone:
            self.tell_end()
