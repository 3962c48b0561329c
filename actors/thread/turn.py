"""The regular turn: from the user's input to the model's last word."""

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import trio

from actors.models import InvalidImage, ModelError
from actors.rollout import RolloutError, RolloutFull
from actors.tools import FatalToolError
from messages.content import UserInputItem
from messages.errors import EncodeError
from messages.events import (
    CodexErrorCode,
    CodexErrorInfo,
    ErrorEvent,
    ItemCompleted,
    ItemStarted,
    TurnStarted,
)
from messages.ids import SubmissionId, TurnId
from messages.items import Message
from messages.turn_items import UserMessageItem
from messages.value import Json

from .clean_text import cleaned
from .errors import TurnFailed
from .outlet import Outlet
from .prompt import without_images
from .sampling import Sampled, Sampler
from .settings import TurnContext
from .states import TurnPhase, TurnProgress
from .user_input import message_from_input

__all__ = ["MAX_REQUESTS", "PENDING_CAPACITY", "PendingInput", "Turn", "run_turn", "started_event"]

MAX_REQUESTS: Final = 1000
"""Model requests of one turn (L23).  A turn that needs more goes round in circles."""

PENDING_CAPACITY: Final = 64
"""Inputs that wait for the running turn's next request; as many as a queue of submissions."""


@attrs.frozen
class PendingInput:
    """
    Input for a turn, by what brought it.

    Attributes:
        id: The submission; None for a steer, which is none.
        output_schema: For the turn that this input starts; not for one that it joins.
        after_stop:
            Whether the turn had been told to stop before, so that this is meant for
            the next one.
    """

    id: SubmissionId | None
    items: tuple[UserInputItem, ...]
    output_schema: Json = None
    after_stop: bool = False


@attrs.define(eq=False)
class Turn:
    """
    One turn, as its thread holds it.

    Attributes:
        scope: Cancelled to stop the turn.
        pending: Input, and records of the user's commands, that came while it ran.
        sampler: Makes its model requests; None for turns without a model.
        last_message: The model's last words so far.
        ended: Set when the turn has had its end and clients were told.
    """

    context: TurnContext
    input: tuple[UserInputItem, ...]
    sampler: Sampler | None = None
    progress: TurnProgress = attrs.field(factory=TurnProgress)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    pending: deque[PendingInput | Message] = attrs.field(factory=deque[PendingInput | Message])
    last_message: str | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)

    @property
    def id(self) -> TurnId:
        """The id of the submission that started it."""
        return self.context.turn_id

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self.scope.cancel_called

    @property
    def has_room(self) -> bool:
        """Whether one more input may wait for the next request."""
        return len(self.pending) < PENDING_CAPACITY

    def __repr__(self) -> str:
        return f"<turn {self.id} {self.progress.phase.value}, {len(self.pending)} inputs waiting>"


async def run_turn(turn: Turn, sampler: Sampler, outlet: Outlet) -> TurnPhase:
    """
    Run a turn until the model asks for nothing more.

    Returns:
        How it ended by itself.  A failure was told as an error event before.

    Cancellation:
        What was finished is left for `Sampler.abandon` to record.

    Source:
        Codex, ``run_turn``.  Ours ends a turn that cannot be recorded (its input
        would be lost), and limits the number of requests.
    """
    outlet.emit(SubmissionId(turn.id), started_event(turn.context))
    try:
        await _converse(turn, sampler, outlet)
    except ModelError as error:
        return _failed(turn, outlet, str(error), error.info)
    except TurnFailed as error:
        return _failed(turn, outlet, error.message, error.info)
    except FatalToolError as error:
        return _failed(turn, outlet, str(error), None)
    except (RolloutError, EncodeError) as error:
        return _failed(turn, outlet, f"the turn cannot be recorded: {error}", None)
    return TurnPhase.COMPLETED


def started_event(context: TurnContext) -> TurnStarted:
    """Build the event by which a turn begins."""
    return TurnStarted(
        turn_id=context.turn_id,
        model_context_window=context.model_info.effective_context_window,
        collaboration_mode_kind=context.settings.collaboration.mode,
    )


async def _converse(turn: Turn, sampler: Sampler, outlet: Outlet) -> None:
    new_id = sampler.world.new_id
    await _record_input(turn, outlet, turn.input, new_id)
    outlet.store((turn.context.record(turn.context.settings.collaboration),))
    for _ in range(MAX_REQUESTS):
        while turn.pending:
            entry = turn.pending.popleft()
            if isinstance(entry, PendingInput):
                await _record_input(turn, outlet, entry.items, new_id)
            else:
                outlet.record(SubmissionId(turn.id), (entry,))
        sampled = await _sample(sampler, outlet)
        if sampled is None:
            continue
        turn.last_message = sampled.last_message
        if not sampled.needs_follow_up and not turn.pending:
            return
    raise TurnFailed(
        f"the turn made {MAX_REQUESTS} model requests without coming to an end; say how to go on"
    )


async def _sample(sampler: Sampler, outlet: Outlet) -> Sampled | None:
    """Make one request; None when a bad image was taken out and it must be made again."""
    try:
        return await sampler.sample()
    except InvalidImage as error:
        mended = without_images(outlet.history.items, "Invalid image")
        if mended is None:
            raise TurnFailed(
                "Invalid image in your last message. Please remove it and try again.",
                CodexErrorCode.BAD_REQUEST,
            ) from error
        outlet.history.replace(mended)
        return None


async def _record_input(
    turn: Turn, outlet: Outlet, items: tuple[UserInputItem, ...], new_id: Callable[[], str]
) -> None:
    submission_id = SubmissionId(turn.id)
    message = cleaned(await message_from_input(items))
    try:
        outlet.record(submission_id, (message,))
    except RolloutFull:
        # A big image behind what a new thread has waiting for its file.
        await outlet.persist()
        outlet.record(submission_id, (message,))
    item = UserMessageItem(id=new_id(), content=cleaned(items))
    thread_id = turn.context.thread_id
    outlet.emit(submission_id, ItemStarted(thread_id=thread_id, turn_id=turn.id, item=item))
    outlet.emit(submission_id, ItemCompleted(thread_id=thread_id, turn_id=turn.id, item=item))
    await outlet.persist()


def _failed(turn: Turn, outlet: Outlet, message: str, info: CodexErrorInfo | None) -> TurnPhase:
    turn.last_message = None
    outlet.emit(SubmissionId(turn.id), ErrorEvent(message=message, codex_error_info=info))
    return TurnPhase.FAILED
