"""Finds the environment variables that skills need."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Final

from .skill import Skill, SkillDependency

__all__ = ["missing_variables", "needed_variables"]

_TYPE: Final = "env_var"
# What every shell can name; others cannot be asked for, and some cannot be set.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def needed_variables(skills: Iterable[Skill]) -> tuple[SkillDependency, ...]:
    """List the environment variables that these skills need, each once, by its first mention."""
    needed: dict[str, SkillDependency] = {}
    for skill in skills:
        for dependency in skill.dependencies:
            if dependency.type == _TYPE and _NAME.fullmatch(dependency.value):
                needed.setdefault(dependency.value, dependency)
    return tuple(needed.values())


def missing_variables(
    skills: Iterable[Skill], environ: Mapping[str, str], known: Container[str]
) -> tuple[SkillDependency, ...]:
    """
    List the environment variables that these skills need and that nobody has set.

    Args:
        skills: Those that were selected.
        environ: The environment of our process; an empty value is one.
        known: Names of those whose values were given before in this session.

    Source:
        Codex, ``resolve_skill_dependencies_for_turn``.
    """
    return tuple(
        variable
        for variable in needed_variables(skills)
        if variable.value not in known and variable.value not in environ
    )
