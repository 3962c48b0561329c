"""What a thread shares with the world outside its actor, over all its lives."""

from typing import Final, TypeAlias

import attrs

from actors.rollout import InitialHistory
from actors.runtime import EventChannel, Mailbox, Reply, Subscription, Watch
from actors.safety import ApprovalCache, ApprovalKey
from messages.content import UserInputItem
from messages.events import (
    AgentStatus,
    CodexErrorInfo,
    ErrorEvent,
    Event,
    EventMsg,
    StatusKind,
    TurnAborted,
    TurnAbortReason,
    TurnComplete,
    TurnStarted,
)
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import Shutdown, Submission

from .answers import OpenQuestions
from .errors import ThreadClosed
from .settings import SessionSettings
from .states import MARKS, ThreadState, next_state, status_after

__all__ = [
    "EVENT_CAPACITY",
    "SUBMISSION_CAPACITY",
    "Revoke",
    "SkillsChanged",
    "Steer",
    "ThreadMessage",
    "ThreadPorts",
]

SUBMISSION_CAPACITY: Final = 64
"""Codex's submission queue; a client that fills it waits in ``submit``."""

CONTROL_CAPACITY: Final = 256
"""Interrupts and answers; more than there can be questions open at once."""

EVENT_CAPACITY: Final = 1024
"""Events kept for late and slow readers: some hundred kilobytes after a long turn, for each
thread that is live, which is why there are no more.  Older ones are lost
to whoever has not read them, who is told how many."""

_UNREAD: Final = 2
"""Where the thread's own reader stands before anybody used it: whoever starts a thread gets
the first event."""


@attrs.frozen
class Steer:
    """Input for the running turn, whose id is the answer."""

    items: tuple[UserInputItem, ...]
    expected_turn_id: TurnId | None
    reply: Reply[TurnId]


@attrs.frozen
class JobEnded:
    """A child task of the thread ended; wakes the queue loop."""


@attrs.frozen
class Revoke:
    """Take back what the user allowed for the session; the answer says whether it was there."""

    approval: ApprovalKey
    reply: Reply[bool]


@attrs.frozen
class SkillsChanged:
    """Skills that the thread may use changed, or may have."""


ThreadMessage: TypeAlias = Submission | Steer | Revoke | SkillsChanged | JobEnded


