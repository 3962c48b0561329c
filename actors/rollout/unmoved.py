"""Finds the lines that a fork takes over as they are, many at a time."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from messages.rollout import RolloutItem, SessionMeta

from .history import ForkedHistory
from .policy import PersistMode, kept_whole, persisted
from .reader import LoadedRollout
from .recorded import classes_of

__all__ = ["BEHIND_CRC", "CRC_MEMBER", "has_position", "unmoved_lines"]

# {"crc":"01234567","seq":89,"timestamp":...
CRC_MEMBER = b'{"crc":"'
BEHIND_CRC = len(b'{"crc":"01234567",')
_SEQ = '"seq":'
_MARK = b'"seq":%d,'


def has_position(data: bytes, start: int, seq: int) -> bool:
    """Tell whether a line of ours with this position begins at *start*."""
    return data.startswith(_MARK % seq, start + BEHIND_CRC) and data.startswith(CRC_MEMBER, start)


def unmoved_lines(
    history: ForkedHistory, mode: PersistMode, file: BinaryIO, piece_bytes: int
) -> Iterator[tuple[bytes, int]]:
    """
    Yield the lines behind the first one that need no change, and how many at a time.

    There are some where the parent has one meta, at its beginning, which the fork's
    takes the place of: until a line is missing, left out or not of ours, all others
    keep their position.  They are not decoded again; their checksums guard them.

    Args:
        history: With the source that it came from.
        mode: What the fork keeps.
        file: The source, open.
        piece_bytes: About how much to yield at a time.
    """
    source = history.source
    if source is None:
        return
    offsets = source.offsets
    at, end = 1, _first_moved(history, source, mode)
    while at < end:
        start = offsets[at]
        to = bisect_left(offsets, start + piece_bytes, at + 1, end)
        file.seek(start)
        data = file.read(offsets[to] - start)
        stop = _first_displaced(data, [place - start for place in offsets[at:to]], at)
        piece = data if stop == to else data[: offsets[stop] - start]
        # No such line, or the file has changed, perhaps to more lines: found line by line.
        if not piece.endswith(b"\n") or piece.count(b"\n") != stop - at:
            return
        yield piece, stop - at
        if stop < to:
            return
        at = to


def _first_displaced(data: bytes, starts: list[int], first: int) -> int:
    """Find the first line that has another position; behind the last one if none has."""
    end = first + len(starts)
    # All at once if they have as many digits: there may be hundreds of thousands.
    numbers = [str(number) for number in range(first, end)]
    behind = BEHIND_CRC + len(_MARK % first)
    marks = b"".join([data[at + BEHIND_CRC : at + behind] for at in starts])
    wanted = _SEQ + f",{_SEQ}".join(numbers) + ","
    ours = b"".join([data[at : at + len(CRC_MEMBER)] for at in starts])
    if marks == wanted.encode() and ours == CRC_MEMBER * len(starts):
        return end
    displaced = (n for n, at in enumerate(starts, first) if not has_position(data, at, n))
    return next(displaced, end)


def _first_moved(history: ForkedHistory, source: LoadedRollout, mode: PersistMode) -> int:
    """The first item that may stand elsewhere in the fork; at the latest the source's last."""
    items = history.items
    if source.damaged or source.next_seq != len(source.items):  # a blank line
        return 0
    if not items or not isinstance(items[0], SessionMeta):
        return 0
    # The end of the last line is not known, nor whether it has one.
    last = min(len(items), len(source.items) - 1)
    whole = kept_whole(mode) - {SessionMeta}
    moved = (
        number
        for number, cls in enumerate(islice(classes_of(items), 1, last), 1)
        if cls not in whole and _is_moved(items[number], mode)
    )
    return next(moved, last)


def _is_moved(item: RolloutItem, mode: PersistMode) -> bool:
    return persisted(item, mode) is not item or isinstance(item, SessionMeta)
