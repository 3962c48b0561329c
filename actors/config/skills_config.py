"""Where skills are looked for, and which of them the user switched off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import attrs

from actors.skills import SkillRoot, skill_roots
from actors.skills.roots import ADMIN_FOLDER
from messages.value import Json

from .config_table import ConfigTable
from .errors import ConfigError
from .looks import exists, is_folder, real_path

__all__ = ["DisabledSkills", "find_skill_roots", "read_disabled_skills"]

_KEY: Final = "config"
_FILE: Final = "SKILL.md"


@attrs.frozen(kw_only=True)
class DisabledSkills:
    """
    What ``[[skills.config]]`` says.

    Attributes:
        paths: Of each ``SKILL.md`` that is off, links resolved.
        warnings: A line for each entry that says nothing we can use.
    """

    paths: frozenset[str]
    warnings: tuple[str, ...]


def find_skill_roots(
    home: Path, *, cwd: Path, markers: Sequence[str], admin: Path | None
) -> tuple[SkillRoot, ...]:
    """
    List the folders where skills are looked for; blocks shortly.

    Args:
        home: Our home.
        cwd: Where the thread works.
        markers: What the root of a project is known by.
        admin: The folder of whoever runs the machine; None for the usual one.
    """
    try:
        user_home = Path.home()
    except RuntimeError:  # a user that the system does not know, without HOME
        user_home = home
    _note_root(cwd, markers)
    return skill_roots(
        home=home,
        user_home=user_home,
        cwd=cwd,
        project_root_markers=markers,
        admin_folder=admin or ADMIN_FOLDER,
    )


def _note_root(cwd: Path, markers: Sequence[str]) -> None:
    """Look where `skill_roots` will look, which takes no notes."""
    here = Path(real_path(cwd))
    for folder in (here, *here.parents):
        if any(exists(folder / marker) for marker in markers):
            return


def read_disabled_skills(table: ConfigTable) -> DisabledSkills:
    """
    Read ``[[skills.config]]``: entries with ``path`` and ``enabled``.

    The last entry for a path counts.  A skill may be named by its folder, too.  An
    entry that is wrong costs only itself, because Codex may know more kinds of them.

    Raises:
        ConfigError: ``skills`` is no table.

    Source:
        Codex, ``disabled_paths_from_stack``; there one wrong entry costs all of them.
    """
    skills = table.table("skills")
    entries = skills.raw(_KEY)
    if not isinstance(entries, list | tuple):
        problem = "expected a list of tables with path and enabled; no skill is switched off"
        warnings = () if entries is None else (_complaint(skills, "", problem),)
        return DisabledSkills(paths=frozenset(), warnings=warnings)
    states: dict[str, bool] = {}
    complaints: list[str] = []
    for number, entry in enumerate(cast("Sequence[Json]", entries), 1):
        try:
            path, enabled = _entry(skills, entry)
        except ValueError as exc:
            complaints.append(_complaint(skills, f"[{number}]", str(exc)))
        else:
            states[path] = enabled
    shown: list[Json] = [{"path": path, "enabled": on} for path, on in states.items()]
    skills.note(_KEY, shown)
    disabled = frozenset(path for path, enabled in states.items() if not enabled)
    return DisabledSkills(paths=disabled, warnings=tuple(complaints))


def _entry(skills: ConfigTable, entry: Json) -> tuple[str, bool]:
    """Return path and state; raises `ValueError` with what is wrong."""
    fields: Mapping[str, Json] = cast("dict[str, Json]", entry) if isinstance(entry, dict) else {}
    path, enabled = fields.get("path"), fields.get("enabled")
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise ValueError("it is not used: it has no path, which names the SKILL.md of a skill")
    if not isinstance(enabled, bool):
        raise ValueError("it is not used: enabled is neither true nor false")  # noqa: TRY004 -- a value of the user
    try:
        named = skills.folder(_KEY) / Path(path).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"it is not used: {path!r} names no file: {exc}") from exc
    if named.name != _FILE and is_folder(named):
        named /= _FILE
    return real_path(named), enabled


def _complaint(skills: ConfigTable, index: str, problem: str) -> str:
    layer = skills.layer(_KEY)
    place = f"skills.{_KEY}{index}"
    source = None if layer is None else layer.source
    return str(ConfigError(source, place if layer is None else layer.place(place), problem))
