"""The names of threads: an append-only file beside the rollouts."""

import fcntl
import os
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import attrs
import orjson
import trio

from actors.runtime import World
from messages.ids import ThreadId

from .errors import RolloutUnreadable
from .layout import INDEX, format_time, parse_thread_id

__all__ = ["NamedThread", "SessionIndex", "append_line", "find_id_by_name", "normalized_name"]


@attrs.frozen(kw_only=True)
class NamedThread:
    """
    The name of a thread.

    Attributes:
        updated_at: When it got it, RFC 3339; empty when the file does not say.
    """

    thread_id: ThreadId
    name: str
    updated_at: str


def normalized_name(name: str) -> str | None:
    """Return a name without the white space around it; None if nothing is left."""
    return name.strip() or None


@attrs.frozen
class SessionIndex:
    """
    The names of all threads of a home folder.

    A thread has the name it was given last; two threads may have the same.
    The file is read anew each time, because other processes append to it as well.

    Attributes:
        home: The home folder.
        world: The clock.

    Source:
        Codex, ``rollout/session_index.rs``; there a thread is also found under
        names it no longer has.
    """

    home: Path
    world: World

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / INDEX

    async def set_name(self, thread_id: ThreadId, name: str) -> None:
        """
        Give a thread a name, as `normalized_name` returned it.

        Raises:
            RolloutUnreadable: The file cannot be written.

        Cancellation:
            Nothing was written.
        """
        at = format_time(self.world.now())
        entry = {"id": thread_id, "thread_name": name, "updated_at": at}
        write = partial(append_line, self.path, orjson.dumps(entry) + b"\n")
        await trio.to_thread.run_sync(write)

    async def name_of(self, thread_id: ThreadId) -> str | None:
        """Return the name of a thread; None if it has none."""
        return (await self.names_of((thread_id,))).get(thread_id)

    async def names_of(self, thread_ids: Collection[ThreadId]) -> dict[ThreadId, str]:
        """Return the names of those of the threads that have one."""
        return await trio.to_thread.run_sync(self.read_names, thread_ids)

    def read_names(self, thread_ids: Collection[ThreadId]) -> dict[ThreadId, str]:
        """Return the names of those of the threads that have one; blocks."""
        latest = _latest(self.path)
        return {i: latest[i].name for i in thread_ids if i in latest}


async def find_id_by_name(home: Path, name: str) -> ThreadId | None:
    """
    Return the thread of a home folder that has this very name.

    The one named last if several have it; a name that a thread no longer has finds nothing.
    """
    latest = await trio.to_thread.run_sync(_latest, home / INDEX)
    wanted = normalized_name(name)
    named = (entry.thread_id for entry in reversed(latest.values()) if entry.name == wanted)
    return next(named, None)


def append_line(path: Path, line: bytes) -> None:
    """
    Append a line to a file that other processes append to as well; blocks.

    Raises:
        RolloutUnreadable: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # Waits, but only for other appenders of one short line.
            fcntl.flock(fd, fcntl.LOCK_EX)
            _write_line(fd, line)
        finally:
            os.close(fd)
    except OSError as exc:
        raise RolloutUnreadable(path, exc.strerror or str(exc)) from exc


def _write_line(fd: int, line: bytes) -> None:
    size = os.fstat(fd).st_size
    torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
    data = b"\n" + line if torn else line
    if os.write(fd, data) != len(data):
        os.ftruncate(fd, size)
        raise OSError("the line was not taken as a whole")


def _latest(path: Path) -> dict[ThreadId, NamedThread]:
    """Return the latest entry of each thread, in the order in which they were appended."""
    latest: dict[ThreadId, NamedThread] = {}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return latest
    except OSError as exc:
        raise RolloutUnreadable(path, exc.strerror or str(exc)) from exc
    for entry in _entries(data):
        latest.pop(entry.thread_id, None)  # so that it moves to the end
        latest[entry.thread_id] = entry
    return latest


def _entries(data: bytes) -> Iterator[NamedThread]:
    for line in data.splitlines():
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        match entry:
            case {"id": str(id_text), "thread_name": str(text)}:
                thread_id, name = parse_thread_id(id_text), normalized_name(text)
                if thread_id and name:
                    at = entry.get("updated_at")
                    yield NamedThread(
                        thread_id=thread_id,
                        name=name,
                        updated_at=at if isinstance(at, str) else "",
                    )
            case _:  # a line of another kind
                pass
