"""Reads rollouts, whatever happened to them."""

import os
import stat
from array import array
from collections.abc import Generator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Self

import attrs
import trio

from messages.codec import decode_item, recorded_classes
from messages.errors import DecodeError
from messages.ids import ThreadId
from messages.rollout import RolloutItem, SessionMeta

from .collector import collector_paused
from .errors import EmptyRollout, NoSessionMeta, RolloutNotFound, RolloutUnreadable
from .recorded import RecordedItems, chosen

__all__ = [
    "DamagedLine",
    "LoadedRollout",
    "load_appended",
    "load_rollout",
    "load_rollout_async",
]

_BUFFER_BYTES = 1 << 20

_META = frozenset({SessionMeta})


@attrs.frozen(kw_only=True)
class DamagedLine:
    """
    A line that could not be read and was left out.

    Attributes:
        number: Which line, from 1.
        reason: Why, for people.
    """

    number: int
    reason: str


@attrs.frozen
class FileVersion:
    """
    Which file it is, and when it was last written.

    Attributes:
        device: Of the file system.
        inode: Of the file in there.
        written_ns: In nanoseconds since the Unix epoch, as exact as the system is.
    """

    device: int
    inode: int
    written_ns: int

    @classmethod
    def of(cls, file: BinaryIO) -> Self:
        """Look at an open file; at least as old as what is read of it afterwards."""
        found = os.fstat(file.fileno())
        return cls(found.st_dev, found.st_ino, found.st_mtime_ns)

    def is_file(self, other: "FileVersion") -> bool:
        """Tell whether it is the same file, whatever was written to it meanwhile."""
        return (self.device, self.inode) == (other.device, other.inode)


@attrs.frozen(kw_only=True)
class LoadedRollout:
    """
    What a rollout held when it was read.

    Attributes:
        path: Where it was read from.
        meta: The first session_meta; it alone tells whose rollout this is.
        items:
            Everything that could be read, in file order, all metas included; decoded when
            it is looked at.
        offsets: Where each item's line begins, in bytes.
        damaged: Lines that were left out, in file order.
        torn_tail_offset:
            Where a last line begins that was not written to its end, in bytes;
            None when there is none.  It is not among *damaged*.
        lacks_newline: Whether the last line is whole but for its line end.
        next_seq: Lines before the torn tail; the position of the next line.
        size: Size of the file in bytes, torn tail included.
        last_line: The last line as it was read.
        version: Which file it was, and when it was written; None for unknown.
    """

    path: Path
    meta: SessionMeta
    items: RecordedItems = attrs.field(repr=False)
    offsets: "array[int]" = attrs.field(repr=False)
    damaged: tuple[DamagedLine, ...] = ()
    torn_tail_offset: int | None = None
    lacks_newline: bool = False
    next_seq: int
    size: int
    last_line: bytes = attrs.field(default=b"", repr=False)
    version: FileVersion | None = attrs.field(default=None, repr=False)

    @property
    def thread_id(self) -> ThreadId:
        """Whose rollout it is."""
        return self.meta.id


def load_rollout(path: Path) -> LoadedRollout:
    """
    Read a rollout line by line.

    A line that is damaged costs only itself.  Records of unknown kind are
    carried along, blank lines are ignored.  Blocks; on the trio thread use
    `load_rollout_async`.

    Raises:
        RolloutNotFound: There is no such file.
        RolloutUnreadable: It cannot be opened or read, or is no regular file.
        EmptyRollout: It holds nothing but white space.
        NoSessionMeta: No line says whose rollout it is.
    """
    with _opened(path) as file, collector_paused():
        return _load(path, file, FileVersion.of(file))


def load_appended(before: LoadedRollout) -> LoadedRollout | None:
    """
    Read what was appended to a rollout since it was read; blocks.

    Returns:
        *before* itself when nothing was written, else one that shares what it decoded.
        None when it cannot be gone on from: it is another file, it was written and is not
        longer, or what was its end has changed or was no whole line.

    Raises:
        RolloutError: As `load_rollout`.
    """
    path = before.path
    with _opened(path) as file, collector_paused():
        version = FileVersion.of(file)
        size = file.seek(0, os.SEEK_END)
        if version == before.version and size == before.size:
            return before
        if _goes_on(before, file, version, size):
            return _load(path, file, version, before)
        return None


