"""Where skills are looked for."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from .files import real_path
from .skill import SkillRoot, SkillScope

__all__ = ["ADMIN_FOLDER", "skill_roots"]

ADMIN_FOLDER: Final = Path("/etc/codex")
"""Where the machine's administrator keeps what holds for all users."""


def skill_roots(
    *,
    home: Path,
    user_home: Path,
    cwd: Path,
    project_root_markers: Sequence[str] = (".git",),
    project_layers: Iterable[Path] | None = None,
    extra_user_roots: Iterable[Path] = (),
    admin_folder: Path = ADMIN_FOLDER,
) -> tuple[SkillRoot, ...]:
    """
    List the folders to look for skills in, first those that take precedence.

    Blocks shortly.  Folders that do not exist are listed too, since they may come into
    being later.

    Args:
        home: Our home folder.
        user_home: The home folder of the user.
        cwd: The working directory of the thread; links in it are followed.
        project_root_markers:
            A folder with one of these is the root of a project; without any, or when none
            is found, *cwd* is.
        project_layers:
            The folders of the project whose ``.codex`` counts, the strongest first; None
            for all from *cwd* up to the root of the project.
        extra_user_roots: Further folders of the user's, listed without links and sorted.
        admin_folder: Holds ``skills`` for all users.

    Source:
        Codex, ``skill_roots_from_layer_stack_with_agents``; there ``.agents/skills`` is
        missed when it is created later, and a home that lies in a project counts as
        the project's.
    """
    ours = str(home / "skills")
    theirs = str(user_home / ".agents" / "skills")
    project = _project_folders(Path(real_path(str(cwd))), project_root_markers)
    layers = project if project_layers is None else tuple(project_layers)
    candidates = (
        *(SkillRoot(str(layer / ".codex" / "skills"), SkillScope.REPO) for layer in layers),
        SkillRoot(ours, SkillScope.USER),
        SkillRoot(theirs, SkillScope.USER),
        SkillRoot(str(home / "skills" / ".system"), SkillScope.SYSTEM),
        SkillRoot(str(admin_folder / "skills"), SkillScope.ADMIN),
        *(
            SkillRoot(str(folder / ".agents" / "skills"), SkillScope.REPO)
            for folder in reversed(project)
        ),
        *(SkillRoot(path, SkillScope.USER) for path in _canonical(extra_user_roots)),
    )
    return tuple(_deduplicated(candidates, of_the_user={ours, theirs}))


def _project_folders(cwd: Path, markers: Sequence[str]) -> tuple[Path, ...]:
    """List the folders of the project, from *cwd* up."""
    folders = (cwd, *cwd.parents)
    for index, folder in enumerate(folders):
        if any(os.path.exists(folder / marker) for marker in markers):  # noqa: PTH110 -- never raises
            return folders[: index + 1]
    return (cwd,)


def _canonical(paths: Iterable[Path]) -> list[str]:
    return sorted({real_path(str(path)) for path in paths})


def _deduplicated(roots: Iterable[SkillRoot], of_the_user: set[str]) -> Iterator[SkillRoot]:
    seen: set[str] = set()
    for root in roots:
        if root.path in seen or (root.scope is SkillScope.REPO and root.path in of_the_user):
            continue
        seen.add(root.path)
        yield root
