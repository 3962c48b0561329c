"""Writes the rollout of a fork, copying lines that need not be written anew."""

import itertools
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from messages.codec import encode_line
from messages.rollout import SessionMeta

from .errors import RolloutChanged, RolloutNotFound, RolloutNotWritten, RolloutUnreadable
from .files import Files
from .git import read_git_info
from .history import ForkedHistory
from .line_file import LineFile
from .policy import PersistMode, persisted
from .reader import LoadedRollout

__all__ = ["WrittenFork", "reseal", "write_fork"]

_PIECE_BYTES = 1 << 20
# {"crc":"01234567","seq":89,"timestamp":...
_CRC_MEMBER = b'{"crc":"'
_BEHIND_CRC = len(b'{"crc":"01234567",')


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


def reseal(line: bytes, seq: int) -> bytes:
    """
    Give a line another position: new seq and crc members, the rest byte for byte.

    Args:
        line: A line that can be decoded, ours or another program's.
        seq: Its position in the new file, from 0.
    """
    line = line.strip()
    start = line.index(b",", _BEHIND_CRC) + 1 if line.startswith(_CRC_MEMBER) else 1
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

    Raises:
        RolloutNotWritten: It did not work; no file is left.
        RolloutError: The rollout it came from cannot be read any more.
    """
    first = attrs.evolve(
        meta,
        git=meta.git or read_git_info(Path(meta.cwd)),
        forked_from_id=meta.forked_from_id or history.forked_from_id,
    )
    file = LineFile(files, durable=False)
    try:
        files.make_folder(path.parent)
        file.fd = files.create(path)
        lines = _write(file, _fork_lines(history, first, mode, stamp))
        if durable:
            files.sync(file.fd)
            files.sync_name(path)
    except BaseException as exc:
        pending_bytes = file.end + file.waiting_bytes
        if file.is_open:
            file.close()
            files.remove(path)
        if isinstance(exc, OSError):
            raise RolloutNotWritten(path, pending_bytes, exc) from exc
        raise
    return WrittenFork(fd=file.fd, end=file.end, lines=lines)


def _write(file: LineFile, lines: Iterator[bytes]) -> int:
    count = 0
    for line in lines:
        count += 1
        file.add(line)
        if file.waiting_bytes >= _PIECE_BYTES:
            file.write()
    file.write()
    return count


def _fork_lines(
    history: ForkedHistory, first: SessionMeta, mode: PersistMode, stamp: str
) -> Iterator[bytes]:
    seq = 0
    yield encode_line(first, timestamp=stamp, seq=seq)
    source = history.source
    lines = itertools.repeat(None) if source is None else _source_lines(source)
    for item, line in zip(history.items, lines, strict=False):
        kept = persisted(item, mode)
        if kept is None or isinstance(kept, SessionMeta):
            continue
        seq += 1
        if line is not None and kept is item:
            yield reseal(line, seq)
        else:
            yield encode_line(kept, timestamp=stamp, seq=seq)


def _source_lines(source: LoadedRollout) -> Iterator[bytes]:
    """Yield the line of each item; asked for more, or for what is gone, the file has changed."""
    try:
        with source.path.open("rb", buffering=_PIECE_BYTES) as file:
            yield from _lines_at(file, source.offsets)
    except FileNotFoundError:
        raise RolloutNotFound(source.path) from None
    except OSError as exc:
        raise RolloutUnreadable(source.path, exc.strerror or str(exc)) from exc
    raise RolloutChanged(source.path)


def _lines_at(lines: Iterable[bytes], offsets: Iterable[int]) -> Iterator[bytes]:
    wanted = iter(offsets)
    next_offset = next(wanted, None)
    offset = 0
    for line in lines:
        if offset == next_offset:
            yield line
            next_offset = next(wanted, None)
        offset += len(line)
