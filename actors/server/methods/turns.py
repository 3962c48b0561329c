"""Turns: input that starts or joins one, interrupts, reviews."""

from typing import Final, assert_never

import attrs

from actors.thread import (
    NoActiveTurn,
    SteerError,
    SteerInputEmpty,
    ThreadError,
    TurnMismatch,
)
from messages.content import UserInputItem
from messages.events import (
    BaseBranchTarget,
    CommitTarget,
    CustomTarget,
    Event,
    ReviewTarget,
    TurnAborted,
    TurnComplete,
    UncommittedChangesTarget,
)
from messages.ids import TurnId
from messages.ops import Interrupt, Review, ReviewRequest, UserInput
from messages.rpc.items import UserMessageThreadItem
from messages.rpc.settings import ApprovalsReviewer
from messages.rpc.turn import (
    ReviewDelivery,
    ReviewStartParams,
    ReviewStartResponse,
    Turn,
    TurnInterruptParams,
    TurnInterruptResponse,
    TurnItemsView,
    TurnStartParams,
    TurnStartResponse,
    TurnStatus,
    TurnSteerParams,
    TurnSteerResponse,
)
from messages.rpc.user_input import TextUserInput

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..rpc_errors import RpcFailure
from ..rpc_handler import ClientRequest
from ..settings_from_params import core_inputs, turn_overrides
from .carrying_out import begin

__all__ = ["interrupt", "review", "start", "steer"]

_SHORT_SHA: Final = 7
_EMPTY: Final = "input must not be empty"


async def start(ground: Ground, request: ClientRequest) -> None:
    """Give a thread input: a new turn, or more for the one that runs."""
    params: TurnStartParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    items = core_inputs(params.input)
    if not items:
        raise RpcFailure.invalid(_EMPTY)
    reviewer = params.approvals_reviewer
    if reviewer not in (None, ApprovalsReviewer.USER):
        raise RpcFailure.invalid(
            f"approvalsReviewer {reviewer.value!r} is not supported; approvals are the user's"
        )
    with loaded.holding(request.connection):
        async with loaded.starting:
            await _configure(loaded, params)
            turn_id = await _join_running(loaded, params, items)
            if turn_id is None:
                op = UserInput(items=items, final_output_json_schema=params.output_schema)
                _expect(loaded, items, params.client_user_message_id)
                turn_id = await begin(ground, loaded, op, "failed to start turn")
        turn = Turn(id=turn_id, status=TurnStatus.IN_PROGRESS)
        await request.respond(TurnStartResponse(turn=turn))


async def _configure(loaded: LoadedThread, params: TurnStartParams) -> None:
    override = turn_overrides(params, loaded.thread.config_snapshot)
    if override is None:
        return
    try:
        await loaded.thread.submit(override)
    except ThreadError as exc:
        raise RpcFailure.internal(f"failed to start turn: {exc}") from exc


async def _join_running(
    loaded: LoadedThread, params: TurnStartParams, items: tuple[UserInputItem, ...]
) -> str | None:
    """Give input to the running turn and return it; None when none runs that takes it."""
    if loaded.thread.snapshot().turn_id is None:
        return None
    if params.output_schema is not None:
        raise RpcFailure.invalid(
            "a turn is running, whose outputSchema cannot change any more; interrupt it, "
            "wait for its end, or leave out outputSchema"
        )
    try:
        turn_id = await loaded.thread.steer_input(items)
    except NoActiveTurn:
        return None
    except (SteerError, ThreadError) as exc:
        raise RpcFailure.internal(f"failed to start turn: {exc}") from exc
    _expect(loaded, items, params.client_user_message_id)
    return turn_id


def _expect(loaded: LoadedThread, items: tuple[UserInputItem, ...], client_id: str | None) -> None:
    if client_id is not None:
        loaded.projection.expect(items, client_id)


