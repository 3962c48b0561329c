"""Verifies a patch against the disk, and against its own earlier hunks."""

import errno
import os
import posixpath
from collections.abc import Iterator, Sequence
from typing import Final, assert_never

import attrs

from messages.events import AddFile, DeleteFile, FileChange, UpdateFile

from .disk import MISSING, Disk, Entry, EntryKind
from .editing import edit_text
from .errors import FILE_LIMIT_BYTES, PatchMismatch, describe
from .hunks import AddHunk, DeleteHunk, Hunk, UpdateHunk
from .plan import PatchPlan, Step
from .unified import unified_diff

__all__ = ["plan_patch"]

_SHOWN_CONTEXT: Final = 1
"""Lines around a change in events.  Source: Codex, ``apply-patch/src/lib.rs``."""

_GROUPS: Final = "AMD"


def plan_patch(hunks: Sequence[Hunk], cwd: str, disk: Disk) -> PatchPlan:
    """
    Work out what *hunks* make of the files, without changing any.

    Each hunk sees the files as the ones before it leave them, so that two for one
    file add up.  Paths are taken from *cwd* and tidied as text (``a/../b`` is ``b``,
    whatever ``a`` is); then links are followed: what is written is the file that a
    link leads to, what is removed is the link.

    Blocks.

    Raises:
        PatchMismatch: It does not fit; says which file, and why.

    Source:
        Codex, ``maybe_parse_apply_patch_verified``, where each hunk sees the disk only,
        and the last one for a path is the one that is shown (L40).
    """
    planner = _Planner(cwd, disk)
    for hunk in hunks:
        planner.apply(hunk)
    return planner.plan()


