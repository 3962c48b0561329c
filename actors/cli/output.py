"""Writing to standard output and error without ever blocking the trio thread."""

import errno
import os
import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

__all__ = ["STDERR", "STDOUT", "Output", "OutputFailed", "open_output"]

STDOUT: Final = 1
STDERR: Final = 2

LIMIT_BYTES: Final = 8 << 20
"""
Output that may wait for a slow reader.

More than any turn writes, so that a reader who pauses loses nothing: until this is
full events are taken from the thread as they come, and only then they pile up in
its event channel, which drops the oldest.
"""

_LAST_WORDS: Final = 1.0
"""Seconds for what is left when the command did not come to its end."""


class OutputFailed(Exception):  # noqa: N818 -- a condition the command ends with
    """
    Standard output takes no more; what was not written is lost.

    Attributes:
        cause: What the system said; a closed pipe is the most common.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause)
        self.cause = cause

    @property
    def is_hangup(self) -> bool:
        """Whether the reader has gone, which is no news to the user."""
        return self.cause.errno in (errno.EPIPE, errno.EIO, errno.ECONNRESET)

    def __str__(self) -> str:
        return f"cannot write to standard output: {self.cause.strerror or self.cause}"


@attrs.define(eq=False)
class Output:
    """
    A queue in front of standard output and standard error.

    What is put in is written in order, over both, by an OS thread: a terminal
    that was stopped or a pipe nobody reads holds up this queue and nothing else.
    Errors of standard error are swallowed, because there is nobody left to tell.

    Attributes:
        failed: Set when standard output took no more.
        patience: Seconds that `open_output` waits for the last bytes.
    """

    failed: trio.Event = attrs.field(factory=trio.Event, init=False)
    patience: float = attrs.field(default=float("inf"), init=False)
    _pending: list[tuple[int, bytes]] = attrs.field(factory=list[tuple[int, bytes]], init=False)
    _pending_bytes: int = attrs.field(default=0, init=False)
    _failures: dict[int, OSError] = attrs.field(factory=dict[int, OSError], init=False)
    _something: trio.Event = attrs.field(factory=trio.Event, init=False)
    _written: trio.Event = attrs.field(factory=trio.Event, init=False)

    def put(self, fd: int, data: bytes) -> None:
        """Queue bytes; dropped when their stream has failed."""
        if data and fd not in self._failures:
            self._pending.append((fd, data))
            self._pending_bytes += len(data)
            self._something.set()

    async def room(self) -> None:
        """
        Wait until less than `LIMIT_BYTES` are queued.

        Raises:
            OutputFailed: Standard output takes no more.
        """
        await self._wait_below(LIMIT_BYTES)

    async def flush(self) -> None:
        """Wait until everything is written; raises as `room` does."""
        await self._wait_below(1)

    def check(self) -> None:
        """Raise if standard output has failed."""
        if STDOUT in self._failures:
            raise OutputFailed(self._failures[STDOUT])

    async def _wait_below(self, limit: int) -> None:
        self.check()
        while self._pending_bytes >= limit:
            self._written = trio.Event()
            await self._written.wait()
            self.check()

    async def write_all(self) -> None:
        """Write what comes until cancelled; what the system has in hand then may be lost."""
        while True:
            await self._something.wait()
            self._something = trio.Event()
            batch, self._pending = self._pending, []
            # Abandoned when cancelled, or a stopped terminal would keep us from ending.
            failures = await trio.to_thread.run_sync(
                _write_batch, batch, self._failures, abandon_on_cancel=True
            )
            self._pending_bytes -= sum(len(data) for _, data in batch)
            self._failures = failures
            if STDOUT in failures:
                self.failed.set()
            self._written.set()


@asynccontextmanager
async def open_output() -> AsyncGenerator[Output]:
    """
    Open the output for a block, and write at its end what is still queued.

    Raises:
        OutputFailed: Something for standard output was not written.

    Cancellation:
        The last bytes get one second; the same when the block raises.
    """
    output = Output()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.write_all)
        try:
            yield output
        except BaseException:
            output.patience = min(output.patience, _LAST_WORDS)
            raise
        finally:
            with trio.move_on_after(output.patience, shield=True):
                try:
                    await output.flush()
                finally:
                    nursery.cancel_scope.cancel()


def _write_batch(
    batch: list[tuple[int, bytes]], failures: dict[int, OSError]
) -> dict[int, OSError]:
    """Write in order, as few writes as possible; returns which streams have failed by now."""
    failures = dict(failures)
    for fd, data in _joined(batch):
        if fd not in failures:
            try:
                _write(fd, data)
            except OSError as exc:
                failures[fd] = exc
    return failures


def _joined(batch: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    joined: list[tuple[int, list[bytes]]] = []
    for fd, data in batch:
        if not joined or joined[-1][0] != fd:
            joined.append((fd, []))
        joined[-1][1].append(data)
    return [(fd, b"".join(parts)) for fd, parts in joined]


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            # Whoever shares the terminal or pipe with us has made it non-blocking.
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
