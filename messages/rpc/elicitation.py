"""What an MCP server asks a person, by way of us and of clients of the newer generation."""

from collections.abc import Mapping
from enum import Enum

import attrs

from ..value import Json
from .value import RpcValue

__all__ = [
    "McpServerElicitationAction",
    "McpServerElicitationRequestParams",
    "McpServerElicitationRequestResponse",
]


@attrs.frozen(kw_only=True)
class McpServerElicitationRequestParams(RpcValue):
    """
    Ask with a form.

    Attributes:
        turn_id: The turn in which the server asks; None when that is not known.
        requested_schema: Of the answer: an object of plain fields.
    """

    thread_id: str
    server_name: str
    message: str
    requested_schema: Mapping[str, Json]
    turn_id: str | None = None
    meta: Json = None


class McpServerElicitationAction(Enum):
    """What the person did with the form."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"


@attrs.frozen(kw_only=True)
class McpServerElicitationRequestResponse(RpcValue):
    """The answer; content is what was filled in, where there was something to fill in."""

    action: McpServerElicitationAction
    content: Json = None
    meta: Json = None
