"""Finding the layers of a configuration: system, user, project, profile, session."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from messages.value import Json

from .config_layer import ConfigLayer, LayerKind
from .config_table import ConfigTable
from .looks import is_folder, is_there, real_path
from .project import (
    DEFAULT_MARKERS,
    is_trusted,
    project_folders,
    read_file_names,
    read_trust,
)
from .toml_file import read_toml_file
from .unknown_keys import misplaced_keys, without_misplaced

__all__ = ["CONFIG_FILE", "SYSTEM_CONFIG", "FoundLayers", "find_layers"]

CONFIG_FILE: Final = "config.toml"

SYSTEM_CONFIG: Final = Path("/etc/codex/config.toml")
"""What whoever runs the machine says for all users of it."""

_PROJECT_FOLDER: Final = ".codex"
_RULES: Final = "rules"
_MARKERS: Final = "project_root_markers"


@attrs.frozen(kw_only=True)
class FoundLayers:
    """
    The layers that count for a working directory.

    Attributes:
        table: All of them; the last goes before the others.
        base: Those without a profile, lowest first, as they are in their places.
        folders: Of the project, its root first, links resolved.
        project_folders: Each ``.codex`` folder of the project, trusted or not.
        rule_folders:
            Where rules about commands are besides those of the home: of the system, and of
            the project's folders that are trusted.
        markers: What the root of the project was looked for by.
        warnings: A line for each thing the user should know.
    """

    table: ConfigTable
    base: tuple[ConfigLayer, ...]
    folders: tuple[Path, ...]
    project_folders: tuple[Path, ...]
    rule_folders: tuple[Path, ...]
    markers: tuple[str, ...]
    warnings: tuple[str, ...]


def find_layers(
    home: Path,
    *,
    cwd: Path,
    overrides: ConfigLayer,
    system: Path | None,
    user: Mapping[str, Json] | None = None,
) -> FoundLayers:
    """
    Read all files that count; blocks while it does.

    The order is: the system's file, the user's, those of the project from its root
    down to *cwd*, the chosen profile as each of them has it, *overrides*.  A project's
    files, those of rules included, count only where the user's own file says that the
    project is trusted.

    Args:
        home: Folder of the user's file.
        cwd: Where a thread is to work.
        overrides: Settings of the session.
        system: The system's file; None for none.
        user: What to take for the contents of the user's file; None for what it holds.

    Raises:
        ConfigError: A file cannot be read or is no TOML; or what says which layers
            there are is wrong.

    Source:
        Codex, ``load_config_layers_state``.  There a chosen profile goes before the
        overrides of the command line; here what is said last counts.
    """
    own = _user_layer(home, user)
    outer = [own, overrides]
    if system is not None:
        outer.insert(0, _file(system, LayerKind.SYSTEM, system.parent))
    markers = _read_markers(outer)
    folders = project_folders(cwd, markers)
    trust_table = ConfigTable((own,))
    trust = read_trust(trust_table)
    dotted = _project_folders(folders, home)
    project, untrusted = _project_layers(dotted, folders[0], trust)
    base = (*outer[:-1], *project, overrides)
    warnings = [line for layer in base for line in misplaced_keys(layer)]
    warnings += [_untrusted(path, folders[0], own) for path in untrusted]
    chosen = _chosen_profile([without_misplaced(layer) for layer in base])
    warnings += [line for layer in chosen for line in misplaced_keys(layer)]
    ranked = (*base[:-1], *chosen, overrides)
    table = ConfigTable(tuple(without_misplaced(layer) for layer in ranked))
    _adopt_structure(table, trust_table)
    return FoundLayers(
        table=table,
        base=base,
        folders=folders,
        project_folders=dotted,
        rule_folders=tuple(
            layer.folder / _RULES
            for layer in base
            if layer.kind in (LayerKind.SYSTEM, LayerKind.PROJECT)
        ),
        markers=markers,
        warnings=tuple(warnings),
    )


def _user_layer(home: Path, raw: Mapping[str, Json] | None) -> ConfigLayer:
    path = home / CONFIG_FILE
    if raw is None:
        return _file(path, LayerKind.USER, home)
    return ConfigLayer(raw=raw, source=str(path), folder=home, kind=LayerKind.USER)


def _file(path: Path, kind: LayerKind, folder: Path) -> ConfigLayer:
    return ConfigLayer(raw=read_toml_file(path) or {}, source=str(path), folder=folder, kind=kind)


def _read_markers(layers: Sequence[ConfigLayer]) -> tuple[str, ...]:
    return read_file_names(ConfigTable(tuple(layers)), _MARKERS, DEFAULT_MARKERS)


def _project_folders(folders: Sequence[Path], home: Path) -> tuple[Path, ...]:
    # A home named ".codex" in the user's folder is no project's.
    own = real_path(home)
    dotted = (folder / _PROJECT_FOLDER for folder in folders)
    return tuple(path for path in dotted if is_folder(path) and real_path(path) != own)


def _project_layers(
    dotted: Sequence[Path], root: Path, trust: Mapping[str, bool]
) -> tuple[list[ConfigLayer], list[Path]]:
    """Read the files that are trusted; what others there are is listed if nothing is said."""
    layers: list[ConfigLayer] = []
    untrusted: list[Path] = []
    for folder in dotted:
        paths = folder / CONFIG_FILE, folder / _RULES
        decision = is_trusted(folder.parent, root, trust)
        if decision:
            layers.append(_file(paths[0], LayerKind.PROJECT, folder))
        elif decision is None:
            untrusted += [path for path in paths if is_there(path)]
    return layers, untrusted


def _untrusted(path: Path, root: Path, user: ConfigLayer) -> str:
    return (
        f"{path}: it is not read, because nothing says that you trust this project; if you do, "
        f'add [projects.{json.dumps(str(root))}] with trust_level = "trusted" to {user.source}'
    )


def _chosen_profile(base: Sequence[ConfigLayer]) -> list[ConfigLayer]:
    """Make layers of the chosen profile; none when none is chosen."""
    table = ConfigTable(tuple(base))
    profiles = table.table("profiles")
    name = table.text("profile")
    if name is None:
        return []
    if not profiles.has(name):
        known = ", ".join(profiles.names()) or "none"
        problem = f"there is no profile {name!r}; known: {known}; add [profiles.{name}]"
        table.refuse("profile", problem)
    return [attrs.evolve(layer, profile=name) for layer in profiles.table(name).layers]


def _adopt_structure(table: ConfigTable, trust: ConfigTable) -> None:
    """Mark as read what said which layers there are."""
    table.text("profile")
    table.adopt("profiles", ConfigTable(()))
    table.adopt("projects", trust.table("projects"))
    read_file_names(table, _MARKERS, DEFAULT_MARKERS)
