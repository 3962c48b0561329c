"""The review turn: a thread of its own looks at code, and this one tells what it does."""

from contextlib import suppress
from typing import Final, TypeAlias, assert_never

import attrs
import trio

from actors.config import ThreadConfig
from actors.runtime import Lagged
from actors.tools import AgentError, ToolContext
from messages import events
from messages.content import TextInput
from messages.events import EnteredReviewMode, EventMsg, ExitedReviewMode, ReviewOutput
from messages.ids import CallId, SubmissionId
from messages.ops import (
    ExecApproval,
    Op,
    PatchApproval,
    ResolveElicitation,
    ReviewRequest,
    UserInput,
    UserInputAnswer,
)
from messages.settings import AskForApproval, SubAgentKind, SubAgentWrapper
from messages.turn_items import AgentMessageItem

from .errors import ThreadClosed, TurnFailed
from .handle import Thread
from .review_text import (
    INTERRUPTED_REVIEW,
    REVIEW_INSTRUCTIONS,
    parse_review,
    render_review,
    review_messages,
    review_prompt,
)
from .session import Session
from .states import TurnPhase
from .turn import Turn

__all__ = ["run_review"]

_CLOSE_PATIENCE: Final = 1.0
"""Seconds for the reviewer's thread to end when the review is over or stopped."""

_Asked: TypeAlias = (
    events.ExecApprovalRequest
    | events.ApplyPatchApprovalRequest
    | events.ElicitationRequest
    | events.RequestUserInput
)

_OWN: Final = frozenset(
    {
        events.SessionConfigured,
        events.TurnStarted,
        events.ShutdownComplete,
        events.TokenCount,
        events.ThreadNameUpdated,
        events.RawResponseItem,
        events.AgentMessageContentDelta,
        events.AgentMessageDelta,
        events.AgentReasoningDelta,
        events.AgentReasoningRawContentDelta,
        events.McpStartupUpdate,
        events.McpStartupComplete,
    }
)
"""Events of the reviewer's that are no business of the clients of the reviewed thread."""


async def run_review(
    session: Session, turn: Turn, request: ReviewRequest, tools: ToolContext
) -> None:
    """
    Review code in a thread of its own, and put what it found before the model.

    Raises:
        TurnFailed: The reviewer could not be started.
        RolloutError: The result cannot be recorded.

    Cancellation:
        The reviewer is ended, clients are told that review mode is left without a result,
        and the model that the review was stopped.

    Source:
        Codex, ``tasks/review.rs``.  There the mode is told after the reviewer started, and
        the reviewer is in no registry (L16).
    """
    turn.progress.move(TurnPhase.SAMPLING)
    outlet, submission_id = session.outlet, SubmissionId(turn.id)
    entered = EnteredReviewMode(target=request.target, user_facing_hint=request.user_facing_hint)
    outlet.emit(submission_id, entered)
    try:
        output = await _reviewed(session, turn, request, tools)
    except BaseException:
        outlet.emit(submission_id, ExitedReviewMode(review_output=None))
        outlet.keep(submission_id, review_messages(INTERRUPTED_REVIEW, interrupted=True))
        raise
    outlet.emit(submission_id, ExitedReviewMode(review_output=output))
    outlet.record(submission_id, review_messages(render_review(output)))
    await outlet.persist()


async def _reviewed(
    session: Session, turn: Turn, request: ReviewRequest, tools: ToolContext
) -> ReviewOutput | None:
    threads = session.services.children
    if threads is None:
        raise TurnFailed("the review was not begun: this supervisor starts no threads for reviews")
    source = SubAgentWrapper(subagent=SubAgentKind.REVIEW)
    try:
        child = await threads.start_child(
            session.thread_id, _reviewer(session, turn), source=source
        )
    except AgentError as error:
        raise TurnFailed(f"the review was not begun: {error}") from error
    try:
        prompt = TextInput(text=review_prompt(request.target))
        with suppress(ThreadClosed):  # the proxy finds that out
            await child.submit(UserInput(items=(prompt,)))
        return parse_review(await _Proxy(session, turn, tools, child).follow())
    finally:
        with trio.move_on_after(_CLOSE_PATIENCE, shield=True):
            await threads.close_child(child.thread_id)


def _reviewer(session: Session, turn: Turn) -> ThreadConfig:
    """Configure the reviewer's thread: as this one, but nobody is asked and it has a job."""
    config, settings = session.blueprint.config, turn.context.settings
    return attrs.evolve(
        config,
        cwd=settings.cwd,
        model=config.review_model or settings.model,
        effort=settings.effort,
        collaboration_mode=None,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=settings.sandbox_policy,
        base_instructions=REVIEW_INSTRUCTIONS,
        user_instructions=None,
        developer_instructions=None,
        features=attrs.evolve(config.features, collab=False),
    )


@attrs.define(eq=False)
class _Proxy:
    """Stands between the reviewer and the clients of the reviewed thread."""

    _session: Session
    _turn: Turn
    _tools: ToolContext
    _child: Thread
    # The last message may be the result, which nobody wants to see as JSON.
    _held: events.AgentMessage | None = attrs.field(default=None, init=False)

    async def follow(self) -> str | None:
        """Pass events on until the reviewer's turn has ended; return its last message."""
        async with trio.open_nursery() as nursery:
            async for event in self._child.events():
                if isinstance(event, Lagged):
                    continue
                match event.msg:
                    case events.TurnComplete(last_agent_message=text):
                        nursery.cancel_scope.cancel()
                        return text
                    case events.TurnAborted():
                        nursery.cancel_scope.cancel()
                        return None
                    case (
                        events.ExecApprovalRequest()
                        | events.ApplyPatchApprovalRequest()
                        | events.ElicitationRequest()
                        | events.RequestUserInput()
                    ) as asked:
                        nursery.start_soon(self._ask, asked)
                    case msg:
                        self._pass_on(msg)
        return None

    def _pass_on(self, msg: EventMsg) -> None:
        match msg:
            case events.AgentMessage():
                held, self._held = self._held, msg
                if held is None:
                    return
                msg = held
            case events.ItemCompleted(item=AgentMessageItem()):
                return
            case _ if msg.__class__ in _OWN:
                return
            case _:
                pass
        outlet, submission_id = self._session.outlet, SubmissionId(self._turn.id)
        for told in outlet.store((msg,)):
            outlet.publish(submission_id, told)

    async def _ask(self, asked: _Asked) -> None:
        """Ask the clients of the reviewed thread what the reviewer asks, and answer it."""
        op: Op
        match asked:
            case events.ExecApprovalRequest():
                key = CallId(asked.approval_id or asked.call_id)
                op = ExecApproval(id=key, decision=await self._tools.ask_exec_approval(asked))
            case events.ApplyPatchApprovalRequest(call_id=call_id):
                op = PatchApproval(id=call_id, decision=await self._tools.ask_patch_approval(asked))
            case events.ElicitationRequest(server_name=server, id=request_id):
                decision = await self._tools.ask_elicitation(asked)
                op = ResolveElicitation(
                    server_name=server, request_id=request_id, decision=decision
                )
            case events.RequestUserInput(call_id=call_id):
                response = await self._tools.ask_user(asked)
                if response is None:
                    return
                op = UserInputAnswer(id=call_id, response=response)
            case _:
                assert_never(asked)
        with suppress(ThreadClosed):  # it crashed for good, or was ended by somebody else
            await self._child.submit(op)
