"""What becomes of a thread: its name, its archive, its last turns, its end."""

from pathlib import Path

import trio

from actors.rollout import (
    RolloutError,
    archive_rollout,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
    normalized_name,
    unarchive_rollout,
)
from actors.thread import ThreadClosed
from messages.events import ThreadNameUpdated, ThreadRolledBack
from messages.ids import ThreadId
from messages.ops import (
    CleanBackgroundTerminals,
    Compact,
    SetThreadName,
    ThreadRollback,
)
from messages.rpc.items import UserMessageThreadItem
from messages.rpc.notifications import (
    ThreadArchivedNotification,
    ThreadDeletedNotification,
    ThreadNameUpdatedNotification,
    ThreadRevertedNotification,
    ThreadUnarchivedNotification,
)
from messages.rpc.thread_upkeep import (
    ThreadArchiveParams,
    ThreadArchiveResponse,
    ThreadBackgroundTerminalsCleanParams,
    ThreadBackgroundTerminalsCleanResponse,
    ThreadCompactStartParams,
    ThreadCompactStartResponse,
    ThreadDeleteParams,
    ThreadDeleteResponse,
    ThreadRevertParams,
    ThreadRevertResponse,
    ThreadRollbackParams,
    ThreadRollbackResponse,
    ThreadSetNameParams,
    ThreadSetNameResponse,
    ThreadUnarchiveParams,
    ThreadUnarchiveResponse,
    ThreadUnsubscribeParams,
    ThreadUnsubscribeResponse,
    ThreadUnsubscribeStatus,
)

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..loaded_threads import read_thread_id
from ..rpc_connection import ClientRequest, Connection
from ..rpc_errors import RpcFailure
from .carrying_out import begin, carry_out
from .opened import describe_loaded, is_recorded, stored_path, stored_thread
from .reading import loaded_history

__all__ = [
    "archive",
    "clean_terminals",
    "compact",
    "delete",
    "revert",
    "rollback",
    "set_name",
    "unarchive",
    "unsubscribe",
]

_ARCHIVE_GRACE = 10.0
"""Seconds in which a thread that is archived may end by itself; as in Codex."""


# The name -----------------------------------------------------------------


async def set_name(ground: Ground, request: ClientRequest) -> None:
    """Name a thread, loaded or stored."""
    params: ThreadSetNameParams = request.params
    name = normalized_name(params.name)
    if name is None:
        raise RpcFailure.invalid("thread name must not be empty")
    thread_id = read_thread_id(params.thread_id)
    loaded = ground.loaded.find(thread_id)
    if loaded is None:
        await _name_stored(ground, request, thread_id, name)
        return
    if loaded.thread.rollout_path is None:
        raise RpcFailure.invalid(f"ephemeral thread does not support metadata updates: {thread_id}")
    with loaded.holding(request.connection):
        await carry_out(ground, loaded, SetThreadName(name=name), ThreadNameUpdated)
        await request.respond(ThreadSetNameResponse())


async def _name_stored(
    ground: Ground, request: ClientRequest, thread_id: ThreadId, name: str
) -> None:
    if await find_thread_path_by_id(ground.home, thread_id) is None:
        raise RpcFailure.invalid(f"thread not found: {thread_id}")
    try:
        await ground.index.set_name(thread_id, name)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to set thread name: {exc}") from exc
    await request.respond(ThreadSetNameResponse())
    ground.broadcast(ThreadNameUpdatedNotification(thread_id=thread_id, thread_name=name))


# The archive --------------------------------------------------------------


async def archive(ground: Ground, request: ClientRequest) -> None:
    """Put a thread away; one that is loaded is ended first."""
    params: ThreadArchiveParams = request.params
    thread_id = read_thread_id(params.thread_id)
    await put_away(ground, request.connection, thread_id)
    await request.respond(ThreadArchiveResponse())
    ground.broadcast(ThreadArchivedNotification(thread_id=thread_id))


async def put_away(ground: Ground, connection: Connection, thread_id: ThreadId) -> Path:
    """
    End a thread and move its rollout into the archive.

    Raises:
        RpcFailure: There is no rollout, or it cannot be moved.
    """
    path = await stored_path(ground, thread_id)
    await _end(ground, connection, thread_id)
    try:
        return await archive_rollout(ground.home, path)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to archive thread: {exc}") from exc


async def _end(ground: Ground, connection: Connection, thread_id: ThreadId) -> None:
    """End a thread, if it is loaded; the client hears of the end of its turn first."""
    loaded = ground.loaded.find(thread_id)
    if loaded is None:
        return
    await ground.supervisor.remove_thread(thread_id, grace=_ARCHIVE_GRACE)
    await loaded.ended.wait()
    await loaded.settle(connection)


async def unarchive(ground: Ground, request: ClientRequest) -> None:
    """Take a thread out of the archive, without loading it."""
    params: ThreadUnarchiveParams = request.params
    thread_id = read_thread_id(params.thread_id)
    path = await find_archived_thread_path_by_id(ground.home, thread_id)
    if path is None:
        raise RpcFailure.invalid(f"no archived rollout found for thread id {thread_id}")
    try:
        path = await unarchive_rollout(ground.home, path)
        await trio.to_thread.run_sync(path.touch)
    except (RolloutError, OSError) as exc:
        raise RpcFailure.internal(f"failed to unarchive thread: {exc}") from exc
    thread = await stored_thread(ground, path)
    await request.respond(ThreadUnarchiveResponse(thread=thread))
    ground.broadcast(ThreadUnarchivedNotification(thread_id=thread_id))


