"""Submitting ops to threads, and waiting for what they say to them."""

from actors.thread import ThreadError
from messages.events import ErrorEvent, Event, TurnStarted
from messages.ids import SubmissionId
from messages.ops import Op, Submission

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..rpc_errors import RpcFailure

__all__ = ["begin", "carry_out"]


async def carry_out(ground: Ground, loaded: LoadedThread, op: Op, done: type) -> None:
    """
    Submit an op, and wait until the thread says that it is done.

    Raises:
        RpcFailure: It was refused, or the thread has ended.
    """
    submission = Submission(id=SubmissionId(ground.world.new_id()), op=op)

    def outcome(event: Event) -> ErrorEvent | bool | None:
        if event.id != submission.id:
            return None
        return (
            event.msg if isinstance(event.msg, ErrorEvent) else isinstance(event.msg, done) or None
        )

    with loaded.watch(outcome) as watch:
        try:
            await loaded.thread.submit_with_id(submission)
            refused = await watch.wait()
        except ThreadError as exc:
            raise RpcFailure.internal(str(exc)) from exc
    if isinstance(refused, ErrorEvent):
        raise RpcFailure.invalid(refused.message)


async def begin(ground: Ground, loaded: LoadedThread, op: Op, problem: str) -> str:
    """
    Submit what starts a turn, and wait until it has started.

    Returns:
        The turn; another one when that started first, which the input then joins.

    Raises:
        RpcFailure: It was refused, or the thread has ended.
    """
    submission = Submission(id=SubmissionId(ground.world.new_id()), op=op)

    def outcome(event: Event) -> ErrorEvent | str | None:
        match event.msg:
            case TurnStarted(turn_id=turn_id):
                return str(turn_id)
            case ErrorEvent() if event.id == submission.id:
                return event.msg
            case _:
                return None

    with loaded.watch(outcome) as watch:
        try:
            await loaded.thread.submit_with_id(submission)
            started = await watch.wait()
        except ThreadError as exc:
            raise RpcFailure.internal(f"{problem}: {exc}") from exc
    if isinstance(started, ErrorEvent):
        raise RpcFailure.internal(f"{problem}: {started.message}")
    return str(started)
