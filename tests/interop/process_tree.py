"""Finding and killing all that a process started, so that nothing of it is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HeldProcesses", "below", "marked"]


class HeldProcesses:
    """
    Processes held by file descriptors, so that they can be killed later.

    An id alone would not do: once a process is gone, its id may belong to
    somebody else.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._handles = [handle for pid in pids if (handle := _open(pid)) is not None]

    def kill(self) -> None:
        """Kill those that still run and let go of all; a second call does nothing."""
        while self._handles:
            handle = self._handles.pop()
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


def below(pid: int) -> list[int]:
    """Children of *pid* and theirs, as far as each still has its parent."""
    found = list(_children(pid))
    for child in found:
        found += _children(child)  # the loop goes on over what it appends
    return found


def marked(mark: str) -> list[int]:
    """
    Processes that were started with *mark*, a ``NAME=value``, in their environment.

    A process group would not do: Codex runs commands in sessions of their own,
    and a child whose parent is gone is below nobody.
    """
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _has_mark(entry, mark)]


def _has_mark(entry: Path, mark: str) -> bool:
    try:
        return mark.encode() in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # gone, or somebody else's


def _children(pid: int) -> list[int]:
    """Children of all OS threads of *pid*; none when it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it went while we looked
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, listing.read_text().split())
    return found


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # gone since it was found