@attrs.define(eq=False)
class ThreadPorts:
    """
    The ends that outlive a crash: a restarted thread goes on with the same ones.

    Attributes:
        beginning:
            Where the first life begins; the one that takes it sets it to None, so that
            an old rollout is not kept in memory for as long as the thread lives.
        lives: How often the actor was started; 1 from its first start.
        open_turn:
            The turn that clients were told has started, until they are told its end; over
            all lives, so that they hear of each end exactly once (P3).
        approvals: What the user allowed for the session; a crash does not end the session.
        questions: What clients are asked just now.
    """

    thread_id: ThreadId
    rollout_path: str | None
    settings: SessionSettings
    approvals: ApprovalCache
    mailbox: Mailbox[ThreadMessage]
    channel: EventChannel[Event]
    # The thread's own; None when another one leads and nobody wants it.
    _reader: Subscription[Event] | None = attrs.field(alias="reader")
    status: Watch[AgentStatus]
    beginning: InitialHistory | None
    state: ThreadState = ThreadState.STARTING
    lives: int = 0
    open_turn: TurnId | None = None
    questions: OpenQuestions = attrs.field(factory=OpenQuestions)

    @classmethod
    def open(
        cls,
        thread_id: ThreadId,
        rollout_path: str | None,
        settings: SessionSettings,
        beginning: InitialHistory,
    ) -> "ThreadPorts":
        """Make the ends of a thread that has not started yet."""
        channel: EventChannel[Event] = EventChannel(capacity=EVENT_CAPACITY)
        # Not `Watch[...]()`, and so above: what that notes costs more than what is made.
        status: Watch[AgentStatus] = Watch(StatusKind.PENDING_INIT)
        return cls(
            thread_id=thread_id,
            rollout_path=rollout_path,
            settings=settings,
            approvals=ApprovalCache(),
            mailbox=Mailbox(
                f"thread/{thread_id}",
                capacity=SUBMISSION_CAPACITY,
                control_capacity=CONTROL_CAPACITY,
            ),
            channel=channel,
            reader=channel.subscribe(from_seq=1),
            status=status,
            beginning=beginning,
        )

    @property
    def reader(self) -> Subscription[Event]:
        """The thread's own subscription, which `Thread.next_event` reads."""
        if self._reader is None:
            self._reader = self.channel.subscribe()
        return self._reader

    def lead(self) -> Subscription[Event]:
        """
        Subscribe from the first event on, for somebody who tells others what comes.

        From then on nothing is kept that all readers have read.  The thread's own reader
        is none of them until somebody wants it, who hears what comes from then on.
        """
        leader = self.channel.subscribe(from_seq=1)
        self.channel.forget_read()
        own = self._reader
        if own is not None and own.next_seq <= _UNREAD and not own.waiting:
            own.close()
            self._reader = None
        return leader

    def become(self, state: ThreadState) -> None:
        """Move to another state; see `states.THREAD_MOVES`."""
        self.state = next_state(self.state, state)

    def tell(self, submission_id: SubmissionId, msg: EventMsg, *, marks: bool = True) -> None:
        """
        Publish an event, and let the status follow from it.

        Args:
            marks:
                Whether the status follows.  Not from a refused op, which is no work of
                the agent's, and not from the end of a failed turn, of which the error
                says more (L17).
        """
        if msg.__class__ in MARKS:
            self._mark(msg, marks=marks)
        channel = self.channel
        channel.publish(Event(id=submission_id, msg=msg, seq=channel.next_seq))

    def refuse(
        self, submission_id: SubmissionId, message: str, info: CodexErrorInfo | None
    ) -> None:
        """Answer a submission that nothing came of."""
        self.tell(submission_id, ErrorEvent(message=message, codex_error_info=info), marks=False)

    def revoke(self, approval: ApprovalKey) -> bool:
        """Take back what the user allowed; False when that was not allowed."""
        allowed = approval in self.approvals.allowed()
        self.approvals.revoke(approval)
        return allowed

    def end_open_turn(self) -> None:
        """Tell the end of a turn that a crash left open, unless there is none."""
        turn_id = self.open_turn
        if turn_id is not None:
            aborted = TurnAborted(turn_id=turn_id, reason=TurnAbortReason.INTERRUPTED)
            self.tell(SubmissionId(turn_id), aborted)

    def end(self, state: ThreadState, last: tuple[SubmissionId, EventMsg] | None = None) -> None:
        """
        End the thread for good: nothing queued is dropped silently (P8).

        Submissions that nobody will read are answered with an error, *last* is
        published, and every subscription and wait ends.  Does nothing the second time.
        """
        if self.channel.closed:
            return
        self.become(state)
        self.end_open_turn()
        closed = ThreadClosed(self.thread_id)
        for message in self.mailbox.close():
            if isinstance(message, Steer | Revoke):
                message.reply.fail(closed)
            elif isinstance(message, Submission) and not isinstance(message.op, Shutdown):
                self.refuse(message.id, str(closed), None)
        if last is not None:
            self.tell(*last)
        self.channel.close()
        self.status.close()

    def _mark(self, msg: EventMsg, *, marks: bool) -> None:
        match msg:
            case TurnStarted(turn_id=turn_id):
                self.open_turn = turn_id
            case TurnComplete() | TurnAborted():
                self.open_turn = None
            case _:  # the others say nothing about turns
                pass
        status = status_after(msg)
        if marks and status is not None:
            self.status.set(status)
