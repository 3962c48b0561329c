"""Reads rollouts, whatever happened to them."""

import gc
import stat
import threading
from array import array
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import trio

from messages.codec import decode_item
from messages.errors import DecodeError
from messages.ids import ThreadId
from messages.rollout import RolloutItem, SessionMeta

from .errors import EmptyRollout, NoSessionMeta, RolloutNotFound, RolloutUnreadable

__all__ = ["DamagedLine", "LoadedRollout", "load_rollout", "load_rollout_async"]

_BUFFER_BYTES = 1 << 20


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


@attrs.frozen(kw_only=True)
class LoadedRollout:
    """
    What a rollout held when it was read.

    Attributes:
        path: Where it was read from.
        meta: The first session_meta; it alone tells whose rollout this is.
        items: Everything that could be read, in file order, all metas included.
        offsets: Where each item's line begins, in bytes.
        damaged: Lines that were left out, in file order.
        torn_tail_offset:
            Where a last line begins that was not written to its end, in bytes;
            None when there is none.  It is not among *damaged*.
        lacks_newline: Whether the last line is whole but for its line end.
        next_seq: Lines before the torn tail; the position of the next line.
        size: Size of the file in bytes, torn tail included.
    """

    path: Path
    meta: SessionMeta
    items: tuple[RolloutItem, ...] = attrs.field(repr=False)
    offsets: "array[int]" = attrs.field(repr=False)
    damaged: tuple[DamagedLine, ...] = ()
    torn_tail_offset: int | None = None
    lacks_newline: bool = False
    next_seq: int
    size: int

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
    try:
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb", buffering=_BUFFER_BYTES) as file, _collector_paused():
                return _load(path, file)
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


def _load(path: Path, lines: Iterator[bytes]) -> LoadedRollout:
    items: list[RolloutItem] = []
    offsets = array("Q")
    keep, place = items.append, offsets.append  # the loop runs once a line
    damaged: list[DamagedLine] = []
    offset = blank = 0
    line = b"\n"
    for line in lines:
        try:
            keep(decode_item(line))
            place(offset)
        except DecodeError as exc:
            if line.isspace():
                blank += 1
            else:
                number = len(items) + len(damaged) + blank + 1
                damaged.append(DamagedLine(number=number, reason=str(exc)))
        offset += len(line)
    if not items and not damaged:
        raise EmptyRollout(path)
    count = len(items) + len(damaged) + blank
    torn = bool(damaged) and damaged[-1].number == count
    if torn:
        damaged.pop()
    return LoadedRollout(
        path=path,
        meta=_first_meta(path, items),
        items=tuple(items),
        offsets=offsets,
        damaged=tuple(damaged),
        torn_tail_offset=offset - len(line) if torn else None,
        lacks_newline=not torn and not line.endswith(b"\n"),
        next_seq=count - torn,
        size=offset,
    )


def _first_meta(path: Path, items: list[RolloutItem]) -> SessionMeta:
    for item in items:
        if isinstance(item, SessionMeta):
            return item
    raise NoSessionMeta(path)


# As the collector itself these belong to the process: several loads may run in
# OS threads at once, and only the last one may switch it on again.
_pause_lock = threading.Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def _collector_paused() -> Generator[None, None, None]:
    """
    Keep the cycle collector from walking what is being loaded, or was just loaded.

    A load makes hundreds of thousands of objects and no cycle; with the
    collector on, it takes half as long again.  Afterwards what is there counts as
    old: otherwise the next small collection would walk it all after all.
    """
    global _pauses, _was_enabled  # noqa: PLW0603 -- see above
    with _pause_lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _pause_lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                _make_old()
                gc.enable()


def _make_old() -> None:
    """Let the collector take all objects of this instant for old ones, without a look at them."""
    if gc.get_freeze_count():
        return  # the program froze some itself, and wants them to stay so
    try:
        gc.freeze()
    finally:
        gc.unfreeze()  # puts them into the oldest generation
