"""What the watcher's tests share: a source without files, and a listener on real ones."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

from actors.runtime import Subscription, World
from actors.watcher import (
    Changes,
    FileSource,
    FileWatcherEvent,
    SourceStatistics,
    Watcher,
    WatchMode,
    open_watcher,
)
from actors.watcher.source import Report
from actors.watcher.tree import file_time
from tests.waiting import look_until

PATIENCE = 10.0
"""Seconds after which a change that was not told is missed; on a busy machine, too."""


class FakeSource:
    """Tells what the test says, and notes which roots it was given."""

    def __init__(self) -> None:
        self.roots: list[frozenset[str]] = []
        self.lives = 0
        self.error: Exception | None = None
        self._send, self._receive = trio.open_memory_channel[Changes](100)

    def set_roots(self, roots: frozenset[str]) -> None:
        self.roots.append(roots)

    async def run(self, report: Report) -> None:
        self.lives += 1
        async for paths in self._receive:
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            await report(paths)

    def statistics(self) -> SourceStatistics:
        return SourceStatistics(mode=WatchMode.NOTHING, folders=0)

    def tell(self, *paths: str) -> None:
        self._send.send_nowait(paths)

    def tell_everything(self) -> None:
        self._send.send_nowait(None)


def deterministic() -> World:
    return World.deterministic(seed=1, start=0)


@attrs.define
class Listener:
    """Hears what a watcher of real files tells."""

    watcher: Watcher
    source: FileSource
    subscription: Subscription[FileWatcherEvent]
    events: list[FileWatcherEvent] = attrs.field(factory=list)
    forgotten: list[Changes] = attrs.field(factory=list)

    async def hears_of(self, *paths: Path) -> None:
        """Wait until all of these were told, each in an event of its own or together."""
        missing = {str(path) for path in paths}
        with trio.fail_after(PATIENCE):
            while missing:
                event = FileWatcherEvent.received(await self.subscription.receive())
                self.events.append(event)
                missing -= set(event.paths)

    async def watches_also(self, folder: Path) -> None:
        """Wait until this one is watched, too."""
        ready = self.source._ready
        with trio.fail_after(PATIENCE):
            while not ready.value or str(folder) not in self.source._armed:
                await ready.wait_changed(ready.version)

    async def watches(self) -> int:
        """Wait until everything is watched; return how many folders that are."""
        with trio.fail_after(PATIENCE):
            await self.source.wait_watching()
        return self.source.statistics().folders


@asynccontextmanager
async def listening(*roots: Path, source: FileSource | None = None) -> AsyncGenerator[Listener]:
    """Watch real files; ready when the system watches them."""
    forgotten: list[Changes] = []
    source = source or FileSource()
    wait_for_next_tick()  # what was made just before would be told, too
    async with open_watcher(
        on_change=forgotten.append, interval=0, source=source, world=deterministic()
    ) as watcher:
        with watcher.subscribe() as subscription, watcher.watch(map(str, roots)):
            listener = Listener(watcher, source, subscription, forgotten=forgotten)
            await listener.watches()
            yield listener


def save_skill(folder: Path, text: str = "text") -> Path:
    """Write a skill into a folder of its own; return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "SKILL.md"
    file.write_text(text)
    return file


def wait_for_next_tick() -> int:
    """Return as soon as what is stamped now is stamped later than what was before."""
    now = time.time_ns()
    return look_until(file_time, lambda later: later > now)


def inotify_watches() -> list[int]:
    """Count the watches of each inotify instance of this process."""
    counts = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            if str(fd.readlink()) == "anon_inode:inotify":
                lines = Path(f"/proc/self/fdinfo/{fd.name}").read_text().splitlines()
                counts.append(sum(line.startswith("inotify") for line in lines))
    return counts


def notify_threads() -> int:
    """Count the OS threads that read inotify instances."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            names.append((task / "comm").read_text())
    return sum(name.startswith("notify-rs") for name in names)
