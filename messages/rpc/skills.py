"""Requests about skills."""

from enum import Enum

import attrs

from .value import RpcParams, RpcValue

__all__ = [
    "SkillDependencies",
    "SkillErrorInfo",
    "SkillInterface",
    "SkillMetadata",
    "SkillScope",
    "SkillToolDependency",
    "SkillsConfigWriteParams",
    "SkillsConfigWriteResponse",
    "SkillsListEntry",
    "SkillsListExtraRootsForCwd",
    "SkillsListParams",
    "SkillsListResponse",
]


@attrs.frozen(kw_only=True)
class SkillsListExtraRootsForCwd(RpcParams):
    """Further folders of skills for one working directory; absolute."""

    cwd: str
    extra_user_roots: tuple[str, ...]


@attrs.frozen(kw_only=True)
class SkillsListParams(RpcParams):
    """
    List skills.

    Attributes:
        cwds: Working directories; empty for the server's own.
        force_reload: Read all files again.
    """

    cwds: tuple[str, ...] = ()
    force_reload: bool = False
    per_cwd_extra_user_roots: tuple[SkillsListExtraRootsForCwd, ...] | None = None


class SkillScope(Enum):
    """Whose a skill is."""

    USER = "user"
    REPO = "repo"
    SYSTEM = "system"
    ADMIN = "admin"


@attrs.frozen(kw_only=True)
class SkillInterface(RpcValue):
    """How to show a skill; icons are paths."""

    display_name: str | None = None
    short_description: str | None = None
    icon_small: str | None = None
    icon_large: str | None = None
    brand_color: str | None = None
    default_prompt: str | None = None


@attrs.frozen(kw_only=True)
class SkillToolDependency(RpcValue):
    """One thing that a skill needs."""

    type: str
    value: str
    description: str | None = None
    transport: str | None = None
    command: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class SkillDependencies(RpcValue):
    """What a skill needs."""

    tools: tuple[SkillToolDependency, ...]


@attrs.frozen(kw_only=True)
class SkillMetadata(RpcValue):
    """One skill; path is its file."""

    name: str
    description: str
    path: str
    scope: SkillScope
    enabled: bool
    short_description: str | None = None
    interface: SkillInterface | None = None
    dependencies: SkillDependencies | None = None


@attrs.frozen(kw_only=True)
class SkillErrorInfo(RpcValue):
    """A skill file that could not be read."""

    path: str
    message: str


@attrs.frozen(kw_only=True)
class SkillsListEntry(RpcValue):
    """The skills of one working directory."""

    cwd: str
    skills: tuple[SkillMetadata, ...]
    errors: tuple[SkillErrorInfo, ...]


@attrs.frozen(kw_only=True)
class SkillsListResponse(RpcValue):
    """The skills of each working directory asked for, in the same order."""

    data: tuple[SkillsListEntry, ...]


@attrs.frozen(kw_only=True)
class SkillsConfigWriteParams(RpcParams):
    """
    Switch a skill on or off; it is called by one of the two.

    Attributes:
        path: Its file.
        name: As it calls itself.
    """

    enabled: bool
    path: str | None = None
    name: str | None = None


@attrs.frozen(kw_only=True)
class SkillsConfigWriteResponse(RpcValue):
    """Whether it is on now."""

    effective_enabled: bool
