"""The handle: what a client holds of a thread."""

from collections.abc import Callable

import attrs

from actors.runtime import Lagged, MailboxClosed, Reply, Subscription, Watch
from actors.safety import ApprovalKey
from messages.content import UserInputItem
from messages.events import AgentStatus, Event
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import Op, Submission

from .answers import Question
from .decisions import goes_first
from .errors import ThreadClosed
from .ports import Revoke, Steer, ThreadPorts
from .settings import SessionSettings
from .states import ThreadState

__all__ = ["Thread", "ThreadSnapshot", "ThreadStatistics"]


@attrs.frozen(kw_only=True)
class ThreadStatistics:
    """
    One look at a thread.

    Attributes:
        state: Where it is in its life.
        lives: How often it was started; more than 1 after crashes.
        queued: Submissions and answers that it has not taken yet.
        waiting_senders: Tasks that wait in `Thread.submit` for room.
        next_seq: The number of its next event.
        subscriptions: Readers of its events that were not closed, its own included.
    """

    state: ThreadState
    lives: int
    queued: int
    waiting_senders: int
    next_seq: int
    subscriptions: int


@attrs.frozen(kw_only=True)
class ThreadSnapshot:
    """
    Where a thread stands, for a client that comes late.

    Attributes:
        state: Where it is in its life.
        status: What the agent does, or how its last turn went.
        settings: In force for the next turn.
        turn_id: The running turn; None when none runs.
        questions: Requests that wait for an answer of any client, oldest first: approvals,
            questions to the user, calls of the client's own tools, elicitations.
        approvals: What the user allowed for the session.
        next_seq: The number of the event that follows; subscribe from it to go on from here.
    """

    state: ThreadState
    status: AgentStatus
    settings: SessionSettings
    turn_id: TurnId | None
    questions: tuple[Question, ...]
    approvals: frozenset[ApprovalKey]
    next_seq: int