async def steer(ground: Ground, request: ClientRequest) -> None:
    """Give the running turn more input."""
    params: TurnSteerParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    if not params.expected_turn_id:
        raise RpcFailure.invalid("expectedTurnId must not be empty")
    items = core_inputs(params.input)
    with loaded.holding(request.connection):
        try:
            turn_id = await loaded.thread.steer_input(
                items, expected_turn_id=TurnId(params.expected_turn_id)
            )
        except SteerInputEmpty:
            raise RpcFailure.invalid(_EMPTY) from None
        except NoActiveTurn:
            raise RpcFailure.invalid("no active turn to steer") from None
        except TurnMismatch as exc:
            problem = f"expected active turn id `{exc.expected}` but found `{exc.actual}`"
            raise RpcFailure.invalid(problem) from None
        except ThreadError as exc:
            raise RpcFailure.internal(f"failed to steer turn: {exc}") from exc
        _expect(loaded, items, params.client_user_message_id)
        await request.respond(TurnSteerResponse(turn_id=turn_id))


async def interrupt(ground: Ground, request: ClientRequest) -> None:
    """End the running turn, and answer when it is over, before clients are told so."""
    params: TurnInterruptParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    running = loaded.thread.snapshot().turn_id
    if running is None:
        raise RpcFailure.invalid("no active turn to interrupt")
    if params.turn_id != running:
        raise RpcFailure.invalid(f"expected active turn id {params.turn_id} but found {running}")

    def over(event: Event) -> bool | None:
        match event.msg:
            case TurnAborted(turn_id=turn_id):
                # Older records do not say which turn it was.
                return (turn_id or event.id) == running or None
            case TurnComplete(turn_id=turn_id):
                return turn_id == running or None
            case _:
                return None

    with loaded.holding(request.connection), loaded.watch(over) as watch:
        try:
            loaded.thread.submit_nowait(Interrupt())
            await watch.wait()
        except ThreadError as exc:
            raise RpcFailure.internal(f"failed to interrupt turn: {exc}") from exc
        await request.respond(TurnInterruptResponse())


# Reviews --------------------------------------------------------------------


async def review(ground: Ground, request: ClientRequest) -> None:
    """Begin a review in the thread itself, in place of the running turn."""
    params: ReviewStartParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    if params.delivery is ReviewDelivery.DETACHED:
        raise RpcFailure.invalid(
            "detached reviews are not supported; fork the thread and review inline in the fork"
        )
    target = _checked(params.target)
    hint = _hint(target)
    op = Review(review_request=ReviewRequest(target=target, user_facing_hint=hint))
    with loaded.holding(request.connection):
        async with loaded.starting:
            turn_id = await begin(ground, loaded, op, "failed to start review")
        said = UserMessageThreadItem(id=turn_id, content=(TextUserInput(text=hint),))
        turn = Turn(
            id=turn_id,
            status=TurnStatus.IN_PROGRESS,
            items=(said,),
            items_view=TurnItemsView.FULL,
        )
        await request.respond(ReviewStartResponse(turn=turn, review_thread_id=loaded.thread_id))


def _checked(target: ReviewTarget) -> ReviewTarget:
    """
    Trim what is to be reviewed.

    Raises:
        RpcFailure: Nothing is left.
    """
    match target:
        case UncommittedChangesTarget():
            return target
        case BaseBranchTarget(branch=text):
            return attrs.evolve(target, branch=_text("branch", text))
        case CommitTarget(sha=text):
            return attrs.evolve(target, sha=_text("sha", text))
        case CustomTarget(instructions=text):
            return attrs.evolve(target, instructions=_text("instructions", text))
        case _:
            assert_never(target)


def _text(name: str, text: str) -> str:
    trimmed = text.strip()
    if not trimmed:
        raise RpcFailure.invalid(f"{name} must not be empty")
    return trimmed


def _hint(target: ReviewTarget) -> str:
    match target:
        case UncommittedChangesTarget():
            return "current changes"
        case BaseBranchTarget(branch=branch):
            return f"changes against '{branch}'"
        case CommitTarget(sha=sha, title=title):
            short = f"commit {sha[:_SHORT_SHA]}"
            return f"{short}: {title}" if title else short
        case CustomTarget(instructions=text):
            return text
        case _:
            assert_never(target)
