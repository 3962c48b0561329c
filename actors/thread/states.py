"""The states of a thread and of a turn, and which may follow which."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Final

import attrs

from messages.events import (
    AgentStatus,
    Completed,
    Errored,
    ErrorEvent,
    EventMsg,
    ShutdownComplete,
    StatusKind,
    TurnAborted,
    TurnAbortReason,
    TurnComplete,
    TurnStarted,
)

from .errors import InvalidTransition

__all__ = [
    "MARKS",
    "THREAD_MOVES",
    "TURN_MOVES",
    "ThreadState",
    "TurnPhase",
    "TurnProgress",
    "next_state",
    "status_after",
]


class ThreadState(Enum):
    """Where a thread is in its life."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    CLOSING = "closing"
    CLOSED = "closed"
    RESTARTING = "restarting"
    FAILED = "failed"


# From where a thread serves.  It fails there without a restart in between when it
# keeps no rollout to come back from, or crashed too often.
_GOING_DOWN: Final = frozenset(
    {ThreadState.CLOSING, ThreadState.CLOSED, ThreadState.RESTARTING, ThreadState.FAILED}
)

THREAD_MOVES: Final[Mapping[ThreadState, frozenset[ThreadState]]] = {
    ThreadState.STARTING: frozenset(
        {ThreadState.IDLE, ThreadState.CLOSING, ThreadState.CLOSED, ThreadState.FAILED}
    ),
    ThreadState.IDLE: _GOING_DOWN | {ThreadState.RUNNING},
    ThreadState.RUNNING: _GOING_DOWN | {ThreadState.IDLE},
    # A crash while closing is not worth a restart: the user wanted the end.
    ThreadState.CLOSING: frozenset({ThreadState.CLOSED, ThreadState.FAILED}),
    ThreadState.RESTARTING: frozenset({ThreadState.IDLE, ThreadState.CLOSED, ThreadState.FAILED}),
    ThreadState.CLOSED: frozenset(),
    ThreadState.FAILED: frozenset(),
}
"""
For each state those that may follow.  `CLOSED` from anywhere alive is cancellation, and
whatever is alive can fail: a thread must be able to end, whoever ends it.
"""


class TurnPhase(Enum):
    """Where a turn is; the last three are its ends."""

    STARTED = "started"
    SAMPLING = "sampling"
    TOOLS = "tools"
    WAITING = "waiting"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


_ENDS: Final = frozenset({TurnPhase.COMPLETED, TurnPhase.INTERRUPTED, TurnPhase.FAILED})

TURN_MOVES: Final[Mapping[TurnPhase, frozenset[TurnPhase]]] = {
    TurnPhase.STARTED: _ENDS | {TurnPhase.SAMPLING},
    # Tools start while the model still writes, so a person may be asked meanwhile.
    TurnPhase.SAMPLING: _ENDS | {TurnPhase.TOOLS, TurnPhase.WAITING},
    TurnPhase.TOOLS: _ENDS | {TurnPhase.SAMPLING, TurnPhase.WAITING},
    TurnPhase.WAITING: _ENDS | {TurnPhase.SAMPLING, TurnPhase.TOOLS},
    TurnPhase.COMPLETED: frozenset(),
    TurnPhase.INTERRUPTED: frozenset(),
    TurnPhase.FAILED: frozenset(),
}
"""For each phase those that may follow; an end is never left (P3: exactly once)."""


def next_state(before: ThreadState, after: ThreadState) -> ThreadState:
    """
    Check a thread's move against `THREAD_MOVES`; staying is always allowed.

    Raises:
        InvalidTransition: The table does not allow it.
    """
    if after is not before and after not in THREAD_MOVES[before]:
        raise InvalidTransition("thread", before.value, after.value)
    return after


@attrs.define(eq=False)
class TurnProgress:
    """
    One turn's way through `TURN_MOVES`.

    Attributes:
        phase: Where it is.  `TurnPhase.WAITING` as long as a question to a client is
            open, whatever goes on beside it.
    """

    phase: TurnPhase = TurnPhase.STARTED
    _questions: int = attrs.field(default=0, init=False)
    # Where it would be without its questions.
    _behind: TurnPhase = attrs.field(default=TurnPhase.STARTED, init=False)

    @property
    def ended(self) -> bool:
        """Whether the turn has had its one end."""
        return self.phase in _ENDS

    def move(self, after: TurnPhase) -> None:
        """
        Go on to another phase; staying where it is does nothing.

        While questions are open, only an end shows at once, and any other phase when the
        last of them is closed.

        Raises:
            InvalidTransition: The table does not allow it; nothing changed.
        """
        if after is self.phase:
            return
        if after not in TURN_MOVES[self.phase]:
            raise InvalidTransition("turn", self.phase.value, after.value)
        if self._questions and after not in _ENDS:
            self._behind = after
        else:
            self.phase = after

    @contextmanager
    def waiting(self) -> Generator[None]:
        """
        Wait for a client for as long as the block lasts; blocks may overlap.

        Raises:
            InvalidTransition: The turn has ended, or not begun to ask the model.
        """
        before = self.phase
        self.move(TurnPhase.WAITING)
        if not self._questions:
            self._behind = before
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1
            if not self._questions and not self.ended:
                self.move(self._behind)


_ABORTS: Final[Mapping[TurnAbortReason, str]] = {
    TurnAbortReason.INTERRUPTED: "Interrupted",
    TurnAbortReason.REPLACED: "Replaced",
    TurnAbortReason.REVIEW_ENDED: "ReviewEnded",
}


MARKS: Final = frozenset({TurnStarted, TurnComplete, TurnAborted, ErrorEvent, ShutdownComplete})
"""Classes of the events that say something about the agent's status; see `status_after`."""


def status_after(event: EventMsg) -> AgentStatus | None:
    """
    Tell what an event makes of the agent's status; None leaves it.

    Source:
        Codex, ``agent_status_from_event``.  There any error marks the agent as errored,
        and the end of a failed turn as completed; see `ThreadPorts.tell` for ours.
    """
    match event:
        case TurnStarted():
            return StatusKind.RUNNING
        case TurnComplete(last_agent_message=text):
            return Completed(completed=text)
        case TurnAborted(reason=reason):
            return Errored(errored=_ABORTS[reason])
        case ErrorEvent(message=message):
            return Errored(errored=message)
        case ShutdownComplete():
            return StatusKind.SHUTDOWN
        case _:  # every other event says nothing about the status
            return None
