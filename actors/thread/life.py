"""One life of a thread: from new, rollout or fork to the end of its actor."""

import logging
from functools import partial

import trio

from actors.rollout import (
    ForkedHistory,
    InitialHistory,
    NewHistory,
    Recorder,
    ResumedHistory,
    WriteTrouble,
    format_time,
    missing_turn_ends,
    reconstruct,
)
from actors.tools import DynamicTool, ToolRouter
from messages.events import (
    ErrorEvent,
    EventMsg,
    SessionConfigured,
    TurnAborted,
    WarningEvent,
)
from messages.ids import SubmissionId
from messages.items import ResponseItem
from messages.rollout import BaseInstructions, SessionMeta

from .actor import CLOSE_PATIENCE, ThreadActor
from .context import initial_context
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
    task_status: trio.TaskStatus[SessionConfigured],
) -> None:
    """
    Run one life of a thread; its supervisor calls it again after a crash.

    Says ``started`` with the first event once submissions are served.  A second
    life begins with what the rollout holds, under the same id, queue and events.

    Raises:
        RolloutError: The rollout cannot be opened; nothing was started.

    Cancellation:
        See `ThreadActor.run`.
    """
    ports.lives += 1
    history, recorder = await _open_rollout(ports, blueprint, services)
    try:
        session = await _begin(ports, blueprint, services, history, recorder)
    except BaseException:
        if recorder is not None:
            with trio.move_on_after(CLOSE_PATIENCE, shield=True):
                await recorder.close()
        raise
    ports.become(ThreadState.IDLE)
    assert ports.configured is not None  # told by _begin
    task_status.started(ports.configured)
    try:
        await ThreadActor(session).run()
    except Exception:
        if ports.state is not ThreadState.CLOSING:
            raise
        # The user wanted the end and gets it: a restart would bring the thread back.
        _log.exception("thread %s crashed while closing", ports.thread_id)
        ports.end(ThreadState.FAILED)


async def _open_rollout(
    ports: ThreadPorts, blueprint: ThreadBlueprint, services: ThreadServices
) -> tuple[InitialHistory, Recorder | None]:
    """Tell where this life begins, and open where it is recorded."""
    path, mode, journal = blueprint.rollout_path, blueprint.mode, services.journal
    history = blueprint.history
    if path is None:
        return history, None

    def tell(trouble: WriteTrouble) -> None:
        ports.tell(START, WarningEvent(message=_trouble(trouble)))

    if ports.lives > 1:
        # Crashed before anything was on disk: there is nothing to go on from.
        exists = await trio.Path(path).exists()
        history = ResumedHistory(thread_id=ports.thread_id, path=path) if exists else NewHistory()
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
    return SessionMeta(
        id=ports.thread_id,
        forked_from_id=history.forked_from_id,
        timestamp=format_time(services.world.now()),
        cwd=settings.cwd,
        originator=blueprint.originator,
        cli_version=blueprint.cli_version,
        source=settings.session_source,
        model_provider=settings.model_provider_id,
        base_instructions=BaseInstructions(text=settings.base_instructions),
        dynamic_tools=blueprint.dynamic_tools,
    )


async def _begin(
    ports: ThreadPorts,
    blueprint: ThreadBlueprint,
    services: ThreadServices,
    history: InitialHistory,
    recorder: Recorder | None,
) -> Session:
    """Build the session, end what a crash left open (P3), and tell clients that it is there."""
    session = _session(ports, blueprint, services, history, recorder)
    ends = missing_turn_ends(history.items)
    if history.items:
        items = await trio.to_thread.run_sync(partial(_reconstruct, session, history))
        session.outlet.history.replace(items)
    session.outlet.store(ends)
    await _tell_beginning(session, history, ends)
    if not isinstance(history, ResumedHistory):
        session.seed_context()
    await session.outlet.flush()
    return session


def _session(
    ports: ThreadPorts,
    blueprint: ThreadBlueprint,
    services: ThreadServices,
    history: InitialHistory,
    recorder: Recorder | None,
) -> Session:
    settings = ports.settings
    info = services.provider.model_info(settings.model)
    outlet = Outlet(
        ports=ports,
        history=History(policy=settings.truncation_policy or info.truncation_policy),
        usage=Usage(info=history.last_token_info),
        recorder=recorder,
    )
    dynamic = tuple(DynamicTool(spec) for spec in blueprint.dynamic_tools)
    return Session(
        blueprint=blueprint,
        services=services,
        ports=ports,
        outlet=outlet,
        router=ToolRouter((*services.make_tools(), *dynamic)),
        settings=settings,
        told_settings=settings,
        previous_model=history.last_model,
    )


def _reconstruct(session: Session, history: InitialHistory) -> tuple[ResponseItem, ...]:
    context = initial_context(session.settings)
    policy = session.outlet.history.policy
    return tuple(reconstruct(history.items, initial_context=context, policy=policy))


async def _tell_beginning(
    session: Session, history: InitialHistory, ends: tuple[TurnAborted, ...]
) -> None:
    ports = session.ports
    if ports.lives > 1:
        crashed = ErrorEvent(message="the thread crashed and goes on from its rollout")
        ports.tell(START, crashed)
        for end in ends:
            ports.tell(SubmissionId(end.turn_id or ""), end)
        return
    name = None
    if isinstance(history, ResumedHistory):
        name = await session.services.index.name_of(session.thread_id)
    messages = history.event_msgs
    if messages is not None:
        messages = (*messages, *ends)
    ports.configured = _configured(session, history, messages, name)
    ports.tell(START, ports.configured)
    previous, model = history.last_model, session.settings.model
    if isinstance(history, ResumedHistory) and previous not in (None, model):
        ports.tell(START, WarningEvent(message=_other_model(previous, model)))


def _configured(
    session: Session,
    history: InitialHistory,
    messages: tuple[EventMsg, ...] | None,
    name: str | None,
) -> SessionConfigured:
    settings = session.settings
    path = session.blueprint.rollout_path
    return SessionConfigured(
        session_id=session.thread_id,
        forked_from_id=history.forked_from_id,
        thread_name=name,
        model=settings.model,
        model_provider_id=settings.model_provider_id,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        cwd=settings.cwd,
        reasoning_effort=settings.effort,
        initial_messages=messages,
        rollout_path=None if path is None else str(path),
    )


def _other_model(previous: str | None, model: str) -> str:
    return (
        f"this thread was recorded with the model {previous!r} and goes on with {model!r}; "
        f"choose {previous!r} again if its answers get worse"
    )
