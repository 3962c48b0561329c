"""The skills of working directories."""

import os
from pathlib import Path
from typing import Any, Final, cast

import trio

from actors.skills import SkillRoot, SkillScope, SkillsOutcome, SkillsQuery, load_skills
from messages import events
from messages.rpc.skills import (
    SkillDependencies,
    SkillErrorInfo,
    SkillInterface,
    SkillMetadata,
    SkillsListEntry,
    SkillsListParams,
    SkillsListResponse,
    SkillToolDependency,
)
from messages.rpc.skills import SkillScope as WireScope

from ..ground import Ground
from ..rpc_errors import RpcFailure
from ..rpc_handler import ClientRequest

__all__ = ["skills_list"]

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
    roots = (*config.skill_roots, *(SkillRoot(root, SkillScope.USER) for root in extra))
    query = SkillsQuery(roots=roots, disabled=config.disabled_skills)
    # The OS thread changes nothing of ours, so that it may be left behind.
    found = await trio.to_thread.run_sync(load_skills, query, abandon_on_cancel=True)
    return _said(cwd, found)


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
