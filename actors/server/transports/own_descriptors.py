"""Pipes and sockets that others use, too: read and written without OS threads."""

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import attrs
import trio

__all__ = ["OwnDescriptors", "open_own_descriptors"]

_READ_BYTES: Final = 64 * 1024


@attrs.frozen
class _Source:
    """Where bytes come from: a descriptor, and what reads it without blocking or closes it."""

    fd: int
    read: Callable[[int], bytes]
    close: Callable[[], None]


@attrs.frozen
class _Sink:
    """Where bytes go to: a descriptor, and what writes it without blocking or closes it."""

    fd: int
    write: Callable[[memoryview], int]
    close: Callable[[], None]


@attrs.define(eq=False)
class OwnDescriptors:
    """
    A `ByteStream` over a pipe or socket, whose open file others may have, too.

    Being non-blocking is a property of the open file, and theirs must not change.  So a
    pipe is opened once more, and calls on a socket say by themselves that they do not wait.

    Made by `open_own_descriptors`.
    """

    _source: _Source
    _sink: _Sink
    _closed: bool = attrs.field(default=False, init=False)

    async def receive_some(self) -> bytes:
        """Wait for bytes; see `ByteStream`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            while True:
                self._check_open()
                with suppress(BlockingIOError):
                    return self._source.read(_READ_BYTES)
                await trio.lowlevel.wait_readable(self._source.fd)
        except ConnectionResetError:
            return b""
        except OSError as exc:
            raise trio.BrokenResourceError(f"standard input: {exc.strerror}") from exc

    async def send_some(self, data: memoryview) -> int:
        """Send some of it, one byte at least; see `ByteStream`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            while True:
                self._check_open()
                with suppress(BlockingIOError):
                    return self._sink.write(data)
                await trio.lowlevel.wait_writable(self._sink.fd)
        except OSError as exc:
            raise trio.BrokenResourceError(f"standard output: {exc.strerror}") from exc

    async def linger(self) -> None:
        """Wait for nothing: what was written stays in the pipe."""
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Use the descriptors no more; who waits for them gets `trio.ClosedResourceError`."""
        if self._closed:
            return
        self._closed = True
        for end in (self._source, self._sink):
            trio.lowlevel.notify_closing(end.fd)
            end.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("standard input and output are closed")


def open_own_descriptors(in_fd: int, out_fd: int) -> OwnDescriptors | None:
    """
    Make one; both descriptors stay as they are.

    Returns:
        None when one of them is neither a pipe nor a socket: files and terminals.
    """
    source = _open_source(in_fd)
    sink = None if source is None else _open_sink(out_fd)
    if source is None or sink is None:
        if source is not None:
            source.close()
        return None
    return OwnDescriptors(source, sink)


def _open_source(fd: int) -> _Source | None:
    own = _reopened(fd, os.O_RDONLY)
    if own is not None:
        return _Source(own, partial(os.read, own), partial(os.close, own))
    link = _duplicated(fd)
    if link is None:
        return None

    def read(size: int) -> bytes:
        return link.recv(size, socket.MSG_DONTWAIT)

    return _Source(link.fileno(), read, link.close)


def _open_sink(fd: int) -> _Sink | None:
    own = _reopened(fd, os.O_WRONLY)
    if own is not None:
        return _Sink(own, partial(os.write, own), partial(os.close, own))
    link = _duplicated(fd)
    if link is None:
        return None

    def write(data: memoryview) -> int:
        return link.send(data, socket.MSG_DONTWAIT)

    return _Sink(link.fileno(), write, link.close)


def _reopened(fd: int, mode: int) -> int | None:
    """Open a pipe once more: another open file, which may be non-blocking for us alone."""
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return None
    try:
        return os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # nobody at the other end, or no /proc
        return None


def _duplicated(fd: int) -> socket.socket | None:
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None
    return socket.socket(fileno=os.dup(fd))
