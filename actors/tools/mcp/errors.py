"""What can go wrong with MCP servers, one class per fact."""

from collections.abc import Mapping
from enum import Enum

from ..errors import ToolsError

__all__ = [
    "McpCallError",
    "McpServerLost",
    "McpStartError",
    "RequiredServersFailed",
    "StartProblem",
]


class StartProblem(Enum):
    """Why a server did not start, as far as that decides what to do about it."""

    TIMED_OUT = "timed out"
    LOGIN = "login"
    OTHER = "other"


class McpStartError(ToolsError):
    """
    A server did not become ready; nothing of it is left.

    Attributes:
        text: Why; holds no secret.
        problem: What kind of reason that is.
    """

    def __init__(self, text: str, problem: StartProblem = StartProblem.OTHER) -> None:
        super().__init__(text, problem)
        self.text = text
        self.problem = problem

    def __str__(self) -> str:
        return self.text


class McpServerLost(ToolsError):  # noqa: N818 -- a fact about the server
    """
    A server that was ready is not there any more; whether it acted on open calls is not known.

    Attributes:
        text: How it ended; holds no secret.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


class McpCallError(ToolsError):
    """
    A server did not do what it was asked; the session goes on.

    Attributes:
        text: Why; holds no secret.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


class RequiredServersFailed(ToolsError):  # noqa: N818 -- a fact about the servers
    """
    A turn cannot go on, because servers that it requires are not ready.

    Attributes:
        problems: Why, by the name of the server.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(dict(problems))
        self.problems = dict(problems)

    def __str__(self) -> str:
        reasons = "; ".join(f"{name}: {text}" for name, text in self.problems.items())
        return (
            f"required MCP servers are not ready: {reasons} "
            "(set `required = false` to go on without them)"
        )
