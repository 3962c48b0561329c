"""What a running tool sees of its turn."""

from typing import cast

import attrs

from actors.runtime import World
from messages.events import DynamicToolCallRequest, EventMsg, ExecApprovalRequest
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import DynamicToolResult, ReviewDecision, ReviewDecisionKind
from messages.settings import AskForApproval, SandboxPolicy, TruncationPolicy

from .answers import OpenQuestions
from .outlet import Outlet
from .settings import TurnContext
from .states import TurnProgress

__all__ = ["TurnTools"]


@attrs.define(eq=False)
class TurnTools:
    """The `ToolContext` of one turn: its settings, its events, its questions to clients."""

    _context: TurnContext
    _outlet: Outlet
    _questions: OpenQuestions
    _progress: TurnProgress
    world: World

    @property
    def thread_id(self) -> ThreadId:
        """The thread that the turn belongs to."""
        return self._context.thread_id

    @property
    def turn_id(self) -> TurnId:
        """The turn."""
        return self._context.turn_id

    @property
    def cwd(self) -> str:
        """Working directory, absolute."""
        return self._context.settings.cwd

    @property
    def approval_policy(self) -> AskForApproval:
        """When a person is asked."""
        return self._context.settings.approval_policy

    @property
    def sandbox_policy(self) -> SandboxPolicy:
        """What commands may touch."""
        return self._context.settings.sandbox_policy

    @property
    def truncation_policy(self) -> TruncationPolicy:
        """How long an output for the model may be."""
        return self._context.truncation_policy

    def emit(self, event: EventMsg) -> None:
        """Tell clients what the tool does, and the rollout as policy says."""
        self._outlet.emit(SubmissionId(self._context.turn_id), event)

    async def ask_exec_approval(self, request: ExecApprovalRequest) -> ReviewDecision:
        """
        Ask whether a command may run, and wait for the answer as long as it takes.

        Nobody is asked once the turn has ended: that is a denial.

        Cancellation:
            The question is withdrawn.
        """
        key = request.approval_id or request.call_id
        if key in self._questions:
            # The model gave two calls one id.  What is said to one must not count for
            # the other, so this question gets an id of its own.
            key = self.world.new_id()
            request = attrs.evolve(request, approval_id=key)
        answer = await self._ask(key, request)
        # The actor answers it with nothing else.
        return cast("ReviewDecision", answer or ReviewDecisionKind.DENIED)

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        """
        Let the client run one of its own tools, and wait for what it gives.

        Returns:
            None when the client cannot be asked: the turn has ended, or the call has the
            id of one that the client is running.

        Cancellation:
            The question is withdrawn; a later answer is for nobody.
        """
        if request.call_id in self._questions:
            return None
        answer = await self._ask(request.call_id, request)
        return cast("DynamicToolResult | None", answer)  # as above

    async def _ask(self, key: str, request: ExecApprovalRequest | DynamicToolCallRequest) -> object:
        if self._progress.ended:
            return None
        with self._progress.waiting():
            # Registered before it is published: a quick client's answer must find it.
            answered = self._questions.open(key, request)
            self.emit(request)
            return await self._questions.wait(key, answered)
