"""A thread that runs elsewhere, as if it were here."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import attrs
import trio

from actors.runtime import EventChannel, Lagged, MailboxFull, Subscription, Watch
from actors.safety import ApprovalKey
from actors.server.core_values import core_approval, core_settings, said_approval
from actors.thread import (
    EVENT_CAPACITY,
    SessionSettings,
    ThreadClosed,
    ThreadSnapshot,
    ThreadState,
)
from actors.thread.answers import Question
from actors.thread.decisions import goes_first
from messages.content import UserInputItem
from messages.events import (
    AgentStatus,
    ErrorEvent,
    Event,
    EventMsg,
    SessionConfigured,
    TurnAborted,
    TurnComplete,
    TurnStarted,
)
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import Op
from messages.rpc.treadle import (
    TreadleRevokeParams,
    TreadleSteerParams,
    TreadleSubmitParams,
    TreadleThread,
)

from .errors import ConnectionLost
from .refusals import thread_refusals
from .remote_reader import RemoteReader
from .rpc_client import URGENT, RpcClient
from .work_lane import SUBMIT, WorkLane

__all__ = ["RemoteThread"]

_SERVING: Final = frozenset({ThreadState.IDLE, ThreadState.RUNNING})
_ENDED: Final = frozenset({ThreadState.CLOSED, ThreadState.FAILED})


@attrs.define(eq=False, repr=False)
class RemoteThread:
    """
    One conversation on a server: submissions go in, events come out; see `Thread`.

    What the server says of the thread is kept here in a ring, as the thread keeps it
    there, so that any number of readers read it at their own pace.  Events have numbers
    of their own here, without gaps, also when the thread goes on in another process.
    What was lost on the way is one `Lagged` in the ring, which takes one number.

    How the thread stands is what the server said last; that may be a little ahead of the
    events that were read, and never behind them.

    Made when the server begins to tell of a thread.

    Attributes:
        thread_id: Which thread this is.
        rollout_path: Where the rollout is, on the server's machine; None if ephemeral.
        parent_id: The thread that it ends with; None for one that a client started.
    """

    _begins: TreadleThread
    _rpc: RpcClient
    _nursery: trio.Nursery
    _new_id: Callable[[], str]
    thread_id: ThreadId = attrs.field(init=False)
    rollout_path: str | None = attrs.field(init=False)
    parent_id: ThreadId | None = attrs.field(init=False)
    _lane: WorkLane = attrs.field(init=False)
    _settings: SessionSettings = attrs.field(init=False)
    _channel: EventChannel[Event | Lagged] = attrs.field(init=False)
    _reader: Subscription[Event | Lagged] = attrs.field(init=False)
    _status: Watch[AgentStatus] = attrs.field(init=False)
    _state: ThreadState = attrs.field(init=False)
    _turn_id: TurnId | None = attrs.field(init=False)
    _questions: tuple[Question, ...] = attrs.field(init=False)
    _approvals: frozenset[ApprovalKey] = attrs.field(init=False)
    # Whether the server tells us the thread from its first event on.
    _from_start: bool = attrs.field(init=False)
    # From when it comes until the opener takes it: it may be large.
    _configured: SessionConfigured | None = attrs.field(default=None, init=False)
    # Set when the first event is there, or never will be.
    _begun: trio.Event = attrs.field(factory=trio.Event, init=False)
    # The turn that ended last.
    _ended_turn: TurnId | None = attrs.field(default=None, init=False)
    _lost: ConnectionLost | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        said = self._begins
        self.thread_id = ThreadId(said.thread_id)
        self.rollout_path = said.rollout_path
        self.parent_id = None if said.parent_id is None else ThreadId(said.parent_id)
        self._lane = WorkLane(self.thread_id, self._rpc, self._nursery)
        self._channel = EventChannel(capacity=EVENT_CAPACITY, first_seq=said.next_seq)
        self._reader = self._channel.subscribe()
        self._status = Watch(said.status)
        self._from_start = said.next_seq == 1
        if not self._from_start:
            self._begun.set()
        self.stand(said)

    # What it is ----------------------------------------------------------------

    @property
    def state(self) -> ThreadState:
        """Where the thread is in its life."""
        if self._state in _SERVING:
            return ThreadState.IDLE if self._turn_id is None else ThreadState.RUNNING
        return self._state

    @property
    def config_snapshot(self) -> SessionSettings:
        """The settings in force for the next turn, as they were said with the last event."""
        return self._settings

    def snapshot(self) -> ThreadSnapshot:
        """Look at the thread; what is in there already may come as an event once more."""
        return ThreadSnapshot(
            state=self.state,
            status=self._status.value,
            settings=self._settings,
            turn_id=self._turn_id,
            questions=self._questions,
            approvals=self._approvals,
            next_seq=self._channel.next_seq,
        )

    def agent_status(self) -> AgentStatus:
        """Tell what the agent is doing, or how its last turn went."""
        return self._status.value

    def watch_status(self) -> Watch[AgentStatus]:
        """Watch the status; only the latest value can be seen."""
        return self._status

    # Submissions -----------------------------------------------------------------

    async def submit(self, op: Op) -> SubmissionId:
        """
        Queue an op; its effects come as events; see `Thread.submit`.

        Returns when the server has queued it.

        Raises:
            ThreadClosed: The thread has ended.
            MailboxFull: As many interrupts and answers are on their way as may be.
            ConnectionLost: Nobody knows whether it is queued; the error says more.

        Cancellation:
            It may be queued.
        """
        self._check_usable()
        submission_id = SubmissionId(self._new_id())
        if goes_first(op):
            params = self._params(submission_id, op)
            with thread_refusals(self.thread_id), self._as_full():
                await self._rpc.request(SUBMIT, params, urgent=True)
        else:
            await self._lane.submit(submission_id, op)
        return submission_id

    def submit_nowait(self, op: Op) -> SubmissionId:
        """
        Send an op and go on.

        If the server has no room for it, that is told by an `ErrorEvent` with the id of
        the submission, here only.

        Raises:
            ThreadClosed: The thread has ended.
            MailboxFull: As many are on their way as may be.
            ConnectionLost: The connection has ended; it was not sent.
        """
        self._check_usable()
        submission_id = SubmissionId(self._new_id())

        def refused(error: Exception) -> None:
            if not isinstance(error, ConnectionLost):  # of which every reader hears
                self._publish(submission_id, ErrorEvent(message=str(error)))

        if goes_first(op):
            with self._as_full():
                call = self._rpc.request_nowait(SUBMIT, self._params(submission_id, op))
            call.on_failure(refused)
        else:
            self._lane.submit_nowait(submission_id, op, refused)
        return submission_id

    def _params(self, submission_id: SubmissionId, op: Op) -> TreadleSubmitParams:
        return TreadleSubmitParams(
            thread_id=self.thread_id, op=op, submission_id=submission_id, nowait=True
        )

    async def steer_input(
        self, items: tuple[UserInputItem, ...], *, expected_turn_id: TurnId | None = None
    ) -> TurnId:
        """
        Let input join the running turn at its next model request; see `Thread.steer_input`.

        Raises:
            SteerError: It joined none, for the reason that the subclass says.
            ThreadClosed: The thread has ended.
            ConnectionLost: Nobody knows whether it joined; the error says more.

        Cancellation:
            The input may have joined the turn.
        """
        self._check_usable()
        params = TreadleSteerParams(
            thread_id=self.thread_id, items=items, expected_turn_id=expected_turn_id
        )
        with thread_refusals(self.thread_id), self._as_full():
            answer: Any = await self._rpc.request("treadle/steer", params, urgent=True)
        return TurnId(answer["turnId"])

    async def revoke_approval(self, approval: ApprovalKey) -> bool:
        """
        Take back something that the user allowed for the session; see `Thread`.

        Raises:
            ThreadClosed: The thread has ended.
            ConnectionLost: Nobody knows whether it was taken back.

        Cancellation:
            It may have been taken back.
        """
        self._check_usable()
        params = TreadleRevokeParams(thread_id=self.thread_id, approval=said_approval(approval))
        with thread_refusals(self.thread_id), self._as_full():
            answer: Any = await self._rpc.request("treadle/approval/revoke", params, urgent=True)
        return bool(answer["revoked"])

    # Events ------------------------------------------------------------------------

    async def next_event(self) -> Event | Lagged:
        """
        Wait for the next event of the thread's own reader; see `Thread.next_event`.

        Raises:
            ChannelClosed: The thread has ended and everything was read.
            ConnectionLost: The connection has ended and everything was read.

        Cancellation:
            No event is lost.
        """
        return await self.events().receive()

    def events(self, *, from_seq: int | None = None) -> RemoteReader[Event]:
        """
        Iterate over the events, until the thread ends; see `Thread.events`.

        Args:
            from_seq: As for `subscribe`; None goes on where `next_event` or an earlier
                iteration left off, with the thread's own reader.
        """
        if from_seq is not None:
            return self.subscribe(from_seq=from_seq)
        return RemoteReader(self._reader, self._why_lost)

    def subscribe(self, *, from_seq: int | None = None) -> RemoteReader[Event]:
        """
        Read events at a pace of one's own; close the reader to stop.

        Args:
            from_seq: The first event to read, by the numbers that they have here; None
                for the next one that comes.  If it is forgotten, or is from before this
                client followed the thread, the first thing read is a `Lagged`.

        Raises:
            ValueError: *from_seq* is below 1 or beyond the next event.
        """
        return RemoteReader(self._channel.subscribe(from_seq=from_seq), self._why_lost)

    # What the server says; for `RemoteSupervisor` --------------------------------

    def stand(self, said: TreadleThread) -> None:
        """Take over where the thread stands."""
        self._state = ThreadState(said.state)
        self._turn_id = None if said.turn_id is None else TurnId(said.turn_id)
        self._questions = cast("tuple[Question, ...]", said.questions)  # as they were said
        self._approvals = frozenset(map(core_approval, said.approvals))
        if said.settings is not None:
            self._settings = core_settings(said.settings)
        if said.status != self._status.value and not self._status.closed:
            self._status.set(said.status)

    def hear(self, submission_id: SubmissionId, msg: EventMsg) -> None:
        """Take an event."""
        match msg:
            case SessionConfigured():
                if self._begun.is_set():
                    return  # it goes on in another process, which begins with this
                self._configured = msg
                self._publish(submission_id, msg)
                # The reader of the thread begins behind what the opener gets.
                self._reader.receive_nowait()
                self._begun.set()
                return
            case TurnStarted(turn_id=turn_id):
                self._turn_id = turn_id
            case TurnComplete(turn_id=turn_id) | TurnAborted(turn_id=turn_id):
                if turn_id is not None and turn_id == self._ended_turn:
                    return  # told by who ran it, and again by who goes on with the thread
                self._ended_turn = turn_id
                self._turn_id = None
            case _:
                pass
        self._publish(submission_id, msg)

    def lag(self, missed: int) -> None:
        """Hear that events were lost on the way."""
        if missed > 0 and not self._channel.closed:
            self._channel.publish(Lagged(missed))

    def end(self) -> None:
        """Hear that the thread has ended."""
        if self._state not in _ENDED:
            self._state = ThreadState.CLOSED
        self._turn_id = None
        self._questions = ()
        self._close()

    def lose(self, lost: ConnectionLost) -> None:
        """Hear that nothing more will be heard."""
        if not self._channel.closed:
            self._lost = lost
            self._close()

    async def take_configured(self) -> SessionConfigured | None:
        """
        Wait for the first event, once; None when this client followed the thread later.

        Raises:
            ThreadClosed: It ended before.
            ConnectionLost: The connection did.
        """
        await self._begun.wait()
        configured, self._configured = self._configured, None
        if configured is None and self._from_start:
            self._check_usable()
        return configured

    def _close(self) -> None:
        self._channel.close()
        self._status.close()
        self._begun.set()

    def _publish(self, submission_id: SubmissionId, msg: EventMsg) -> None:
        channel = self._channel
        if not channel.closed:
            channel.publish(Event(id=submission_id, msg=msg, seq=channel.next_seq))

    def _check_usable(self) -> None:
        if self._lost is not None:
            raise self._lost.again()
        if self._channel.closed:
            raise ThreadClosed(self.thread_id)

    def _why_lost(self) -> ConnectionLost | None:
        return self._lost

    @contextmanager
    def _as_full(self) -> Generator[None]:
        try:
            yield
        except trio.WouldBlock as exc:
            raise MailboxFull(f"thread/{self.thread_id}", URGENT) from exc

    def __repr__(self) -> str:
        where = self._rpc.server if self._lost is None else "connection lost"
        return f"<thread {self.thread_id} {self.state.value}, at {where}>"
