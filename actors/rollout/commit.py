"""Group commit: one round of fdatasync serves everybody who came before it."""

import errno
from collections.abc import Sequence
from typing import Never

import attrs
import trio

from .files import Files
from .line_file import LineFile

__all__ = ["GroupCommit"]

# Disks take several fdatasync at once and get no faster beyond this many.
_OS_THREADS = 4
# A hop to an OS thread costs as much as half an fdatasync; share it.
_FILES_PER_THREAD = 8


@attrs.define(eq=False)
class _Round:
    """Everybody who waits for the same round; errors by file."""

    files: dict[LineFile, None] = attrs.field(factory=dict[LineFile, None])
    errors: dict[LineFile, OSError] = attrs.field(factory=dict[LineFile, OSError])
    done: trio.Event = attrs.field(factory=trio.Event)


@attrs.define(eq=False)
class GroupCommit:
    """
    Runs fdatasync for many files in rounds, in OS threads.

    Whoever asks while a round is running joins the next one, so that a round
    holds each file at most once, however many wait for it.
    """

    _files: Files
    _next: _Round = attrs.field(factory=_Round, init=False)
    _wanted: trio.Event = attrs.field(factory=trio.Event, init=False)
    _running: _Round | None = attrs.field(default=None, init=False)
    _to_close: list[LineFile] = attrs.field(factory=list[LineFile], init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _limiter: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_OS_THREADS), init=False
    )

    async def commit(self, file: LineFile) -> None:
        """
        Return once everything that was written to *file* before is on the disk.

        Raises:
            OSError: It may not be; the lines wait in *file* to be written again.

        Cancellation:
            The lines may get to the disk all the same.
        """
        target = file.end
        if file.synced_end >= target:
            return
        if self._closed:
            raise OSError(errno.ESHUTDOWN, "the journal is closed")
        round_ = self._next
        round_.files[file] = None
        self._wanted.set()
        await round_.done.wait()
        # An earlier round may have failed after this one was joined: then the
        # lines went back to memory, and this round synced a file without them.
        if file.synced_end < target:
            lost = OSError(errno.EIO, "an earlier sync of the file failed")
            raise round_.errors.get(file, lost)

    def close(self, file: LineFile) -> None:
        """Close *file*, after the running round if that is syncing it."""
        if self._running is not None and file in self._running.files:
            self._to_close.append(file)
        else:
            self._next.files.pop(file, None)
            file.close()

    async def run(self) -> Never:
        """Sync, round by round, until cancelled; then nobody waits any more."""
        try:
            while True:
                await self._wanted.wait()
                await self._run_round()
        finally:
            self._closed = True
            self._next.done.set()

    async def _run_round(self) -> None:
        round_ = self._running = self._next
        self._next, self._wanted = _Round(), trio.Event()
        parts = _parts([file for file in round_.files if file.is_open])
        try:
            if len(parts) == 1:
                await self._sync(parts[0], round_)
            else:
                async with trio.open_nursery() as nursery:
                    for part in parts:
                        nursery.start_soon(self._sync, part, round_)
        finally:
            self._running = None
            round_.done.set()
            for file in self._to_close:
                file.close()
            self._to_close.clear()

    async def _sync(self, files: Sequence[LineFile], round_: _Round) -> None:
        ends = [file.end for file in files]
        fds = [file.fd for file in files]
        errors = await trio.to_thread.run_sync(_sync_all, self._files, fds, limiter=self._limiter)
        for file, end, error in zip(files, ends, errors, strict=True):
            if error is None:
                file.synced(end)
            else:
                file.sync_failed()
                round_.errors[file] = error


def _parts(files: Sequence[LineFile]) -> list[Sequence[LineFile]]:
    count = min(_OS_THREADS, -(-len(files) // _FILES_PER_THREAD))
    return [files[start::count] for start in range(count)]


def _sync_all(files: Files, fds: Sequence[int]) -> list[OSError | None]:
    """Sync each file, also after one failed; for an OS thread."""
    errors: list[OSError | None] = []
    for fd in fds:
        try:
            files.sync(fd)
        except OSError as exc:
            errors.append(exc)
        else:
            errors.append(None)
    return errors
