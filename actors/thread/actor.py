"""The thread actor: takes submissions, carries out what follows, and ends in order."""

import logging
from functools import partial
from typing import Final, assert_never

import attrs
import trio

from actors.config import ConfigError, mcp_servers_from_json
from actors.rollout import Recorder, RolloutError, RolloutFull
from messages.events import (
    ApplyPatchApprovalRequest,
    CodexErrorCode,
    DynamicToolCallRequest,
    ElicitationRequest,
    ExecApprovalRequest,
    RequestUserInput,
    ShutdownComplete,
    SkillsUpdateAvailable,
    ThreadNameUpdated,
    ThreadRolledBack,
    WarningEvent,
)
from messages.ids import SubmissionId
from messages.ops import (
    DynamicToolResponse,
    ExecApproval,
    ListSkills,
    Op,
    OverrideTurnContext,
    PatchApproval,
    RefreshMcpServers,
    ResolveElicitation,
    Review,
    ReviewDecisionKind,
    RunUserShellCommand,
    SetThreadName,
    Shutdown,
    Submission,
    ThreadRollback,
    UserInput,
    UserInputAnswer,
    UserTurn,
)
from messages.value import Json

from .answers import elicitation_key
from .clean_text import cleaned
from .decisions import Action, Refusal, decide
from .errands import Errands
from .errors import ThreadClosed, TurnInputFull
from .history import History
from .jobs import Jobs
from .outlet import START
from .ports import JobEnded, Revoke, SkillsChanged, Steer, ThreadMessage
from .session import Session
from .settings import SettingsRejected, overridden, with_user_turn
from .skill_use import SkillUse
from .states import ThreadState
from .turn import PendingInput
from .turns import Turns
from .usage import estimated_tokens

__all__ = ["CLOSE_PATIENCE", "ThreadActor"]

_log = logging.getLogger("actors")

CLOSE_PATIENCE: Final = 2.0
"""Seconds for the last records to reach the disk when a thread ends or is cancelled."""

_NEED_HISTORY: Final = frozenset(
    {Action.START_TURN, Action.ROLL_BACK, Action.RUN_SHELL, Action.COMPACT, Action.REVIEW}
)
"""What cannot go on from a past that nobody has read yet.

All else waits for none of it.  No turn runs when the first of these comes, so the decision
still holds when the past was read.
"""


