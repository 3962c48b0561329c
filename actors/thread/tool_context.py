"""What a running tool sees of its turn."""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import attrs

from actors.models import ModelInfo
from actors.runtime import World
from messages.events import (
    ApplyPatchApprovalRequest,
    DynamicToolCallRequest,
    ElicitationRequest,
    EventMsg,
    ExecApprovalRequest,
    RequestUserInput,
)
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.items import Message
from messages.ops import (
    DynamicToolResult,
    ElicitationDecision,
    ReviewDecision,
    ReviewDecisionKind,
    UserInputResponse,
)
from messages.settings import AskForApproval, ModeKind, SandboxPolicy, TruncationPolicy

from .answers import Question, elicitation_key
from .jobs import Jobs
from .session import Session
from .turn import Turn

__all__ = ["TurnTools"]


@attrs.define(eq=False)
class TurnTools:
    """The `ToolContext` of one turn: its settings, its events, its questions to clients."""

    _session: Session
    _turn: Turn
    _jobs: Jobs

    @property
    def thread_id(self) -> ThreadId:
        """The thread that the turn belongs to."""
        return self._turn.context.thread_id

    @property
    def turn_id(self) -> TurnId:
        """The turn."""
        return self._turn.id

    @property
    def cwd(self) -> str:
        """Working directory, absolute."""
        return self._turn.context.settings.cwd

    @property
    def approval_policy(self) -> AskForApproval:
        """When a person is asked."""
        return self._turn.context.settings.approval_policy

    @property
    def sandbox_policy(self) -> SandboxPolicy:
        """What commands may touch."""
        return self._turn.context.settings.sandbox_policy

    @property
    def truncation_policy(self) -> TruncationPolicy:
        """How long an output for the model may be."""
        return self._turn.context.truncation_policy

    @property
    def model_info(self) -> ModelInfo:
        """What the model of the turn can do."""
        return self._turn.context.model_info

    @property
    def mode(self) -> ModeKind:
        """The collaboration mode of the session now, which may be newer than the turn."""
        return self._session.settings.collaboration.mode

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables that the user gave for this session; may be secret."""
        return self._session.variables

    @property
    def world(self) -> World:
        """Time, ids and randomness."""
        return self._session.services.world

    def emit(self, event: EventMsg) -> None:
        """Tell clients what the tool does, and the rollout as policy says."""
        self._session.outlet.emit(SubmissionId(self._turn.id), event)

    def add_input(self, message: Message) -> bool:
        """
        Let a message join the turn at its next model request.

        Returns:
            Whether it did; not when the turn has ended or has no room.
        """
        turn = self._turn
        if turn.progress.ended or not turn.has_room:
            return False
        turn.pending.append(message)
        return True

    def start_job(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run a task of the thread, which may outlast the turn; see `ToolContext`."""
        self._jobs.start(name, job)

    async def ask_exec_approval(self, request: ExecApprovalRequest) -> ReviewDecision:
        """
        Ask whether a command may run, and wait for the answer as long as it takes.

        Nobody is asked once the turn has ended: that is a denial.

        Cancellation:
            The question is withdrawn.
        """
        key = request.approval_id or request.call_id
        if key in self._session.questions:
            # The model gave two calls one id.  What is said to one must not count for
            # the other, so this question gets an id of its own.
            key = self.world.new_id()
            request = attrs.evolve(request, approval_id=key)
        answer = await self._ask(key, request)
        # The actor answers it with nothing else.
        return cast("ReviewDecision", answer or ReviewDecisionKind.DENIED)

    async def ask_patch_approval(self, request: ApplyPatchApprovalRequest) -> ReviewDecision:
        """
        Ask whether a patch may be applied, as `ask_exec_approval` does for commands.

        A patch whose call id is that of another open question is denied: its event has no
        place for an id of its own.
        """
        answer = await self._ask(request.call_id, request)
        return cast("ReviewDecision", answer or ReviewDecisionKind.DENIED)  # as above

    async def ask_user(self, request: RequestUserInput) -> UserInputResponse | None:
        """
        Ask the user, and wait for the answers as long as it takes (L15: by call).

        Returns:
            None when nobody can be asked; see `ask_client`.

        Cancellation:
            The question is withdrawn.
        """
        return cast("UserInputResponse | None", await self._ask(request.call_id, request))

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        """
        Let the client run one of its own tools, and wait for what it gives.

        Returns:
            None when the client cannot be asked: the turn has ended, or the call has the
            id of one that the client is running.

        Cancellation:
            The question is withdrawn; a later answer is for nobody.
        """
        return cast("DynamicToolResult | None", await self._ask(request.call_id, request))

    async def ask_elicitation(self, request: ElicitationRequest) -> ElicitationDecision:
        """
        Ask for an MCP server, and wait as long as the server does.

        Cancellation:
            The question is withdrawn.
        """
        answer = await self._ask(elicitation_key(request.server_name, request.id), request)
        return cast("ElicitationDecision", answer or ElicitationDecision.CANCEL)  # as above

    async def _ask(self, key: str, request: Question) -> object:
        questions, progress = self._session.questions, self._turn.progress
        if progress.ended or key in questions:
            return None
        with progress.waiting():
            # Registered before it is published: a quick client's answer must find it.
            answered = questions.open(key, request)
            self.emit(request)
            return await questions.wait(key, answered)
