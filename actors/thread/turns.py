"""Starting, joining, stopping and ending the turns of a thread."""

import attrs
import trio

from actors.rollout import RolloutError
from actors.tools import run_user_shell
from messages.content import UserInputItem
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
from messages.value import Json

from .context import turn_aborted_marker
from .errors import NoActiveTurn, SteerInputEmpty, TurnMismatch
from .jobs import Jobs
from .ports import Steer
from .sampling import Sampler
from .session import Session
from .states import ThreadState, TurnPhase
from .tool_context import TurnTools
from .turn import PENDING_CAPACITY, PendingInput, Turn, run_turn, started_event

__all__ = ["Turns"]


@attrs.define(eq=False)
class Turns:
    """
    The turns of one thread, one at a time; each ends exactly once (P3).

    Invariant: `Session.turn` is set from the turn's start until its terminal
    event was published, so that no other turn begins in between.
    """

    _session: Session
    _jobs: Jobs

    def start(
        self, submission_id: SubmissionId, items: tuple[UserInputItem, ...], schema: Json = None
    ) -> None:
        """Start a turn with the settings in force."""
        session = self._session
        context = session.turn_context(TurnId(submission_id), schema)
        session.seed_context()
        session.record_updates(context)
        turn = Turn(context, items)
        turn.sampler = self._sampler(turn)
        self._begin(turn)
        self._jobs.start(f"turn {turn.id}", lambda: self._run(turn))

    def start_shell(self, submission_id: SubmissionId, command: str) -> None:
        """Run the user's command: as a turn of its own, or beside the running one."""
        session = self._session
        running = session.turn
        if running is not None:
            scope = trio.CancelScope()
            running.beside.append(scope)
            self._jobs.start(
                f"shell {submission_id}", lambda: self._run_beside(running, scope, command)
            )
            return
        turn = Turn(session.turn_context(TurnId(submission_id)), ())
        session.seed_context()
        self._begin(turn)
        self._jobs.start(f"shell turn {turn.id}", lambda: self._run_shell(turn, command))

    def join(self, submission_id: SubmissionId, items: tuple[UserInputItem, ...]) -> str | None:
        """Queue input for the running turn's next request; else say why not."""
        turn = self._session.turn
        assert turn is not None  # by the decision
        if len(turn.pending) >= PENDING_CAPACITY:
            return (
                f"turn {turn.id} already has {PENDING_CAPACITY} inputs waiting for its next "
                "model request; send this again later"
            )
        turn.pending.append(PendingInput(submission_id, items))
        return None

    def steer(self, steer: Steer) -> None:
        """Answer a steer: with the turn it joined, or with the reason why not."""
        turn = self._session.turn
        if not steer.items:
            steer.reply.fail(SteerInputEmpty())
        elif turn is None or turn.progress.ended:
            steer.reply.fail(NoActiveTurn())
        elif steer.expected_turn_id not in (None, turn.id):
            steer.reply.fail(TurnMismatch(steer.expected_turn_id, turn.id))
        else:
            refusal = self.join(SubmissionId(turn.id), steer.items)
            if refusal is None:
                steer.reply.answer(turn.id)
            else:
                steer.reply.fail(NoActiveTurn())

    def interrupt(self) -> None:
        """Stop the running turn: cancel it, and end it regardless when it does not stop."""
        turn = self._session.turn
        if turn is None or turn.scope.cancel_called:
            return
        turn.stop()
        self._jobs.start(f"end of turn {turn.id}", lambda: self._end_regardless(turn))

    async def end(self, turn: Turn, end: TurnPhase) -> None:
        """
        End a turn, unless it has ended: record, acknowledge, tell (P2, P3).

        An unwritable disk delays nothing here: clients are told that the turn's
        records still wait, and then that the turn is over.
        """
        if turn.progress.ended:
            return
        turn.progress.move(end)
        outlet = self._session.outlet
        submission_id = SubmissionId(turn.id)
        terminal = self._terminal(turn, end)
        try:
            if turn.sampler is not None:
                turn.sampler.abandon()
            if end is TurnPhase.INTERRUPTED:
                outlet.record(submission_id, (turn_aborted_marker(),))
            outlet.store((terminal,))
            await outlet.flush()
        except RolloutError as error:
            outlet.publish(submission_id, WarningEvent(message=f"not saved yet: {error}"))
        outlet.publish(submission_id, terminal)
        self._after(turn, end)

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

    async def _run(self, turn: Turn) -> None:
        end = TurnPhase.INTERRUPTED
        assert turn.sampler is not None  # set by start()
        with turn.scope:
            end = await run_turn(turn, turn.sampler, self._session.outlet)
        await self.end(turn, end)

    async def _run_shell(self, turn: Turn, command: str) -> None:
        end = TurnPhase.INTERRUPTED
        outlet = self._session.outlet
        submission_id = SubmissionId(turn.id)
        outlet.emit(submission_id, started_event(turn.context))
        with turn.scope:
            await run_user_shell(
                command,
                self._tools(turn),
                record=lambda message: outlet.record(submission_id, (message,)),
            )
            end = TurnPhase.COMPLETED
        await self.end(turn, end)

    async def _run_beside(self, turn: Turn, scope: trio.CancelScope, command: str) -> None:
        with scope:
            await run_user_shell(
                command, self._tools(turn), record=lambda message: self._hand_in(turn, message)
            )
        turn.beside.remove(scope)

    def _hand_in(self, turn: Turn, message: Message) -> None:
        if turn.progress.ended:
            self._session.outlet.record(SubmissionId(turn.id), (message,))
        else:
            turn.pending.append(message)

    async def _end_regardless(self, turn: Turn) -> None:
        with trio.move_on_after(self._session.services.interrupt_patience):
            await turn.ended.wait()
        await self.end(turn, TurnPhase.INTERRUPTED)

    def _terminal(self, turn: Turn, end: TurnPhase) -> EventMsg:
        if end is TurnPhase.INTERRUPTED:
            return TurnAborted(turn_id=turn.id, reason=TurnAbortReason.INTERRUPTED)
        return TurnComplete(turn_id=turn.id, last_agent_message=turn.last_message)

    def _after(self, turn: Turn, end: TurnPhase) -> None:
        session = self._session
        session.turn = None
        session.previous_model = turn.context.settings.model
        turn.ended.set()
        if session.ports.state is ThreadState.RUNNING:
            session.ports.become(ThreadState.IDLE)
        self._take_over(turn, stopped=end is TurnPhase.INTERRUPTED)

    def _take_over(self, turn: Turn, *, stopped: bool) -> None:
        """
        Deal with input that came too late for the turn: none of it is lost (L13).

        After a turn that ended by itself it starts the next one; after one that
        was stopped it goes back to the client, who may have changed its mind.
        """
        late: list[PendingInput] = []
        for entry in turn.pending:
            if isinstance(entry, PendingInput):
                late.append(entry)
            else:
                self._session.outlet.record(SubmissionId(turn.id), (entry,))
        turn.pending.clear()
        if late and not stopped and self._session.ports.state is ThreadState.IDLE:
            self.start(late[0].id, late[0].items)
            assert self._session.turn is not None  # just started
            self._session.turn.pending.extend(late[1:])
            return
        for entry in late:
            message = "the turn ended before it read this input; send it again"
            self._session.ports.refuse(entry.id, message, CodexErrorCode.BAD_REQUEST)