@attrs.define(eq=False, repr=False)
class Thread:
    """
    One conversation: submissions go in, events come out.

    The same handle stays good over crashes and restarts of the thread, until the
    thread ends.
    """

    _ports: ThreadPorts
    _new_id: Callable[[], str]
    _capture: Callable[[ThreadId, Op], None] | None = None

    @property
    def thread_id(self) -> ThreadId:
        """Which thread this is."""
        return self._ports.thread_id

    @property
    def rollout_path(self) -> str | None:
        """Where the rollout is, or will be after the first input; None if ephemeral."""
        return self._ports.rollout_path

    @property
    def state(self) -> ThreadState:
        """Where the thread is in its life."""
        return self._ports.state

    @property
    def config_snapshot(self) -> SessionSettings:
        """The settings in force for the next turn."""
        return self._ports.settings

    def snapshot(self) -> ThreadSnapshot:
        """Look at the thread; whatever happens later comes as an event from `next_seq` on."""
        ports = self._ports
        return ThreadSnapshot(
            state=ports.state,
            status=ports.status.value,
            settings=ports.settings,
            turn_id=ports.open_turn,
            questions=ports.questions.questions(),
            approvals=ports.approvals.allowed(),
            next_seq=ports.channel.next_seq,
        )

    async def revoke_approval(self, approval: ApprovalKey) -> bool:
        """
        Take back something that the user allowed for the session.

        Args:
            approval: One of those in `ThreadSnapshot.approvals`.

        Returns:
            Whether it was allowed; what runs already goes on.

        Raises:
            ThreadClosed: The thread has ended.
            MailboxFull: 256 interrupts and answers are queued already.

        Cancellation:
            It may have been taken back.
        """
        reply = Reply[bool]()
        try:
            self._ports.mailbox.send_control_nowait(Revoke(approval, reply))
        except MailboxClosed:
            raise ThreadClosed(self.thread_id) from None
        return await reply.wait()

    def agent_status(self) -> AgentStatus:
        """Tell what the agent is doing, or how its last turn went."""
        return self._ports.status.value

    def watch_status(self) -> Watch[AgentStatus]:
        """Watch the status; only the latest value can be seen."""
        return self._ports.status

    async def submit(self, op: Op) -> SubmissionId:
        """
        Queue an op; its effects come as events.

        Interrupts, answers and shutdown go past queued work: an interrupt stops what
        runs, and does not recall input that still waits in the queue.  Other ops wait
        for room when 64 are queued.

        Returns:
            The submission's id, which events caused by it carry.

        Raises:
            ThreadClosed: The thread has ended.
            MailboxFull: 256 interrupts and answers are queued already.

        Cancellation:
            Either it is queued, or nothing happened.
        """
        submission_id = SubmissionId(self._new_id())
        await self.submit_with_id(Submission(id=submission_id, op=op))
        return submission_id

    async def submit_with_id(self, submission: Submission) -> None:
        """Queue an op under an id of the caller's, else like `submit`."""
        ports = self._ports
        self._note(submission.op)
        try:
            if goes_first(submission.op):
                ports.mailbox.send_control_nowait(submission)
            else:
                await ports.mailbox.send(submission)
        except MailboxClosed:
            raise ThreadClosed(ports.thread_id) from None

    def submit_nowait(self, op: Op) -> SubmissionId:
        """
        Queue an op without waiting for room, else like `submit`.

        Raises:
            ThreadClosed: The thread has ended.
            MailboxFull: There is no room in the op's lane.
        """
        submission = Submission(id=SubmissionId(self._new_id()), op=op)
        self._note(op)
        mailbox = self._ports.mailbox
        try:
            if goes_first(op):
                mailbox.send_control_nowait(submission)
            else:
                mailbox.send_nowait(submission)
        except MailboxClosed:
            raise ThreadClosed(self.thread_id) from None
        return submission.id

    async def steer_input(
        self, items: tuple[UserInputItem, ...], *, expected_turn_id: TurnId | None = None
    ) -> TurnId:
        """
        Let input join the running turn at its next model request.

        Returns:
            The turn that it joined.

        Raises:
            SteerError: It joined none, for the reason that the subclass says.
            ThreadClosed: The thread has ended.
            MailboxFull: 256 interrupts and answers are queued already.

        Cancellation:
            The input may have joined the turn.
        """
        reply = Reply[TurnId]()
        try:
            self._ports.mailbox.send_control_nowait(Steer(items, expected_turn_id, reply))
        except MailboxClosed:
            raise ThreadClosed(self.thread_id) from None
        return await reply.wait()

    async def next_event(self) -> Event | Lagged:
        """
        Wait for the next event of the thread's own reader.

        The reader begins behind `SessionConfigured`; one task at a time may wait for it.
        Use `subscribe` for a reader of your own.  A `Lagged` says how many events were
        overwritten before they were read.

        Raises:
            ChannelClosed: The thread has ended and everything was read.

        Cancellation:
            No event is lost.
        """
        return await self._ports.reader.receive()

    def events(self, *, from_seq: int | None = None) -> Subscription[Event]:
        """
        Iterate over the events, until the thread ends.

        Args:
            from_seq: As for `subscribe`; None goes on where `next_event` or an earlier
                iteration left off, with the thread's own reader.
        """
        return self._ports.reader if from_seq is None else self.subscribe(from_seq=from_seq)

    def subscribe(self, *, from_seq: int | None = None) -> Subscription[Event]:
        """
        Read events at a pace of one's own; close the subscription to stop.

        Args:
            from_seq: The first event to read, from 1; None for the next one that happens.
                If the thread has forgotten it, the first thing read is a `Lagged`.

        Raises:
            ValueError: *from_seq* is below 1 or beyond the next event.
        """
        return self._ports.channel.subscribe(from_seq=from_seq)

    def statistics(self) -> ThreadStatistics:
        """Return where it is and what waits for it."""
        ports = self._ports
        channel, mailbox = ports.channel.statistics(), ports.mailbox.statistics()
        return ThreadStatistics(
            state=ports.state,
            lives=ports.lives,
            queued=mailbox.work + mailbox.control,
            waiting_senders=mailbox.waiting_senders,
            next_seq=channel.next_seq,
            subscriptions=channel.subscriptions,
        )

    def _note(self, op: Op) -> None:
        if self._capture is not None and not self._ports.mailbox.closed:
            self._capture(self.thread_id, op)

    def __repr__(self) -> str:
        ports = self._ports
        return f"<thread {ports.thread_id} {ports.state.value}, {len(ports.mailbox)} queued>"
