"""What only Treadle's own clients ask: ops for threads, and the ends of threads."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import trio

from actors.runtime import MailboxFull
from actors.supervisor import ThreadNotFound
from actors.thread import (
    SUBMISSION_CAPACITY,
    SteerError,
    ThreadClosed,
    ThreadState,
    TurnInputFull,
    TurnMismatch,
)
from messages.events import Event, ShutdownComplete
from messages.ids import SubmissionId, TurnId
from messages.ops import Submission, UnknownOp
from messages.rpc.treadle import (
    TreadleCloseParams,
    TreadleCloseResponse,
    TreadleRevokeParams,
    TreadleRevokeResponse,
    TreadleSteerParams,
    TreadleSteerResponse,
    TreadleSubmitParams,
    TreadleSubmitResponse,
)
from messages.value import Json

from ..core_values import core_approval
from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..loaded_threads import read_thread_id
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure

__all__ = ["close", "revoke", "steer", "submit"]

_NOWAIT: Final = 0.001
"""Seconds that a submission waits for room that is not to wait: queueing itself takes none."""


async def submit(ground: Ground, request: ClientRequest) -> TreadleSubmitResponse:
    """Queue an op; wait for room in a full queue, unless it is not to wait."""
    params: TreadleSubmitParams = request.params
    loaded = _loaded(ground, params.thread_id)
    if isinstance(params.op, UnknownOp):
        tag = params.op.tag[:64]
        raise RpcFailure.invalid(f"Invalid request: there is no op {tag!r} at $.op")
    submission = Submission(
        id=SubmissionId(params.submission_id or ground.world.new_id()), op=params.op
    )
    patience = _NOWAIT if params.nowait else math.inf
    with _as_failures():
        with trio.move_on_after(patience) as waiting:
            await loaded.thread.submit_with_id(submission)
        if waiting.cancelled_caught:
            raise MailboxFull(f"thread/{loaded.thread_id}", SUBMISSION_CAPACITY)
    loaded.note_answer(params.op)
    return TreadleSubmitResponse(submission_id=submission.id)


async def steer(ground: Ground, request: ClientRequest) -> TreadleSteerResponse:
    """Let input join the running turn."""
    params: TreadleSteerParams = request.params
    loaded = _loaded(ground, params.thread_id)
    expected = None if params.expected_turn_id is None else TurnId(params.expected_turn_id)
    with _as_failures():
        turn_id = await loaded.thread.steer_input(params.items, expected_turn_id=expected)
    return TreadleSteerResponse(turn_id=turn_id)


async def revoke(ground: Ground, request: ClientRequest) -> TreadleRevokeResponse:
    """Take back what the user allowed for the session."""
    params: TreadleRevokeParams = request.params
    loaded = _loaded(ground, params.thread_id)
    with _as_failures():
        revoked = await loaded.thread.revoke_approval(core_approval(params.approval))
    return TreadleRevokeResponse(revoked=revoked)


async def close(ground: Ground, request: ClientRequest) -> TreadleCloseResponse:
    """End a thread, and answer when all who follow it were told so."""
    params: TreadleCloseParams = request.params
    thread_id = read_thread_id(params.thread_id)
    if not params.grace >= 0:  # nor is it no number
        raise RpcFailure.invalid(f"grace is a number of seconds from 0, not {params.grace}")
    loaded = ground.loaded.find(thread_id)
    if loaded is None:
        return TreadleCloseResponse(outcome="not_found")
    ended: list[Event] = []

    def note(event: Event) -> None:
        if isinstance(event.msg, ShutdownComplete):
            ended.append(event)

    with loaded.watch(note):
        await ground.supervisor.remove_thread(thread_id, grace=params.grace)
        await loaded.ended.wait()
    await loaded.settle(request.connection)
    return TreadleCloseResponse(outcome=_outcome(loaded, by_itself=bool(ended)))


def _outcome(loaded: LoadedThread, *, by_itself: bool) -> str:
    if loaded.thread.state is ThreadState.FAILED:
        return "failed"
    return "completed" if by_itself else "timed_out"


def _loaded(ground: Ground, id_text: str) -> LoadedThread:
    thread_id = read_thread_id(id_text)
    loaded = ground.loaded.find(thread_id)
    if loaded is None:
        raise _failure(ThreadNotFound(thread_id))
    return loaded


@contextmanager
def _as_failures() -> Generator[None]:
    """Say what a thread refuses so that a client can tell it from other things."""
    try:
        yield
    except (ThreadClosed, MailboxFull, SteerError) as exc:
        raise _failure(exc) from exc


def _failure(error: Exception) -> RpcFailure:
    """Name the class of an error beside its text, and what belongs to it."""
    data: dict[str, Json] = {"kind": type(error).__name__}
    match error:
        case TurnMismatch(expected=expected, actual=actual):
            data |= {"expected": expected, "actual": actual}
        case MailboxFull(capacity=capacity):
            data |= {"capacity": capacity}
        case TurnInputFull(turn_id=turn_id, capacity=capacity):
            data |= {"turnId": turn_id, "capacity": capacity}
        case _:
            pass
    return RpcFailure.invalid(str(error), data)
