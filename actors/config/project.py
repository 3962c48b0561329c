"""Which folders belong to a project, and whether the user trusts it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from .config_table import ConfigTable
from .looks import is_there, real_path

__all__ = ["DEFAULT_MARKERS", "is_trusted", "project_folders", "read_file_names", "read_trust"]

DEFAULT_MARKERS: Final = (".git",)
"""What the root of a project is known by, as Codex has it."""

_LEVELS: Final = ("trusted", "untrusted")


def project_folders(cwd: Path, markers: Collection[str]) -> tuple[Path, ...]:
    """
    List the folders from the root of the project down to *cwd*, links resolved.

    The root is the nearest folder that has one of the *markers*; without one the
    project is *cwd* alone.  Blocks shortly.

    Source:
        Codex, ``find_project_root``.
    """
    here = Path(real_path(cwd))
    above: list[Path] = []
    for folder in (here, *here.parents):
        above.append(folder)
        if any(is_there(folder / marker) for marker in markers):
            return tuple(reversed(above))
    return (here,)


def read_trust(user: ConfigTable) -> Mapping[str, bool]:
    """
    Read ``[projects.*]`` of the user's own file: folders, and whether they are trusted.

    Raises:
        ConfigError: A level is none.
    """
    trust: dict[str, bool] = {}
    for folder, entry in user.tables("projects"):
        level = entry.choice("trust_level", _LEVELS)
        if level is not None and Path(folder).is_absolute() and "\0" not in folder:
            trust[real_path(folder)] = level == _LEVELS[0]
    return trust


def is_trusted(folder: Path, root: Path, trust: Mapping[str, bool]) -> bool | None:
    """
    Whether the user trusts what is in a folder; None when nothing is said of it.

    What is said of the folder itself goes before what is said of the project's root.

    Source:
        Codex, ``decision_for_dir``; it also asks for the repository that a worktree
        belongs to, which a file inside the worktree names and could name wrongly.
    """
    decision = trust.get(str(folder))
    return trust.get(str(root)) if decision is None else decision


def read_file_names(table: ConfigTable, key: str, default: Sequence[str]) -> tuple[str, ...]:
    """
    Read a list of names of files, looked for in several folders.

    Raises:
        ConfigError: One of them would lead out of the folder.
    """
    if not table.has(key):
        table.note(key, [*default])
        return tuple(default)
    names = table.text_list(key)
    for name in names:
        if "\0" in name or name.startswith("/") or ".." in name.split("/"):
            table.refuse(key, f"{name!r} is no name of a file; give names without '..' and '/'")
    return names
