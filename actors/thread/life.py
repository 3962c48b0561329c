"""One life of a thread: from new, rollout or fork to the end of its actor."""

import logging
from collections.abc import Sequence

import attrs
import trio

from actors.rollout import (
    ForkedHistory,
    InitialHistory,
    NewHistory,
    RecordedEvents,
    Recorder,
    ResumedHistory,
    RolloutError,
    WriteTrouble,
    format_time,
    missing_turn_ends,
    read_aside,
)
from messages.events import (
    ErrorEvent,
    EventMsg,
    SessionConfigured,
    TurnAborted,
    WarningEvent,
)
from messages.rollout import BaseInstructions, SessionMeta

from .actor import CLOSE_PATIENCE, ThreadActor
from .clean_text import cleaned
from .history import History
from .outlet import START, Outlet
from .ports import ThreadPorts
from .services import ThreadBlueprint, ThreadServices
from .session import Session
from .states import ThreadState
from .usage import Usage

__all__ = ["live"]

_log = logging.getLogger("actors")


async def live(
    ports: ThreadPorts,
    blueprint: ThreadBlueprint,
    services: ThreadServices,
    *,
    task_status: trio.TaskStatus[SessionConfigured | None],
) -> None:
    """
    Run one life of a thread; its supervisor calls it again after a crash.

    Says ``started`` once submissions are served; the first time with the first
    event.  A second life begins with what the rollout holds, under the same id,
    queue and events.

    Raises:
        RolloutError: The rollout cannot be opened; nothing was started.

    Cancellation:
        Before it has started, the rollout is free again; then see `ThreadActor.run`.
    """
    ports.lives += 1
    history, recorder = await _open_rollout(ports, blueprint, services)
    try:
        session, configured = await _begin(ports, blueprint, services, history, recorder)
    except BaseException:
        if recorder is not None:
            with trio.move_on_after(CLOSE_PATIENCE, shield=True):
                await _close(recorder)
        raise
    ports.become(ThreadState.IDLE)
    task_status.started(configured)
    del history, configured  # they may be large, and the actor lives long
    try:
        with services.watcher.watch(root.path for root in blueprint.config.skill_roots):
            await ThreadActor(session).run()
    finally:
        session.close_tools()


async def _close(recorder: Recorder) -> None:
    try:
        await recorder.close()
    except RolloutError as error:  # what kept the thread from starting is worse
        _log.warning("%s", error)


async def _open_rollout(
    ports: ThreadPorts, blueprint: ThreadBlueprint, services: ThreadServices
) -> tuple[InitialHistory, Recorder | None]:
    """Tell where this life begins, and open where it is recorded."""
    path, mode, journal = blueprint.rollout_path, blueprint.mode, services.journal
    history, ports.beginning = ports.beginning or NewHistory(), None
    if path is None:
        return history, None

    def tell(trouble: WriteTrouble) -> None:
        # The journal may go on trying for a moment when the thread has ended.
        if not ports.channel.closed:
            ports.tell(START, WarningEvent(message=_trouble(trouble)))

    # One that crashed before anything was on disk has nothing to go on from.
    if ports.lives > 1 and await trio.Path(path).exists():
        history = ResumedHistory(thread_id=ports.thread_id, path=path)
    if isinstance(history, ResumedHistory):
        if history.loaded is not None:
            return history, await journal.reopen(history.loaded, mode, on_trouble=tell)
        recorder, loaded = await journal.resume(path, mode, on_trouble=tell)
        return ResumedHistory.of(loaded), recorder
    meta = _session_meta(ports, blueprint, services, history)
    if isinstance(history, ForkedHistory):
        return history, await journal.fork(history, path, meta, mode, on_trouble=tell)
    return history, journal.recorder(path, meta, mode, on_trouble=tell)


def _trouble(trouble: WriteTrouble) -> str:
    if trouble.healed:
        return f"the rollout {trouble.path} can be written again; everything is saved"
    return (
        f"the rollout {trouble.path} cannot be written: {trouble.problem}; "
        f"{trouble.pending_bytes} bytes wait in memory and are tried again"
    )


