"""What clients are told when a worker dies or lets go of something: pure texts and messages."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from actors.server.rpc_errors import RpcFailure
from messages.events import TurnAborted, TurnAbortReason, WarningEvent
from messages.ids import ThreadId, TurnId
from messages.rpc.envelope import OVERLOADED
from messages.rpc.item_notifications import TurnCompletedNotification
from messages.rpc.notifications import (
    METHOD,
    ServerNotification,
    ServerRequestResolvedNotification,
    ThreadClosedNotification,
    ThreadStatusChangedNotification,
    WarningNotification,
)
from messages.rpc.thread import IdleThreadStatus, NotLoadedThreadStatus
from messages.rpc.turn import Turn, TurnStatus
from messages.value import Json

from .recorded_end import RecordedEnd
from .seats import Fate

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = [
    "Message",
    "closed",
    "cut_off",
    "died",
    "held",
    "idle",
    "lost_thread",
    "not_now",
    "resolved",
    "turn_ended",
    "unsettled",
    "warning",
]

Message = tuple[str, Json]
"""Method and params of a notification."""

_GOES_ON: Final = "another worker goes on with the thread"


def _written(notification: ServerNotification) -> Message:
    return METHOD[type(notification)], notification


def _event(thread_id: ThreadId, turn_id: str, name: str, msg: Json) -> Message:
    params = {"conversationId": thread_id, "id": turn_id, "msg": msg}
    return f"codex/event/{name}", params


# Notifications ----------------------------------------------------------------


def resolved(thread_id: ThreadId, question_id: int) -> Message:
    """Say that a question needs no answer any more."""
    return _written(ServerRequestResolvedNotification(thread_id=thread_id, request_id=question_id))


def turn_ended(
    thread_id: ThreadId, turn_id: str, end: RecordedEnd | None, *, core: bool
) -> Message:
    """Say that a turn ended as is recorded, or was interrupted."""
    if core:
        msg = TurnAborted(reason=TurnAbortReason.INTERRUPTED, turn_id=TurnId(turn_id))
        said = msg if end is None else end.event
        name = "turn_aborted" if isinstance(said, TurnAborted) else "task_complete"
        return _event(thread_id, turn_id, name, said)
    turn = Turn(id=turn_id, status=TurnStatus.INTERRUPTED) if end is None else end.turn
    return _written(TurnCompletedNotification(thread_id=thread_id, turn=turn))


def idle(thread_id: ThreadId) -> Message:
    """Say that nothing runs in a thread."""
    return _written(ThreadStatusChangedNotification(thread_id=thread_id, status=IdleThreadStatus()))


def closed(thread_id: ThreadId, *, followed: bool) -> Iterator[Message]:
    """Say that a thread is not loaded any more."""
    gone = NotLoadedThreadStatus()
    yield _written(ThreadStatusChangedNotification(thread_id=thread_id, status=gone))
    if followed:
        yield _written(ThreadClosedNotification(thread_id=thread_id))


def warning(thread_id: ThreadId, message: str, *, core: bool) -> Message:
    """Say something about a thread to whoever uses it."""
    if core:
        return _event(thread_id, "", "warning", WarningEvent(message=message))
    return _written(WarningNotification(thread_id=thread_id, message=message))


# Texts --------------------------------------------------------------------------


def lost_thread(
    worker: "Worker", fate: Fate, *, turn: TurnStatus | None, until: float | None
) -> str:
    """
    Say what the death of a worker means for a thread.

    Args:
        turn: How the turn ended that the client took for running; None for no such turn.
        until: Until when the thread is held; None when it is not.
    """
    start = f"worker {worker.number} (pid {worker.pid}) died"
    if turn is TurnStatus.INTERRUPTED:
        start += "; the running turn was interrupted"
    elif turn is not None:
        start += f"; the turn had just ended ({turn.value}), thread/read shows all of it"
    match fate:
        case Fate.GOES_ON:
            return f"{start}; {_GOES_ON}, and what ran in its background is gone"
        case Fate.CLOSED:
            return f"{start}, and this thread ended with it"
        case Fate.HELD:
            return f"{start}; {held(until)}"


def held(until: float | None) -> str:
    """Say that a thread is left alone, until when, and the way out."""
    when = "a while is over" if until is None else _time(until)
    return (
        "the thread is in quarantine, because too many workers died while it was busy; nobody "
        f"goes on with it before {when}: resume it then, or fork it; it can be read meanwhile"
    )


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def cut_off(problem: str) -> str:
    """Say that no worker could go on with a thread."""
    return f"no worker could go on with the thread: {problem}; thread/resume tries it again"


def unsettled(problem: str) -> str:
    """Say that a client does not follow a thread any more that goes on."""
    return f"this client could not be made to follow the thread again: {problem}; resume it"


# Refusals -------------------------------------------------------------------------


def died(worker_number: int, method: str, aftermath: str) -> RpcFailure:
    """Refuse what was asked of a worker that died."""
    return RpcFailure.internal(f"worker {worker_number} died during {method}: {aftermath}")


def not_now(problem: str) -> RpcFailure:
    """Refuse what may succeed later."""
    return RpcFailure(OVERLOADED, problem)
