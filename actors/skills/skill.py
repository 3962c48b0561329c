"""What a skill is, where skills are looked for, and what decides the outcome of a look."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import attrs

from messages.events import SkillMetadata
from messages.value import Json

__all__ = [
    "Skill",
    "SkillDependency",
    "SkillInterface",
    "SkillRoot",
    "SkillScope",
    "SkillsQuery",
    "to_metadata",
]


class SkillScope(Enum):
    """Whose a skill is; in the order in which skills are listed."""

    REPO = "repo"
    USER = "user"
    SYSTEM = "system"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The place in that order, from 0."""
        return _RANKS[self]


_RANKS: Final[Mapping[SkillScope, int]] = {scope: rank for rank, scope in enumerate(SkillScope)}


@attrs.frozen
class SkillRoot:
    """
    A folder to look for skills in; it need not exist.

    Attributes:
        path: Absolute, as configured: links in it are followed when it is read.
    """

    path: str
    scope: SkillScope


@attrs.frozen(kw_only=True, cache_hash=True)
class SkillsQuery:
    """
    Everything that decides the outcome of a look, and so the key under which it is kept.

    Attributes:
        roots: The first that leads to a file gives the skill its scope.
        disabled: Paths of ``SKILL.md`` files that the user switched off.
    """

    roots: tuple[SkillRoot, ...]
    disabled: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class SkillInterface:
    """
    How clients show a skill; never empty.

    Attributes:
        icon_small: Absolute path, below the skill's ``assets``.
        icon_large: The same.
        brand_color: As in ``#1A2B3C``.
        default_prompt: What a client offers to type for the user.
    """

    display_name: str | None = None
    short_description: str | None = None
    icon_small: str | None = None
    icon_large: str | None = None
    brand_color: str | None = None
    default_prompt: str | None = None


@attrs.frozen(kw_only=True)
class SkillDependency:
    """
    Something a skill needs.

    Attributes:
        type: What kind of thing; ``env_var`` and ``mcp`` are known.
        value: Which one, for example the name of the variable.
        description: For people.
        transport: How to reach a server; so are the others.
    """

    type: str
    value: str
    description: str | None = None
    transport: str | None = None
    command: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class Skill:
    """
    One skill: what is said about it, not its instructions.

    Attributes:
        name: One line of 1 to 64 characters; several skills may have the same.
        description: One line of 1 to 1024 characters.
        path: Of its ``SKILL.md``; absolute and without links, so that it is one skill's only.
        scope: Of the first root that leads to it.
        short_description: One line of up to 1024 characters.
        interface: None when it says nothing about it.
        dependencies: What it needs, as it lists it.
        allow_implicit: Whether the model may choose it; the user always may.
    """

    name: str
    description: str
    path: str
    scope: SkillScope
    short_description: str | None = None
    interface: SkillInterface | None = None
    dependencies: tuple[SkillDependency, ...] = ()
    allow_implicit: bool = True


def to_metadata(skill: Skill, enabled: bool) -> SkillMetadata:  # noqa: FBT001 -- a column of the list
    """Say what clients get to know of a skill."""
    interface = None if skill.interface is None else _without_nones(skill.interface)
    tools = [_without_nones(dependency) for dependency in skill.dependencies]
    return SkillMetadata(
        name=skill.name,
        description=skill.description,
        path=skill.path,
        scope=skill.scope.value,
        enabled=enabled,
        short_description=skill.short_description,
        interface=interface,
        dependencies={"tools": tools} if tools else None,
    )


def _without_nones(value: SkillInterface | SkillDependency) -> dict[str, Json]:
    return attrs.asdict(value, filter=lambda _, member: member is not None)
