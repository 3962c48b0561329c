"""Writes the rollout of a fork, copying lines that need not be written anew."""

import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import attrs

from messages.codec import encode_line
from messages.rollout import RolloutItem, SessionMeta

from .errors import RolloutChanged, RolloutNotFound, RolloutNotWritten, RolloutUnreadable
from .files import Files
from .git import read_git_info
from .history import ForkedHistory
from .line_file import LineFile
from .policy import PersistMode, kept_whole, persisted
from .reader import LoadedRollout
from .recorded import classes_of
from .unmoved import BEHIND_CRC, CRC_MEMBER, has_position, unmoved_lines

__all__ = ["WrittenFork", "part_path", "reseal", "write_fork"]

_PIECE_BYTES = 1 << 20


@attrs.frozen(kw_only=True)
class WrittenFork:
    """
    A new rollout, open and locked.

    Attributes:
        fd: The open file.
        end: Its size in bytes.
        lines: How many lines it has.
    """

    fd: int
    end: int
    lines: int


def part_path(path: Path) -> Path:
    """Where a fork is written until it is whole; no name of a rollout."""
    return path.with_name(f"{path.name}.part")


def reseal(line: bytes, seq: int) -> bytes:
    """
    Give a line another position: new seq and crc members, the rest byte for byte.

    A whole line of ours that has that position already stays as it is.

    Args:
        line: A line that can be decoded, ours or another program's.
        seq: Its position in the new file, from 0.

    Raises:
        ValueError: It is given a new checksum, and the one it has is wrong; lines of
            other programs have none to compare.
    """
    ours = line.startswith(CRC_MEMBER)
    if has_position(line, 0, seq) and line.endswith(b"}\n"):
        return line
    line = line.strip()
    if ours and int(line[len(CRC_MEMBER) :][:8], 16) != zlib.crc32(line[BEHIND_CRC:]):
        raise ValueError("the line has changed since it was decoded")
    start = line.index(b",", BEHIND_CRC) + 1 if ours else 1
    rest = b'"seq":%d,%b' % (seq, line[start:])
    return b'{"crc":"%08x",%b\n' % (zlib.crc32(rest), rest)


def write_fork(
    files: Files,
    *,
    history: ForkedHistory,
    path: Path,
    meta: SessionMeta,
    mode: PersistMode,
    stamp: str,
    durable: bool,
) -> WrittenFork:
    """
    Create the rollout of a fork and write its history; for an OS thread.

    It gets its name when it is whole.  A process that dies before leaves an empty
    file of that name, which counts as no rollout, and perhaps one beside it (see
    `part_path`); both may be deleted.

    Raises:
        RolloutNotWritten: It did not work; no file is left.
        RolloutError: The rollout it came from cannot be read any more.
    """
    first = attrs.evolve(
        meta,
        git=meta.git or read_git_info(Path(meta.cwd)),
        forked_from_id=meta.forked_from_id or history.forked_from_id,
    )
    file, part = LineFile(files, durable=False), part_path(path)
    try:
        files.make_folder(path.parent)
        with _reserved(files, path):
            files.remove(part)  # of one who died here
            file.fd = files.create(part)
            lines = _write(file, _fork_lines(history, first, mode, stamp))
            if durable:
                files.sync(file.fd)
            files.rename(part, path)
            if durable:
                files.sync_name(path)
    except BaseException as exc:
        pending_bytes = file.end + file.waiting_bytes
        if file.is_open:
            file.close()
            files.remove(part)
        if isinstance(exc, OSError):
            raise RolloutNotWritten(path, pending_bytes, exc) from exc
        raise
    return WrittenFork(fd=file.fd, end=file.end, lines=lines)


@contextmanager
def _reserved(files: Files, path: Path) -> Generator[None, None, None]:
    """
    Hold a name with an empty, locked file, until another takes its place.

    To rename alone would replace whatever has the name by then, and a hard link
    is not to be had on every file system.
    """
    fd = files.create(path)
    try:
        yield
    except BaseException:
        files.remove(path)
        raise
    finally:
        files.close(fd)


def _write(file: LineFile, pieces: Iterator[tuple[bytes, int]]) -> int:
    count = 0
    for data, lines in pieces:
        count += lines
        file.add(data)
        if file.waiting_bytes >= _PIECE_BYTES:
            file.write()
    file.write()
    return count


def _fork_lines(
    history: ForkedHistory, first: SessionMeta, mode: PersistMode, stamp: str
) -> Iterator[tuple[bytes, int]]:
    """
    Yield the lines of a fork, one or many at a time, and how many.

    Those that keep their position are passed on with the checksum they have, so that
    one that was damaged since it was read is found by whoever reads the fork.
    """
    yield encode_line(first, timestamp=stamp, seq=0), 1
    source = history.source
    if source is None:
        for seq, item in enumerate(_taken_over(history, mode), 1):
            yield encode_line(item, timestamp=stamp, seq=seq), 1
        return
    try:
        with source.path.open("rb", buffering=_PIECE_BYTES) as file:
            yield from _copied(history, source, file, mode, stamp)
    except FileNotFoundError:
        raise RolloutNotFound(source.path) from None
    except OSError as exc:
        raise RolloutUnreadable(source.path, exc.strerror or str(exc)) from exc


def _taken_over(history: ForkedHistory, mode: PersistMode) -> Iterator[RolloutItem]:
    for item in history.items:
        kept = persisted(item, mode)
        if kept is not None and not isinstance(kept, SessionMeta):
            yield kept


def _copied(
    history: ForkedHistory, source: LoadedRollout, file: BinaryIO, mode: PersistMode, stamp: str
) -> Iterator[tuple[bytes, int]]:
    end = source.size if source.torn_tail_offset is None else source.torn_tail_offset
    if os.fstat(file.fileno()).st_size < end:  # it may grow, but has lost lines
        raise RolloutChanged(source.path)
    seq = 0
    for piece, lines in unmoved_lines(history, mode, file, _PIECE_BYTES):
        yield piece, lines
        seq += lines
    done = seq + 1 if seq else 0  # with the meta in front of them
    whole, classes = kept_whole(mode) - {SessionMeta}, classes_of(history.items)
    rest = zip(range(done, len(classes)), _lines_at(file, source, done), strict=False)
    for number, line in rest:
        if classes[number] not in whole:
            item = history.items[number]
            kept = persisted(item, mode)
            if kept is None or isinstance(kept, SessionMeta):
                continue
            if kept is not item:
                seq += 1
                yield encode_line(kept, timestamp=stamp, seq=seq), 1
                continue
        seq += 1
        try:
            yield reseal(line, seq), 1
        except ValueError:
            raise RolloutChanged(source.path) from None


def _lines_at(file: BinaryIO, source: LoadedRollout, done: int) -> Iterator[bytes]:
    """Yield the line of each further item; asked for what is gone, the file has changed."""
    wanted = iter(source.offsets[done:])
    next_offset = next(wanted, None)
    offset = (next_offset or 0) if done else 0
    file.seek(offset)
    for line in file:
        if offset == next_offset:
            yield line
            next_offset = next(wanted, None)
        offset += len(line)
    raise RolloutChanged(source.path)
