"""Finding the thread that a user means: by id, by name, or by the path of its rollout."""

import os
from pathlib import Path

import trio

from actors.rollout import (
    ThreadFilter,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
    find_thread_path_by_name,
    latest_thread_path,
    parse_thread_id,
)

from .errors import NoSuchThread

__all__ = ["find_latest", "find_to_read", "find_to_resume"]

_LIST = "'treadle threads' lists them"


async def find_to_resume(home: Path, wanted: str) -> Path:
    """
    Find the rollout of an active thread.

    What is a UUID is taken for an id, what looks like a path for a path, and
    everything else for a name.

    Raises:
        NoSuchThread: There is none, or only an archived one.
        RolloutUnreadable: The names cannot be read.
    """
    path = await _find_active(home, wanted)
    if path is not None:
        return path
    if await find_archived_thread_path_by_id(home, wanted) is not None:
        raise NoSuchThread(wanted, f"it is archived; 'treadle threads fork {wanted}' makes a copy")
    raise NoSuchThread(wanted, _why(home, wanted))


async def find_to_read(home: Path, wanted: str) -> Path:
    """Find the rollout of a thread, archived or not; else as `find_to_resume`."""
    path = await _find_active(home, wanted)
    if path is None:
        path = await find_archived_thread_path_by_id(home, wanted)
    if path is None:
        raise NoSuchThread(wanted, _why(home, wanted))
    return path


async def find_latest(home: Path, cwd: Path | None) -> Path:
    """
    Find the rollout of the thread that changed last.

    Args:
        home: The home folder.
        cwd: Only threads of this working directory; of any if None.

    Raises:
        NoSuchThread: There is none.
    """
    path = await latest_thread_path(home, wanted=ThreadFilter(cwd=cwd))
    if path is None and cwd is not None:
        raise NoSuchThread("--last", f"none was started in {str(cwd)!r}; --all looks everywhere")
    if path is None:
        raise NoSuchThread("--last", f"there is none in {str(home)!r} yet; begin with an 'exec'")
    return path


async def _find_active(home: Path, wanted: str) -> Path | None:
    if parse_thread_id(wanted) is not None:
        return await find_thread_path_by_id(home, wanted)
    if _is_path(wanted):
        # Whether there is a rollout is told by whoever opens it.
        return Path(await trio.Path(wanted).absolute())
    return await find_thread_path_by_name(home, wanted)


def _is_path(wanted: str) -> bool:
    return os.sep in wanted or wanted.endswith(".jsonl")


def _why(home: Path, wanted: str) -> str:
    what = "id" if parse_thread_id(wanted) is not None else "name"
    return f"none with this {what} in {str(home)!r}; {_LIST}"
