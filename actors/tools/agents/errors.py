"""What can go wrong between an agent and those that work for it, one class per fact."""

from messages.ids import ThreadId

from ..errors import ToolsError

__all__ = [
    "AgentClosed",
    "AgentDepthReached",
    "AgentError",
    "AgentFailed",
    "AgentLimitReached",
    "AgentNotFound",
    "AgentsUnavailable",
]


class AgentError(ToolsError):
    """
    Base of what an `AgentControl` refuses; nothing was changed unless a subclass says so.

    The model reads the text of a subclass, `AgentFailed` and `AgentLimitReached` behind
    the name of what failed.
    """


class AgentNotFound(AgentError):  # noqa: N818 -- a fact about the registry
    """
    The caller has no agent with this id, live or recorded.

    Attributes:
        agent_id: Which one was asked for.
    """

    def __init__(self, agent_id: ThreadId) -> None:
        super().__init__(agent_id)
        self.agent_id = agent_id

    def __str__(self) -> str:
        return f"agent with id {self.agent_id} not found"


class AgentClosed(AgentError):  # noqa: N818 -- a condition the caller handles
    """
    The agent ended while it was being told something.

    Attributes:
        agent_id: Which one.
    """

    def __init__(self, agent_id: ThreadId) -> None:
        super().__init__(agent_id)
        self.agent_id = agent_id

    def __str__(self) -> str:
        return f"agent with id {self.agent_id} is closed"


class AgentsUnavailable(AgentError):  # noqa: N818 -- named after the fact
    """There is no supervisor any more, or it does not have the caller's thread."""

    def __str__(self) -> str:
        return "collab manager unavailable"


class AgentDepthReached(AgentError):  # noqa: N818 -- a limit
    """
    An agent so deep below its root thread may not start agents of its own.

    Attributes:
        limit: How deep agents may be.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return "Agent depth limit reached. Solve the task yourself."


class AgentLimitReached(AgentError):  # noqa: N818 -- a limit
    """
    As many agents as may be alive at once below one root thread are.

    Attributes:
        limit: How many.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"agent thread limit reached (max {self.limit}); "
            "close an agent whose work is done, and try again"
        )


class AgentFailed(AgentError):  # noqa: N818 -- named after the fact
    """
    An agent could not be started, resumed or told something.

    Attributes:
        problem: Why not, for the model.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem
