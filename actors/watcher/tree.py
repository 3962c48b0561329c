"""What there is below one root, and what is different from another time."""

import os
import stat
import threading
import time
from collections import deque
from typing import Final, TypeAlias

import attrs

from .real_path import Gate, Identity, follow, identity

__all__ = ["Entry", "Limits", "Tree", "changed_paths", "file_time", "read_tree"]

Entry: TypeAlias = tuple[bool, int, int, int, int, int]
"""Whether it is a folder; device, inode, bytes, and when data and inode changed, in ns."""

_CHANGED: Final = 5

_PATHS_LIMIT: Final = 256
"""Changes in one root that are told one by one; with one more the root is told."""

_COARSE_CLOCK: Final = 5
"""CLOCK_REALTIME_COARSE of Linux: what the kernel stamps files with, a tick behind."""


@attrs.frozen(kw_only=True)
class Limits:
    """
    How much of a root is looked at.

    Attributes:
        depth: Levels below the root.  Skills are looked for in 6; their metadata
            is in one more.
        folders: Folders in one root, as many as skills are looked for in.
        entries: Files and folders in one root.
    """

    depth: int = 7
    folders: int = 2000
    entries: int = 20_000


@attrs.frozen(kw_only=True, eq=False)
class Tree:
    """
    What there is below one root.

    Attributes:
        entries: By path below the root as it was given; with the root itself.
        folders: Real paths of the folders that are to be watched.
        gates: What else is to be watched, for a name; see `RealPath`.
        began: Time before the first look, at most as late as any file's time after it.
        ended: Time after the last look, at least as late as any file's time before it.
        truncated: Whether there is more than was looked at.
    """

    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    folders: dict[str, Identity] = attrs.field(factory=dict[str, Identity])
    gates: dict[Gate, Identity] = attrs.field(factory=dict[Gate, Identity])
    began: int = 0
    ended: int = 0
    truncated: bool = False


def file_time() -> int:
    """
    Read the clock that stamps files, in ns since the Unix epoch.

    No `World`: this is compared with what the kernel writes, not shown to anybody.
    """
    try:
        return time.clock_gettime_ns(_COARSE_CLOCK)
    except OSError:
        return time.time_ns()


def read_tree(root: str, limits: Limits, stop: threading.Event) -> Tree:
    """
    Look at everything below a root; blocks, about 20 ms for 1,000 folders.

    Breadth first, links last, by name.  Hidden names are left out, as are those that are
    not UTF-8: no message can carry them.  Symbolic links to folders are followed,
    but no folder is looked at twice.  What cannot be read is taken as empty.

    Args:
        root: An absolute path; need not exist.
        limits: How far to go.
        stop: Set to have it end soon; what it returns then is of no use.
    """
    began = file_time()
    reader = _Reader(limits)
    reader.go(root, root, 0)
    while reader.todo and not stop.is_set():
        reader.read_next()
    return Tree(
        entries=reader.entries,
        folders=reader.folders,
        gates=reader.gates,
        began=began,
        ended=time.time_ns(),
        truncated=reader.truncated,
    )


@attrs.define(eq=False)
class _Reader:
    """A `Tree` while it is being read."""

    limits: Limits
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    folders: dict[str, Identity] = attrs.field(factory=dict[str, Identity])
    gates: dict[Gate, Identity] = attrs.field(factory=dict[Gate, Identity])
    truncated: bool = False
    # Path as given, real path, depth.
    todo: deque[tuple[str, str, int]] = attrs.field(factory=deque[tuple[str, str, int]])
    seen: set[str] = attrs.field(factory=set[str])

    def go(self, path: str, link: str, depth: int) -> None:
        """Go to a folder through a path that may hold symbolic links, if it leads to one."""
        found = follow(link)
        self.gates |= found.gates
        if found.folder is not None:
            self.add(path, found.folder, depth)

    def add(self, path: str, real: str, depth: int) -> None:
        """Note a folder, to be read later."""
        if real in self.seen:
            return
        if depth > self.limits.depth or len(self.seen) >= self.limits.folders:
            # Deeper than anybody looks is not missed by anybody.
            self.truncated |= depth <= self.limits.depth
            return
        self.seen.add(real)
        self.todo.append((path, real, depth))

    def read_next(self) -> None:
        """Read the next folder."""
        path, real, depth = self.todo.popleft()
        try:
            status = os.stat(real)  # noqa: PTH116
            self.entries[path] = _entry(status)
            with os.scandir(real) as found:
                names = sorted(found, key=lambda one: (one.is_symlink(), one.name))
        except OSError:
            return
        self.folders[real] = identity(status)
        for one in names:
            if not one.name.startswith(".") and _is_utf8(one.name):
                self._note(one, f"{path.rstrip('/')}/{one.name}", depth)

    def _note(self, one: "os.DirEntry[str]", path: str, depth: int) -> None:
        if len(self.entries) >= self.limits.entries:
            self.truncated = True
            return
        try:
            status = one.stat(follow_symlinks=False)
        except OSError:
            return
        if stat.S_ISDIR(status.st_mode):
            self.add(path, one.path, depth + 1)
            return
        self.entries[path] = _entry(status)
        if stat.S_ISLNK(status.st_mode) and depth < self.limits.depth:
            self.go(path, one.path, depth + 1)


def changed_paths(root: str, old: Tree | None, new: Tree, since: int) -> set[str]:
    """
    Tell what is different between two looks at one root.

    Args:
        root: Which one.
        old: The earlier look; None if there was none.
        new: The later look.
        since:
            When *old* is None: what the clock of files showed when changes began
            to matter.

    Returns:
        Paths; the root itself if there are very many.
    """
    if old is None:
        changed = {
            path for path, entry in new.entries.items() if since <= entry[_CHANGED] <= new.ended
        }
    else:
        changed = {
            path
            for path, entry in new.entries.items()
            if _differs(old.entries.get(path), entry) or _unsure(entry, old.began, new.ended)
        }
        changed.update(old.entries.keys() - new.entries.keys())
    return changed if len(changed) <= _PATHS_LIMIT else {root}


def _differs(old: Entry | None, new: Entry) -> bool:
    if old is None or old[:3] != new[:3]:
        return True
    # Times of a folder tell of its files, which tell it themselves.
    return not new[0] and old != new


def _unsure(entry: Entry, began: int, ended: int) -> bool:
    # A file may be written twice within one tick of the clock that stamps it,
    # before and after the earlier look, and show no difference.  Times in the
    # future are a clock that was set back.
    return not entry[0] and began <= entry[_CHANGED] <= ended


def _entry(status: os.stat_result) -> Entry:
    return (
        stat.S_ISDIR(status.st_mode),
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