def _goes_on(before: LoadedRollout, file: BinaryIO, version: FileVersion, size: int) -> bool:
    """Tell whether lines were appended and nothing else; leaves the file at the first of them."""
    if before.version is None or not before.version.is_file(version) or size <= before.size:
        return False
    if before.torn_tail_offset is not None or before.lacks_newline:
        return False
    file.seek(before.size - len(before.last_line))
    return file.read(len(before.last_line)) == before.last_line


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO]:
    """Open a rollout, and say what is wrong with it in our words."""
    try:
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb", buffering=_BUFFER_BYTES) as file:
                yield file
            return
    except FileNotFoundError:
        raise RolloutNotFound(path) from None
    except OSError as exc:
        raise RolloutUnreadable(path, exc.strerror or str(exc)) from exc
    raise RolloutUnreadable(path, "it is no regular file")


async def load_rollout_async(path: Path) -> LoadedRollout:
    """
    Read a rollout as `load_rollout` does, in an OS thread.

    Cancellation:
        Takes effect before the reading begins, not during it.
    """
    return await trio.to_thread.run_sync(load_rollout, path)


def _load(
    path: Path, file: BinaryIO, version: FileVersion, before: LoadedRollout | None = None
) -> LoadedRollout:
    found = _Found() if before is None else _Found.after(before)
    line = b"\n"
    while lines := file.readlines(_BUFFER_BYTES):
        found.take(lines)
        line = lines[-1]
    if before is None and not found.cells and not found.damaged:
        raise EmptyRollout(path)
    damaged, count = found.damaged, found.count
    torn = bool(damaged) and damaged[-1].number == count
    if torn:
        damaged.pop()
    if before is None:
        items = RecordedItems(found.cells, found.classes)
    else:
        items = before.items.followed_by(found.cells, found.classes)
    return LoadedRollout(
        path=path,
        meta=_first_meta(path, items) if before is None else before.meta,
        items=items,
        offsets=found.offsets,
        damaged=tuple(damaged),
        torn_tail_offset=found.end - len(line) if torn else None,
        lacks_newline=not torn and not line.endswith(b"\n"),
        next_seq=count - torn,
        size=found.end,
        last_line=line,
        version=version,
    )


@attrs.define(eq=False)
class _Found:
    """
    What was found so far.

    Attributes:
        cells: Of `RecordedItems`, those of this reading; so are classes.
        offsets: Where the line of each begins.
        count: Lines, all of them.
        end: Where the next line begins.
    """

    cells: list[RolloutItem | bytes] = attrs.field(factory=list["RolloutItem | bytes"])
    classes: list[type[RolloutItem]] = attrs.field(factory=list["type[RolloutItem]"])
    offsets: "array[int]" = attrs.field(factory=lambda: array("Q"))
    damaged: list[DamagedLine] = attrs.field(factory=list[DamagedLine])
    count: int = 0
    end: int = 0

    @classmethod
    def after(cls, before: LoadedRollout) -> Self:
        """Go on where a whole rollout ended."""
        return cls(
            offsets=before.offsets[:],
            damaged=list(before.damaged),
            count=before.next_seq,
            end=before.size,
        )

    def take(self, lines: list[bytes]) -> None:
        """Take the next lines."""
        classes = recorded_classes(lines)
        if None in classes:
            for line, cls in zip(lines, classes, strict=True):
                self._take(line, cls)
            return
        self.cells += lines
        self.classes += classes  # type: ignore[arg-type]  # no None is in there
        *offsets, self.end = accumulate(map(len, lines), initial=self.end)
        self.offsets.extend(offsets)
        self.count += len(lines)

    def _take(self, line: bytes, cls: type[RolloutItem] | None) -> None:
        self.count += 1
        start, self.end = self.end, self.end + len(line)
        cell: RolloutItem | bytes = line
        if cls is None:
            try:
                cell = decode_item(line)
            except DecodeError as exc:
                if not line.isspace():
                    self.damaged.append(DamagedLine(number=self.count, reason=str(exc)))
                return
            cls = type(cell)
        self.cells.append(cell)
        self.classes.append(cls)
        self.offsets.append(start)


def _first_meta(path: Path, items: RecordedItems) -> SessionMeta:
    found = chosen(items, _META)
    meta: tuple[int, SessionMeta] | None = next(found, None)
    if meta is None:
        raise NoSessionMeta(path)
    return meta[1]
