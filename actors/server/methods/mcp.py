"""MCP servers: what they offer, and reading their configuration again."""

from typing import Final, cast

import attrs
import trio

from actors.config import ThreadConfig
from actors.rollout import RolloutError
from actors.runtime import ChannelClosed, Lagged
from actors.thread import Thread, ThreadClosed, ThreadError
from messages.events import ErrorEvent, Event, McpListToolsResponse
from messages.ids import SubmissionId
from messages.ops import ListMcpTools, Submission
from messages.rpc.catalogue import (
    ListMcpServerStatusParams,
    ListMcpServerStatusResponse,
    McpAuthStatus,
    McpServerRefreshResponse,
    McpServerStatus,
    McpServerStatusDetail,
)
from messages.value import Json

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from .counted_pages import counted

__all__ = ["mcp_servers", "reload_mcp"]

_END_PATIENCE: Final = 5.0
"""Seconds for the end of a thread that was there to be asked."""

_AUTH: Final = {
    "unsupported": McpAuthStatus.UNSUPPORTED,
    "not_logged_in": McpAuthStatus.NOT_LOGGED_IN,
    "bearer_token": McpAuthStatus.BEARER_TOKEN,
    "o_auth": McpAuthStatus.O_AUTH,
}


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
    List what MCP servers offer: those of a thread, or those that are configured.

    The latter are asked for by a thread that is there for nothing else, and gone
    afterwards; it shares the servers that run with the threads that use them.
    """
    params: ListMcpServerStatusParams = request.params
    listing: McpListToolsResponse | None = None
    if params.thread_id is not None:
        listing = await _ask_thread(ground, ground.loaded.get(params.thread_id))
        names = sorted(listing.auth_statuses)
    else:
        config = await ground.config()
        names = sorted(config.mcp_servers)
    if params.server_name is not None:
        names = [name for name in names if name == params.server_name]
    chosen, on = counted(names, params.cursor, params.limit, "MCP servers")
    if not chosen:
        return ListMcpServerStatusResponse(data=())
    if listing is None:
        listing = await _ask_servers(ground, (await ground.config()).thread_config())
    full = params.detail is not McpServerStatusDetail.TOOLS_AND_AUTH_ONLY
    data = tuple(_server(name, listing, full=full) for name in chosen)
    return ListMcpServerStatusResponse(data=data, next_cursor=on)


async def _ask_thread(ground: Ground, loaded: LoadedThread) -> McpListToolsResponse:
    submission = Submission(id=SubmissionId(ground.world.new_id()), op=ListMcpTools())

    def outcome(event: Event) -> McpListToolsResponse | str | None:
        if event.id != submission.id:
            return None
        match event.msg:
            case McpListToolsResponse() as listing:
                return listing
            case ErrorEvent(message=message):
                return message
            case _:
                return None

    with loaded.watch(outcome) as watch:
        try:
            await loaded.thread.submit_with_id(submission)
            answer = await watch.wait()
        except ThreadError as exc:
            raise RpcFailure.internal(f"failed to list MCP servers: {exc}") from exc
    if not isinstance(answer, McpListToolsResponse):
        raise RpcFailure.internal(f"failed to list MCP servers: {answer}")
    return answer


async def _ask_servers(ground: Ground, config: ThreadConfig) -> McpListToolsResponse:
    try:
        new = await ground.supervisor.start_thread(attrs.evolve(config, ephemeral=True))
    except (RolloutError, ThreadError) as exc:
        raise RpcFailure.internal(f"failed to list MCP servers: {exc}") from exc
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


def _server(name: str, listing: McpListToolsResponse, *, full: bool) -> McpServerStatus:
    prefix = f"mcp__{name}__"
    return McpServerStatus(
        name=name,
        tools={
            qualified.removeprefix(prefix): tool
            for qualified, tool in listing.tools.items()
            if qualified.startswith(prefix)
        },
        resources=_parts(listing.resources.get(name)) if full else (),
        resource_templates=_parts(listing.resource_templates.get(name)) if full else (),
        auth_status=_AUTH.get(listing.auth_statuses.get(name, ""), McpAuthStatus.UNSUPPORTED),
    )


def _parts(parts: Json) -> tuple[Json, ...]:
    return tuple(cast("list[Json]", parts)) if isinstance(parts, list | tuple) else ()
