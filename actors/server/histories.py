"""The rollouts that clients look at, and the turns in them."""

from pathlib import Path
from typing import Final

import attrs
import trio

from actors.rollout import LoadedRollout, collector_paused, load_appended, load_rollout
from messages.rpc.turn import Turn

from .history_builder import HistoryBuilder, overlay_live
from .loaded_thread import LoadedThread

__all__ = ["Histories"]

_KEPT_SECONDS: Final = 20.0
_KEPT_BYTES: Final = 64 << 20
_WORTH_KEEPING_BYTES: Final = 1 << 18
"""What is shorter is read again in a few milliseconds."""


@attrs.frozen(kw_only=True)
class _Read:
    """
    A rollout that was read.

    Attributes:
        builder: Knows the turns, and takes what is appended.
        turns: What it knows.
    """

    rollout: LoadedRollout
    builder: HistoryBuilder
    turns: tuple[Turn, ...]


@attrs.frozen
class _Kept:
    read: _Read
    until: float


@attrs.define(eq=False)
class Histories:
    """
    Reads rollouts and their turns, and keeps long ones for a moment.

    Who opens a long conversation often reads, resumes, pages and forks it one after the
    other.  Of one that was read a moment ago only what was appended since is read, if it
    is still the same file.  At most 64 MB of files are kept, for 20 seconds after they were
    last wanted; the oldest go first.
    """

    # The one that was wanted last is last.
    _kept: dict[Path, _Kept] = attrs.field(factory=dict[Path, _Kept], init=False)
    _came: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def run(self) -> None:
        """Let go of what nobody wanted for a while."""
        while True:
            oldest = next(iter(self._kept.values()), None)
            if oldest is None:
                self._came = trio.Event()
                await self._came.wait()
                continue
            await trio.sleep_until(oldest.until)
            now = trio.current_time()
            self._kept = {path: kept for path, kept in self._kept.items() if kept.until > now}

    @property
    def kept_bytes(self) -> int:
        """How long the files are that are kept."""
        return sum(kept.read.rollout.size for kept in self._kept.values())

    async def read(
        self, path: Path, loaded: LoadedThread | None = None
    ) -> tuple[LoadedRollout, tuple[Turn, ...]]:
        """
        Read a rollout and its turns.

        Args:
            loaded: The thread, when it is loaded; its running turn is told as it is.

        Raises:
            RolloutError: It cannot be read.
        """
        # Before the file is read: what ends meanwhile is on disk.
        snapshot = None if loaded is None else loaded.thread.snapshot()
        items = () if loaded is None else tuple(loaded.projection.open_items())
        # Taken out meanwhile, for the builder is nobody else's while it takes more.
        kept = self._kept.pop(path, None)
        before = None if kept is None else kept.read
        read = await trio.to_thread.run_sync(_read, path, before)
        self._keep(path, read)
        return read.rollout, overlay_live(read.turns, snapshot, items)

    def _keep(self, path: Path, read: _Read) -> None:
        if not _WORTH_KEEPING_BYTES <= read.rollout.size <= _KEPT_BYTES:
            return
        self._kept.pop(path, None)  # somebody else's, who read it at the same time
        self._kept[path] = _Kept(read, trio.current_time() + _KEPT_SECONDS)
        self._came.set()
        while self.kept_bytes > _KEPT_BYTES:
            del self._kept[next(iter(self._kept))]


def _read(path: Path, before: _Read | None) -> _Read:
    with collector_paused():
        rollout = None if before is None else load_appended(before.rollout)
        if before is None or rollout is None:
            rollout, builder = load_rollout(path), HistoryBuilder()
            builder.take_all(rollout.items)
        elif rollout is before.rollout:
            return before
        else:
            builder = before.builder
            builder.take_all(rollout.items[len(before.rollout.items) :])
        return _Read(rollout=rollout, builder=builder, turns=builder.turns())
