"""The journal: the one writer of rollouts in a process, and how it takes them over."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial
from pathlib import Path

import attrs
import trio

from actors.runtime import World
from messages.rollout import SessionMeta

from .commit import GroupCommit
from .copying import write_fork
from .errors import (
    JournalClosed,
    RolloutChanged,
    RolloutNotFound,
    RolloutNotWritten,
    RolloutUnreadable,
)
from .files import NO_FILE, Files
from .history import ForkedHistory
from .line_file import LineFile
from .policy import PersistMode
from .reader import LoadedRollout, load_rollout_async
from .recorder import OnTrouble, Recorder
from .writer import Patience, SharedWriter

__all__ = ["Durability", "Journal", "JournalStatistics", "aside_path", "open_journal"]

# Seconds on top of `Patience.close` for one disk operation at exit.
_HANGING_DISK = 5.0

_log = logging.getLogger("actors")

# Between our reading and our locking the last writer may write and leave; more
# than twice that happens only with a program that writes without a lock.
_RESUME_TRIES = 3


class Durability(Enum):
    """
    When a record counts as written.

    WRITE: the kernel has it; it survives the end of this process, however that
    comes.  FSYNC: the disk has it; it survives a power cut as well.
    """

    WRITE = "write"
    FSYNC = "fsync"


@attrs.frozen(kw_only=True)
class JournalStatistics:
    """
    One look at a journal.

    Attributes:
        recorders: How many are open.
        failing: How many of them cannot write at present.
        pending_bytes: How much waits to be acknowledged, over all of them.
    """

    recorders: int
    failing: int
    pending_bytes: int


@attrs.define(eq=False, repr=False)
class Journal:
    """
    Writes the rollouts of all threads of a process; made by `open_journal`.

    One task writes what the recorders buffered, a few milliseconds later and
    in one pass; a flush writes at once.  What cannot be written waits in
    memory, bounded per thread, and is tried again until it works.

    Attributes:
        durability: See `Durability`.
    """

    durability: Durability
    _files: Files
    _writer: SharedWriter
    # Bound: one for each thread that lives.
    _recorders: dict[Recorder, None] = attrs.field(factory=dict[Recorder, None], init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def recorder(
        self, path: Path, meta: SessionMeta, mode: PersistMode, *, on_trouble: OnTrouble
    ) -> Recorder:
        """
        Make the recorder of a new thread; touches no disk until `Recorder.persist`.

        Args:
            path: Where the rollout will be; see `new_rollout_path`.
            meta: Its first line; git information is added if it has none.
            mode: How much is kept.
            on_trouble: Told when writing begins to fail and when it works again.

        Raises:
            JournalClosed: The journal is not open.
        """
        return self._recorder(path, mode, on_trouble, meta=meta, next_seq=1)

    async def reopen(
        self, loaded: LoadedRollout, mode: PersistMode, *, on_trouble: OnTrouble
    ) -> Recorder:
        """
        Lock a rollout that was read, and go on where it ends.

        A torn last line is cut off and set aside first, in a file beside the
        rollout (see `aside_path`).  Nothing else is written.

        Raises:
            RolloutLocked: Another recorder, here or elsewhere, has it.
            RolloutChanged: It was written to since it was read.
            RolloutNotFound: It is gone.
            RolloutUnreadable: It cannot be opened for writing or repaired.
            JournalClosed: The journal is not open.

        Cancellation:
            Nothing was opened.
        """
        self._check_open()
        fd, end = await trio.to_thread.run_sync(_take_over, self._files, loaded)
        return self._recorder(
            loaded.path, mode, on_trouble, fd=fd, end=end, next_seq=loaded.next_seq
        )

    async def resume(
        self, path: Path, mode: PersistMode, *, on_trouble: OnTrouble
    ) -> tuple[Recorder, LoadedRollout]:
        """
        Read a rollout and reopen it, reading again if it changed in between.

        Raises:
            RolloutError: As `load_rollout` and `reopen`.

        Cancellation:
            Nothing was opened.
        """
        for _ in range(_RESUME_TRIES - 1):
            loaded = await load_rollout_async(path)
            try:
                return await self.reopen(loaded, mode, on_trouble=on_trouble), loaded
            except RolloutChanged:
                _log.debug("rollout %s changed while it was read", path.name)
        loaded = await load_rollout_async(path)
        return await self.reopen(loaded, mode, on_trouble=on_trouble), loaded

    async def fork(
        self,
        history: ForkedHistory,
        path: Path,
        meta: SessionMeta,
        mode: PersistMode,
        *,
        on_trouble: OnTrouble,
    ) -> Recorder:
        """
        Write a new rollout that begins with another thread's history.

        The first line is *meta*; the metas of the thread it came from are left
        out.  Lines are copied as they are where they come from a rollout and
        the new mode keeps them unchanged, and are otherwise written anew.

        Raises:
            RolloutNotWritten: It did not work; no file is left.
            RolloutError: The rollout it came from cannot be read any more.
            JournalClosed: The journal is not open.

        Cancellation:
            Takes effect before or after the copying, not during it; a file that
            was written stays.
        """
        self._check_open()
        write = partial(
            write_fork,
            history=history,
            path=path,
            meta=meta,
            mode=mode,
            stamp=self._writer.stamp(),
            durable=self.durability is Durability.FSYNC,
        )
        copy = await trio.to_thread.run_sync(write, self._files)
        return self._recorder(path, mode, on_trouble, fd=copy.fd, end=copy.end, next_seq=copy.lines)

    def statistics(self) -> JournalStatistics:
        """Count what is open, failing and pending."""
        return JournalStatistics(
            recorders=len(self._recorders),
            failing=sum(recorder.trouble is not None for recorder in self._recorders),
            pending_bytes=sum(recorder.pending_bytes for recorder in self._recorders),
        )

    async def close(self) -> tuple[RolloutNotWritten, ...]:
        """
        Close every recorder, all at once; say which could not write everything.

        Takes at most `Patience.close` seconds and one disk operation.  Closing
        again does nothing.

        Cancellation:
            Every file is closed; lines may be lost.
        """
        self._closed = True
        lost: list[RolloutNotWritten] = []
        async with trio.open_nursery() as nursery:
            for recorder in tuple(self._recorders):
                nursery.start_soon(_close, recorder, lost)
        return tuple(lost)

    def _check_open(self) -> None:
        if self._closed:
            raise JournalClosed

    def _recorder(
        self,
        path: Path,
        mode: PersistMode,
        on_trouble: OnTrouble,
        *,
        next_seq: int,
        meta: SessionMeta | None = None,
        fd: int = NO_FILE,
        end: int = 0,
    ) -> Recorder:
        file = LineFile(self._files, self.durability is Durability.FSYNC, fd, end)
        if self._closed:
            file.close()
            raise JournalClosed
        recorder = Recorder(
            path, mode, self._writer, on_trouble, file, next_seq, meta, self._forget
        )
        self._recorders[recorder] = None
        return recorder

    def _forget(self, recorder: Recorder) -> None:
        del self._recorders[recorder]

    def __repr__(self) -> str:
        now = self.statistics()
        state = "closed" if self._closed else "open"
        return (
            f"<Journal: {state}, {now.recorders} recorders, {now.failing} failing, "
            f"{now.pending_bytes} bytes pending>"
        )


@asynccontextmanager
async def open_journal(
    *,
    world: World,
    durability: Durability = Durability.WRITE,
    files: Files | None = None,
    write_interval: float = 0.005,
    patience: Patience | None = None,
) -> AsyncGenerator[Journal, None]:
    """
    Run a journal for as long as the block lasts.

    At its end every recorder is flushed and closed, also when the block is
    cancelled or fails; that takes at most `Patience.close` seconds.  What could
    not be written by then is logged as an error.

    Args:
        world: Clock and randomness.
        durability: When a record counts as written.
        files: The file system; the real one if None.
        write_interval: Seconds that a line nobody flushes may wait.
        patience: How long failed writes are tried again.
    """
    files = files or Files()
    patience = patience or Patience()
    commit = GroupCommit(files) if durability is Durability.FSYNC else None
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        writer = SharedWriter(files, patience, commit, world, write_interval, nursery)
        # Shielded, because closing needs them also when the block is cancelled;
        # bounded by the cancel below.
        service = trio.CancelScope(shield=True)
        nursery.start_soon(_serve, service, writer, commit, name="journal")
        journal = Journal(durability, files, writer)
        try:
            yield journal
        except Exception as exc:  # noqa: BLE001 -- raised below, by itself and not in a group
            problem = exc
        finally:
            # Closing counts its patience itself; this is for a disk that hangs.
            with trio.move_on_after(patience.close + _HANGING_DISK, shield=True):
                await _report_losses(journal)
            service.cancel()
            nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem


async def _serve(
    service: trio.CancelScope, writer: SharedWriter, commit: GroupCommit | None
) -> None:
    with service:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run, name="journal writer")
            if commit is not None:
                nursery.start_soon(commit.run, name="journal group commit")


async def _report_losses(journal: Journal) -> None:
    for problem in await journal.close():
        _log.error("records lost at exit: %s", problem)


async def _close(recorder: Recorder, lost: list[RolloutNotWritten]) -> None:
    try:
        await recorder.close()
    except RolloutNotWritten as exc:
        lost.append(exc)


def aside_path(path: Path) -> Path:
    """Where torn last lines of a rollout are set aside, one below the other."""
    return path.with_name(f"{path.name}.torn")


def _take_over(files: Files, loaded: LoadedRollout) -> tuple[int, int]:
    """Open, lock and repair a rollout; return the file and its size.  For an OS thread."""
    path = loaded.path
    try:
        fd = files.open(path)
        try:
            return fd, _repair(files, fd, loaded)
        except BaseException:
            files.close(fd)
            raise
    except FileNotFoundError:
        raise RolloutNotFound(path) from None
    except OSError as exc:
        raise RolloutUnreadable(path, exc.strerror or str(exc)) from exc


def _repair(files: Files, fd: int, loaded: LoadedRollout) -> int:
    size = files.size(fd)
    if size != loaded.size:
        raise RolloutChanged(loaded.path)
    torn = loaded.torn_tail_offset
    if torn is not None:
        # First the copy, then the cut: a crash in between leaves two copies.
        files.append_aside(aside_path(loaded.path), files.read_from(fd, torn) + b"\n")
        files.truncate(fd, torn)
        return torn
    if loaded.lacks_newline:
        if not files.write(fd, b"\n"):
            raise OSError("the line end could not be written")
        return size + 1
    return size
