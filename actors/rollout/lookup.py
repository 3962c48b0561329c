"""Finds the rollout of a thread, and puts rollouts into and out of the archive."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from messages.ids import ThreadId

from .errors import RolloutNotFound, RolloutUnreadable
from .index import find_id_by_name
from .layout import (
    archived_folder,
    parse_rollout_name,
    parse_thread_id,
    sessions_folder,
)
from .lock import lock_file

__all__ = [
    "archive_rollout",
    "find_archived_thread_path_by_id",
    "find_thread_path_by_id",
    "find_thread_path_by_name",
    "unarchive_rollout",
]

# A version 7 id tells when it was made, to the millisecond; Codex's local names
# may be a day off, and a fork or a resumed id may be older than its file.
_DAYS_AROUND = (0, -1, 1)


async def find_thread_path_by_id(home: Path, id_text: str) -> Path | None:
    """
    Find the active rollout of a thread; None if there is none or it is no id.

    Looks first at the day that the id itself tells, then everywhere.  An empty
    file is no rollout yet, or never became one.

    Cancellation:
        Takes effect before the search begins.
    """
    thread_id = parse_thread_id(id_text)
    if thread_id is None:
        return None
    return await trio.to_thread.run_sync(_find_active, sessions_folder(home), thread_id)


async def find_archived_thread_path_by_id(home: Path, id_text: str) -> Path | None:
    """Find the archived rollout of a thread; otherwise as `find_thread_path_by_id`."""
    thread_id = parse_thread_id(id_text)
    if thread_id is None:
        return None
    return await trio.to_thread.run_sync(_find_in, archived_folder(home), thread_id)


async def find_thread_path_by_name(home: Path, name: str) -> Path | None:
    """
    Find the active rollout of the thread that has this name now.

    Source:
        Codex, where a thread is also found under names it no longer has.
    """
    thread_id = await find_id_by_name(home, name)
    return None if thread_id is None else await find_thread_path_by_id(home, thread_id)


async def archive_rollout(home: Path, path: Path) -> Path:
    """
    Move a rollout into the archive; return where it is now.

    Raises:
        RolloutLocked: Its thread is alive.
        RolloutNotFound: It is not there, or its name is not a rollout's.
        RolloutUnreadable: It cannot be moved.
    """
    return await trio.to_thread.run_sync(_move, path, archived_folder(home))


async def unarchive_rollout(home: Path, path: Path) -> Path:
    """Move a rollout back to the day its name tells; errors as `archive_rollout`."""
    name = parse_rollout_name(path.name)
    if name is None:
        raise RolloutNotFound(path)
    day = sessions_folder(home) / datetime.fromtimestamp(name.time, UTC).strftime("%Y/%m/%d")
    return await trio.to_thread.run_sync(_move, path, day)


def _find_active(sessions: Path, thread_id: ThreadId) -> Path | None:
    for day in _likely_days(thread_id):
        found = _find_in(sessions / day, thread_id)
        if found is not None:
            return found
    found_paths = (_find_in(Path(folder), thread_id) for folder, _, _ in os.walk(sessions))
    return next((path for path in found_paths if path is not None), None)


def _likely_days(thread_id: ThreadId) -> Iterator[str]:
    digits = thread_id.replace("-", "")
    if digits[12] == "7":
        made = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(digits[:12], 16))
        for days in _DAYS_AROUND:
            yield (made + timedelta(days=days)).strftime("%Y/%m/%d")


def _find_in(folder: Path, thread_id: ThreadId) -> Path | None:
    try:
        names = os.listdir(folder)  # noqa: PTH208 -- names are enough, and ten times faster
    except OSError:
        return None
    # Comparing ends first: most names are other threads'.
    end = f"-{thread_id}.jsonl"
    found = (name for name in names if name.endswith(end) and parse_rollout_name(name))
    paths = (folder / name for name in sorted(found, reverse=True))
    return next(filter(_holds_something, paths), None)


def _holds_something(path: Path) -> bool:
    """Tell a rollout from a file whose writer died between its name and its first line."""
    try:
        return path.stat().st_size > 0
    except OSError:  # moved in this instant
        return False


def _move(path: Path, folder: Path) -> Path:
    if parse_rollout_name(path.name) is None:
        raise RolloutNotFound(path)
    try:
        fd = lock_file(os.open(path, os.O_RDWR | os.O_CLOEXEC), path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return path.rename(folder / path.name)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise RolloutNotFound(path) from None
    except OSError as exc:
        raise RolloutUnreadable(path, exc.strerror or str(exc)) from exc
