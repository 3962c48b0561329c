"""What clients keep beside a thread."""

from pathlib import Path
from typing import Final

from actors.rollout import (
    RolloutError,
    ThreadNote,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
)
from messages.ids import ThreadId
from messages.rpc.thread import Thread
from messages.rpc.thread_upkeep import ThreadMetadataUpdateParams, ThreadMetadataUpdateResponse
from messages.settings import Keep

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..loaded_threads import read_thread_id
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from .opened import describe_loaded, stored_thread

__all__ = ["metadata_update"]

_GIT: Final = {"sha": "sha", "branch": "branch", "origin_url": "originUrl"}


async def metadata_update(ground: Ground, request: ClientRequest) -> ThreadMetadataUpdateResponse:
    """Change what is said of a thread, loaded, stored or archived; its rollout stays as it is."""
    params: ThreadMetadataUpdateParams = request.params
    thread_id = read_thread_id(params.thread_id)
    note = _note(params)
    loaded = ground.loaded.find(thread_id)
    path = None
    if loaded is None:
        path = await _stored(ground, thread_id)
    elif loaded.thread.rollout_path is None:
        raise RpcFailure.invalid(f"ephemeral thread does not support metadata updates: {thread_id}")
    if note != ThreadNote():
        try:
            await ground.notes.add(thread_id, note)
        except RolloutError as exc:
            raise RpcFailure.internal(f"failed to update thread metadata: {exc}") from exc
    if path is not None:
        return ThreadMetadataUpdateResponse(thread=await stored_thread(ground, path))
    assert loaded is not None  # one of the two is there
    return ThreadMetadataUpdateResponse(thread=await _changed(ground, loaded, note))


async def _changed(ground: Ground, loaded: LoadedThread, note: ThreadNote) -> Thread:
    # Of a thread without a record nothing else would remember it.
    loaded.facts = loaded.facts.noted(ThreadNote(daybreak=loaded.facts.daybreak).changed(note))
    return await describe_loaded(ground, loaded)


async def _stored(ground: Ground, thread_id: ThreadId) -> Path:
    path = await find_thread_path_by_id(ground.home, thread_id)
    path = path or await find_archived_thread_path_by_id(ground.home, thread_id)
    if path is None:
        raise RpcFailure.invalid(f"thread not found: {thread_id}")
    return path


def _note(params: ThreadMetadataUpdateParams) -> ThreadNote:
    """
    Read what is to be kept.

    Raises:
        RpcFailure: It is nothing, or it cannot be kept here.
    """
    if params.project_id:
        raise RpcFailure.invalid(
            f"project not found: {params.project_id}; this server has no projects, "
            "leave out projectId"
        )
    git: dict[str, str | None] = {}
    if params.git_info is not None:
        for field, member in _GIT.items():
            value: str | Keep | None = getattr(params.git_info, field)
            if isinstance(value, Keep):
                continue
            if value is not None and not value.strip():
                raise RpcFailure.invalid(f"gitInfo.{member} must not be empty; null clears it")
            git[field] = value
        if not git:
            raise RpcFailure.invalid("gitInfo must include at least one field")
    return ThreadNote(git=git, daybreak=params.daybreak_enabled)
