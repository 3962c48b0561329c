"""What there is to choose from: models, modes, features, apps, MCP servers."""

from collections.abc import Sequence
from typing import Final, TypeVar, cast

import attrs
import trio

from actors.config import ThreadConfig
from actors.models import ModelPreset
from actors.runtime import ChannelClosed, Lagged
from actors.thread import Thread, ThreadClosed
from messages.events import ErrorEvent, McpListToolsResponse
from messages.ids import SubmissionId
from messages.ops import ListMcpTools
from messages.rpc.catalogue import (
    AppsListParams,
    AppsListResponse,
    CollaborationModeListResponse,
    CollaborationModeMask,
    ExperimentalFeature,
    ExperimentalFeatureListParams,
    ExperimentalFeatureListResponse,
    InputModality,
    ListMcpServerStatusParams,
    ListMcpServerStatusResponse,
    McpAuthStatus,
    McpServerRefreshResponse,
    McpServerStatus,
    MockExperimentalMethodParams,
    MockExperimentalMethodResponse,
    Model,
    ModelListParams,
    ModelListResponse,
    ReasoningEffortOption,
)
from messages.settings import KEEP
from messages.value import Json

from ..ground import Ground
from ..rpc_errors import RpcFailure
from ..rpc_handler import ClientRequest

__all__ = ["apps", "echo", "features", "mcp_servers", "models", "modes", "reload_mcp"]

T = TypeVar("T")

_END_PATIENCE: Final = 5.0
"""Seconds for the end of a thread that was there to be asked."""

_AUTH: Final = {
    "unsupported": McpAuthStatus.UNSUPPORTED,
    "not_logged_in": McpAuthStatus.NOT_LOGGED_IN,
    "bearer_token": McpAuthStatus.BEARER_TOKEN,
    "o_auth": McpAuthStatus.O_AUTH,
}


def _counted(
    entries: Sequence[T], cursor: str | None, limit: int | None, what: str
) -> tuple[tuple[T, ...], str | None]:
    """
    Cut a page out of a list; its cursors are numbers of entries.

    Raises:
        RpcFailure: The cursor is none.
    """
    start = 0
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdecimal()):
            raise RpcFailure.invalid(f"invalid cursor: {cursor}")
        start = int(cursor)
        if start > len(entries):
            raise RpcFailure.invalid(f"cursor {start} exceeds total {what} {len(entries)}")
    end = len(entries) if limit is None else start + max(1, limit)
    return tuple(entries[start:end]), str(end) if end < len(entries) else None


async def models(ground: Ground, request: ClientRequest) -> ModelListResponse:
    """List the models of the provider, best first."""
    params: ModelListParams = request.params
    presets = await ground.supervisor.list_models()
    shown = [preset for preset in presets if params.include_hidden or not preset.hidden]
    page, on = _counted(shown, params.cursor, params.limit, "models")
    return ModelListResponse(data=tuple(map(_model, page)), next_cursor=on)


def _model(preset: ModelPreset) -> Model:
    return Model(
        id=preset.id,
        model=preset.model,
        display_name=preset.display_name,
        description=preset.description,
        supported_reasoning_efforts=tuple(
            ReasoningEffortOption(reasoning_effort=effort, description=text)
            for effort, text in preset.supported_efforts
        ),
        default_reasoning_effort=preset.default_effort,
        is_default=preset.is_default,
        hidden=preset.hidden,
        upgrade=preset.upgrade,
        input_modalities=tuple(InputModality(kind.value) for kind in preset.input_modalities),
        supports_personality=preset.supports_personality,
    )


async def modes(ground: Ground, _: ClientRequest) -> CollaborationModeListResponse:
    """List the collaboration modes; their built-in texts are not told."""
    return CollaborationModeListResponse(
        data=tuple(
            CollaborationModeMask(
                name=mask.name,
                mode=mask.mode,
                model=mask.model,
                reasoning_effort=(None if mask.reasoning_effort is KEEP else mask.reasoning_effort),
            )
            for mask in ground.supervisor.list_collaboration_modes()
        )
    )


