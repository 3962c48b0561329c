"""What clients keep beside threads: an append-only file beside the rollouts."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, cast

import attrs
import orjson
import trio

from messages.ids import ThreadId

from .errors import RolloutUnreadable
from .index import append_line
from .layout import NOTES, parse_thread_id

__all__ = ["ThreadNote", "ThreadNotes"]

_GIT: Final = ("sha", "branch", "origin_url")


@attrs.frozen(kw_only=True)
class ThreadNote:
    """
    What was kept of one thread.

    Attributes:
        git:
            What goes before what its rollout says of the working tree: ``sha``, ``branch``,
            ``origin_url``; None for "it has none".  What is not in there stays as recorded.
        daybreak: A choice of the client's that we only keep; None when there is none.
    """

    git: Mapping[str, str | None] = attrs.field(factory=dict[str, str | None])
    daybreak: bool | None = None

    def changed(self, later: "ThreadNote") -> "ThreadNote":
        """Lay a later note over this one."""
        daybreak = self.daybreak if later.daybreak is None else later.daybreak
        return ThreadNote(git={**self.git, **later.git}, daybreak=daybreak)


@attrs.frozen
class ThreadNotes:
    """
    The notes of all threads of a home folder.

    A line changes what earlier lines of the same thread say.  The file is read anew each
    time, because other processes append to it as well.

    Attributes:
        home: The home folder.

    Source:
        Codex 0.169 keeps this in a database.
    """

    home: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / NOTES

    async def add(self, thread_id: ThreadId, note: ThreadNote) -> None:
        """
        Change what is kept of a thread.

        Raises:
            RolloutUnreadable: The file cannot be written.

        Cancellation:
            It is written, or nothing is.
        """
        entry: dict[str, object] = {"id": thread_id, "git": note.git}
        if note.daybreak is not None:
            entry["daybreak"] = note.daybreak
        write = partial(append_line, self.path, orjson.dumps(entry) + b"\n")
        await trio.to_thread.run_sync(write)

    def read(self) -> dict[ThreadId, ThreadNote]:
        """
        Return the notes of all threads that have one; blocks.

        Raises:
            RolloutUnreadable: The file cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise RolloutUnreadable(self.path, exc.strerror or str(exc)) from exc
        notes: dict[ThreadId, ThreadNote] = {}
        for line in data.splitlines():
            found = _entry(line)
            if found is not None:
                thread_id, note = found
                notes[thread_id] = notes.get(thread_id, ThreadNote()).changed(note)
        return notes


def _entry(line: bytes) -> tuple[ThreadId, ThreadNote] | None:
    """Read a line; None for one that is torn, or of another kind."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    match entry:
        case {"id": str(id_text)}:
            thread_id = parse_thread_id(id_text)
        case _:
            return None
    fields = cast("Mapping[str, object]", entry)  # of JSON
    daybreak = fields.get("daybreak")
    note = ThreadNote(
        git=_git(fields.get("git")), daybreak=daybreak if isinstance(daybreak, bool) else None
    )
    return None if thread_id is None else (thread_id, note)


def _git(raw: object) -> dict[str, str | None]:
    if not isinstance(raw, dict):
        return {}
    members = cast("Mapping[str, object]", raw)  # of JSON
    found = ((name, members[name]) for name in _GIT if name in members)
    return {name: value for name, value in found if value is None or isinstance(value, str)}
