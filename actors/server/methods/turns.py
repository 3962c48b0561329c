"""Turns: input that starts or joins one, and interrupts."""

from typing import Final

from actors.thread import (
    NoActiveTurn,
    SteerError,
    SteerInputEmpty,
    ThreadError,
    TurnMismatch,
)
from messages.content import UserInputItem
from messages.events import Event, TurnAborted, TurnComplete
from messages.ids import TurnId
from messages.ops import Interrupt, UserInput
from messages.rpc.settings import ApprovalsReviewer
from messages.rpc.turn import (
    Turn,
    TurnInterruptParams,
    TurnInterruptResponse,
    TurnStartParams,
    TurnStartResponse,
    TurnStatus,
    TurnSteerParams,
    TurnSteerResponse,
)

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from ..settings_from_params import core_inputs, turn_overrides
from .carrying_out import begin

__all__ = ["interrupt", "start", "steer"]

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
