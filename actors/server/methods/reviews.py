"""Reviews: in the thread itself, or in a fork of it."""

from typing import Final, assert_never

import attrs

from actors.config import ThreadConfig
from actors.rollout import ForkedHistory, RolloutError
from messages.events import (
    BaseBranchTarget,
    CommitTarget,
    CustomTarget,
    ReviewTarget,
    UncommittedChangesTarget,
)
from messages.ops import Review, ReviewRequest
from messages.rpc.items import UserMessageThreadItem
from messages.rpc.notifications import ThreadStartedNotification
from messages.rpc.turn import (
    ReviewDelivery,
    ReviewStartParams,
    ReviewStartResponse,
    Turn,
    TurnItemsView,
    TurnStatus,
)
from messages.rpc.user_input import TextUserInput

from ..ground import Ground
from ..loaded_thread import LoadedThread
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from .carrying_out import begin
from .opened import stored_path
from .threads import attach_fork, forked

__all__ = ["review"]

_SHORT_SHA: Final = 7


async def review(ground: Ground, request: ClientRequest) -> None:
    """Begin a review, in place of the turn that runs in its thread."""
    params: ReviewStartParams = request.params
    loaded = ground.loaded.get(params.thread_id)
    target = _checked(params.target)
    if params.delivery is ReviewDelivery.DETACHED:
        loaded = await _detached(ground, request, loaded)
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


async def _detached(ground: Ground, request: ClientRequest, source: LoadedThread) -> LoadedThread:
    """
    Fork a thread for its review, and tell all that the fork is there.

    It has what was recorded so far, and the settings that hold in the thread now.

    Raises:
        RpcFailure: Nothing is recorded of it, or it cannot be forked.
    """
    path = await stored_path(ground, source.thread_id)
    try:
        rollout, turns = await ground.histories.read(path)
    except RolloutError as exc:
        raise RpcFailure.internal(f"error creating detached review thread: {exc}") from exc
    config = await _config_of(ground, source)
    history = ForkedHistory(items=rollout.items, source=rollout)
    new = await forked(ground, config, history, "creating detached review")
    loaded = await attach_fork(ground, new, config, turns)
    loaded.follow(request.connection)
    ground.broadcast(ThreadStartedNotification(thread=loaded.describe(turns=turns)))
    return loaded


async def _config_of(ground: Ground, source: LoadedThread) -> ThreadConfig:
    settings = source.thread.config_snapshot
    config = await ground.config(settings.cwd)
    return attrs.evolve(
        config.thread_config(),
        originator=ground.originator,
        model=settings.model,
        effort=settings.effort,
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        developer_instructions=settings.developer_instructions,
    )


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