@attrs.define(eq=False)
class ThreadActor:
    """
    One life of a thread.

    Everything that changes the session happens in this task or in a job of it,
    between two awaits.
    """

    _session: Session
    _jobs: Jobs = attrs.field(init=False)
    _skills: SkillUse = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _closing: SubmissionId | None = attrs.field(default=None, init=False)
    _renames: Errands = attrs.field(init=False)
    _listings: Errands = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._jobs = Jobs(self._session.ports)
        self._skills = SkillUse(self._session)
        self._turns = Turns(self._session, self._jobs, self._skills)
        ports = self._session.ports
        self._renames = Errands(ports, self._jobs, "Failed to set thread name")
        self._listings = Errands(ports, self._jobs, "the list cannot be made")

    async def run(self) -> None:
        """
        Serve until a shutdown op came and everything has ended.

        Raises:
            Exception: The thread crashed, and nobody wanted its end.  A crash on the way
                to a wanted end is logged and told; a restart would bring the thread back.

        Cancellation:
            The running turn ends as interrupted, what was recorded is written if
            the disk takes it within `CLOSE_PATIENCE`, and the rollout is unlocked.
        """
        ports, state = self._session.ports, ThreadState.CLOSED
        try:
            await self._serve()
        except Exception as error:
            if self._closing is None:
                raise
            _log.exception("thread %s crashed while closing", ports.thread_id)
            state = ThreadState.FAILED
            message = f"the thread crashed while closing: {type(error).__name__}"
            ports.refuse(self._closing, message, CodexErrorCode.OTHER)
        finally:
            deadline = trio.current_time() + CLOSE_PATIENCE
            try:
                with trio.CancelScope(deadline=deadline, shield=True):
                    await self._close()
            finally:
                with trio.CancelScope(deadline=deadline, shield=True):
                    await self._close_rollout()
        assert self._closing is not None  # the loop ends in no other way
        ports.end(state, (self._closing, ShutdownComplete()))

    async def _serve(self) -> None:
        while self._closing is None or self._jobs.any:
            if self._jobs.any:
                await self._jobs.serve(self._handle_next)
            else:
                await self._handle_next()

    async def _close(self) -> None:
        self._renames.close()
        self._listings.close()
        await self._turns.close()

    async def _close_rollout(self) -> None:
        recorder = self._session.outlet.recorder
        if recorder is None:
            return
        try:
            await recorder.close()
        except RolloutError as error:
            _log.debug("thread %s: %s", self._session.thread_id, error)
        finally:
            self._report_loss(recorder)

    def _report_loss(self, recorder: Recorder) -> None:
        if recorder.trouble is None or not recorder.pending_bytes:
            return
        problem = (
            f"the end of the conversation is not saved: {recorder.pending_bytes} bytes are lost, "
            f"because {recorder.path} cannot be written: {recorder.trouble}"
        )
        _log.error("thread %s: %s", self._session.thread_id, problem)
        self._session.ports.refuse(self._closing or START, problem, CodexErrorCode.OTHER)

    # Messages -----------------------------------------------------------

    async def _handle_next(self) -> None:
        message: ThreadMessage = await self._session.ports.mailbox.receive()
        match message:
            case Submission():
                await self._on_submission(message)
            case Steer():
                self._on_steer(message)
            case Revoke(approval=approval, reply=reply):
                reply.answer(self._session.ports.revoke(approval))
            case SkillsChanged():
                self._session.outlet.emit(START, SkillsUpdateAvailable())
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
            # A second shutdown gets what it wants from the first.
            if not isinstance(submission.op, Shutdown):
                closed = str(ThreadClosed(session.thread_id))
                session.ports.refuse(submission.id, closed, None)
            return
        decision = decide(
            submission.op,
            turn_runs=session.turn is not None,
            keeps_rollout=session.keeps_rollout,
        )
        if isinstance(decision, Refusal):
            session.ports.refuse(submission.id, decision.message, decision.info)
        else:
            await self._carry_out(decision, submission.id, submission.op)

    async def _carry_out(self, action: Action, submission_id: SubmissionId, op: Op) -> None:
        if action in _NEED_HISTORY:
            await self._session.recall()
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
                rename = partial(self._rename, submission_id, cleaned(name.strip()))
                self._renames.add(submission_id, rename)
            case Action.RUN_SHELL, RunUserShellCommand(command=command):
                self._turns.start_shell(submission_id, command)
            case Action.COMPACT, _:
                self._turns.compact(submission_id)
            case Action.REVIEW, Review(review_request=request):
                self._turns.review(submission_id, request)
            case Action.CLEAN_TERMINALS, _:
                self._session.stop_background()
            case Action.REFRESH_MCP, RefreshMcpServers(config=config):
                self._refresh_mcp(submission_id, config)
            case Action.LIST_MCP, _:
                self._listings.add(submission_id, partial(self._list_mcp, submission_id))
            case Action.LIST_SKILLS, ListSkills():
                self._listings.add(submission_id, partial(self._list_skills, submission_id, op))
            case Action.SHUT_DOWN, _:
                self._shut_down(submission_id)
            case _:  # the decisions pair actions with ops
                raise AssertionError(action, op)

    def _shut_down(self, submission_id: SubmissionId) -> None:
        self._closing = submission_id
        self._session.ports.become(ThreadState.CLOSING)
        self._turns.shut()

    # Input and settings -------------------------------------------------

    def _on_input(self, submission_id: SubmissionId, op: UserInput | UserTurn) -> None:
        try:
            self._turns.room_to_join()
        except TurnInputFull as full:
            self._session.ports.refuse(submission_id, str(full), CodexErrorCode.BAD_REQUEST)
            return
        if isinstance(op, UserTurn) and not self._configure(submission_id, op):
            return
        entry = PendingInput(submission_id, op.items, op.final_output_json_schema)
        if self._session.turn is None:
            self._turns.start(submission_id, entry)
        else:
            self._turns.join(entry)

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

    # Answers ------------------------------------------------------------

    def _on_answer(self, submission_id: SubmissionId, op: Op) -> None:
        key: str
        match op:
            case ExecApproval(id=key, decision=decision) | PatchApproval(id=key, decision=decision):
                kinds: tuple[type, ...] = (ExecApprovalRequest, ApplyPatchApprovalRequest)
                value: object = decision
            case DynamicToolResponse(id=key, response=response):
                kinds, value = (DynamicToolCallRequest,), response
            case UserInputAnswer(id=named, response=answers):
                key = self._session.questions.of_turn(named) or named
                kinds, value = (RequestUserInput,), answers
            case ResolveElicitation(server_name=server, request_id=asked, decision=chosen):
                key, kinds, value = elicitation_key(server, asked), (ElicitationRequest,), chosen
            case _:  # the decisions let nothing else through
                raise AssertionError(op)
        questions = self._session.questions
        if not questions.is_open(key, *kinds):
            message = f"no such question with id {key!r} is open; it was answered or withdrawn"
            self._session.ports.refuse(submission_id, message, CodexErrorCode.BAD_REQUEST)
            return
        # Also what stops the turn is an answer: whoever asked tells that it was declined.
        questions.answer(key, value)
        if value is ReviewDecisionKind.ABORT:
            self._turns.interrupt()

    # The history and the name -------------------------------------------

    async def _roll_back(self, submission_id: SubmissionId, count: int) -> None:
        session, outlet = self._session, self._session.outlet
        left = History(outlet.history.policy, list(outlet.history.items))
        left.drop_last_turns(count)
        usage = attrs.evolve(outlet.usage)
        tokens = estimated_tokens(session.settings.base_instructions, left.items)
        usage.estimate(tokens, session.model_info.effective_context_window)
        counted, done = usage.event(), ThreadRolledBack(num_turns=count)
        try:
            outlet.store_all((counted, done))
        except RolloutFull as error:
            code = CodexErrorCode.THREAD_ROLLBACK_FAILED
            session.ports.refuse(submission_id, f"nothing was rolled back: {error}", code)
            return
        outlet.history, outlet.usage = left, usage
        session.previous_model = session.settings.model
        # Part of what the model was told may be gone; the next turn tells it again.
        session.has_context = False
        self._skills.forget()
        outlet.publish(submission_id, counted)
        problem = await outlet.flush()
        if problem is not None:
            outlet.publish(submission_id, WarningEvent(message=problem))
        outlet.publish(submission_id, done)

    async def _rename(self, submission_id: SubmissionId, name: str) -> None:
        session = self._session
        try:
            await session.services.index.set_name(session.thread_id, name)
        except RolloutError as error:
            message = f"Failed to set thread name: {error}"
            session.ports.refuse(submission_id, message, CodexErrorCode.OTHER)
        else:
            named = ThreadNameUpdated(thread_id=session.thread_id, thread_name=name)
            session.outlet.emit(submission_id, named)

    # Lists and MCP servers ------------------------------------------------

    def _refresh_mcp(self, submission_id: SubmissionId, config: Json) -> None:
        try:
            self._session.mcp_servers = mcp_servers_from_json(config)
        except ConfigError as error:
            message = f"the MCP servers stay as they are: {error}"
            self._session.ports.refuse(submission_id, message, CodexErrorCode.BAD_REQUEST)

    async def _list_skills(self, submission_id: SubmissionId, op: ListSkills) -> None:
        listing = await self._skills.listing(op.cwds, force=op.force_reload)
        self._session.outlet.emit(submission_id, listing)

    async def _list_mcp(self, submission_id: SubmissionId) -> None:
        listing = await self._session.toolbox.mcp_listing()
        self._session.outlet.emit(submission_id, listing)
