"""Finds the skill files below a root, without reading them; blocks."""

import errno
import os
from collections import deque
from typing import Final

import attrs

from messages.events import SkillError

from .skill import SkillRoot, SkillScope

__all__ = [
    "MAX_DEPTH",
    "MAX_ENTRIES",
    "MAX_FOLDERS",
    "SKILL_FILE",
    "Discovery",
    "discover",
    "is_passing",
    "show_path",
]

SKILL_FILE: Final = "SKILL.md"

MAX_DEPTH: Final = 6
"""How far below a root folders are looked into; the root itself is at 0."""

MAX_FOLDERS: Final = 2000
"""How many folders of one root are looked into, the root included."""

MAX_ENTRIES: Final = 200_000
"""How many names of one root are looked at, all folders together."""

# The system's own trouble, which says nothing about the file.
_PASSING: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
)
# A link was asked for what it leads to, and led nowhere.
_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@attrs.frozen(kw_only=True)
class Discovery:
    """
    What lies below one root.

    Attributes:
        files: Of skills, without links; from the root downwards, in the order of names.
        errors: What could not be looked into, and which limit ended the look.
        folders: Where the root and the links below it lead to.
        lasting: See `SkillsOutcome`.
    """

    files: tuple[str, ...]
    errors: tuple[SkillError, ...]
    folders: tuple[str, ...]
    lasting: bool


def discover(root: SkillRoot) -> Discovery:
    """
    Look for skill files below a root; a root that does not exist has none.

    Never raises.  Names that begin with a dot are passed over, and so is a ``SKILL.md``
    that is a link.  Links to folders are followed, except in the system's scope; each
    folder is looked into once, whatever leads there.

    Source:
        Codex, ``discover_skills_under_root``, which does not tell anybody what it left out.
    """
    walk = _Walk(root.scope is not SkillScope.SYSTEM)
    try:
        walk.run(os.path.realpath(root.path))
    except ValueError as error:  # a null character
        walk.report(root.path, str(error))
    return Discovery(
        files=tuple(walk.files),
        errors=tuple(walk.errors),
        folders=tuple(walk.folders),
        lasting=walk.lasting,
    )


def is_passing(error: OSError) -> bool:
    """Tell whether an error may be gone the next time, although no file has changed."""
    return error.errno in _PASSING


def show_path(path: str) -> str:
    """Return a path as text that has a form in JSON."""
    return os.fsencode(path).decode("utf-8", "replace")


@attrs.define(eq=False)
class _Walk:
    """One look below one root, breadth first, so that limits cut off what is farthest."""

    _follow: bool
    files: list[str] = attrs.field(factory=list[str], init=False)
    errors: list[SkillError] = attrs.field(factory=list[SkillError], init=False)
    folders: list[str] = attrs.field(factory=list[str], init=False)
    lasting: bool = attrs.field(default=True, init=False)
    # Invariant: without links; whatever is in the queue was put in here first.
    _seen: set[str] = attrs.field(factory=set[str], init=False)
    _queue: deque[tuple[str, int]] = attrs.field(factory=deque[tuple[str, int]], init=False)
    _entries: int = attrs.field(default=0, init=False)
    # Limits that were reached; each is told once, with the first folder left out.
    _told: set[str] = attrs.field(factory=set[str], init=False)

    def run(self, root: str) -> None:
        self.folders.append(root)
        self._enter(root, 0)
        while self._queue and self._entries <= MAX_ENTRIES:
            folder, depth = self._queue.popleft()
            try:
                self._look(folder, depth)
            except OSError as error:
                if os.path.lexists(folder):  # else it never was, or was removed in this instant
                    self.fail(folder, "failed to read folder", error)

    def fail(self, path: str, what: str, error: OSError) -> None:
        self.lasting = self.lasting and not is_passing(error)
        self.report(path, f"{what}: {error.strerror or error}")

    def report(self, path: str, message: str) -> None:
        self.errors.append(SkillError(path=show_path(path), message=message))

    def _look(self, folder: str, depth: int) -> None:
        below: list[tuple[str, bool]] = []
        try:
            self._list(folder, below)
        finally:  # what was listed before an error counts
            for name, is_link in sorted(below):
                self._follow_or_enter(f"{folder.rstrip('/')}/{name}", depth + 1, is_link=is_link)

    def _list(self, folder: str, below: list[tuple[str, bool]]) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                self._entries += 1
                if self._entries > MAX_ENTRIES:
                    self._limit(folder, f"more than {MAX_ENTRIES} names")
                    return
                if entry.name.startswith("."):
                    continue
                if entry.name == SKILL_FILE and entry.is_file(follow_symlinks=False):
                    self.files.append(entry.path)
                elif self._is_folder(entry):
                    below.append((entry.name, entry.is_symlink()))

    def _is_folder(self, entry: "os.DirEntry[str]") -> bool:
        try:
            return entry.is_dir(follow_symlinks=self._follow)
        except OSError as error:
            if error.errno not in _NOWHERE:
                self.fail(entry.path, "failed to follow link", error)
            return False

    def _follow_or_enter(self, path: str, depth: int, *, is_link: bool) -> None:
        if is_link:
            path = os.path.realpath(path)
            self.folders.append(path)
        self._enter(path, depth)

    def _enter(self, folder: str, depth: int) -> None:
        if folder in self._seen:
            return
        if depth > MAX_DEPTH:
            self._limit(folder, f"folders more than {MAX_DEPTH} levels down")
        elif len(self._seen) >= MAX_FOLDERS:
            self._limit(folder, f"more than {MAX_FOLDERS} folders")
        else:
            self._seen.add(folder)
            self._queue.append((folder, depth))

    def _limit(self, folder: str, what: str) -> None:
        if what in self._told:
            return
        self._told.add(what)
        self.report(
            folder,
            f"{what} below a skills folder are not searched, here and maybe elsewhere; "
            "move skills up, or what is no skill out of it",
        )