def _session_meta(
    ports: ThreadPorts,
    blueprint: ThreadBlueprint,
    services: ThreadServices,
    history: InitialHistory,
) -> SessionMeta:
    settings = blueprint.settings
    return cleaned(
        SessionMeta(
            id=ports.thread_id,
            forked_from_id=history.forked_from_id,
            timestamp=format_time(services.world.now()),
            cwd=settings.cwd,
            originator=blueprint.config.originator,
            cli_version=blueprint.config.cli_version,
            source=settings.session_source,
            model_provider=settings.model_provider_id,
            base_instructions=BaseInstructions(text=settings.base_instructions),
            dynamic_tools=blueprint.dynamic_tools,
        )
    )


@attrs.frozen(kw_only=True)
class _Past:
    """
    What a history comes to.

    Attributes:
        ends: The ends of turns that a crash left open.
        events: For `SessionConfigured`, those ends included.
        name: Of the thread.
    """

    ends: tuple[TurnAborted, ...] = ()
    events: Sequence[EventMsg] | None = None
    name: str | None = None


async def _begin(
    ports: ThreadPorts,
    blueprint: ThreadBlueprint,
    services: ThreadServices,
    history: InitialHistory,
    recorder: Recorder | None,
) -> tuple[Session, SessionConfigured | None]:
    """
    Build the session, end what a crash left open (P3), and tell clients that it is there.

    A full disk does not keep a thread down: what cannot be written waits in memory, of
    which the recorder warns.
    """
    session = _session(ports, blueprint, services, history, recorder)
    past = await _past(session, history)
    session.outlet.history.begin_with(history.items)
    session.outlet.store(past.ends)
    configured = None
    if ports.lives == 1:
        configured = _configured(session, history, past)
        ports.tell(START, configured)
        _warn_of_model(session, history)
    else:
        crashed = ErrorEvent(message="the thread crashed and goes on from its rollout")
        ports.tell(START, crashed)
        ports.end_open_turn()
    if isinstance(history, NewHistory):
        session.seed_context()
    await session.outlet.flush()
    return session, configured


def _session(
    ports: ThreadPorts,
    blueprint: ThreadBlueprint,
    services: ThreadServices,
    history: InitialHistory,
    recorder: Recorder | None,
) -> Session:
    settings = ports.settings
    info = blueprint.config.model_overrides.apply(services.provider.model_info(settings.model))
    outlet = Outlet(
        ports=ports,
        history=History(policy=settings.truncation_policy or info.truncation_policy),
        usage=Usage(info=history.last_token_info),
        recorder=recorder,
    )
    return Session(
        blueprint=blueprint,
        services=services,
        ports=ports,
        outlet=outlet,
        settings=settings,
        told_settings=settings,
        previous_model=history.last_model,
    )


async def _past(session: Session, history: InitialHistory) -> _Past:
    if isinstance(history, NewHistory):
        return _Past()
    name = None
    if isinstance(history, ResumedHistory) and session.ports.lives == 1:
        name = await _name(session)
    items = history.items
    ends = await read_aside(items, lambda: missing_turn_ends(items))
    return _Past(ends=ends, events=RecordedEvents(items, ends), name=name)


async def _name(session: Session) -> str | None:
    try:
        return await session.services.index.name_of(session.thread_id)
    except RolloutError as error:
        _log.warning("thread %s has no name: %s", session.thread_id, error)
        return None


def _configured(session: Session, history: InitialHistory, past: _Past) -> SessionConfigured:
    settings = session.settings
    return SessionConfigured(
        session_id=session.thread_id,
        forked_from_id=history.forked_from_id,
        thread_name=past.name,
        model=settings.model,
        model_provider_id=settings.model_provider_id,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        cwd=settings.cwd,
        reasoning_effort=settings.effort,
        initial_messages=past.events,
        rollout_path=session.ports.rollout_path,
    )


def _warn_of_model(session: Session, history: InitialHistory) -> None:
    previous, model = history.last_model, session.settings.model
    if isinstance(history, ResumedHistory) and previous not in (None, model):
        message = (
            f"this thread was recorded with the model {previous!r} and goes on with {model!r}; "
            f"choose {previous!r} again if its answers get worse"
        )
        session.ports.tell(START, WarningEvent(message=message))
