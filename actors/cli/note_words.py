"""What is told in one line beside the conversation: errors, warnings, refusals."""

from typing import TypeAlias

from messages.events import (
    BackgroundEvent,
    ContextCompacted,
    DeprecationNotice,
    ErrorEvent,
    EventMsg,
    McpStartupFailed,
    McpStartupUpdate,
    ModelReroute,
    StreamError,
    TurnAborted,
    WarningEvent,
)

from .pieces import Look
from .refusals import refusal

__all__ = ["Note", "note", "retry_text", "warning_text"]

Note: TypeAlias = tuple[str, Look]
"""A line and how it is to look."""


def retry_text(event: StreamError) -> str:
    """Say that a request is made again, and why."""
    details = (event.additional_details or "").strip()
    return f"{event.message} ({details})" if details else event.message


def warning_text(msg: EventMsg) -> str | None:
    """Say of what an event warns the user; None for any other event."""
    match msg:
        case WarningEvent(message=message):
            return message
        case DeprecationNotice(summary=summary, details=details):
            return f"{summary}: {details}" if details else summary
        case McpStartupUpdate(status=McpStartupFailed(error=error)):
            return error
        case _:
            refused = refusal(msg)
            return None if refused is None else refused.words


def note(msg: EventMsg) -> Note | None:
    """Say what a person hears of an event beside the conversation; None for nothing."""
    match msg:
        case TurnAborted():
            return "interrupted", Look.WARN
        case ErrorEvent(message=message):
            return f"error: {message}", Look.BAD
        case StreamError():
            return f"warning: {retry_text(msg)}", Look.WARN
        case ModelReroute(from_model=asked, to_model=answers, reason=reason):
            return f"warning: {answers} answers instead of {asked}: {reason}", Look.WARN
        case BackgroundEvent(message=message):
            return message, Look.FAINT
        case ContextCompacted():
            return "the history was compacted", Look.FAINT
        case _:
            words = warning_text(msg)
            return None if words is None else (f"warning: {words}", Look.WARN)
