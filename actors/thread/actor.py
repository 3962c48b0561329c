"""The thread actor: takes submissions, carries out what follows, and ends in order."""

from typing import Final, assert_never

import attrs
import trio

from actors.rollout import RolloutError
from messages.events import (
    CodexErrorCode,
    ShutdownComplete,
    ThreadNameUpdated,
    ThreadRolledBack,
    WarningEvent,
)
from messages.ids import SubmissionId
from messages.ops import (
    ApprovedExecpolicyAmendment,
    DynamicToolResponse,
    ExecApproval,
    Op,
    OverrideTurnContext,
    PatchApproval,
    RefreshMcpServers,
    ReviewDecision,
    ReviewDecisionKind,
    RunUserShellCommand,
    SetThreadName,
    Submission,
    ThreadRollback,
    UserInput,
    UserInputAnswer,
    UserTurn,
)
from messages.rollout import RolloutItem

from .decisions import Action, Refusal, decide
from .errors import ThreadClosed
from .jobs import Jobs
from .outlet import START
from .ports import JobEnded, Steer, ThreadMessage
from .session import Session
from .settings import SettingsRejected, overridden, with_user_turn
from .states import ThreadState, TurnPhase
from .turns import Turns
from .usage import estimated_tokens

__all__ = ["CLOSE_PATIENCE", "ThreadActor"]

CLOSE_PATIENCE: Final = 2.0
"""Seconds for the last records to reach the disk when a thread ends or is cancelled."""


