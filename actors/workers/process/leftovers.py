"""What a writer leaves that died in its first line: the name of a rollout, and nothing to read."""

from contextlib import suppress
from pathlib import Path

import trio

from actors.rollout import Files, RolloutError, find_thread_path_by_id
from actors.rollout.journal import aside_path
from messages.ids import ThreadId

__all__ = ["set_leftovers_aside"]


async def set_leftovers_aside(home: Path, thread_id: ThreadId, path: Path) -> None:
    """
    Make room for the rollout of a thread that begins again, because nothing is recorded of it.

    What is found under its id has no whole line, and would be found again in place of the
    new one.  What has the very name of the new one was begun in the same second; nothing
    could ever be recorded beside it.  Bytes are kept in a file beside it.

    What somebody writes stays, and so does what cannot be taken away; the thread tells of
    it when it is to be recorded.

    Args:
        path: Where the thread will be recorded; nothing of it is there yet.

    Cancellation:
        Some or all may be set aside.
    """
    found = await find_thread_path_by_id(home, thread_id)
    for left in {path, found or path}:
        await trio.to_thread.run_sync(_set_aside, left)


def _set_aside(path: Path) -> None:
    files = Files()
    with suppress(OSError, RolloutError):
        fd = files.open(path)
        try:
            if torn := files.read_from(fd, 0):
                files.append_aside(aside_path(path), torn + b"\n")
            files.remove(path)
        finally:
            files.close(fd)
