"""Reading threads, loaded or stored, without loading them."""

from pathlib import Path

from actors.rollout import RolloutError, find_thread_path_by_id
from messages.rpc.thread import ThreadReadParams, ThreadReadResponse
from messages.rpc.turn import Turn
from messages.value import Json

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..loaded_threads import read_thread_id
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from ..thread_history import with_turns, written_turns
from .opened import describe_loaded, is_recorded, stored_thread

__all__ = ["any_history", "loaded_history", "read", "stored_history"]


async def loaded_history(ground: Ground, loaded: LoadedThread) -> tuple[Turn, ...]:
    """
    Read the turns of a loaded thread; none where nothing is recorded.

    Raises:
        RpcFailure: Its rollout cannot be read.
    """
    path = loaded.thread.rollout_path
    if path is None or not await is_recorded(Path(path)):
        return ()
    try:
        _, turns = await ground.histories.read(Path(path), loaded)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to load rollout `{path}`: {exc}") from exc
    return turns


async def read(ground: Ground, request: ClientRequest) -> Json:
    """Say a thread, loaded or stored, without loading it."""
    params: ThreadReadParams = request.params
    thread_id = read_thread_id(params.thread_id)
    loaded = ground.loaded.find(thread_id)
    turns: tuple[Turn, ...] = ()
    if loaded is not None:
        if params.include_turns:
            await _check_readable(loaded)
            turns = await loaded_history(ground, loaded)
        written = await written_turns(turns)
        thread = await describe_loaded(ground, loaded)
        return with_turns(ThreadReadResponse(thread=thread), written)
    path = await _find_readable(ground, params.thread_id)
    if params.include_turns:
        turns = await stored_history(ground, path)
    written = await written_turns(turns)
    thread = await stored_thread(ground, path)
    return with_turns(ThreadReadResponse(thread=thread), written)


async def _check_readable(loaded: LoadedThread) -> None:
    """
    Check that a loaded thread has turns to read.

    Raises:
        RpcFailure: It has none.
    """
    path = loaded.thread.rollout_path
    if path is None:
        raise RpcFailure.invalid("ephemeral threads do not support includeTurns")
    if not await is_recorded(Path(path)):
        raise RpcFailure.invalid(
            f"thread {loaded.thread_id} is not materialized yet; "
            "includeTurns is unavailable before first user message"
        )


async def _find_readable(ground: Ground, id_text: str) -> Path:
    """
    Find the rollout of a thread that is not loaded.

    Raises:
        RpcFailure: There is none.
    """
    path = await find_thread_path_by_id(ground.home, id_text)
    if path is None:
        raise RpcFailure.invalid(f"thread not loaded: {id_text}")
    return path


async def stored_history(ground: Ground, path: Path) -> tuple[Turn, ...]:
    """
    Read the turns of a stored thread.

    Raises:
        RpcFailure: Its rollout cannot be read.
    """
    try:
        _, turns = await ground.histories.read(path)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to load rollout `{path}`: {exc}") from exc
    return turns


async def any_history(ground: Ground, id_text: str) -> tuple[Turn, ...]:
    """
    Read the turns of a thread, loaded or stored.

    Raises:
        RpcFailure: There is no such thread, or its turns cannot be read.
    """
    loaded = ground.loaded.find(read_thread_id(id_text))
    if loaded is not None:
        await _check_readable(loaded)
        return await loaded_history(ground, loaded)
    return await stored_history(ground, await _find_readable(ground, id_text))