@attrs.define(eq=False)
class _Planner:
    """
    The files as they were, and as the hunks so far leave them.

    Keys are places: absolute paths without links.
    """

    _cwd: str
    _disk: Disk
    _before: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)
    _now: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)
    _names: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _paths: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _places: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _redirects: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _origins: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    # Folders that the patch makes, so that it cannot write a file there.
    _folders: set[str] = attrs.field(factory=set[str], init=False)
    # What was done, by which letter, to which path as written.
    _done: dict[tuple[str, str], str] = attrs.field(factory=dict[tuple[str, str], str], init=False)

    def apply(self, hunk: Hunk) -> None:
        match hunk:
            case AddHunk():
                self._add(hunk)
            case DeleteHunk():
                self._delete(hunk)
            case UpdateHunk():
                self._update(hunk)
            case _:
                assert_never(hunk)

    def plan(self) -> PatchPlan:
        moved = self._moves()
        return PatchPlan(
            changes=dict(self._changes(moved)),
            paths=tuple(self._paths),
            places=tuple(self._places),
            steps=tuple(self._steps(moved)),
            origins={new: old for old, new in moved.items()},
            redirects=dict(self._redirects),
            summary=self._summary(),
        )

    def _add(self, hunk: AddHunk) -> None:
        shown = self._shown(hunk.path)
        place = self._target(shown)
        self._write(place, shown, _encoded(hunk.content, shown), self._before[place])
        self._origins.pop(place, None)
        self._done["A", hunk.path] = place

    def _delete(self, hunk: DeleteHunk) -> None:
        shown = self._shown(hunk.path)
        place = self._entry_place(shown)
        entry = self._look(place, shown, "read")
        if entry.kind is not EntryKind.LINK:
            _text(self._file(entry, shown, "read"), shown, "read")
        self._remove(place)
        self._origins.pop(place, None)
        self._done["D", hunk.path] = place

    def _update(self, hunk: UpdateHunk) -> None:
        shown = self._shown(hunk.path)
        place = self._resolved(shown)
        entry = self._file(self._look(place, shown, "read file to update"), shown)
        text = edit_text(_text(entry, shown), hunk.chunks, shown)
        data = _encoded(text, shown)
        if hunk.move_to is None:
            self._write(place, shown, data, entry)
            self._done["M", hunk.path] = place
            return
        new_shown = self._shown(hunk.move_to)
        target = self._resolved(new_shown)
        self._done["M", hunk.move_to] = target
        if target == place:  # moved onto itself, perhaps by way of a link
            self._write(place, shown, data, entry)
            return
        self._target(new_shown)
        self._write(target, new_shown, data, entry)
        source = self._entry_place(shown)
        self._origins[target] = self._origins.pop(source, source)
        self._look(source, shown, "read")  # the link, where a link led here
        self._remove(source)

    def _shown(self, path: str) -> str:
        """Make a path absolute and tidy; refuse what no path can be."""
        if "\0" in path or not path or path.endswith("/"):
            raise PatchMismatch(f"{path!r} is not the path of a file")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise PatchMismatch(f"{path!r} is not the path of a file: no valid text") from None
        # Tidied as text before it is shown or looked up, so that all see the same path.
        shown = os.path.normpath(posixpath.join(self._cwd, path))
        if shown.startswith("//"):
            shown = shown[1:]
        self._paths[shown] = None
        return shown

    def _entry_place(self, shown: str) -> str:
        """Find where the last part of a path is, itself perhaps a link."""
        parent, name = os.path.split(shown)
        return posixpath.join(os.path.realpath(parent), name)

    def _resolved(self, shown: str) -> str:
        """Find what a path leads to."""
        place = self._entry_place(shown)
        if place not in self._now and place not in self._folders:
            place = os.path.realpath(place)
        if place != shown:
            self._redirects[shown] = place
        return place

    def _look(self, place: str, shown: str, doing: str) -> Entry:
        self._places[place] = None
        self._names.setdefault(place, shown)
        if place in self._folders:
            return Entry(kind=EntryKind.FOLDER)
        if place not in self._now:
            try:
                entry = self._disk.look(place)
            except OSError as error:
                raise PatchMismatch(f"Failed to {doing} {shown}: {describe(error)}") from error
            self._before[place] = self._now[place] = entry
        return self._now[place]

    def _file(self, entry: Entry, shown: str, doing: str = "read file to update") -> Entry:
        match entry.kind:
            case EntryKind.FILE:
                return entry
            case EntryKind.NOTHING:
                raise _refusal(doing, shown, errno.ENOENT)
            case EntryKind.FOLDER:
                raise _refusal(doing, shown, errno.EISDIR)
            case EntryKind.LINK:
                raise _refusal(doing, shown, errno.ELOOP)
            case EntryKind.OTHER:
                raise PatchMismatch(
                    f"Failed to {doing} {shown}: it is a {entry.kind.value}, no regular file"
                )
            case _:
                assert_never(entry.kind)

    def _target(self, shown: str) -> str:
        """Find a place where a file may be written."""
        place = self._resolved(shown)
        entry = self._look(place, shown, "write file")
        if entry.kind is not EntryKind.NOTHING:
            self._file(entry, shown, "write file")
        self._make_parents(place, shown)
        return place

    def _make_parents(self, place: str, shown: str) -> None:
        folder = posixpath.dirname(place)
        new: list[str] = []
        while folder != "/" and folder not in self._folders:
            kind = self._kind(folder, shown)
            if kind is EntryKind.FOLDER:
                break
            if kind is not EntryKind.NOTHING:
                raise _refusal("create parent directories for", shown, errno.ENOTDIR)
            new.append(folder)
            folder = posixpath.dirname(folder)
        self._folders.update(new)

    def _kind(self, place: str, shown: str) -> EntryKind:
        if place in self._now:
            return self._now[place].kind
        try:
            return self._disk.kind(place)
        except OSError as error:
            raise PatchMismatch(
                f"Failed to create parent directories for {shown}: {describe(error)}"
            ) from error

    def _write(self, place: str, shown: str, data: bytes, like: Entry) -> None:
        if len(data) > FILE_LIMIT_BYTES:
            raise _refusal("write file", shown, errno.EFBIG)
        status = like.status if like.kind is EntryKind.FILE else None
        self._now[place] = Entry(kind=EntryKind.FILE, data=data, status=status)

    def _remove(self, place: str) -> None:
        self._now[place] = MISSING

    def _moves(self) -> dict[str, str]:
        """Map each file that is now elsewhere, and was on the disk before, to its new place."""
        return {
            old: new
            for new, old in self._origins.items()
            if self._now[new].kind is EntryKind.FILE
            and self._before[old].kind is EntryKind.FILE
            and self._now[old] == MISSING
        }

    def _changes(self, moved: dict[str, str]) -> Iterator[tuple[str, FileChange]]:
        arrived = set(moved.values())
        for place, before in self._before.items():
            after, shown = self._now[place], self._names[place]
            if place in moved:
                target = moved[place]
                diff = _diff(before, self._now[target]) or ""
                yield shown, UpdateFile(unified_diff=diff, move_path=self._names[target])
            elif before == after == MISSING or (before == MISSING and place in arrived):
                continue
            elif after == MISSING:
                yield shown, DeleteFile(content=before.data.decode("utf-8", "replace"))
            elif (change := _diff(before, after)) is None:
                yield shown, AddFile(content=after.data.decode())
            else:
                yield shown, UpdateFile(unified_diff=change)

    def _steps(self, moved: dict[str, str]) -> Iterator[Step]:
        for place, before in self._before.items():
            after = self._now[place]
            if before != after:
                yield Step(
                    place=place,
                    shown=self._names[place],
                    before=before,
                    after=after,
                    moved=place in moved,
                )

    def _summary(self) -> str:
        lines = [
            f"{letter} {path}\n"
            for group in _GROUPS
            for (letter, path), place in self._done.items()
            if letter == group and (letter == "D") is (self._now[place] == MISSING)
        ]
        return "".join(["Success. Updated the following files:\n", *lines])


def _diff(before: Entry, after: Entry) -> str | None:
    """Compare two files; None unless both are text files."""
    if before.kind is not EntryKind.FILE:
        return None
    try:
        old, new = before.data.decode(), after.data.decode()
    except UnicodeDecodeError:
        return None
    return unified_diff(old, new, context=_SHOWN_CONTEXT)


def _text(entry: Entry, shown: str, doing: str = "read file to update") -> str:
    try:
        return entry.data.decode()
    except UnicodeDecodeError as error:
        raise PatchMismatch(
            f"Failed to {doing} {shown}: it is not valid UTF-8 text (byte {error.start})"
        ) from error


def _encoded(text: str, shown: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise PatchMismatch(
            f"Failed to write file {shown}: its new content is no valid Unicode text"
        ) from error


def _refusal(doing: str, shown: str, code: int) -> PatchMismatch:
    return PatchMismatch(f"Failed to {doing} {shown}: {describe(OSError(code, ''))}")
