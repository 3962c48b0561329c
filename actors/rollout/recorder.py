"""One thread's way into its rollout."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import attrs
import trio
from trio.lowlevel import checkpoint_if_cancelled, enable_ki_protection

from messages.codec import encode_line
from messages.rollout import RolloutItem, SessionMeta

from .errors import RolloutClosed, RolloutFull, RolloutNotWritten
from .files import Files
from .git import read_git_info
from .line_file import LineFile
from .policy import PersistMode, persisted
from .writer import SharedWriter

__all__ = ["BUFFER_LIMIT_BYTES", "OnTrouble", "Recorder", "WriteTrouble"]

_log = logging.getLogger("actors")

BUFFER_LIMIT_BYTES = 16 << 20
"""What may wait in memory for one rollout: a long turn with images, while the disk is full."""

# From here on waiting costs more memory than it saves system calls.
_WRITE_AT_BYTES = 64 << 10
# Written lines stay in memory until they are synced; nobody may ask for that for long.
_SYNC_AT_BYTES = 1 << 20


@attrs.frozen(kw_only=True)
class WriteTrouble:
    """
    Writing a rollout began to fail, or works again.

    Attributes:
        path: The rollout.
        pending_bytes: How much waits in memory; 0 when healed.
        problem: What the system said first, for example ``No space left on device``.
        healed: Whether the trouble is over, and everything was written.
    """

    path: Path
    pending_bytes: int
    problem: str
    healed: bool


OnTrouble = Callable[[WriteTrouble], None]
"""
Told once when writing begins to fail and once when it works again.

