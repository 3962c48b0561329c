"""Events about tools other than commands and patches."""

from enum import Enum
from typing import TypeAlias

import attrs

from ..ids import NO_TURN, CallId, TurnId
from ..items import WebSearchAction
from ..value import Json, Seconds, Value

__all__ = [
    "DynamicToolCallRequest",
    "ElicitationRequest",
    "McpCallFailed",
    "McpCallOk",
    "McpCallResult",
    "McpInvocation",
    "McpServerFailure",
    "McpStartupComplete",
    "McpStartupFailed",
    "McpStartupState",
    "McpStartupStateKind",
    "McpStartupStatus",
    "McpStartupUpdate",
    "McpToolCallBegin",
    "McpToolCallEnd",
    "McpToolResult",
    "QuestionOption",
    "RequestUserInput",
    "UserInputQuestion",
    "ViewImageToolCall",
    "WebSearchBegin",
    "WebSearchEnd",
]


@attrs.frozen(kw_only=True)
class McpInvocation(Value):
    """Which tool of which server, with which arguments."""

    server: str
    tool: str
    arguments: Json = None


@attrs.frozen(kw_only=True)
class McpToolCallBegin(Value):
    """A call to an MCP server starts."""

    call_id: CallId
    invocation: McpInvocation


@attrs.frozen(kw_only=True)
class McpToolResult(Value):
    """What an MCP tool answered; is_error says that the tool itself failed."""

    content: tuple[Json, ...] = ()
    structured_content: Json = None
    is_error: bool | None = None
    meta: Json = None


@attrs.frozen(kw_only=True)
class McpCallOk:
    """The server answered."""

    ok: McpToolResult


@attrs.frozen(kw_only=True)
class McpCallFailed:
    """The server did not answer, for this reason."""

    err: str


McpCallResult: TypeAlias = McpCallOk | McpCallFailed


@attrs.frozen(kw_only=True)
class McpToolCallEnd(Value):
    """A call to an MCP server ended."""

    call_id: CallId
    invocation: McpInvocation
    duration: Seconds
    result: McpCallResult


class McpStartupStateKind(Enum):
    """How far an MCP server's start is."""

    STARTING = "starting"
    READY = "ready"
    CANCELLED = "cancelled"


@attrs.frozen(kw_only=True)
class McpStartupState(Value):
    """A start that is under way, done or called off."""

    state: McpStartupStateKind


@attrs.frozen(kw_only=True)
class McpStartupFailed(Value):
    """A start that failed."""

    error: str


McpStartupStatus: TypeAlias = McpStartupState | McpStartupFailed


@attrs.frozen(kw_only=True)
class McpStartupUpdate(Value):
    """An MCP server's start went on."""

    server: str
    status: McpStartupStatus


@attrs.frozen(kw_only=True)
class McpServerFailure(Value):
    """A server that did not start."""

    server: str
    error: str


@attrs.frozen(kw_only=True)
class McpStartupComplete(Value):
    """Every MCP server is ready, failed or called off."""

    ready: tuple[str, ...] = ()
    failed: tuple[McpServerFailure, ...] = ()
    cancelled: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class WebSearchBegin(Value):
    """The provider searches the web."""

    call_id: CallId


@attrs.frozen(kw_only=True)
class WebSearchEnd(Value):
    """The provider searched the web; query is the action in words."""

    call_id: CallId
    query: str
    action: WebSearchAction


@attrs.frozen(kw_only=True)
class ViewImageToolCall(Value):
    """The model looked at an image file."""

    call_id: CallId
    path: str


@attrs.frozen(kw_only=True)
class QuestionOption(Value):
    """One answer to choose."""

    label: str
    description: str


@attrs.frozen(kw_only=True)
class UserInputQuestion(Value):
    """One question to the user; is_secret asks not to show the answer."""

    id: str
    header: str
    question: str
    is_other: bool = False
    is_secret: bool = False
    options: tuple[QuestionOption, ...] | None = None


@attrs.frozen(kw_only=True)
class RequestUserInput(Value):
    """The model asks the user something."""

    call_id: CallId
    questions: tuple[UserInputQuestion, ...]
    turn_id: TurnId = NO_TURN


@attrs.frozen(kw_only=True)
class DynamicToolCallRequest(Value):
    """The client is to run one of its own tools."""

    call_id: CallId
    turn_id: TurnId
    tool: str
    arguments: Json


@attrs.frozen(kw_only=True)
class ElicitationRequest(Value):
    """An MCP server asks the user something."""

    server_name: str
    id: str | int
    message: str
