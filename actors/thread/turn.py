"""A turn as its thread holds it, and what is the same for all kinds of turns."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from actors.models import ModelError
from actors.rollout import RolloutError
from actors.tools import FatalToolError, RequiredServersFailed
from messages.content import UserInputItem
from messages.errors import EncodeError
from messages.events import (
    CodexErrorInfo,
    ErrorEvent,
    TurnAbortReason,
    TurnStarted,
)
from messages.ids import SubmissionId, TurnId
from messages.items import Message
from messages.value import Json

from .errors import TurnFailed
from .outlet import Outlet
from .sampling import Sampler
from .settings import TurnContext
from .states import TurnPhase, TurnProgress

__all__ = ["PENDING_CAPACITY", "PendingInput", "Turn", "run_turn"]

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
        sampler: Makes its model requests; None for turns that are no conversation.
        abort_reason: What it says when it is stopped.
        last_message: The model's last words so far.
        ended: Set when the turn has had its end and clients were told.
    """

    context: TurnContext
    input: tuple[UserInputItem, ...]
    sampler: Sampler | None = None
    progress: TurnProgress = attrs.field(factory=TurnProgress)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    pending: deque[PendingInput | Message] = attrs.field(factory=deque[PendingInput | Message])
    abort_reason: TurnAbortReason = TurnAbortReason.INTERRUPTED
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


async def run_turn(turn: Turn, outlet: Outlet, work: Callable[[], Awaitable[None]]) -> TurnPhase:
    """
    Begin a turn, do its work, and turn what goes wrong into an error event.

    Returns:
        How it ended by itself.  A failure was told as an error event before.

    Cancellation:
        What was finished is left for `Sampler.abandon` to record.

    Source:
        Codex, ``run_turn``.  Ours ends a turn that cannot be recorded: its input
        would be lost.
    """
    outlet.emit(SubmissionId(turn.id), _started(turn.context))
    try:
        await work()
    except ModelError as error:
        return _failed(turn, outlet, str(error), error.info)
    except TurnFailed as error:
        return _failed(turn, outlet, error.message, error.info)
    except (FatalToolError, RequiredServersFailed) as error:
        return _failed(turn, outlet, str(error), None)
    except (RolloutError, EncodeError) as error:
        return _failed(turn, outlet, f"the turn cannot be recorded: {error}", None)
    return TurnPhase.COMPLETED


def _started(context: TurnContext) -> TurnStarted:
    return TurnStarted(
        turn_id=context.turn_id,
        model_context_window=context.model_info.effective_context_window,
        collaboration_mode_kind=context.settings.collaboration.mode,
    )


def _failed(turn: Turn, outlet: Outlet, message: str, info: CodexErrorInfo | None) -> TurnPhase:
    turn.last_message = None
    outlet.emit(SubmissionId(turn.id), ErrorEvent(message=message, codex_error_info=info))
    return TurnPhase.FAILED
