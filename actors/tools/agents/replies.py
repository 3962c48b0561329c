"""What the agent tools give back to the model: JSON of results, texts of refusals."""

from collections.abc import Generator
from contextlib import contextmanager

import orjson

from messages.codec import to_json
from messages.events import AgentStatus
from messages.value import Json

from ..errors import ToolError
from ..tool import ToolOutput
from .errors import AgentError, AgentFailed, AgentLimitReached

__all__ = ["refusals", "reply", "status_json"]


def reply(success: bool | None = True, /, **members: Json) -> ToolOutput:  # noqa: FBT001, FBT002 -- beside keyword members of any name
    """Build an output whose text is a JSON object."""
    return ToolOutput(output=orjson.dumps(members).decode(), success=success)


def status_json(status: AgentStatus) -> Json:
    """Write a status as the model reads it."""
    return to_json(status)


@contextmanager
def refusals(doing: str = "collab tool failed") -> Generator[None]:
    """
    Let the model read why something was refused.

    Args:
        doing: What failed, in front of reasons that do not say so themselves.

    Raises:
        ToolError: In the place of an `AgentError`.
    """
    try:
        yield
    except AgentError as error:
        vague = isinstance(error, AgentFailed | AgentLimitReached)
        raise ToolError(f"{doing}: {error}" if vague else str(error)) from error
