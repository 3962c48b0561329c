"""What a thread shares with the world outside its actor, over all its lives."""

from typing import Final, TypeAlias

import attrs

from actors.runtime import EventChannel, Mailbox, Reply, Subscription, Watch
from messages.content import UserInputItem
from messages.events import (
    AgentStatus,
    CodexErrorInfo,
    ErrorEvent,
    Event,
    EventMsg,
    SessionConfigured,
    StatusKind,
)
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import Submission

from .errors import ThreadClosed
from .settings import SessionSettings
from .states import ThreadState, next_state, status_after

__all__ = ["EVENT_CAPACITY", "SUBMISSION_CAPACITY", "Steer", "ThreadMessage", "ThreadPorts"]

SUBMISSION_CAPACITY: Final = 64
"""Codex's submission queue; a client that fills it waits in ``submit``."""

CONTROL_CAPACITY: Final = 256
"""Interrupts and answers; more than there can be questions open at once."""

EVENT_CAPACITY: Final = 4096
"""Events kept for late and slow readers; a busy turn's deltas fit.  Older ones are lost
to whoever has not read them, who is told how many."""


@attrs.frozen
class Steer:
    """Input for the running turn, whose id is the answer."""

    items: tuple[UserInputItem, ...]
    expected_turn_id: TurnId | None
    reply: Reply[TurnId]


@attrs.frozen
class JobEnded:
    """A child task of the thread ended; wakes the queue loop."""


ThreadMessage: TypeAlias = Submission | Steer | JobEnded


@attrs.define(eq=False)
class ThreadPorts:
    """
    The ends that outlive a crash: a restarted thread goes on with the same ones.

    Attributes:
        reader: The thread's own subscription, which `Thread.next_event` reads.
        lives: How often the actor was started; 1 from its first start.
        configured: The first event of the present life; None while starting.
    """

    thread_id: ThreadId
    rollout_path: str | None
    settings: SessionSettings
    mailbox: Mailbox[ThreadMessage]
    channel: EventChannel[Event]
    reader: Subscription[Event]
    status: Watch[AgentStatus]
    state: ThreadState = ThreadState.STARTING
    lives: int = 0
    configured: SessionConfigured | None = None

    @classmethod
    def open(
        cls, thread_id: ThreadId, rollout_path: str | None, settings: SessionSettings
    ) -> "ThreadPorts":
        """Make the ends of a thread that has not started yet."""
        channel = EventChannel[Event](capacity=EVENT_CAPACITY)
        return cls(
            thread_id=thread_id,
            rollout_path=rollout_path,
            settings=settings,
            mailbox=Mailbox(
                f"thread/{thread_id}",
                capacity=SUBMISSION_CAPACITY,
                control_capacity=CONTROL_CAPACITY,
            ),
            channel=channel,
            reader=channel.subscribe(from_seq=1),
            status=Watch[AgentStatus](StatusKind.PENDING_INIT),
        )

    def become(self, state: ThreadState) -> None:
        """Move to another state; see `states.THREAD_MOVES`."""
        self.state = next_state(self.state, state)

    def tell(self, submission_id: SubmissionId, msg: EventMsg, *, turn: bool = True) -> None:
        """
        Publish an event, and let the status follow from it.

        Args:
            turn: Whether an error is one of the agent's work.  A refused op is
                none, and leaves the status alone.
        """
        status = status_after(msg)
        if status is not None and (turn or not isinstance(msg, ErrorEvent)):
            self.status.set(status)
        channel = self.channel
        channel.publish(Event(id=submission_id, msg=msg, seq=channel.next_seq))

    def refuse(
        self, submission_id: SubmissionId, message: str, info: CodexErrorInfo | None
    ) -> None:
        """Answer a submission that nothing came of."""
        self.tell(submission_id, ErrorEvent(message=message, codex_error_info=info), turn=False)

    def end(self, state: ThreadState, last: tuple[SubmissionId, EventMsg] | None = None) -> None:
        """
        End the thread for good: nothing queued is dropped silently (P8).

        Submissions that nobody will read are answered with an error, *last* is
        published, and every subscription and wait ends.  Does nothing the second time.
        """
        if self.channel.closed:
            return
        self.become(state)
        closed = ThreadClosed(self.thread_id)
        for message in self.mailbox.close():
            if isinstance(message, Submission):
                self.refuse(message.id, str(closed), None)
            elif isinstance(message, Steer):
                message.reply.fail(closed)
        if last is not None:
            self.tell(*last)
        self.channel.close()
        self.status.close()
