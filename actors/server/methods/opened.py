"""What is said of a thread that a client starts, resumes, forks or looks at."""

from pathlib import Path
from typing import Any

import attrs
import trio

from actors.config import ThreadConfig
from actors.rollout import (
    RolloutError,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
)
from actors.supervisor import NewThread
from messages.ids import ThreadId
from messages.rpc.settings import ApprovalsReviewer
from messages.rpc.thread import Thread
from messages.rpc.turn import Turn

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..rpc_errors import RpcFailure
from ..settings_from_params import OpenParams, wire_sandbox, wire_source
from ..thread_values import ThreadFacts, read_facts

__all__ = [
    "check_supported",
    "describe_loaded",
    "facts_of_new",
    "facts_of_rollout",
    "is_recorded",
    "name_of",
    "opened",
    "stored_path",
    "stored_thread",
]


def check_supported(ground: Ground, params: OpenParams) -> None:
    """
    Check what a client wants of a new thread.

    Raises:
        RpcFailure: This server does not have it.
    """
    reviewer = params.approvals_reviewer
    if reviewer not in (None, ApprovalsReviewer.USER):
        raise RpcFailure.invalid(
            f"approvalsReviewer {reviewer.value!r} is not supported; approvals are the user's"
        )
    ours, wanted = ground.setup.provider_id, params.model_provider
    if wanted not in (None, ours):
        raise RpcFailure.invalid(
            f"error deriving config: this server has the model provider {ours!r} only; "
            f"start another one with -c model_provider={wanted} for {wanted!r}"
        )


def opened(loaded: LoadedThread, thread: Thread) -> dict[str, Any]:
    """Say the members that all answers with a loaded thread have."""
    settings = loaded.thread.config_snapshot
    return {
        "thread": thread,
        "model": settings.model,
        "model_provider": settings.model_provider_id,
        "cwd": settings.cwd,
        "approval_policy": settings.approval_policy,
        "sandbox": wire_sandbox(settings.sandbox_policy),
        "reasoning_effort": settings.effort,
        "runtime_workspace_roots": (settings.cwd,),
    }


def facts_of_new(ground: Ground, new: NewThread, config: ThreadConfig) -> ThreadFacts:
    """Tell what is known of a thread that has no past."""
    settings, now = new.thread.config_snapshot, int(ground.world.now())
    return ThreadFacts(
        id=new.thread_id,
        source=wire_source(settings.session_source),
        model_provider=settings.model_provider_id,
        cwd=settings.cwd,
        cli_version=config.cli_version,
        originator=config.originator,
        created_at=now,
        updated_at=now,
        path=new.thread.rollout_path,
        forked_from_id=new.session_configured.forked_from_id,
    )


async def facts_of_rollout(ground: Ground, path: Path) -> ThreadFacts:
    """
    Tell what a rollout says of its thread, and what clients keep beside it.

    Raises:
        RpcFailure: It cannot be read.
    """
    provider = ground.setup.provider_id

    def read() -> ThreadFacts:
        facts = read_facts(path, provider=provider)
        return facts.noted(ground.notes.read().get(ThreadId(facts.id)))

    try:
        return await trio.to_thread.run_sync(read)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to load rollout `{path}`: {exc}") from exc


async def describe_loaded(
    ground: Ground, loaded: LoadedThread, turns: tuple[Turn, ...] = ()
) -> Thread:
    """Say a loaded thread, with what its rollout knows better."""
    path = loaded.thread.rollout_path
    if path is not None and await is_recorded(Path(path)):
        recorded = await facts_of_rollout(ground, Path(path))
        loaded.facts = attrs.evolve(
            loaded.facts,
            git=recorded.git,
            daybreak=recorded.daybreak,
            updated_at=recorded.updated_at,
            preview=loaded.facts.preview or recorded.preview,
        )
    return loaded.describe(turns=turns, root_id=ground.loaded.root_of(loaded.thread_id))


async def is_recorded(path: Path) -> bool:
    """Tell whether something was written to a rollout."""
    try:
        return (await trio.Path(path).stat()).st_size > 0
    except OSError:
        return False


async def stored_path(ground: Ground, thread_id: ThreadId) -> Path:
    """
    Find the active rollout of a thread.

    Raises:
        RpcFailure: There is none; for an archived one it says so.
    """
    path = await find_thread_path_by_id(ground.home, thread_id)
    if path is not None:
        return path
    problem = f"no rollout found for thread id {thread_id}"
    if await find_archived_thread_path_by_id(ground.home, thread_id) is not None:
        problem += "; it is archived: unarchive it first"
    raise RpcFailure.invalid(problem)


async def stored_thread(ground: Ground, path: Path, turns: tuple[Turn, ...] = ()) -> Thread:
    """
    Say a thread that is on disk only.

    Raises:
        RpcFailure: Its rollout cannot be read.
    """
    facts = await facts_of_rollout(ground, path)
    name = await name_of(ground, ThreadId(facts.id))
    return facts.thread(name=name, turns=turns)


async def name_of(ground: Ground, thread_id: ThreadId) -> str | None:
    """
    Look up the name of a thread.

    Raises:
        RpcFailure: The file of names cannot be read.
    """
    try:
        return await ground.index.name_of(thread_id)
    except RolloutError as exc:
        raise RpcFailure.internal(f"failed to read the names of threads: {exc}") from exc