What it raises is logged and goes no further.
"""


@attrs.define(eq=False, repr=False)
class Recorder:
    """
    One thread's rollout while the thread lives; made by a `Journal`.

    Nothing is on disk before `persist`.  From then on recorded lines are
    written within milliseconds, and `flush` acknowledges them.

    Attributes:
        path: Where the rollout is or will be.
        mode: How much of what is recorded is kept.
    """

    path: Path
    mode: PersistMode
    _writer: SharedWriter
    _on_trouble: OnTrouble
    _file: LineFile
    _next_seq: int
    # The first line of a new rollout, until it is queued.
    _meta: SessionMeta | None
    _forget: Callable[["Recorder"], None]
    # Whether persist was called, and lines may go to disk.
    _wanted: bool = attrs.field(default=False, init=False)
    # Set while the file is being created.
    _opening: trio.Event | None = attrs.field(default=None, init=False)
    _scheduled: bool = attrs.field(default=False, init=False)
    _trouble: OSError | None = attrs.field(default=None, init=False)
    # Invariant: at most one retry task, and one whenever there is trouble.
    _retrying: bool = attrs.field(default=False, init=False)
    # Whether a background sync is under way; see _SYNC_AT_BYTES.
    _syncing: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    # Whether the file was given back; comes after _closed.
    _released: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._wanted = self._file.is_open

    @property
    def pending_bytes(self) -> int:
        """How much was recorded and is not acknowledgeable yet."""
        return self._file.pending_bytes

    @property
    def is_persisted(self) -> bool:
        """Whether the rollout's file exists."""
        return self._file.is_open

    @property
    def trouble(self) -> OSError | None:
        """Why writing fails at present; None when it works."""
        return self._trouble

    @enable_ki_protection
    def record(self, items: Iterable[RolloutItem]) -> None:
        """
        Take what the policy keeps of *items*, in order; all of them or none.

        Never waits.  The lines are written some milliseconds later, if
        `persist` was called.

        Raises:
            RolloutFull: `BUFFER_LIMIT_BYTES` wait already.
            RolloutClosed: `close` was called.
            messages.errors.EncodeError: An item cannot be written as JSON.
        """
        if self._closed:
            raise RolloutClosed(self.path)
        mode = self.mode
        wanted = [kept for item in items if (kept := persisted(item, mode)) is not None]
        if not wanted:
            return  # most events of a turn are deltas, which nobody keeps
        stamp, seq = self._writer.stamp(), self._next_seq
        lines = [encode_line(item, timestamp=stamp, seq=seq + n) for n, item in enumerate(wanted)]
        self._take(b"".join(lines) if len(lines) > 1 else lines[0])
        self._next_seq = seq + len(lines)

    def _take(self, data: bytes) -> None:
        file = self._file
        pending = file.waiting_bytes + file.end - file.synced_end  # pending_bytes, inline
        # One record may be larger than the limit, if nothing else waits.
        if pending and pending + len(data) > BUFFER_LIMIT_BYTES:
            raise RolloutFull(self.path, pending, BUFFER_LIMIT_BYTES)
        file.add(data)
        if not file.is_open or self._trouble is not None:
            return
        if file.waiting_bytes >= _WRITE_AT_BYTES:
            self.write_now()
        elif not self._scheduled:
            self._scheduled = True
            self._writer.write_soon(self)

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for the writer task."""
        return self._scheduled and self._file.waiting_bytes > 0

    def write_early(self) -> None:
        """
        Write what waits for the writer task; nothing while the disk refuses.

        For whoever tells others of what was recorded: what they know must not be lost
        with this process.
        """
        if self.is_waiting:
            self._write()

    def write_now(self) -> None:
        """Write what waits, if there is a file; for the writer task."""
        self._scheduled = False
        self._write()

    def _write(self) -> None:
        if not self._file.is_open:
            return
        try:
            self._file.write()
        except OSError as exc:
            self._note_trouble(exc)
            return
        if self._file.pending_bytes >= _SYNC_AT_BYTES and not self._syncing:
            self._syncing = True
            self._writer.start_soon(self._sync, f"sync {self.path.name}")

    async def persist(self) -> None:
        """
        Create the file, if there is none, and write everything recorded so far.

        The first line says whose rollout it is and where its working tree
        stands.  Returns with the same promise as `flush`; calling it again is
        a flush.

        Raises:
            RolloutNotWritten: It did not work; it is tried again.
            RolloutClosed: `close` was called.

        Cancellation:
            The file may be there or not; call it again, or close.
        """
        self._wanted = True
        await self.flush()

    async def flush(self) -> None:
        """
        Return once everything recorded so far is acknowledged.

        That is: handed to the kernel, or, with `Durability.FSYNC`, on the disk.
        Before `persist` there is no file and nothing to do.

        Raises:
            RolloutNotWritten: It did not work this time.  The lines wait, and
                writing them is tried again until it works.
            RolloutClosed: `close` was called.

        Cancellation:
            The lines are written all the same.
        """
        if self._closed:
            raise RolloutClosed(self.path)
        await checkpoint_if_cancelled()
        if not self._wanted:
            return
        try:
            if self._writer.commit is None and self._file.is_open:
                self._file.write()  # what _put_down does, without another coroutine
                if self._trouble is not None:
                    self._note_healing()
            else:
                await self._put_down()
        except OSError as exc:
            self._note_trouble(exc)
            raise RolloutNotWritten(self.path, self.pending_bytes, exc) from exc

    async def close(self) -> None:
        """
        Flush, unlock and close; afterwards another writer may have the rollout.

        While the disk refuses, writing is tried again for `Patience.close`
        seconds, then the lines are given up.  Closing again does nothing.
        Without `persist`, there is no file, and what was recorded is dropped.

        Raises:
            RolloutNotWritten: Lines that were never acknowledged are lost.

        Cancellation:
            Closes at once; lines may be lost.
        """
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        try:
            if self._wanted:
                with trio.move_on_after(self._writer.patience.close):
                    await self._put_down_at_last()
        finally:
            self._release()
        if self._wanted and self._file.pending_bytes:
            cause = self._trouble or OSError("there was no time to write")
            raise RolloutNotWritten(self.path, self._file.pending_bytes, cause) from cause

    async def _put_down(self) -> None:
        """Do what `flush` promises, or raise OSError or RolloutClosed."""
        if not self._file.is_open:
            await self._open()
        if self._released:
            raise RolloutClosed(self.path)  # a close was cancelled meanwhile
        self._file.write()
        if self._writer.commit is not None:
            await self._writer.commit.commit(self._file)
        self._note_healing()

    async def _sync(self) -> None:
        try:
            while self._file.pending_bytes >= _SYNC_AT_BYTES:  # more may come meanwhile
                await self._put_down()
        except RolloutClosed:
            pass
        except OSError as exc:
            self._note_trouble(exc)
        finally:
            self._syncing = False

    async def _put_down_at_last(self) -> None:
        for delay in self._writer.delays():
            try:
                await self._put_down()
            except OSError as exc:
                self._note_trouble(exc)
            else:
                return
            await trio.sleep(delay)

    async def _open(self) -> None:
        """Create the file with its first line waiting before all others, once."""
        while self._opening is not None:
            await self._opening.wait()
        if self._file.is_open or self._meta is None:
            return
        self._opening = trio.Event()
        try:
            create = partial(
                _create, stamp=self._writer.stamp(), durable=self._writer.commit is not None
            )
            fd, first = await trio.to_thread.run_sync(
                create, self._writer.files, self.path, self._meta
            )
            if self._released:  # close was cancelled while the OS thread worked
                self._writer.files.close(fd)
                return
            self._file.fd, self._meta = fd, None
            self._file.add_first(first)
        finally:
            self._opening.set()
            self._opening = None

    def _note_trouble(self, problem: OSError) -> None:
        first, self._trouble = self._trouble is None, problem
        if not self._retrying and not self._closed:
            self._retrying = True
            self._writer.start_soon(self._retry, f"retry {self.path.name}")
        if first:
            self._tell(problem, healed=False)

    def _note_healing(self) -> None:
        problem, self._trouble = self._trouble, None
        if problem is not None:
            self._tell(problem, healed=True)

    def _tell(self, problem: OSError, *, healed: bool) -> None:
        text = problem.strerror or str(problem)
        pending = self._file.pending_bytes
        trouble = WriteTrouble(path=self.path, pending_bytes=pending, problem=text, healed=healed)
        try:
            self._on_trouble(trouble)
        except Exception:  # noqa: BLE001 -- see below
            # It would end the journal, and with it the records of all other threads.
            _log.exception("whoever is told of write troubles failed")

    async def _retry(self) -> None:
        try:
            for delay in self._writer.delays():
                await trio.sleep(delay)
                if self._closed or self._trouble is None:
                    return
                try:
                    await self._put_down()
                except RolloutClosed:
                    return
                except OSError as exc:
                    self._trouble = exc
        finally:
            self._retrying = False

    def _release(self) -> None:
        self._released = True
        self._forget(self)
        if self._writer.commit is not None:
            self._writer.commit.close(self._file)
        else:
            self._file.close()

    def __repr__(self) -> str:
        file = self._file
        state = "closed" if self._closed else "open" if file.is_open else "in memory"
        trouble = f", failing: {self._trouble}" if self._trouble else ""
        return (
            f"<Recorder {self.path.name}: {state}, {self._next_seq} lines, "
            f"{file.pending_bytes} bytes pending{trouble}>"
        )


def _create(
    files: Files, path: Path, meta: SessionMeta, *, stamp: str, durable: bool
) -> tuple[int, bytes]:
    """Create the file; return it and the line that comes first.  For an OS thread."""
    full = attrs.evolve(meta, git=meta.git or read_git_info(Path(meta.cwd)))
    line = encode_line(full, timestamp=stamp, seq=0)
    files.make_folder(path.parent)
    fd = files.create(path)
    if durable:
        try:
            files.sync_name(path)
        except OSError:
            files.close(fd)
            files.remove(path)
            raise
    return fd, line
