"""What the tools of agents need of whoever keeps the registry of threads."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import attrs

from messages.content import UserInputItem
from messages.events import AgentStatus, Completed, Errored, StatusKind
from messages.ids import SubmissionId, ThreadId, TurnId
from messages.settings import AskForApproval, SandboxPolicy

from ..tool import ToolContext
from .roles import AgentRole

__all__ = ["AgentControl", "ParentTurn", "is_final"]


@attrs.frozen(kw_only=True)
class ParentTurn:
    """
    The turn that wants something of an agent.

    Attributes:
        cwd: Its working directory, absolute.
        model: The model that it asks.
    """

    thread_id: ThreadId
    turn_id: TurnId
    cwd: str
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    model: str

    @classmethod
    def of(cls, context: ToolContext) -> Self:
        """Take from a tool's context what agents inherit of the turn."""
        return cls(
            thread_id=context.thread_id,
            turn_id=context.turn_id,
            cwd=context.cwd,
            approval_policy=context.approval_policy,
            sandbox_policy=context.sandbox_policy,
            model=context.model_info.slug,
        )


def is_final(status: AgentStatus) -> bool:
    """Whether an agent of this status does nothing more by itself."""
    match status:
        case Completed() | Errored():
            return True
        case StatusKind():
            return status in (StatusKind.SHUTDOWN, StatusKind.NOT_FOUND)


class AgentControl(Protocol):
    """
    Starts, tells, watches and ends agents.

    An agent is a thread that another thread's model started.  A caller reaches only the
    agents below itself: its own, and theirs.  Every method raises an `AgentError` for what
    it cannot do.
    """

    def check_depth(self, parent: ParentTurn) -> None:
        """
        Check that this thread may have agents at all.

        Raises:
            AgentDepthReached: It is too deep below its root.
            AgentsUnavailable: There is no supervisor any more.
        """
        ...

    async def spawn(
        self, parent: ParentTurn, prompt: tuple[UserInputItem, ...], *, role: AgentRole
    ) -> ThreadId:
        """
        Start an agent and give it its first input.

        Raises:
            AgentLimitReached: There are too many.
            AgentError: It could not be started or told; there is no such agent then.

        Cancellation:
            No agent was started, or it was told to end and will.
        """
        ...

    def interrupt(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        """
        Tell an agent to stop what it does; input sent after this is read after that.

        Raises:
            AgentNotFound: The caller has none with this id.
        """
        ...

    async def send(
        self, parent: ParentTurn, agent_id: ThreadId, items: tuple[UserInputItem, ...]
    ) -> SubmissionId:
        """
        Give an agent more input; waits while its queue is full.

        From here on `wait_final` returns no status that is older than this input.

        Raises:
            AgentNotFound: The caller has none with this id.
            AgentClosed: It ended meanwhile.

        Cancellation:
            The agent was not told.
        """
        ...

    async def resume(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        """
        Let a recorded thread be the caller's agent; one that is its agent already goes on.

        Raises:
            AgentNotFound: There is no such rollout.
            AgentError: It could not be resumed.

        Cancellation:
            It was not resumed.
        """
        ...

    async def close(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        """
        End an agent and all agents below it, and wait until they have ended.

        Raises:
            AgentNotFound: The caller has none with this id.

        Cancellation:
            They were told to end and will.
        """
        ...

    def status(self, parent: ParentTurn, agent_id: ThreadId) -> AgentStatus:
        """Tell what an agent does; `StatusKind.NOT_FOUND` when there is none with this id."""
        ...

    async def wait_final(
        self, parent: ParentTurn, agent_ids: Sequence[ThreadId]
    ) -> Mapping[ThreadId, AgentStatus]:
        """
        Wait until one of the agents is done with everything that it was told.

        Returns:
            All that are done at that moment, in the order of *agent_ids*; never empty
            unless *agent_ids* is.  One that the caller does not have counts as done.

        Cancellation:
            Changes nothing.
        """
        ...
