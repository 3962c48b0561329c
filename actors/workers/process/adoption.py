"""How a worker goes on with a thread of another one, and how it gives a thread away."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import attrs
import trio

from actors.config import ThreadConfig
from actors.rollout import (
    EmptyRollout,
    NoSessionMeta,
    ResumedHistory,
    RolloutError,
    find_archived_thread_path_by_id,
    find_thread_path_by_id,
    load_rollout_async,
    parse_thread_id,
)
from actors.server.ground import Ground
from actors.server.loaded_thread import LoadedThread
from actors.server.methods.opened import facts_of_new, facts_of_rollout
from actors.server.rpc_errors import RpcFailure
from actors.server.settings_from_params import OpenParams, core_dynamic_tools, thread_config
from actors.thread import ThreadClosed, ThreadError
from actors.tools import DynamicToolInvalid
from messages.codec import from_json
from messages.control import Overridden
from messages.errors import DecodeError
from messages.events import Event, TurnAborted, TurnComplete
from messages.ids import ThreadId
from messages.ops import Interrupt
from messages.rollout import TurnContextItem
from messages.rpc.thread import (
    ThreadForkParams,
    ThreadResumeParams,
    ThreadStartParams,
)
from messages.value import Json

from .leftovers import set_leftovers_aside

__all__ = ["Unmovable", "Unsaved", "adopt", "release"]

_KINDS: Final[Mapping[object, type[OpenParams]]] = {
    "thread/start": ThreadStartParams,
    "thread/resume": ThreadResumeParams,
    "thread/fork": ThreadForkParams,
}

_INTERRUPTED: Final = 5.0
"""Seconds that an interrupted turn may take to end; its thread is closed all the same then."""


class Unmovable(Exception):  # noqa: N818 -- a fact about a thread
    """
    A thread cannot be adopted or released; nothing was done about it.

    Attributes:
        problem: Why, for people.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class Unsaved(Unmovable):
    """A thread is not released for now, because the disk takes nothing of what was said."""


# Adopting ---------------------------------------------------------------------


async def adopt(
    ground: Ground,
    thread_id: ThreadId,
    opening: Json,
    overridden: tuple[Overridden, ...] = (),
) -> None:
    """
    Go on with a thread that was in a process which has ended; nobody follows it then.

    A recorded thread is resumed: a turn that was left open ends (P3).  It has the settings
    with which it was opened, and over them those of its last turn, and those that were
    changed since that turn.  A thread of which nothing was recorded begins again, under the
    same id.

    Args:
        opening: See `messages.control.Adopt`, as for the next one.
        overridden: Changes of settings that may not be recorded.

    Raises:
        Unmovable: That is not possible.
    """
    if parse_thread_id(thread_id) != thread_id:
        raise Unmovable("its id is no UUID")
    params = _read_opening(thread_id, opening)
    if getattr(params, "ephemeral", None):
        raise Unmovable("it was ephemeral: nothing of it is kept")
    try:
        async with ground.opening(thread_id):
            if ground.loaded.find(thread_id) is None:
                last = await _adopt(ground, thread_id, params)
                await _override(ground.loaded.get(thread_id), last, overridden)
    except (RpcFailure, RolloutError, ThreadError, DynamicToolInvalid) as exc:
        raise Unmovable(str(exc)) from exc


def _read_opening(thread_id: ThreadId, opening: Json) -> OpenParams:
    if opening is None:
        return ThreadResumeParams(thread_id=thread_id)
    raw = cast("Mapping[str, Any]", opening if isinstance(opening, Mapping) else {})
    kind = _KINDS.get(raw.get("method"))
    if kind is None:
        raise Unmovable(f"no request that opens a thread: {raw.get('method')!r}")
    try:
        return from_json(raw.get("params"), kind)
    except DecodeError as exc:
        raise Unmovable(f"the request that opened it cannot be read: {exc}") from exc


async def _adopt(ground: Ground, thread_id: ThreadId, params: OpenParams) -> TurnContextItem | None:
    """Load it; return what its last turn ran with, None when it had none."""
    history = await _find_history(ground, thread_id, params)
    if history is None:
        await _begin_again(ground, thread_id, params)
        return None
    last = next((i for i in reversed(history.items) if isinstance(i, TurnContextItem)), None)
    config = await _config(ground, params, params.cwd or history.session_cwd)
    facts = await facts_of_rollout(ground, history.path)
    new = await ground.supervisor.resume_thread_with_history(
        _with_last(config, last), history, persist_extended_history=True
    )
    ground.loaded.attach(
        new.thread,
        facts,
        name=new.session_configured.thread_name,
        raw_items=_wants_raw(params),
    )
    return last