@attrs.define(eq=False)
class ThreadActor:
    """
    One life of a thread.

    Everything that changes the session happens in this task or in a job of it,
    between two awaits.
    """

    _session: Session
    _jobs: Jobs = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _closing: SubmissionId | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._jobs = Jobs(self._session.ports)
        self._turns = Turns(self._session, self._jobs)

    async def run(self) -> None:
        """
        Serve until a shutdown op came and everything has ended.

        Cancellation:
            The running turn ends as interrupted, what was recorded is written if
            the disk takes it within `CLOSE_PATIENCE`, and the rollout is unlocked.
        """
        try:
            while self._closing is None or self._jobs.any:
                if self._jobs.any:
                    await self._jobs.serve(self._handle_next)
                else:
                    await self._handle_next()
        finally:
            with trio.move_on_after(CLOSE_PATIENCE, shield=True):
                await self._close()
        assert self._closing is not None  # the loop ends in no other way
        self._session.ports.end(ThreadState.CLOSED, (self._closing, ShutdownComplete()))

    async def _close(self) -> None:
        session = self._session
        try:
            if session.turn is not None:
                await self._turns.end(session.turn, TurnPhase.INTERRUPTED)
        finally:
            await self._close_rollout()

    async def _close_rollout(self) -> None:
        recorder = self._session.outlet.recorder
        if recorder is None:
            return
        try:
            await recorder.close()
        except RolloutError as error:
            problem = f"the end of the conversation is not saved: {error}"
            self._session.ports.refuse(self._closing or START, problem, CodexErrorCode.OTHER)

    async def _handle_next(self) -> None:
        message: ThreadMessage = await self._session.ports.mailbox.receive()
        match message:
            case Submission():
                await self._on_submission(message)
            case Steer():
                self._on_steer(message)
            case JobEnded():
                pass
            case _:
                assert_never(message)

    def _on_steer(self, steer: Steer) -> None:
        if self._closing is not None:
            steer.reply.fail(ThreadClosed(self._session.thread_id))
        else:
            self._turns.steer(steer)

    async def _on_submission(self, submission: Submission) -> None:
        session = self._session
        if self._closing is not None:
            self._session.ports.refuse(submission.id, str(ThreadClosed(session.thread_id)), None)
            return
        decision = decide(
            submission.op,
            turn_runs=session.turn is not None,
            keeps_rollout=session.keeps_rollout,
        )
        if isinstance(decision, Refusal):
            self._session.ports.refuse(submission.id, decision.message, decision.info)
        else:
            await self._carry_out(decision, submission.id, submission.op)

    async def _carry_out(self, action: Action, submission_id: SubmissionId, op: Op) -> None:
        match action, op:
            case ((Action.START_TURN | Action.JOIN_TURN), (UserInput() | UserTurn())):
                self._on_input(submission_id, op)
            case Action.INTERRUPT, _:
                self._turns.interrupt()
            case Action.ANSWER, _:
                self._on_answer(submission_id, op)
            case Action.CONFIGURE, OverrideTurnContext():
                self._configure(submission_id, op)
            case Action.ROLL_BACK, ThreadRollback(num_turns=count):
                await self._roll_back(submission_id, count)
            case Action.RENAME, SetThreadName(name=name):
                self._jobs.start("rename", lambda: self._rename(submission_id, name.strip()))
            case Action.RUN_SHELL, RunUserShellCommand(command=command):
                self._turns.start_shell(submission_id, command)
            case Action.REFRESH_MCP, RefreshMcpServers(config=config):
                self._session.mcp_config = config
            case Action.SHUT_DOWN, _:
                self._shut_down(submission_id)
            case _:
                assert action is Action.NOTHING  # the decisions pair actions with ops
        return

    def _on_input(self, submission_id: SubmissionId, op: UserInput | UserTurn) -> None:
        if isinstance(op, UserTurn) and not self._configure(submission_id, op):
            return
        if self._session.turn is None:
            self._turns.start(submission_id, op.items, op.final_output_json_schema)
            return
        refusal = self._turns.join(submission_id, op.items)
        if refusal is not None:
            self._session.ports.refuse(submission_id, refusal, CodexErrorCode.BAD_REQUEST)

    def _configure(self, submission_id: SubmissionId, op: OverrideTurnContext | UserTurn) -> bool:
        settings = self._session.settings
        try:
            if isinstance(op, UserTurn):
                changed = with_user_turn(settings, op)
            else:
                changed = overridden(settings, op)
        except SettingsRejected as error:
            self._session.ports.refuse(submission_id, str(error), CodexErrorCode.BAD_REQUEST)
            return False
        self._session.configure(changed)
        return True

    def _on_answer(self, submission_id: SubmissionId, op: Op) -> None:
        match op:
            case ExecApproval(id=key, decision=decision) | PatchApproval(id=key, decision=decision):
                self._on_decision(submission_id, key, decision)
            case DynamicToolResponse(id=key, response=response):
                self._answer(submission_id, key, response)
            case UserInputAnswer(id=key, response=answers):
                self._answer(submission_id, key, answers)
            case _:  # the decisions let nothing else through
                raise AssertionError(op)

    def _on_decision(self, submission_id: SubmissionId, key: str, decision: ReviewDecision) -> None:
        if decision is ReviewDecisionKind.ABORT:
            self._turns.interrupt()
            return
        if isinstance(decision, ApprovedExecpolicyAmendment):
            self._session.outlet.publish(
                submission_id,
                WarningEvent(
                    message="Failed to apply execpolicy amendment: this version keeps no rules; "
                    "the command is approved this once"
                ),
            )
            decision = ReviewDecisionKind.APPROVED
        self._answer(submission_id, key, decision)

    def _answer(self, submission_id: SubmissionId, key: str, value: object) -> None:
        if not self._session.questions.answer(key, value):
            message = f"no question with id {key!r} is open; it was answered or withdrawn"
            self._session.ports.refuse(submission_id, message, CodexErrorCode.BAD_REQUEST)

    async def _roll_back(self, submission_id: SubmissionId, count: int) -> None:
        session, outlet = self._session, self._session.outlet
        session.previous_model = session.settings.model
        outlet.history.drop_last_turns(count)
        tokens = estimated_tokens(session.settings.base_instructions, outlet.history.items)
        outlet.usage.estimate(tokens, session.model_info.effective_context_window)
        outlet.emit(submission_id, outlet.usage.event())
        done = ThreadRolledBack(num_turns=count)
        await self._store_flushed(submission_id, done)
        outlet.publish(submission_id, done)

    async def _store_flushed(self, submission_id: SubmissionId, record: RolloutItem) -> None:
        """Acknowledge a record before clients hear of it; an unwritable disk is told."""
        outlet = self._session.outlet
        outlet.store((record,))
        try:
            await outlet.flush()
        except RolloutError as error:
            outlet.publish(submission_id, WarningEvent(message=f"not saved yet: {error}"))

    async def _rename(self, submission_id: SubmissionId, name: str) -> None:
        session = self._session
        try:
            await session.services.index.set_name(session.thread_id, name)
        except RolloutError as error:
            message = f"Failed to set thread name: {error}"
            self._session.ports.refuse(submission_id, message, CodexErrorCode.OTHER)
            return
        named = ThreadNameUpdated(thread_id=session.thread_id, thread_name=name)
        session.outlet.emit(submission_id, named)

    def _shut_down(self, submission_id: SubmissionId) -> None:
        self._closing = submission_id
        self._session.ports.become(ThreadState.CLOSING)
        self._turns.interrupt()
