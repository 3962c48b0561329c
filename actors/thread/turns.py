"""Starting, joining, stopping and ending the turns of a thread."""

from collections import deque
from typing import Final

import attrs
import trio

from actors.rollout import RolloutError
from actors.tools import run_user_shell
from messages.errors import EncodeError
from messages.events import (
    CodexErrorCode,
    EventMsg,
    TurnAborted,
    TurnAbortReason,
    TurnComplete,
    WarningEvent,
)
from messages.ids import SubmissionId, TurnId
from messages.items import Message

from .clean_text import cleaned
from .context import turn_aborted_marker
from .errors import NoActiveTurn, SteerError, SteerInputEmpty, TurnInputFull, TurnMismatch
from .jobs import Jobs
from .ports import Steer
from .sampling import Sampler
from .session import Session
from .settings import TurnContext
from .states import ThreadState, TurnPhase
from .tool_context import TurnTools
from .turn import PENDING_CAPACITY, PendingInput, Turn, run_turn, started_event

__all__ = ["COMMANDS_CAPACITY", "Turns"]

COMMANDS_CAPACITY: Final = 16
"""Commands of the user's that may run beside a turn; each is a process or more."""


@attrs.define(eq=False)
class Turns:
    """
    The turns of one thread, one at a time; each ends exactly once (P3).

    Invariant: `Session.turn` is set from the turn's start until its terminal
    event was published, so that no other turn begins in between.
    """

    _session: Session
    _jobs: Jobs
    # The user's commands beside a turn; one may outlast the turn that it began beside.
    _commands: list[trio.CancelScope] = attrs.field(factory=list[trio.CancelScope], init=False)
    # Whether what waits for a turn may start one.
    _open: bool = attrs.field(default=True, init=False)

    def start(self, submission_id: SubmissionId, first: PendingInput) -> None:
        """Start a turn with the settings in force; refuse it if that cannot be recorded."""
        context = self._prepared(submission_id, first)
        if context is None:
            return
        turn = Turn(context, first.items)
        turn.sampler = self._sampler(turn)
        self._begin(turn)
        self._jobs.start(f"turn {turn.id}", lambda: self._run(turn))

    def start_shell(self, submission_id: SubmissionId, command: str) -> None:
        """Run the user's command: as a turn of its own, or beside the running one."""
        command = cleaned(command)
        if self._session.turn is not None:
            self._start_beside(submission_id, self._session.turn, command)
            return
        context = self._prepared(submission_id)
        if context is None:
            return
        turn = Turn(context, ())
        self._begin(turn)
        self._jobs.start(f"shell turn {turn.id}", lambda: self._run_shell(turn, command))

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
        for scope in self._commands:
            scope.cancel()
        turn = self._session.turn
        if turn is None or turn.stopping:
            return
        turn.scope.cancel()
        self._jobs.start(f"end of turn {turn.id}", lambda: self._end_regardless(turn))

    def shut(self) -> None:
        """Start no more turns of what waits for one, and stop what runs."""
        self._open = False
        self.interrupt()

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

    def _begin(self, turn: Turn) -> None:
        self._session.turn = turn
        self._session.ports.become(ThreadState.RUNNING)

    def _tools(self, turn: Turn) -> TurnTools:
        session = self._session
        world = session.services.world
        return TurnTools(turn.context, session.outlet, session.questions, turn.progress, world)

    def _sampler(self, turn: Turn) -> Sampler:
        session = self._session
        return Sampler(
            context=turn.context,
            outlet=session.outlet,
            provider=session.services.provider,
            router=session.router,
            tools=self._tools(turn),
            progress=turn.progress,
            world=session.services.world,
        )

    # Running ------------------------------------------------------------

    async def _run(self, turn: Turn) -> None:
        end = TurnPhase.INTERRUPTED
        assert turn.sampler is not None  # set by start()
        with turn.scope:
            end = await run_turn(turn, turn.sampler, self._session.outlet)
        await self._end(turn, end)

    async def _run_shell(self, turn: Turn, command: str) -> None:
        end = TurnPhase.INTERRUPTED
        self._session.outlet.emit(SubmissionId(turn.id), started_event(turn.context))
        with turn.scope:
            await self._run_command(turn, command)
            end = TurnPhase.COMPLETED
        await self._end(turn, end)

    def _start_beside(self, submission_id: SubmissionId, turn: Turn, command: str) -> None:
        if len(self._commands) >= COMMANDS_CAPACITY:
            message = (
                f"{COMMANDS_CAPACITY} of your commands run beside the turn already; "
                "wait for one to end, or interrupt them"
            )
            self._session.ports.refuse(submission_id, message, CodexErrorCode.BAD_REQUEST)
            return
        scope = trio.CancelScope()
        self._commands.append(scope)
        self._jobs.start(f"shell {submission_id}", lambda: self._run_beside(turn, scope, command))

    async def _run_beside(self, turn: Turn, scope: trio.CancelScope, command: str) -> None:
        try:
            with scope:
                await self._run_command(turn, command)
        finally:
            self._commands.remove(scope)

    async def _run_command(self, turn: Turn, command: str) -> None:
        def record(message: Message) -> None:
            running = self._session.turn
            if running is None or running.sampler is None or not running.has_room:
                self._keep(turn, message)
            else:
                # In front of the next request, not in the midst of this one.
                running.pending.append(message)

        await run_user_shell(command, self._tools(turn), record=record)

    def _keep(self, turn: Turn, *messages: Message, raw: bool = True) -> None:
        """Record what must not bring the turn down when it cannot be recorded."""
        submission_id = SubmissionId(turn.id)
        try:
            self._session.outlet.record(submission_id, messages, raw=raw)
        except (RolloutError, EncodeError) as error:
            self._warn(turn, f"lost for the model: {error}")

    def _warn(self, turn: Turn, message: str) -> None:
        self._session.outlet.publish(SubmissionId(turn.id), WarningEvent(message=message))

    # Ending -------------------------------------------------------------

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
            self._warn(turn, problem)
        self._tell_end(turn)

    def _record_end(self, turn: Turn) -> None:
        if turn.sampler is not None:
            try:
                turn.sampler.abandon()
            except (RolloutError, EncodeError) as error:
                self._warn(turn, f"lost for the model: {error}")
        if turn.progress.phase is TurnPhase.INTERRUPTED:
            self._keep(turn, turn_aborted_marker(), raw=False)
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
            self._keep(turn, *messages)
        while late and (not self._open or (turn.stopping and not late[0].after_stop)):
            entry = late.popleft()
            message = "the turn ended before it read this input; send it again"
            answered = entry.id or SubmissionId(turn.id)
            self._session.ports.refuse(answered, message, CodexErrorCode.BAD_REQUEST)
        while late and self._session.turn is None:
            entry = late.popleft()
            new_id = self._session.services.world.new_id
            self.start(entry.id or SubmissionId(new_id()), entry)
        if self._session.turn is not None:
            self._session.turn.pending.extend(attrs.evolve(e, after_stop=False) for e in late)


def _terminal(turn: Turn) -> EventMsg:
    if turn.progress.phase is TurnPhase.INTERRUPTED:
        return TurnAborted(turn_id=turn.id, reason=TurnAbortReason.INTERRUPTED)
    return TurnComplete(turn_id=turn.id, last_agent_message=turn.last_message)
