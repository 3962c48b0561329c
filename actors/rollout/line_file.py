"""Appends whole lines to one file, whatever the disk does."""

import contextlib
import errno
from collections import deque

import attrs
from trio.lowlevel import enable_ki_protection

from .files import NO_FILE, Files

__all__ = ["LineFile"]


@attrs.define(eq=False)
class LineFile:
    """
    The end of one rollout: lines on their way to the disk, and how far they got.

    Lines are written in the order in which they were added, each exactly once.
    After a failed or short write the file is cut back to its last whole line,
    now or before the next write, so that a line is never glued to half a line.

    With *durable*, lines are kept in memory until `synced`: after a failed
    fdatasync the kernel may have dropped what it could not write and call the
    next fdatasync a success, so that all lines since the last good one are
    written again.

    Knows nothing of trio; only one OS thread may use it at a time.
    """

    _files: Files
    _durable: bool = attrs.field(alias="durable")
    # NO_FILE before there is one and after it was closed.
    fd: int = NO_FILE
    # Invariant: the file holds exactly this many good bytes, all whole lines,
    # and while _ragged perhaps some more that must go.
    end: int = 0
    # How far fdatasync reached; follows *end* when not durable.
    synced_end: int = 0
    _ragged: bool = attrs.field(default=False, init=False)
    _waiting: list[bytes] = attrs.field(factory=list[bytes], init=False)
    # How much was added and not handed to the kernel.
    waiting_bytes: int = attrs.field(default=0, init=False)
    # Written but not synced, oldest first, with the offset where each piece ends.
    _unsynced: deque[tuple[int, bytes]] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.synced_end = self.end

    @property
    def is_open(self) -> bool:
        """Whether there is a file to write to."""
        return self.fd != NO_FILE

    @property
    def pending_bytes(self) -> int:
        """How much was added and may be lost: not written or, with *durable*, not synced."""
        return self.waiting_bytes + self.end - self.synced_end

    def add(self, data: bytes) -> None:
        """Queue whole lines behind those that wait."""
        self._waiting.append(data)
        self.waiting_bytes += len(data)

    def add_first(self, data: bytes) -> None:
        """Queue whole lines before all others; only before anything was written."""
        self._waiting.insert(0, data)
        self.waiting_bytes += len(data)

    @enable_ki_protection
    def write(self) -> None:
        """
        Hand everything that waits to the kernel.

        Raises:
            OSError: Some or all lines could not be written and still wait.
        """
        if self._ragged:
            self._files.truncate(self.fd, self.end)
            self._ragged = False
        if not self._waiting:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        done = 0
        try:
            done = self._files.write(self.fd, data)
            while done < len(data):
                done += _some(self._files.write(self.fd, memoryview(data)[done:]))
        except OSError:
            self._cut(data, done)
            raise
        self._accept(data, b"")

    def _cut(self, data: bytes, done: int) -> None:
        """Go back to the last whole line of *data*, of which *done* bytes went out."""
        cut = data.rfind(b"\n", 0, done) + 1
        self._accept(data[:cut], data[cut:])
        self._ragged = True
        with contextlib.suppress(OSError):  # otherwise before the next write
            self._files.truncate(self.fd, self.end)
            self._ragged = False

    def _accept(self, written: bytes, rest: bytes) -> None:
        self.end += len(written)
        self._waiting = [rest] if rest else []
        self.waiting_bytes = len(rest)
        if not self._durable:
            self.synced_end = self.end
        elif written:
            if self._unsynced is None:
                self._unsynced = deque()
            self._unsynced.append((self.end, written))

    def synced(self, end: int) -> None:
        """Note that an fdatasync that began when the file was *end* long succeeded."""
        self.synced_end = max(self.synced_end, end)
        while self._unsynced and self._unsynced[0][0] <= self.synced_end:
            self._unsynced.popleft()

    def sync_failed(self) -> None:
        """Note that an fdatasync failed: all lines since the last good one wait again."""
        again = [data for _end, data in self._unsynced or ()]
        self._waiting = again + self._waiting
        self.waiting_bytes += self.end - self.synced_end
        self._unsynced = None
        self.end = self.synced_end
        self._ragged = True

    def close(self) -> None:
        """Close and unlock the file; what waits is lost.  Closing again does nothing."""
        fd, self.fd = self.fd, NO_FILE
        if fd != NO_FILE:
            # The kernel has closed it even if it reports an old write error.
            with contextlib.suppress(OSError):
                self._files.close(fd)


def _some(taken_bytes: int) -> int:
    """Return how much a write took; taking nothing again and again would never end."""
    if not taken_bytes:
        raise OSError(errno.EIO, "the system took no bytes and gave no reason")
    return taken_bytes
