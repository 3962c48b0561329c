"""
Finds what a test leaves behind: processes, and file descriptors of its own process.

`tests/conftest.py` looks before and after every test.  What was there before, a test
need not clear away: modules have servers that live longer than one test.
"""

import contextlib
import gc
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Snapshot", "expect", "expecting", "left_since", "look", "mark_children"]

MARK: Final = "TREADLE_TEST_PROCESS"
"""Variable by which a process is known that has lost its parent."""

PATIENCE: Final = 2.0
"""Seconds in which what was killed is gone: a busy system needs time to clear away."""

_POLL: Final = 0.005

_MOMENT: Final = 0.02
"""Seconds of that before anything else is tried."""


@attrs.frozen
class Snapshot:
    """The descriptors that are open, and all processes of the machine."""

    fds: frozenset[int]
    pids: frozenset[int]


@attrs.frozen
class _Process:
    pid: int
    parent: int
    state: str


@attrs.define
class _Expected:
    """What lives longer than a test by design; descriptors with what they are open on."""

    fds: dict[int, str] = attrs.field(factory=dict[int, str])
    pids: set[int] = attrs.field(factory=set[int])


_expected = _Expected()


def mark_children() -> None:
    """Let all children of this process bear our mark, and theirs, as far as they inherit it."""
    os.environ[MARK] = str(os.getpid())


def look() -> Snapshot:
    """See what there is now; takes a tenth of a millisecond."""
    return Snapshot(_open_fds(), frozenset(_all_pids()))


def left_since(before: Snapshot) -> list[str]:
    """
    Say what there is that was not there before; empty for nothing.

    What was killed has a moment to end.  Garbage is collected then, the young first: what
    is gone afterwards was in a cycle, and would have gone by itself.  To look at all
    objects of a long test run takes a tenth of a second.
    """
    end = time.monotonic() + PATIENCE
    moment = min(end, time.monotonic() + _MOMENT)
    while (left := _left(before)) and time.monotonic() < moment:
        time.sleep(_POLL)
    for generation in range(3):
        if left:
            gc.collect(generation)
            left = _left(before)
    while left and time.monotonic() < end:
        time.sleep(_POLL)
        left = _left(before)
    return left


def expect(*, fds: Iterable[int] = (), pids: Iterable[int] = ()) -> None:
    """Say that these live longer than the test, by design; processes with all below them."""
    for fd in fds:
        _expected.fds[fd] = str(Path(f"/proc/self/fd/{fd}").readlink())
    _expected.pids.update(pids)


@contextmanager
def expecting() -> Iterator[None]:
    """Expect all that is opened and started inside, and still there at the end."""
    before = look()
    yield
    now = look()
    expect(
        fds=now.fds - before.fds,
        pids=[process.pid for process in _processes_since(before, now) if process.state != "Z"],
    )


def _left(before: Snapshot) -> list[str]:
    now = look()
    fds = (_told_fd(fd) for fd in sorted(now.fds - before.fds))
    pids = map(_told_process, _processes_since(before, now))
    return [line for line in (*fds, *pids) if line is not None]


def _told_fd(fd: int) -> str | None:
    try:
        target = str(Path(f"/proc/self/fd/{fd}").readlink())
    except FileNotFoundError:
        return None  # closed meanwhile, by another OS thread
    return None if _expected.fds.get(fd) == target else f"file descriptor {fd}: {target}"


def _told_process(process: _Process) -> str | None:
    try:
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except OSError:
        return None
    words = command.replace(b"\0", b" ").decode(errors="replace").strip()
    ended = " (ended, and nobody waited for it)" if process.state == "Z" else ""
    return f"process {process.pid}: {words or _name(process.pid)}{ended}"


def _processes_since(before: Snapshot, now: Snapshot) -> list[_Process]:
    """Find new processes that are ours: below us, or with our mark and without a parent."""
    new = {pid: found for pid in now.pids - before.pids if (found := _process(pid)) is not None}
    return [process for process in new.values() if _is_ours(process, new)]


def _is_ours(process: _Process, new: dict[int, _Process]) -> bool:
    top = process
    while top.pid not in _expected.pids and top.parent in new:
        top = new[top.parent]
    if top.pid in _expected.pids:
        return False
    if top.parent == os.getpid():
        return True
    # Its parent was there before.  If that is below us, it answers for its children;
    # if not, it has taken over what lost its parent, unless it has nothing to do with us.
    return process.state != "Z" and _bears_mark(process.pid) and not _is_below_us(top.parent)


def _is_below_us(pid: int) -> bool:
    while pid > 1 and pid != os.getpid():
        found = _process(pid)
        pid = 0 if found is None else found.parent
    return pid == os.getpid()


def _bears_mark(pid: int) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False  # gone, or somebody else's
    return f"{MARK}={os.getpid()}".encode() in variables


def _open_fds() -> frozenset[int]:
    return frozenset(fd for fd in map(int, _names("/proc/self/fd")) if _is_open(fd))


def _is_open(fd: int) -> bool:
    # The listing itself had a descriptor, and what takes its number must not be missed.
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _all_pids() -> Iterator[int]:
    return (int(name) for name in _names("/proc") if name[0] in "123456789")


def _names(folder: str) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 -- twice for each test, and pathlib takes twice as long


def _process(pid: int) -> _Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        state, parent = stat.rpartition(b")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return _Process(pid, int(parent), state.decode())


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "gone"
