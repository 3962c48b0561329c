"""From events about a thread as a whole to what clients are told; none of them has state."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from messages import events
from messages.rpc.item_notifications import (
    ErrorNotification,
    TurnPlanStep,
    TurnPlanStepStatus,
    TurnPlanUpdatedNotification,
)
from messages.rpc.notifications import (
    ContextCompactedNotification,
    DeprecationNoticeNotification,
    McpServerStartupState,
    McpServerStatusUpdatedNotification,
    ModelReroutedNotification,
    ModelRerouteReason,
    ServerNotification,
    SkillsChangedNotification,
    ThreadNameUpdatedNotification,
    WarningNotification,
)

from .turn_values import camel_case, turn_error

__all__ = ["note"]


def note(thread_id: str, turn_id: str, msg: events.EventMsg) -> ServerNotification | None:
    """Say what clients are told of an event, if it is one of those."""
    make = _NOTES.get(type(msg))
    return None if make is None else make(thread_id, turn_id, msg)


def _retry(thread_id: str, turn_id: str, msg: events.StreamError) -> ServerNotification:
    return ErrorNotification(
        thread_id=thread_id, turn_id=turn_id, error=turn_error(msg), will_retry=True
    )


def _plan(thread_id: str, turn_id: str, msg: events.PlanUpdate) -> ServerNotification:
    steps = (
        TurnPlanStep(step=entry.step, status=TurnPlanStepStatus[entry.status.name])
        for entry in msg.plan
    )
    return TurnPlanUpdatedNotification(
        thread_id=thread_id, turn_id=turn_id, explanation=msg.explanation, plan=tuple(steps)
    )


def _compacted(thread_id: str, turn_id: str, _: events.ContextCompacted) -> ServerNotification:
    return ContextCompactedNotification(thread_id=thread_id, turn_id=turn_id)


def _rerouted(thread_id: str, turn_id: str, msg: events.ModelReroute) -> ServerNotification:
    try:
        reason = ModelRerouteReason(camel_case(msg.reason))
    except ValueError:
        # Clients know no other word; the fact is worth more than the reason.
        text = f"{msg.to_model} answers instead of {msg.from_model}: {msg.reason}"
        return WarningNotification(thread_id=thread_id, message=text)
    return ModelReroutedNotification(
        thread_id=thread_id,
        turn_id=turn_id,
        from_model=msg.from_model,
        to_model=msg.to_model,
        reason=reason,
    )


def _warning(thread_id: str, _: str, msg: events.WarningEvent) -> ServerNotification:
    return WarningNotification(thread_id=thread_id, message=msg.message)


def _deprecation(_: str, __: str, msg: events.DeprecationNotice) -> ServerNotification:
    return DeprecationNoticeNotification(summary=msg.summary, details=msg.details)


def _named(thread_id: str, _: str, msg: events.ThreadNameUpdated) -> ServerNotification:
    return ThreadNameUpdatedNotification(thread_id=thread_id, thread_name=msg.thread_name)


def _skills(_: str, __: str, ___: events.SkillsUpdateAvailable) -> ServerNotification:
    return SkillsChangedNotification()


def _mcp_start(thread_id: str, _: str, msg: events.McpStartupUpdate) -> ServerNotification:
    status = msg.status
    if isinstance(status, events.McpStartupFailed):
        state, error = McpServerStartupState.FAILED, status.error
    else:
        state, error = McpServerStartupState[status.state.name], None
    return McpServerStatusUpdatedNotification(
        thread_id=thread_id, name=msg.server, status=state, error=error
    )


_NOTES: Final[Mapping[type, Callable[[str, str, Any], ServerNotification]]] = {
    events.StreamError: _retry,
    events.PlanUpdate: _plan,
    events.ContextCompacted: _compacted,
    events.ModelReroute: _rerouted,
    events.WarningEvent: _warning,
    events.DeprecationNotice: _deprecation,
    events.ThreadNameUpdated: _named,
    events.SkillsUpdateAvailable: _skills,
    events.McpStartupUpdate: _mcp_start,
}
