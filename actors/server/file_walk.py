"""The files below a folder, without those that ``.gitignore`` leaves out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from .ignore_rules import IgnoreRules

__all__ = ["FILES_AT_MOST", "Halt", "walk_files"]

FILES_AT_MOST: Final = 100_000
"""Files that one walk lists, those nearest to its root first."""

_LIMIT_BYTES: Final = 1 << 16
"""Of a file with rules."""

_REPOSITORY: Final = ".git"
_GIT: Final = ".gitignore"
_EXCLUDE: Final = ".git/info/exclude"
"""Both count in repositories only."""

_OTHER: Final = ".ignore"
"""The same for programs that search; counts anywhere."""


@attrs.define(eq=False)
class Halt:
    """
    Tells work in an OS thread to stop.

    Attributes:
        stopped: Set by one thread, looked at by another; never unset.
    """

    stopped: bool = attrs.field(default=False, init=False)

    def stop(self) -> None:
        """Let the work end soon, with what it has."""
        self.stopped = True


@attrs.frozen
class _Rules:
    """
    The rules of one file.

    Attributes:
        base: How much of a path from the root is the folder of the file.
        before: What comes before a path from the root, for a file above it.
        git: Whether they count only up to where another repository begins.
    """

    rules: IgnoreRules
    base: int
    before: str
    git: bool

    def leaves_out(self, path: str) -> bool | None:
        return self.rules.leaves_out(self.before + path[self.base :])


@attrs.frozen
class _Folder:
    """A folder to look into; path from the root with a slash behind, rules innermost first."""

    path: str
    rules: tuple[_Rules, ...]
    in_repository: bool


def walk_files(root: str, halt: Halt, limit: int = FILES_AT_MOST) -> list[str]:
    """
    List the files below a folder, as paths from there; blocks.

    Hidden ones too, but not what git keeps for itself.  Linked files are listed, linked
    folders are not looked into.  What cannot be read, or has a name that is no text, is
    left out.

    Args:
        root: A folder; one that is none has no files.
        halt: Ends the walk early.
        limit: How many files at most.

    Source:
        Codex, ``file-search``, which follows linked folders.
    """
    found: list[str] = []
    folders = deque([_first(root)])
    while folders and not halt.stopped:
        folder = folders.popleft()
        entries = _entries(root, folder.path)
        folder = _with_rules(root, folder, {entry.name for entry in entries})
        for entry in entries:
            path = folder.path + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name != _REPOSITORY and not _left_out(f"{path}/", folder.rules):
                    folders.append(attrs.evolve(folder, path=f"{path}/"))
            elif not _left_out(path, folder.rules) and _is_file(entry):
                found.append(path)
                if len(found) >= limit:
                    return found
    return found


def _entries(root: str, path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(os.path.join(root, path)) as entries:  # noqa: PTH118 -- many of them
            return [entry for entry in entries if _is_text(entry.name)]
    except (OSError, ValueError):
        return []


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False


def _left_out(path: str, rules: Iterable[_Rules]) -> bool:
    decisions = (one.leaves_out(path) for one in rules)
    return next((left_out for left_out in decisions if left_out is not None), False)


# Rules ------------------------------------------------------------------------


def _first(root: str) -> _Folder:
    """Begin with the rules of the folders around the root, up to where its repository is."""
    try:
        place = Path(root).resolve()
    except (OSError, ValueError):
        return _Folder("", (), in_repository=False)
    around = (place, *place.parents)
    depth = next((depth for depth, each in enumerate(around) if _has_git(each)), None)
    if depth is None:
        return _Folder("", (), in_repository=False)
    rules: list[_Rules] = []
    for folder in around[1 : depth + 1]:
        before = f"{place.relative_to(folder).as_posix()}/"
        names = (_GIT, _EXCLUDE) if _has_git(folder) else (_GIT,)
        found = (_read_rules(folder / name, 0, before=before) for name in names)
        rules += [one for one in found if one is not None]
    return _Folder("", tuple(rules), in_repository=True)


def _has_git(folder: Path) -> bool:
    return os.path.lexists(folder / _REPOSITORY)


def _with_rules(root: str, folder: _Folder, names: set[str]) -> _Folder:
    """Add the rules of a folder; those of a repository around it end where another begins."""
    begins = _REPOSITORY in names
    git = begins or folder.in_repository
    rules = folder.rules
    if begins and folder.path:
        rules = tuple(one for one in rules if not one.git)
    files = [_EXCLUDE] if begins else []
    files += [name for name in (_GIT, _OTHER) if name in names and (git or name == _OTHER)]
    for name in files:
        path = Path(root, folder.path, name)
        one = _read_rules(path, len(folder.path), git=name != _OTHER)
        rules = rules if one is None else (one, *rules)
    return attrs.evolve(folder, rules=rules, in_repository=git)


def _read_rules(path: Path, base: int, *, before: str = "", git: bool = True) -> _Rules | None:
    try:
        # A pipe of that name would keep us for ever.
        if not path.is_file():
            return None
        with path.open("rb") as file:
            text = file.read(_LIMIT_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return None
    rules = IgnoreRules.read(text)
    return _Rules(rules, base, before, git) if rules.groups else None