async def delete(ground: Ground, request: ClientRequest) -> None:
    """Remove a thread for good, loaded, stored or archived."""
    params: ThreadDeleteParams = request.params
    thread_id = read_thread_id(params.thread_id)
    path = await find_archived_thread_path_by_id(ground.home, thread_id)
    if path is None and await _is_unrecorded(ground, thread_id):
        await _end(ground, request.connection, thread_id)
    elif path is None:
        # The way through the archive makes sure that nobody writes it.
        path = await put_away(ground, request.connection, thread_id)
    if path is not None:
        try:
            await trio.Path(path).unlink()
        except OSError as exc:
            raise RpcFailure.internal(f"failed to delete thread: {exc.strerror}") from exc
    await request.respond(ThreadDeleteResponse())
    ground.broadcast(ThreadDeletedNotification(thread_id=thread_id))


async def _is_unrecorded(ground: Ground, thread_id: ThreadId) -> bool:
    loaded = ground.loaded.find(thread_id)
    if loaded is None:
        return False
    path = loaded.thread.rollout_path
    return path is None or not await is_recorded(Path(path))


async def unsubscribe(ground: Ground, request: ClientRequest) -> ThreadUnsubscribeResponse:
    """Tell this connection nothing more of a thread, which goes on."""
    params: ThreadUnsubscribeParams = request.params
    loaded = ground.loaded.find(read_thread_id(params.thread_id))
    if loaded is None:
        return ThreadUnsubscribeResponse(status=ThreadUnsubscribeStatus.NOT_LOADED)
    followed = loaded.leave(request.connection)
    return ThreadUnsubscribeResponse(
        status=ThreadUnsubscribeStatus.UNSUBSCRIBED
        if followed
        else ThreadUnsubscribeStatus.NOT_SUBSCRIBED
    )


# The last turns -----------------------------------------------------------


async def rollback(ground: Ground, request: ClientRequest) -> None:
    """Drop the last turns of a thread; its files stay as they are."""
    params: ThreadRollbackParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    if params.num_turns < 1:
        raise RpcFailure.invalid("numTurns must be >= 1")
    await _roll_back(ground, request.connection, loaded, params.num_turns)
    thread = await describe_loaded(ground, loaded, await loaded_history(ground, loaded))
    await request.respond(ThreadRollbackResponse(thread=thread))


async def _roll_back(
    ground: Ground, connection: Connection, loaded: LoadedThread, count: int
) -> None:
    path = loaded.thread.rollout_path
    if path is None:
        raise RpcFailure.invalid("thread has no persisted rollout")
    if not await is_recorded(Path(path)):
        raise RpcFailure.internal(f"failed to load rollout `{path}`: nothing is recorded yet")
    if loaded.rolling_back:
        raise RpcFailure.invalid("rollback already in progress for this thread")
    loaded.rolling_back = True
    try:
        async with loaded.starting:
            await carry_out(ground, loaded, ThreadRollback(num_turns=count), ThreadRolledBack)
    finally:
        loaded.rolling_back = False
    # What it did to the tokens is told before the answer.
    await loaded.settle(connection)


async def revert(ground: Ground, request: ClientRequest) -> None:
    """Drop a turn and all later ones."""
    params: ThreadRevertParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    turns = await loaded_history(ground, loaded)
    index = next((i for i, turn in enumerate(turns) if turn.id == params.before_turn_id), None)
    if index is None:
        raise RpcFailure.invalid(f"turn not found: {params.before_turn_id}")
    dropped = turns[index:]
    if any(
        not any(isinstance(item, UserMessageThreadItem) for item in turn.items) for turn in dropped
    ):
        raise RpcFailure.invalid(
            "thread/revert is not supported over turns without input of the user, "
            "such as a compaction"
        )
    await _roll_back(ground, request.connection, loaded, len(dropped))
    left = turns[:index]
    last = left[-1] if left else None
    thread = await describe_loaded(ground, loaded)
    await request.respond(
        ThreadRevertResponse(
            thread=thread, turns_backwards_cursor=None if last is None else f">{last.id}"
        )
    )
    loaded.tell(ThreadRevertedNotification(thread_id=loaded.thread_id))


# Work in the thread -------------------------------------------------------


async def compact(ground: Ground, request: ClientRequest) -> None:
    """Begin to compact a thread's history, in place of the running turn."""
    params: ThreadCompactStartParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    with loaded.holding(request.connection):
        async with loaded.starting:
            await begin(ground, loaded, Compact(), "failed to start compaction")
        await request.respond(ThreadCompactStartResponse())


async def clean_terminals(
    ground: Ground, request: ClientRequest
) -> ThreadBackgroundTerminalsCleanResponse:
    """End what runs in the background of a thread."""
    params: ThreadBackgroundTerminalsCleanParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    try:
        await loaded.thread.submit(CleanBackgroundTerminals())
    except ThreadClosed as exc:
        raise RpcFailure.internal(str(exc)) from exc
    return ThreadBackgroundTerminalsCleanResponse()