async def features(_: Ground, request: ClientRequest) -> ExperimentalFeatureListResponse:
    """List the features that a user could try: none at present."""
    params: ExperimentalFeatureListParams = request.params
    nothing: tuple[ExperimentalFeature, ...] = ()
    page, on = _counted(nothing, params.cursor, params.limit, "feature flags")
    return ExperimentalFeatureListResponse(data=page, next_cursor=on)


async def apps(_: Ground, request: ClientRequest) -> AppsListResponse:
    """List the apps: none, as there are no connectors."""
    params: AppsListParams = request.params
    nothing: tuple[Json, ...] = ()
    page, on = _counted(nothing, params.cursor, params.limit, "apps")
    return AppsListResponse(data=page, next_cursor=on)


async def echo(_: Ground, request: ClientRequest) -> MockExperimentalMethodResponse:
    """Say what was said; for tests of the gate."""
    params: MockExperimentalMethodParams = request.params
    return MockExperimentalMethodResponse(echoed=params.value)


# MCP servers ----------------------------------------------------------------


async def reload_mcp(ground: Ground, _: ClientRequest) -> McpServerRefreshResponse:
    """Let all threads use the MCP servers that the files name now, from their next turn on."""
    config = await ground.config()
    raw: dict[str, Json] = {}
    for setting in config.settings:
        if setting.path[0] == "mcp_servers":
            _put(raw, setting.path[1:], setting.value)
    await ground.supervisor.refresh_mcp_servers({"mcp_servers": raw})
    return McpServerRefreshResponse()


def _put(table: dict[str, Json], path: tuple[str, ...], value: Json) -> None:
    for part in path[:-1]:
        # Tables come from tables: a setting is a leaf.
        table = cast("dict[str, Json]", table.setdefault(part, {}))
    if path and value is not None:
        table[path[-1]] = value


async def mcp_servers(ground: Ground, request: ClientRequest) -> ListMcpServerStatusResponse:
    """
    List what the configured MCP servers offer.

    Asked of a thread that is there for nothing else, and gone afterwards.
    """
    params: ListMcpServerStatusParams = request.params
    config = await ground.config()
    names = sorted(config.mcp_servers)
    chosen, on = _counted(names, params.cursor, params.limit, "MCP servers")
    if not chosen:
        return ListMcpServerStatusResponse(data=())
    listing = await _ask_servers(ground, config.thread_config())
    data = tuple(_server(name, listing) for name in chosen)
    return ListMcpServerStatusResponse(data=data, next_cursor=on)


async def _ask_servers(ground: Ground, config: ThreadConfig) -> McpListToolsResponse:
    new = await ground.supervisor.start_thread(attrs.evolve(config, ephemeral=True))
    try:
        asked = await new.thread.submit(ListMcpTools())
        return await _listing(new.thread, asked)
    except (ThreadClosed, ChannelClosed) as exc:
        raise RpcFailure.internal(f"failed to list MCP servers: {exc}") from exc
    finally:
        with trio.move_on_after(_END_PATIENCE, shield=True):
            await ground.supervisor.remove_thread(new.thread_id)


async def _listing(thread: Thread, asked: SubmissionId) -> McpListToolsResponse:
    while True:
        event = await thread.next_event()
        if isinstance(event, Lagged) or event.id != asked:
            continue
        match event.msg:
            case McpListToolsResponse():
                return event.msg
            case ErrorEvent(message=message):
                raise RpcFailure.internal(f"failed to list MCP servers: {message}")
            case _:
                continue


def _server(name: str, listing: McpListToolsResponse) -> McpServerStatus:
    prefix = f"mcp__{name}__"
    return McpServerStatus(
        name=name,
        tools={
            qualified.removeprefix(prefix): tool
            for qualified, tool in listing.tools.items()
            if qualified.startswith(prefix)
        },
        resources=_parts(listing.resources.get(name)),
        resource_templates=_parts(listing.resource_templates.get(name)),
        auth_status=_AUTH.get(listing.auth_statuses.get(name, ""), McpAuthStatus.UNSUPPORTED),
    )


def _parts(parts: Json) -> tuple[Json, ...]:
    return tuple(cast("list[Json]", parts)) if isinstance(parts, list | tuple) else ()
