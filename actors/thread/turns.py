"""Starting, joining, stopping and ending the turns of a thread."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
import trio

from actors.rollout import RolloutError
from messages.errors import EncodeError
from messages.events import (
    CodexErrorCode,
    EventMsg,
    TurnAborted,
    TurnAbortReason,
    TurnComplete,
)
from messages.ids import SubmissionId, TurnId
from messages.items import Message
from messages.ops import ReviewRequest

from .clean_text import cleaned
from .context import turn_aborted_marker
from .errors import NoActiveTurn, SteerError, SteerInputEmpty, TurnInputFull, TurnMismatch
from .jobs import Jobs
from .ports import Steer
from .session import Session
from .settings import TurnContext
from .skill_use import SkillUse
from .states import ThreadState, TurnPhase
from .turn import PENDING_CAPACITY, PendingInput, Turn, run_turn
from .user_commands import UserCommands
from .works import Works

__all__ = ["Turns"]

Work: TypeAlias = Callable[[Turn], Awaitable[None]]
"""What a turn does between its first and its last event."""


@attrs.frozen
class _Successor:
    """A turn that is to begin as soon as the running one, which it replaces, has ended."""

    id: SubmissionId
    work: Work


@attrs.define(eq=False)
class Turns:
    """
    The turns of one thread, one at a time; each ends exactly once (P3).

    Invariant: `Session.turn` is set from the turn's start until its terminal
    event was published, so that no other turn begins in between.
    """

    _session: Session
    _jobs: Jobs
    _skills: SkillUse
    _works: Works = attrs.field(init=False)
    _commands: UserCommands = attrs.field(init=False)
    _successor: _Successor | None = attrs.field(default=None, init=False)
    # Whether what waits for a turn may start one.
    _open: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._works = Works(self._session, self._jobs, self._skills)
        self._commands = UserCommands(self._session, self._jobs)

    def start(self, submission_id: SubmissionId, first: PendingInput) -> None:
        """Start a turn with the settings in force; refuse it if that cannot be recorded."""
        context = self._prepared(submission_id, first)
        if context is None:
            return
        turn = Turn(context, first.items)
        turn.sampler = self._works.sampler(turn)
        self._begin(turn, self._works.converse)

    def start_shell(self, submission_id: SubmissionId, command: str) -> None:
        """Run the user's command: as a turn of its own, or beside the running one."""
        command = cleaned(command)
        beside = self._session.turn
        if beside is not None:
            tools = self._works.tools(beside)
            self._commands.start_beside(submission_id, beside, command, tools)
            return

        async def work(turn: Turn) -> None:
            await self._commands.run(turn, command, self._works.tools(turn))

        self._start_work(submission_id, work)

    def compact(self, submission_id: SubmissionId) -> None:
        """Compact the history now, in a turn of its own that replaces the running one."""
        self._replace(_Successor(submission_id, self._works.compact))

    def review(self, submission_id: SubmissionId, request: ReviewRequest) -> None:
        """Review code now, in a turn of its own that replaces the running one."""

        async def work(turn: Turn) -> None:
            await self._works.review(turn, request)

        self._replace(_Successor(submission_id, work))

    def room_to_join(self) -> None:
        """
        Check that the running turn takes one more input.

        Raises:
            TurnInputFull: It does not.
        """
        turn = self._session.turn
        if turn is not None and not turn.has_room:
            raise TurnInputFull(turn.id, PENDING_CAPACITY)

    def join(self, entry: PendingInput) -> TurnId:
        """
        Queue input for the running turn's next request; there must be `room_to_join`.

        Returns:
            The turn that it joined.
        """
        turn = self._session.turn
        assert turn is not None  # by the decision
        turn.pending.append(attrs.evolve(entry, after_stop=turn.stopping))
        return turn.id

    def steer(self, steer: Steer) -> None:
        """Answer a steer: with the turn it joined, or with the reason why not."""
        try:
            self._check_steer(steer)
        except SteerError as error:
            steer.reply.fail(error)
        else:
            steer.reply.answer(self.join(PendingInput(None, steer.items)))

    def interrupt(self) -> None:
        """
        Stop the running turn and all commands of the user's.

        The turn is cancelled, and ended regardless when it does not stop in time.
        """
        self._commands.cancel()
        self._drop_successor("it was interrupted before it began")
        turn = self._session.turn
        if turn is None:
            return
        self._session.stop_background()
        self._stop(turn, TurnAbortReason.INTERRUPTED)

    def shut(self) -> None:
        """Start no more turns of what waits for one, and stop what runs."""
        self._open = False
        self.interrupt()
        self._session.stop_background()

    async def close(self) -> None:
        """
        End what a crashed or cancelled thread leaves open; nothing of it runs any more.

        Cancellation:
            Clients are told the end all the same; its records may be lost.
        """
        self._open = False
        turn = self._session.turn
        if turn is None:
            return
        try:
            await self._end(turn, TurnPhase.INTERRUPTED)
        finally:
            self._tell_end(turn)

    def _check_steer(self, steer: Steer) -> None:
        turn = self._session.turn
        if not steer.items:
            raise SteerInputEmpty
        if turn is None or turn.stopping or turn.progress.ended:
            raise NoActiveTurn
        if steer.expected_turn_id not in (None, turn.id):
            raise TurnMismatch(steer.expected_turn_id, turn.id)
        self.room_to_join()

    # Beginning ----------------------------------------------------------

    def _prepared(
        self, submission_id: SubmissionId, first: PendingInput | None = None
    ) -> TurnContext | None:
        """Fix a turn's context and tell the model what is new in it; None when refused."""
        session = self._session
        schema = None if first is None else first.output_schema
        context = session.turn_context(TurnId(submission_id), schema)
        try:
            session.seed_context(submission_id)
            if first is not None:
                session.record_updates(context)
        except (RolloutError, EncodeError) as error:
            message = f"the turn cannot be recorded and was not started: {error}"
            session.ports.refuse(submission_id, message, CodexErrorCode.OTHER)
            return None
        return context

    def _start_work(self, submission_id: SubmissionId, work: Work) -> None:
        context = self._prepared(submission_id)
        if context is not None:
            self._begin(Turn(context, ()), work)

    def _begin(self, turn: Turn, work: Work) -> None:
        self._session.turn = turn
        self._session.ports.become(ThreadState.RUNNING)
        self._session.start_tools()
        self._jobs.start(f"turn {turn.id}", lambda: self._run(turn, work))

    def _replace(self, successor: _Successor) -> None:
        """Let *successor* be the next turn, and stop the running one for it."""
        turn = self._session.turn
        if turn is None:
            self._start_work(successor.id, successor.work)
            return
        self._drop_successor("another task took its place")
        self._successor = successor
        if not turn.stopping:
            self._stop(turn, TurnAbortReason.REPLACED)

    def _drop_successor(self, why: str) -> None:
        successor, self._successor = self._successor, None
        if successor is not None:
            message = f"nothing was done: {why}"
            self._session.ports.refuse(successor.id, message, CodexErrorCode.BAD_REQUEST)

    # Running ------------------------------------------------------------

    async def _run(self, turn: Turn, work: Work) -> None:
        end = TurnPhase.INTERRUPTED
        with turn.scope:
            end = await run_turn(turn, self._session.outlet, lambda: work(turn))
        await self._end(turn, end)

    # Ending -------------------------------------------------------------

    def _stop(self, turn: Turn, reason: TurnAbortReason) -> None:
        """Tell a turn to stop; it is ended regardless when it does not in time."""
        if not turn.progress.ended:  # else its end is recorded already
            turn.abort_reason = reason
        if not turn.stopping:
            turn.scope.cancel()
            self._jobs.start(f"end of turn {turn.id}", lambda: self._end_regardless(turn))

    async def _end_regardless(self, turn: Turn) -> None:
        """End a turn that was told to stop, at the latest when patience is over (P15)."""
        patience = self._session.services.interrupt_patience
        with trio.move_on_after(patience):
            await turn.ended.wait()
            return
        # Twice the patience where it is the disk that does not answer.
        with trio.move_on_after(patience):
            await self._end(turn, TurnPhase.INTERRUPTED)
        self._tell_end(turn)

    async def _end(self, turn: Turn, end: TurnPhase) -> None:
        """
        End a turn, unless it has ended: record, acknowledge, tell (P2, P3).

        An unwritable disk delays nothing here: clients are told that the turn's
        records still wait, and then that the turn is over.

        Cancellation:
            It has ended and clients do not know; see `_tell_end`.
        """
        if not turn.progress.ended:
            turn.progress.move(end)
            self._record_end(turn)
        problem = await self._session.outlet.flush()
        if problem is not None and self._session.turn is turn:
            self._session.outlet.warn(SubmissionId(turn.id), problem)
        self._tell_end(turn)

    def _record_end(self, turn: Turn) -> None:
        if turn.sampler is not None:
            try:
                turn.sampler.abandon()
            except (RolloutError, EncodeError) as error:
                self._session.outlet.warn(SubmissionId(turn.id), f"lost for the model: {error}")
        interrupted = turn.abort_reason is TurnAbortReason.INTERRUPTED
        if turn.progress.phase is TurnPhase.INTERRUPTED and interrupted:
            marker = (turn_aborted_marker(),)
            self._session.outlet.keep(SubmissionId(turn.id), marker, raw=False)
        self._session.outlet.store((_terminal(turn),))

    def _tell_end(self, turn: Turn) -> None:
        """Tell clients the end that was recorded, unless they know."""
        session = self._session
        if session.turn is not turn:
            return
        session.turn = None
        if turn.sampler is not None:
            session.previous_model = turn.context.settings.model
        turn.ended.set()
        if session.ports.state is ThreadState.RUNNING:
            session.ports.become(ThreadState.IDLE)
        failed = turn.progress.phase is TurnPhase.FAILED
        session.ports.tell(SubmissionId(turn.id), _terminal(turn), marks=not failed)
        self._take_over(turn)

    def _take_over(self, turn: Turn) -> None:
        """
        Deal with input that came too late for the turn: none of it is lost (L13).

        It starts the next turn.  But what came before the user stopped this one goes
        back to the client, who may have changed its mind, and so does everything when
        there is no next turn.
        """
        messages = tuple(entry for entry in turn.pending if isinstance(entry, Message))
        late = deque(entry for entry in turn.pending if isinstance(entry, PendingInput))
        turn.pending.clear()
        if messages:
            self._session.outlet.keep(SubmissionId(turn.id), messages)
        interrupted = turn.stopping and turn.abort_reason is TurnAbortReason.INTERRUPTED
        while late and (not self._open or (interrupted and not late[0].after_stop)):
            entry = late.popleft()
            message = "the turn ended before it read this input; send it again"
            answered = entry.id or SubmissionId(turn.id)
            self._session.ports.refuse(answered, message, CodexErrorCode.BAD_REQUEST)
        self._start_successor()
        while late and self._session.turn is None:
            entry = late.popleft()
            new_id = self._session.services.world.new_id
            self.start(entry.id or SubmissionId(new_id()), entry)
        if self._session.turn is not None:
            self._session.turn.pending.extend(attrs.evolve(e, after_stop=False) for e in late)

    def _start_successor(self) -> None:
        successor = self._successor
        if not self._open:
            self._drop_successor("the thread is ending")
        elif successor is not None:
            self._successor = None
            self._start_work(successor.id, successor.work)


def _terminal(turn: Turn) -> EventMsg:
    if turn.progress.phase is TurnPhase.INTERRUPTED:
        return TurnAborted(turn_id=turn.id, reason=turn.abort_reason)
    return TurnComplete(turn_id=turn.id, last_agent_message=turn.last_message)
