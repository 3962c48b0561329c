"""Finds the program that a word of a command stands for, and says whether the system owns it."""

import os
from typing import Final

__all__ = ["find_system_program", "resolve_program"]

_FOLDERS: Final = frozenset(
    {
        "/bin",
        "/sbin",
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        "/usr/local/sbin",
        "/run/current-system/sw/bin",
    }
)
"""Where systems keep programs; not where a user does."""

_HOMES: Final = ("/bin/", "/lib/", "/nix/store/", "/sbin/", "/usr/")
"""Where a program may really lie when a system folder only links to it."""


def resolve_program(word: str, search_path: str) -> str | None:
    """
    Return the path of the system program that a command runs by this word; blocks shortly.

    None when it is another one: one in a folder of the user's, one that an earlier folder
    of the search path has under the same name, one given by a relative path, a link out of
    the system's folders, or none at all.

    Args:
        search_path: The value of ``PATH``, as the command will find it.

    Source:
        Codex goes by the last part of the path alone (L39).
    """
    if "/" in word:
        return word if _is_program(word) and _is_system(word) else None
    for folder in search_path.split(":") if word else ():
        if not folder.startswith("/"):
            return None  # a relative folder: another program in each working directory
        path = f"{folder.rstrip('/')}/{word}"
        if _is_program(path):
            return path if _is_system(path) else None
    return None


def find_system_program(name: str, search_path: str) -> str | None:
    """Return the first system program of that name; others before it are passed over."""
    for folder in search_path.split(":"):
        path = f"{folder.rstrip('/')}/{name}"
        if _is_system(path) and _is_program(path):
            return path
    return None


def _is_program(path: str) -> bool:
    try:
        return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113
    except ValueError:  # a NUL
        return False


def _is_system(path: str) -> bool:
    folder = path[: path.rfind("/")]
    return folder in _FOLDERS and os.path.realpath(path).startswith(_HOMES)
