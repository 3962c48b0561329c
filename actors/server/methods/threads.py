"""Starting, resuming and forking threads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from actors.config import ThreadConfig
from actors.rollout import (
    ForkedHistory,
    LoadedRollout,
    ResumedHistory,
    RolloutError,
    chosen,
    parse_thread_id,
    parse_turn_item,
    read_aside,
    truncate_before_nth_user_message,
)
from actors.supervisor import NewThread
from actors.thread import ThreadError
from actors.tools import DynamicToolInvalid
from messages.content import TextInput
from messages.events import TokenUsageInfo, TurnStarted
from messages.ids import ThreadId
from messages.items import ResponseItem
from messages.rollout import RolloutItem
from messages.rpc.notifications import METHOD, ThreadStartedNotification
from messages.rpc.settings import SortDirection
from messages.rpc.thread import (
    Thread,
    ThreadForkParams,
    ThreadForkResponse,
    ThreadResumeParams,
    ThreadResumeResponse,
    ThreadStartParams,
    ThreadStartResponse,
    TurnsPage,
)
from messages.rpc.turn import Turn, TurnItemsView
from messages.turn_items import UserMessageItem

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..loaded_threads import read_thread_id
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from ..settings_from_params import OpenParams, core_dynamic_tools, thread_config
from ..thread_history import (
    paged,
    seen_as,
    user_messages_before,
    with_turns,
    written_turns,
)
from ..thread_values import preview_of
from ..usage_values import usage_notification
from .opened import (
    check_supported,
    describe_loaded,
    facts_of_new,
    facts_of_rollout,
    is_recorded,
    opened,
    stored_path,
)
from .reading import loaded_history

__all__ = ["attach_fork", "fork", "forked", "resume", "start"]

_STARTS: Final = frozenset({TurnStarted})


async def start(ground: Ground, request: ClientRequest) -> None:
    """Start a thread, and tell all that it is there."""
    params: ThreadStartParams = request.params
    check_supported(ground, params)
    config = await _config(ground, params, params.cwd)
    try:
        new = await ground.supervisor.start_thread(
            config,
            dynamic_tools=core_dynamic_tools(params.dynamic_tools),
            persist_extended_history=True,
        )
    except DynamicToolInvalid as exc:
        raise RpcFailure.invalid(str(exc)) from exc
    except (RolloutError, ThreadError) as exc:
        raise RpcFailure.internal(f"error creating thread: {exc}") from exc
    raw = params.experimental_raw_events
    loaded = ground.loaded.attach(new.thread, facts_of_new(ground, new, config), raw_items=raw)
    loaded.follow(request.connection)
    with loaded.holding(request.connection):
        thread = loaded.describe()
        await request.respond(ThreadStartResponse(**opened(loaded, thread)))
        ground.broadcast(ThreadStartedNotification(thread=thread))


async def _config(ground: Ground, params: OpenParams, cwd: str | None) -> ThreadConfig:
    config = await ground.config(cwd, params)
    return thread_config(config, params, originator=ground.originator)


# Resuming -----------------------------------------------------------------


async def resume(ground: Ground, request: ClientRequest) -> None:
    """Load a stored thread, or join one that is loaded, and follow it."""
    params: ThreadResumeParams = request.params
    check_supported(ground, params)
    if params.history is not None:
        await _resume_history(ground, request, params)
        return
    if params.path is not None:
        path = Path(params.path)
        thread_id = await _thread_of(ground, params.thread_id, path)
    else:
        path, thread_id = None, read_thread_id(params.thread_id)
    async with ground.opening(thread_id):
        loaded = ground.loaded.find(thread_id)
        if loaded is not None:
            _check_path(loaded, path)
            await _join(ground, request, loaded)
            return
        found = path or await stored_path(ground, thread_id)
        loaded, usage, turns = await _load(ground, params, found)
    await _join(ground, request, loaded, usage, turns)


async def _thread_of(ground: Ground, named: str, path: Path) -> ThreadId:
    """Read whose rollout a client wants; what it names besides must not be another one."""
    named_id = parse_thread_id(named)
    running = None if named_id is None else ground.loaded.find(named_id)
    if running is not None:
        _check_path(running, path)
    try:
        return read_thread_id((await facts_of_rollout(ground, path)).id)
    except RpcFailure as failure:
        raise RpcFailure.invalid(failure.error.message) from failure


def _check_path(loaded: LoadedThread, path: Path | None) -> None:
    active = loaded.thread.rollout_path
    if path is not None and str(path) != active:
        raise RpcFailure.invalid(
            f"cannot resume running thread {loaded.thread_id} with mismatched path: "
            f"requested `{path}`, active `{active}`"
        )


async def _load(
    ground: Ground, params: ThreadResumeParams, path: Path
) -> tuple[LoadedThread, TokenUsageInfo | None, tuple[Turn, ...]]:
    rollout, turns = await _rollout(ground, path)
    history = ResumedHistory.of(rollout)
    config = await _config(ground, params, params.cwd or history.session_cwd)
    facts = await facts_of_rollout(ground, path)
    try:
        new = await ground.supervisor.resume_thread_with_history(
            config, history, persist_extended_history=True
        )
    except (RolloutError, ThreadError) as exc:
        raise RpcFailure.internal(f"error resuming thread: {exc}") from exc
    name = new.session_configured.thread_name
    return ground.loaded.attach(new.thread, facts, name=name), history.last_token_info, turns


async def _rollout(ground: Ground, path: Path) -> tuple[LoadedRollout, tuple[Turn, ...]]:
    try:
        return await ground.histories.read(path)
    except RolloutError as exc:
        raise RpcFailure.invalid(f"failed to load rollout `{path}`: {exc}") from exc


async def _join(
    ground: Ground,
    request: ClientRequest,
    loaded: LoadedThread,
    usage: TokenUsageInfo | None = None,
    turns: tuple[Turn, ...] | None = None,
) -> None:
    """Answer with a loaded thread; then come its tokens, its open questions and its events."""
    params: ThreadResumeParams = request.params
    connection = request.connection
    loaded.follow(connection)
    with loaded.holding(connection):
        if turns is None:
            turns = await loaded_history(ground, loaded)
        written = await written_turns(() if params.exclude_turns else turns)
        thread = await describe_loaded(ground, loaded)
        await request.respond(with_turns(_resumed(params, loaded, thread, turns), written))
        said = loaded.projection.last_usage
        if said is None and usage is not None:
            turn_id = turns[-1].id if turns else ""
            said = usage_notification(loaded.thread_id, turn_id, usage)
        if said is not None:
            written = ground.connections.notification(METHOD[type(said)], said)
            await connection.send_notification(written)
        await loaded.ask_again(connection)


def _resumed(
    params: ThreadResumeParams, loaded: LoadedThread, thread: Thread, turns: tuple[Turn, ...]
) -> ThreadResumeResponse:
    last = turns[-1] if turns else None
    item = last.items[-1] if last is not None and last.items else None
    return ThreadResumeResponse(
        **opened(loaded, thread),
        collaboration_mode=loaded.thread.config_snapshot.collaboration,
        initial_turns_page=_first_page(params, turns),
        turns_backwards_cursor=None if last is None else f">{last.id}",
        items_backwards_cursor=(
            None if last is None or item is None else f">{last.id}/{getattr(item, 'id', '')}"
        ),
    )


def _first_page(params: ThreadResumeParams, turns: tuple[Turn, ...]) -> TurnsPage | None:
    wanted = params.initial_turns_page
    if wanted is None:
        return None
    direction = wanted.sort_direction or SortDirection.DESC
    page, on, back = paged(
        turns, lambda turn: turn.id, cursor=None, limit=wanted.limit, direction=direction
    )
    view = wanted.items_view or TurnItemsView.SUMMARY
    seen = tuple(seen_as(turn, view) for turn in page)
    return TurnsPage(data=seen, next_cursor=on, backwards_cursor=back)


async def _resume_history(
    ground: Ground, request: ClientRequest, params: ThreadResumeParams
) -> None:
    """Start a new thread with a past that the client knows."""
    running = ground.loaded.find(read_thread_id(params.thread_id))
    if running is not None:
        raise RpcFailure.invalid(
            f"cannot resume thread {running.thread_id} with history while it is already running"
        )
    if not params.history:
        raise RpcFailure.invalid("history must not be empty")
    config = await _config(ground, params, params.cwd)
    new = await forked(ground, config, ForkedHistory(items=params.history), "resuming")
    facts = await facts_of_rollout(ground, Path(new.thread.rollout_path or ""))
    facts = attrs.evolve(facts, preview=facts.preview or _first_user_words(params.history))
    loaded = ground.loaded.attach(new.thread, facts)
    loaded.follow(request.connection)
    with loaded.holding(request.connection):
        await request.respond(ThreadResumeResponse(**opened(loaded, loaded.describe())))


def _first_user_words(history: tuple[ResponseItem, ...]) -> str:
    for item in history:
        said = parse_turn_item(item, str)
        if isinstance(said, UserMessageItem):
            return preview_of("".join(p.text for p in said.content if isinstance(p, TextInput)))
    return ""


async def forked(
    ground: Ground, config: ThreadConfig, history: ForkedHistory, what: str
) -> NewThread:
    """
    Start a thread with a past.

    Args:
        what: Is being done, for complaints, such as ``"forking"``.

    Raises:
        RpcFailure: It cannot be started.
    """
    try:
        return await ground.supervisor.resume_thread_with_history(
            config, history, persist_extended_history=True
        )
    except (RolloutError, ThreadError) as exc:
        raise RpcFailure.internal(f"error {what} thread: {exc}") from exc


# Forking ------------------------------------------------------------------


async def fork(ground: Ground, request: ClientRequest) -> None:
    """Copy a thread, or its first turns, into a new one, and tell all that it is there."""
    params: ThreadForkParams = request.params
    check_supported(ground, params)
    path = await _source(ground, params)
    try:
        rollout, turns = await ground.histories.read(path)
    except RolloutError as exc:
        raise RpcFailure.invalid(f"failed to load rollout `{path}`: {exc}") from exc
    kept = _kept(params, turns)
    config = await _config(ground, params, params.cwd or rollout.meta.cwd)
    items = await read_aside(rollout.items, lambda: _items_of(rollout, turns, kept))
    history = ForkedHistory(items=items, source=rollout)
    new = await forked(ground, config, history, "forking")
    loaded = await attach_fork(ground, new, config, turns[:kept])
    loaded.follow(request.connection)
    with loaded.holding(request.connection):
        written = await written_turns(() if params.exclude_turns else turns[:kept])
        thread = loaded.describe()
        await request.respond(with_turns(ThreadForkResponse(**opened(loaded, thread)), written))
        started = with_turns(ThreadStartedNotification(thread=thread), written)
        said = ground.connections.notification(METHOD[ThreadStartedNotification], started)
        ground.connections.broadcast(said)


async def _source(ground: Ground, params: ThreadForkParams) -> Path:
    if params.path is not None:
        return Path(params.path)
    return await stored_path(ground, read_thread_id(params.thread_id))


def _kept(params: ThreadForkParams, turns: tuple[Turn, ...]) -> int:
    """Say how many of the first turns are copied."""
    if params.last_turn_id is not None and params.before_turn_id is not None:
        raise RpcFailure.invalid("lastTurnId and beforeTurnId exclude each other; leave out one")
    wanted = params.last_turn_id or params.before_turn_id
    if wanted is None:
        return len(turns)
    index = next((index for index, turn in enumerate(turns) if turn.id == wanted), None)
    if index is None:
        raise RpcFailure.invalid(f"turn not found: {wanted}")
    return index + (params.last_turn_id is not None)


def _items_of(rollout: LoadedRollout, turns: tuple[Turn, ...], kept: int) -> Sequence[RolloutItem]:
    """Take what was recorded up to the end of the first turns; for `read_aside`."""
    if kept == len(turns):
        return rollout.items
    following = turns[kept].id
    for index, item in chosen(rollout.items, _STARTS):
        if item.turn_id == following:
            return rollout.items[:index]
    # Older programs do not say where a turn begins.
    count = user_messages_before(turns, kept)
    return truncate_before_nth_user_message(rollout.items, count)


async def attach_fork(
    ground: Ground, new: NewThread, config: ThreadConfig, turns: tuple[Turn, ...]
) -> LoadedThread:
    """Begin to read the events of a thread that has the turns of another one."""
    path = new.thread.rollout_path
    if path is None or not await is_recorded(Path(path)):
        return ground.loaded.attach(new.thread, facts_of_new(ground, new, config))
    facts = await facts_of_rollout(ground, Path(path))
    if not facts.preview and turns:
        facts = attrs.evolve(facts, preview=_first_words(turns))
    return ground.loaded.attach(new.thread, facts)


def _first_words(turns: tuple[Turn, ...]) -> str:
    items: Any = (item for turn in turns for item in turn.items)
    parts = (part for item in items for part in getattr(item, "content", ()))
    return next((preview_of(part.text) for part in parts if hasattr(part, "text")), "")
