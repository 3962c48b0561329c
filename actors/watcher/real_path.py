"""Following a path to the folder it leads to, and noting what could make it lead elsewhere."""

import os
import stat
from collections import deque
from typing import Final, TypeAlias

import attrs

__all__ = ["Gate", "Identity", "RealPath", "follow", "identity"]

_LINK_LIMIT: Final = 40
"""Symbolic links in one path, as in Linux."""

Identity: TypeAlias = tuple[int, int]
"""Device and inode number of a folder."""


@attrs.frozen
class Gate:
    """
    A name on which it depends where a path leads.

    Attributes:
        folder: Real path of the folder the name is in.
        name: The name, of a symbolic link or of nothing.
    """

    folder: str
    name: str


@attrs.frozen
class RealPath:
    """
    Where a path leads.

    Attributes:
        folder: Real path of the folder; None if it leads to none.
        status: Device and inode of *folder*; None if there is none.
        gates:
            What must be watched to learn that it leads elsewhere, with the
            identity of its folder: every symbolic link on the way, and the first
            name that is missing.
    """

    folder: str | None
    status: Identity | None
    gates: dict[Gate, Identity]


def identity(status: os.stat_result) -> Identity:
    """Tell one folder from another that is at its path later."""
    return status.st_dev, status.st_ino


def follow(path: str) -> RealPath:
    """Follow an absolute path; blocks shortly."""
    gates = dict[Gate, Identity]()
    # Real path of the folder reached, "" for the root of the file system.
    here, status = "", _identity_at("/")
    todo = deque(path.split("/"))
    links = 0
    while todo:
        name = todo.popleft()
        if name in ("", "."):
            continue
        if name == "..":
            here = here.rpartition("/")[0]
            status = _identity_at(here or "/")
            continue
        target, found = _look(f"{here}/{name}")
        if target is None and found is not None:
            here, status = f"{here}/{name}", found
            continue
        gates[Gate(here or "/", name)] = status
        links += 1
        if target is None or links > _LINK_LIMIT:
            return RealPath(None, None, gates)
        if target.startswith("/"):
            here, status = "", _identity_at("/")
        todo.extendleft(reversed(target.split("/")))
    return RealPath(here or "/", status, gates)


def _identity_at(folder: str) -> Identity:
    try:
        return identity(os.stat(folder))  # noqa: PTH116 -- pathlib doubles the price
    except OSError:
        return 0, 0  # gone meanwhile: like no other


def _look(path: str) -> tuple[str | None, Identity | None]:
    """Find the target of a symbolic link, or the identity of a folder, or neither."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(path), None  # noqa: PTH115
    except OSError:
        return None, None
    return None, identity(status) if stat.S_ISDIR(status.st_mode) else None
