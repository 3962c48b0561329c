"""What all patches of a turn did to the files, as one diff that git can apply."""

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator
from typing import Final, Self

import attrs

from .disk import MISSING, Disk, Entry, EntryKind
from .plan import PatchPlan
from .unified import unified_diff

__all__ = ["TurnChanges"]

_CONTEXT: Final = 3
_NO_ID: Final = "0" * 40
_NOWHERE: Final = "/dev/null"

_BINARY_LOOK_BYTES: Final = 8000
"""How far git looks for a zero byte, which makes a file binary."""

_QUOTED: Final = re.compile(r'["\\\x00-\x1f\x7f]')
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


@attrs.define(eq=False)
class TurnChanges:
    """
    The files that patches of one turn touched, as they were before the first touch.

    What they are now is read from the disk each time, so that what commands did to
    the same files is in it, too.  Memory: the content of those files, before and
    after, until the next turn.

    Attributes:
        root: What paths are relative to; see `around`.
        diff: As of the latest patch; None when nothing differs.

    Source:
        Codex, ``turn_diff_tracker.rs``.  There a rename has no ``rename`` lines, so that
        git does not apply it.
    """

    root: str
    diff: str | None = attrs.field(default=None, init=False)
    _before: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)
    _after: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)
    # From where a file came, by where it is now.
    _origins: dict[str, str] = attrs.field(factory=dict[str, str], init=False)

    @classmethod
    def around(cls, cwd: str) -> Self:
        """
        Begin a turn: paths are relative to the git repository around *cwd*.

        Outside a repository they are relative to *cwd* itself; what is outside of
        that is absolute.  Blocks.
        """
        place = os.path.realpath(cwd)
        folder = place
        while not os.path.lexists(posixpath.join(folder, ".git")):
            above = posixpath.dirname(folder)
            if above == folder:
                return cls(place)
            folder = above
        return cls(folder)

    def add(self, plan: PatchPlan, disk: Disk) -> None:
        """Take in a patch that was applied, and compute the diff anew; blocks, never fails."""
        moves = {new: self._origins.get(old, old) for new, old in plan.origins.items()}
        for step in plan.steps:
            self._before.setdefault(step.place, step.before)
            self._after[step.place] = step.after
            if step.after == MISSING:
                self._origins.pop(step.place, None)
        self._origins.update(moves)
        for place in self._after:
            self._read_again(place, disk)
        self.diff = "".join(text for _, text in sorted(self._texts())) or None

    def _read_again(self, place: str, disk: Disk) -> None:
        try:
            entry = disk.look(place)
        except OSError:
            return  # too large by now, or unreadable: what we left is the best we know
        if entry.kind in {EntryKind.FILE, EntryKind.LINK, EntryKind.NOTHING}:
            self._after[place] = entry

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield the diff of each file, with the path it is sorted by."""
        moved = dict(self._moves())
        gone = set(moved.values())
        for place, after in self._after.items():
            if place in gone:
                continue
            source = moved.get(place, place)
            before = self._before[source]
            if (before.kind, before.data) != (after.kind, after.data):
                old, new = self._name(source), self._name(place)
                yield new, _file_diff(old, new, before, after)

    def _moves(self) -> Iterator[tuple[str, str]]:
        taken: set[str] = set()
        for new, old in self._origins.items():
            if (
                old not in taken
                and old != new
                and self._before.get(old, MISSING).kind is EntryKind.FILE
                and self._after[old] == MISSING
                and self._before[new] == MISSING
                and self._after[new].kind is EntryKind.FILE
            ):
                taken.add(old)
                yield new, old

    def _name(self, place: str) -> str:
        inside = self.root.rstrip("/") + "/"
        return place.removeprefix(inside)


def _file_diff(old: str, new: str, before: Entry, after: Entry) -> str:
    if EntryKind.NOTHING not in {before.kind, after.kind} and before.kind is not after.kind:
        # A link became a file: git, too, takes one away and then brings the other.
        return _file_diff(old, old, before, MISSING) + _file_diff(new, new, MISSING, after)
    lines = [f"diff --git {_quoted('a/' + old)} {_quoted('b/' + new)}"]
    lines += _mode_lines(old, new, before, after)
    same_mode = MISSING not in (before, after) and before.git_mode == after.git_mode
    mode = f" {after.git_mode}" if same_mode else ""
    lines.append(f"index {_blob_id(before)}..{_blob_id(after)}{mode}")
    old_header = _NOWHERE if before == MISSING else _header("a/" + old)
    new_header = _NOWHERE if after == MISSING else _header("b/" + new)
    texts = _text(before), _text(after)
    if texts[0] is None or texts[1] is None:
        names = [name.rstrip("\t") for name in (old_header, new_header)]
        lines.append(f"Binary files {names[0]} and {names[1]} differ")
        return "\n".join(lines) + "\n"
    body = unified_diff(texts[0], texts[1], context=_CONTEXT)
    if body:  # an empty file that comes or goes has none
        lines += [f"--- {old_header}", f"+++ {new_header}"]
    return "\n".join(lines) + "\n" + body


def _mode_lines(old: str, new: str, before: Entry, after: Entry) -> Iterator[str]:
    if before == MISSING:
        yield f"new file mode {after.git_mode}"
    elif after == MISSING:
        yield f"deleted file mode {before.git_mode}"
    elif before.git_mode != after.git_mode:
        yield f"old mode {before.git_mode}"
        yield f"new mode {after.git_mode}"
    if old != new:
        yield f"rename from {_quoted(old)}"
        yield f"rename to {_quoted(new)}"


def _text(entry: Entry) -> str | None:
    """Decode content; None when it is binary."""
    if b"\0" in entry.data[:_BINARY_LOOK_BYTES]:
        return None
    try:
        return entry.data.decode()
    except UnicodeDecodeError:
        return None


def _blob_id(entry: Entry) -> str:
    """Name content as git does."""
    if entry == MISSING:
        return _NO_ID
    head = b"blob %d\0" % len(entry.data)
    return hashlib.sha1(head + entry.data, usedforsecurity=False).hexdigest()


def _header(path: str) -> str:
    """Write a path after ``---``; a tab shows where one with spaces ends."""
    quoted = _quoted(path)
    return f"{quoted}\t" if " " in quoted and not quoted.startswith('"') else quoted


def _quoted(path: str) -> str:
    """Quote a path as C does, where a control character, quote or backslash asks for it."""
    if not _QUOTED.search(path):
        return path
    return '"' + _QUOTED.sub(lambda found: _escape(found.group()), path) + '"'


def _escape(character: str) -> str:
    return _ESCAPES.get(character) or f"\\{ord(character):03o}"