async def _override(
    loaded: LoadedThread, last: TurnContextItem | None, overridden: tuple[Overridden, ...]
) -> None:
    """Change settings again, but for those that the last turn had, or came after."""
    for changed in overridden:
        if last is None or last.turn_id not in changed.turns:
            await loaded.thread.submit(changed.op)


async def _find_history(
    ground: Ground, thread_id: ThreadId, params: OpenParams
) -> ResumedHistory | None:
    """Read the thread's rollout; None when nothing was recorded."""
    if isinstance(params, ThreadResumeParams) and params.path is not None:
        # It may be outside of the home; with a history given, it is not this thread's.
        with suppress(RolloutError):
            history = await _read(Path(params.path))
            if history.thread_id == thread_id:
                return history
    path = await find_thread_path_by_id(ground.home, thread_id)
    if path is None:
        return None
    try:
        return await _read(path)
    except (EmptyRollout, NoSessionMeta):
        return None  # its writer died in its first line


async def _read(path: Path) -> ResumedHistory:
    return ResumedHistory.of(await load_rollout_async(path))


async def _config(ground: Ground, params: OpenParams, cwd: str | None) -> ThreadConfig:
    config = await ground.config(cwd, params)
    return thread_config(config, params, originator=ground.originator)


def _with_last(config: ThreadConfig, last: TurnContextItem | None) -> ThreadConfig:
    """Let what the last turn ran with go before what the thread was opened with."""
    if last is None:
        return config
    return attrs.evolve(
        config,
        cwd=last.cwd,
        model=last.model,
        approval_policy=last.approval_policy,
        sandbox_policy=last.sandbox_policy,
        effort=last.effort,
        summary=last.summary,
        personality=last.personality,
        collaboration_mode=last.collaboration_mode,
    )


def _wants_raw(params: OpenParams) -> bool:
    return isinstance(params, ThreadStartParams) and params.experimental_raw_events


async def _begin_again(ground: Ground, thread_id: ThreadId, params: OpenParams) -> None:
    if not isinstance(params, ThreadStartParams):
        raise Unmovable("there is no rollout of it")
    if await find_archived_thread_path_by_id(ground.home, thread_id) is not None:
        raise Unmovable("it is archived: unarchive it first")
    config = await _config(ground, params, params.cwd)
    new = await ground.supervisor.start_thread(
        config,
        dynamic_tools=core_dynamic_tools(params.dynamic_tools),
        persist_extended_history=True,
        thread_id=thread_id,
    )
    if new.thread.rollout_path is not None:
        await set_leftovers_aside(ground.home, thread_id, Path(new.thread.rollout_path))
    facts = facts_of_new(ground, new, config)
    ground.loaded.attach(new.thread, facts, raw_items=_wants_raw(params))


# Releasing -----------------------------------------------------------------------


async def release(ground: Ground, thread_id: ThreadId, *, grace: float) -> None:
    """
    Close a thread, so that its rollout is free; who follows it hears no word of that.

    No turn starts any more.  A running turn ends first, and that is told.  Agents end with
    the thread, and that is told as well: they are not given away.

    Args:
        grace: Seconds that the turn has to end by itself; then it is interrupted.

    Raises:
        Unsaved: Who went on with it would not know all that was said.
        Unmovable: It is not here, or nobody could go on with it.
    """
    loaded = ground.loaded.find(thread_id)
    if loaded is None:
        raise Unmovable("it is not loaded here")
    if loaded.thread.rollout_path is None:
        raise Unmovable("it is ephemeral: nobody could go on with it")
    _check_disk(ground)  # or the turn would be interrupted for nothing
    async with ground.opening(thread_id), loaded.starting:
        await _end_turn(loaded, grace)
        _check_disk(ground)
        await loaded.give_away()
        await ground.supervisor.remove_thread(thread_id)
        # Here it is still found by those who were about to ask for it.
        await loaded.ended.wait()


def _check_disk(ground: Ground) -> None:
    # Of all threads here: what one of them cannot write, the others cannot either.
    if ground.supervisor.statistics().failing_rollouts:
        raise Unsaved("a rollout in its worker cannot be written, see the warnings of its threads")


async def _end_turn(loaded: LoadedThread, grace: float) -> None:
    with loaded.watch(_turn_end) as watch:
        # What clients were told counts as well: they are to hear of the end.
        told = loaded.projection.turn_id is not None
        if loaded.thread.snapshot().turn_id is None and not told:
            return
        try:
            with trio.move_on_after(grace):
                await watch.wait()
                return
            loaded.thread.submit_nowait(Interrupt())
            with trio.move_on_after(_INTERRUPTED):
                await watch.wait()
        except ThreadClosed:
            pass  # it is closed already


def _turn_end(event: Event) -> bool | None:
    return isinstance(event.msg, TurnComplete | TurnAborted) or None
