"""The skills of working directories, and which of them are on."""

import os
from pathlib import Path
from typing import Any, Final, cast

import trio

from actors.config import Config, ConfigError, skill_file, switch_skill
from actors.skills import SkillRoot, SkillScope, SkillsOutcome, SkillsQuery, load_skills
from messages import events
from messages.rpc.notifications import SkillsChangedNotification
from messages.rpc.skills import (
    SkillDependencies,
    SkillErrorInfo,
    SkillInterface,
    SkillMetadata,
    SkillsConfigWriteParams,
    SkillsConfigWriteResponse,
    SkillsListEntry,
    SkillsListParams,
    SkillsListResponse,
    SkillToolDependency,
)
from messages.rpc.skills import SkillScope as WireScope

from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from .config_writes import refused_write

__all__ = ["skills_config_write", "skills_list"]

_AT_ONCE: Final = 2
"""Folders that are looked into at the same time; it is mostly Python, as in the cache."""


async def skills_list(ground: Ground, request: ClientRequest) -> SkillsListResponse:
    """List the skills of working directories; the files are read for each request."""
    params: SkillsListParams = request.params
    extra = _extra_roots(params)
    cwds = params.cwds or (str(ground.setup.cwd),)
    entries: dict[int, SkillsListEntry] = {}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def look(place: int, cwd: str) -> None:
        async with limiter:
            entries[place] = await _entry(ground, cwd, extra.get(cwd, ()))

    async with trio.open_nursery() as nursery:
        for place, cwd in enumerate(cwds):
            nursery.start_soon(look, place, cwd)
    return SkillsListResponse(data=tuple(entries[place] for place in range(len(cwds))))


def _extra_roots(params: SkillsListParams) -> dict[str, tuple[str, ...]]:
    """
    Give the further folders of each working directory.

    Raises:
        RpcFailure: One is not absolute.
    """
    extra: dict[str, tuple[str, ...]] = {}
    for entry in params.per_cwd_extra_user_roots or ():
        for root in entry.extra_user_roots:
            if not os.path.isabs(root):  # noqa: PTH117 -- text, as it came
                problem = "perCwdExtraUserRoots extraUserRoots paths must be absolute"
                raise RpcFailure.invalid(f"skills/list {problem}: {root}")
        extra[entry.cwd] = (*extra.get(entry.cwd, ()), *entry.extra_user_roots)
    return extra


async def _entry(ground: Ground, cwd: str, extra: tuple[str, ...]) -> SkillsListEntry:
    try:
        config = await ground.config(cwd)
    except RpcFailure as failure:
        error = SkillErrorInfo(path=str(Path(cwd)), message=failure.message)
        return SkillsListEntry(cwd=cwd, skills=(), errors=(error,))
    found = await _found(config, extra)
    return _said(cwd, found)


async def _found(config: Config, extra: tuple[str, ...] = ()) -> SkillsOutcome:
    roots = (*config.skill_roots, *(SkillRoot(root, SkillScope.USER) for root in extra))
    query = SkillsQuery(roots=roots, disabled=config.disabled_skills)
    # The OS thread changes nothing of ours, so that it may be left behind.
    return await trio.to_thread.run_sync(load_skills, query, abandon_on_cancel=True)


def _said(cwd: str, found: SkillsOutcome) -> SkillsListEntry:
    return SkillsListEntry(
        cwd=cwd,
        skills=tuple(map(_skill, found.metadata)),
        errors=tuple(SkillErrorInfo(path=e.path, message=e.message) for e in found.errors),
    )


def _skill(skill: events.SkillMetadata) -> SkillMetadata:
    # Made by `to_metadata`: these are the members of the classes, without those that are None.
    interface = cast("dict[str, Any] | None", skill.interface)
    dependencies = cast("dict[str, list[dict[str, Any]]] | None", skill.dependencies)
    return SkillMetadata(
        name=skill.name,
        description=skill.description,
        path=skill.path,
        scope=WireScope(skill.scope),
        enabled=skill.enabled,
        short_description=skill.short_description,
        interface=None if interface is None else SkillInterface(**interface),
        dependencies=None
        if dependencies is None
        else SkillDependencies(
            tools=tuple(SkillToolDependency(**tool) for tool in dependencies["tools"])
        ),
    )


# Switching --------------------------------------------------------------------


async def skills_config_write(ground: Ground, request: ClientRequest) -> None:
    """
    Switch a skill on or off in the user's file, for all threads that begin afterwards.

    The next list of skills says so; all clients are told that there is one.
    """
    params: SkillsConfigWriteParams = request.params
    path = await _named(ground, params)
    edit = switch_skill(path, enabled=params.enabled, folder=ground.home)
    try:
        config = await ground.config_writer().write([edit])
    except ConfigError as exc:
        raise refused_write(exc) from exc
    file = await trio.to_thread.run_sync(skill_file, path, ground.home)
    # Another layer may have the last word.
    enabled = file not in config.disabled_skills
    await request.respond(SkillsConfigWriteResponse(effective_enabled=enabled))
    ground.broadcast(SkillsChangedNotification())


async def _named(ground: Ground, params: SkillsConfigWriteParams) -> str:
    """
    Find the file of the skill that a client means.

    Raises:
        RpcFailure: There is none, or there are several.
    """
    if (params.path is None) == (params.name is None):
        raise RpcFailure.invalid("skills/config/write needs either path or name, and not both")
    if params.path is not None:
        if not os.path.isabs(params.path):  # noqa: PTH117 -- text, as it came
            raise RpcFailure.invalid(f"path must be absolute: {params.path}")
        return params.path
    found = await _found(await ground.config())
    paths = [skill.path for skill in found.metadata if skill.name == params.name]
    if not paths:
        raise RpcFailure.invalid(
            f"skill not found: {params.name}; skills/list says which there are"
        )
    if len(paths) > 1:
        raise RpcFailure.invalid(
            f"there are {len(paths)} skills named {params.name!r}; say which by its path: "
            + ", ".join(paths)
        )
    return paths[0]
