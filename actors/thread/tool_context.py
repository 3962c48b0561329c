"""What a running tool sees of its turn."""

from typing import cast

import attrs

from actors.runtime import World
from messages.events import DynamicToolCallRequest, EventMsg, ExecApprovalRequest
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.ops import DynamicToolResult, ReviewDecision
from messages.settings import AskForApproval, SandboxPolicy, TruncationPolicy

from .answers import OpenQuestions
from .outlet import Outlet
from .settings import TurnContext
from .states import TurnPhase, TurnProgress

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

        Cancellation:
            The question is withdrawn.
        """
        answer = await self._ask(request.approval_id or request.call_id, request)
        return cast("ReviewDecision", answer)  # the actor answers it with nothing else

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        """
        Let the client run one of its own tools, and wait for what it gives.

        Cancellation:
            The question is withdrawn; a later answer is for nobody.
        """
        answer = await self._ask(request.call_id, request)
        return cast("DynamicToolResult | None", answer)  # as above

    async def _ask(self, key: str, request: ExecApprovalRequest | DynamicToolCallRequest) -> object:
        self._progress.move(TurnPhase.WAITING)
        # Registered before it is published: a quick client's answer must find it.
        answered = self._questions.open(key, request)
        self.emit(request)
        answer = await self._questions.wait(key, answered)
        if not self._progress.ended and not self._questions.questions():
            self._progress.move(TurnPhase.TOOLS)
        return answer
