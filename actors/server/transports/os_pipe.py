"""Bytes of file descriptors that others use, too: read and written by OS threads."""

import os
import select
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import attrs
import trio

__all__ = ["OsPipe"]

T = TypeVar("T")

_READ_BYTES: Final = 64 * 1024

_WRITE_BYTES: Final = 4096
"""
What a pipe that is ready to be written takes without blocking: ``PIPE_BUF`` of Linux.

POSIX lets a pipe say that it is ready when it has room for as much.
"""

_HANGUP: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL


@attrs.define(eq=False)
class _Bell:
    """
    Wakes OS threads that wait for a file descriptor; rung once, for all of them.

    The descriptor is closed by whoever leaves last, so none waits for a stranger's.
    """

    _fd: int = attrs.field(factory=lambda: os.eventfd(0, os.EFD_CLOEXEC), init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _inside: int = attrs.field(default=0, init=False)
    _rung: bool = attrs.field(default=False, init=False)

    def enter(self) -> int | None:
        """Return what to wait for beside the real thing; None when it was rung already."""
        with self._lock:
            if self._rung:
                return None
            self._inside += 1
            return self._fd

    def leave(self) -> None:
        """Wait no more."""
        with self._lock:
            self._inside -= 1
            self._close_when_empty()

    def ring(self) -> None:
        """Wake all who wait; the second time does nothing."""
        with self._lock:
            if not self._rung:
                self._rung = True
                os.eventfd_write(self._fd, 1)
                self._close_when_empty()

    def _close_when_empty(self) -> None:
        if self._rung and not self._inside:
            os.close(self._fd)


@attrs.define(eq=False)
class OsPipe:
    """
    A `ByteStream` over two descriptors, which are left as they are.

    Not trio's own way: that makes them non-blocking, which is a property of the open
    file and not of the descriptor, and would break the shell or the program that has
    the same terminal or pipe.  So an OS thread waits until there is something to read
    or room to write; it also wakes up when we close, and never blocks in the reading or
    writing itself.  Costs about 0.1 ms each time.

    Cancelled, it is unusable; `close` then ends its OS threads.

    Args:
        in_fd: To read from.
        out_fd: To write to.  Neither is closed here.
    """

    _in_fd: int
    _out_fd: int
    _bell: _Bell = attrs.field(factory=_Bell, init=False)
    # Its own: one of them is taken for as long as the other side says nothing.
    _limiter: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(2), init=False
    )

    async def receive_some(self) -> bytes:
        """Wait for bytes; see `ByteStream`."""
        return await self._in_os_thread(_read, self._in_fd) or b""

    async def send_some(self, data: memoryview) -> int:
        """Send all of it, unless it is closed; see `ByteStream`."""
        written = await self._in_os_thread(_write, self._out_fd, bytes(data))
        if not written:
            raise trio.ClosedResourceError("closed while it was written to")
        return written

    async def linger(self) -> None:
        """Wait for nothing: what was written to a pipe stays in it."""
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Use the descriptors no more, and end what OS threads wait for them."""
        self._bell.ring()

    async def _in_os_thread(self, work: "Callable[..., T]", fd: int, *args: object) -> T | None:
        try:
            return await trio.to_thread.run_sync(
                self._work, work, fd, *args, abandon_on_cancel=True, limiter=self._limiter
            )
        except trio.Cancelled:
            self._bell.ring()  # or the OS thread would wait for ever
            raise
        except OSError as exc:
            raise trio.BrokenResourceError(f"file descriptor {fd}: {exc.strerror}") from exc

    # In the OS thread ----------------------------------------------------

    def _work(self, work: "Callable[..., T]", fd: int, *args: object) -> T | None:
        bell = self._bell.enter()
        if bell is None:
            return None
        try:
            return work(bell, fd, *args)
        finally:
            self._bell.leave()


def _read(bell: int, fd: int) -> bytes | None:
    while _wait(bell, fd, select.POLLIN):
        try:
            return os.read(fd, _READ_BYTES)
        except BlockingIOError:
            continue  # somebody else took it, or made it non-blocking
    return None


def _write(bell: int, fd: int, data: bytes) -> int:
    rest = memoryview(data)
    while rest and _wait(bell, fd, select.POLLOUT):
        try:
            rest = rest[os.write(fd, rest[:_WRITE_BYTES]) :]
        except BlockingIOError:
            continue
    return len(data) - len(rest)


def _wait(bell: int, fd: int, for_what: int) -> bool:
    """Wait until *fd* is ready; False when the bell rang, ready or not."""
    poll = select.poll()
    poll.register(bell, select.POLLIN)
    poll.register(fd, for_what)
    ready = dict(poll.poll())
    return bell not in ready and bool(ready.get(fd, 0) & (for_what | _HANGUP))
