"""What a tool is: its calls, what it sees of its turn, and what it gives back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, cast

import attrs
import orjson

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
from messages.ids import CallId, ThreadId, TurnId
from messages.items import FunctionOutput, Message
from messages.ops import DynamicToolResult, ElicitationDecision, ReviewDecision, UserInputResponse
from messages.settings import AskForApproval, ModeKind, SandboxPolicy, TruncationPolicy
from messages.tool_settings import ToolFeatures
from messages.value import Json

from .errors import FatalToolError, ToolError

__all__ = [
    "CustomPayload",
    "FunctionPayload",
    "Offer",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolOutput",
    "ToolPayload",
    "ToolSource",
    "parse_arguments",
]


@attrs.frozen(kw_only=True)
class FunctionPayload:
    """What a function tool gets: JSON text, as the model wrote it."""

    arguments: str


@attrs.frozen(kw_only=True)
class CustomPayload:
    """What a custom tool gets: free text."""

    input: str


ToolPayload: TypeAlias = FunctionPayload | CustomPayload


@attrs.frozen(kw_only=True)
class ToolCall:
    """
    A call, whichever kind of item it came in.

    Attributes:
        call_id: Empty only when a local shell call came without any id.
        name: Of the tool.
    """

    call_id: CallId
    name: str
    payload: ToolPayload


@attrs.frozen(kw_only=True)
class ToolOutput:
    """
    What the model reads of a call.

    Attributes:
        success: Whether the tool did its work; None where that makes no sense.  The
            item for the model has no place for it.
    """

    output: FunctionOutput
    success: bool | None = None


@attrs.frozen(kw_only=True)
class Offer:
    """What a model request is like, as far as it decides which tools it offers."""

    model: ModelInfo
    mode: ModeKind = ModeKind.DEFAULT
    features: ToolFeatures = attrs.field(factory=ToolFeatures)


class ToolContext(Protocol):
    """What a tool sees of the turn that it runs in."""

    @property
    def thread_id(self) -> ThreadId:
        """The thread that the turn belongs to."""
        ...

    @property
    def turn_id(self) -> TurnId:
        """The turn."""
        ...

    @property
    def cwd(self) -> str:
        """Working directory, absolute."""
        ...

    @property
    def approval_policy(self) -> AskForApproval:
        """When a person is asked."""
        ...

    @property
    def sandbox_policy(self) -> SandboxPolicy:
        """What commands may touch."""
        ...

    @property
    def truncation_policy(self) -> TruncationPolicy:
        """How long an output for the model may be."""
        ...

    @property
    def model_info(self) -> ModelInfo:
        """What the model of this turn can do."""
        ...

    @property
    def mode(self) -> ModeKind:
        """The collaboration mode that the session is in now."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables for commands that the user gave for this session."""
        ...

    @property
    def world(self) -> World:
        """Time, ids and randomness."""
        ...

    def emit(self, event: EventMsg) -> None:
        """Publish an event of this turn, also when the turn has ended; never waits."""
        ...

    def add_input(self, message: Message) -> bool:
        """Let a message join the turn at its next model request; False when it has no room."""
        ...

    def start_job(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """
        Run a task of the thread, which may outlast the turn.

        It is cancelled when the thread ends or crashes.  What it raises is a crash of
        the thread, so it deals with its own errors.
        """
        ...

    async def ask_exec_approval(self, request: ExecApprovalRequest) -> ReviewDecision:
        """Publish the request and wait for a person's answer; a denial when none will come."""
        ...

    async def ask_patch_approval(self, request: ApplyPatchApprovalRequest) -> ReviewDecision:
        """Publish the request and wait for a person's answer; a denial when none will come."""
        ...

    async def ask_user(self, request: RequestUserInput) -> UserInputResponse | None:
        """Publish the questions and wait for the user's answers; None when none will come."""
        ...

    async def ask_elicitation(self, request: ElicitationRequest) -> ElicitationDecision:
        """Publish what an MCP server asks and wait; a cancellation when no answer will come."""
        ...

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        """Publish the request and wait for the client's answer; None when none will come."""
        ...


class Tool(Protocol):
    """
    Something the model can call.

    To add one, write a class with these four members in a module of its own, and name
    it in `builtin.builtin_tools`.
    """

    @property
    def name(self) -> str:
        """What calls name it by; unique in a router."""
        ...

    @property
    def parallel(self) -> bool:
        """Whether it may run beside other calls of one response."""
        ...

    def spec(self, offer: Offer, /) -> Json:
        """
        Describe it to the model of a request; None when it is not offered, only understood.

        Must depend on nothing but the offer: equal offers get equal specs.
        """
        ...

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Do the work.

        Raises:
            ToolError: The model reads its text.
            FatalToolError: The turn ends.

        Cancellation:
            Nothing of the call goes on afterwards.
        """
        ...


class ToolSource(Protocol):
    """Tools that come and go while a thread runs, such as those of MCP servers."""

    def tools(self) -> Sequence[Tool]:
        """
        List the tools there are now; never waits.

        The same tuple as long as nothing changed, since specs are built anew when it
        is another.
        """
        ...


def parse_arguments(call: ToolCall) -> dict[str, Json]:
    """
    Read the arguments of a function call.

    Raises:
        ToolError: They are not a JSON object.
        FatalToolError: It is not a function call, so that the model and we disagree about
            what the tool is.
    """
    if not isinstance(call.payload, FunctionPayload):
        raise FatalToolError(f"tool {call.name} invoked with incompatible payload")
    try:
        arguments: object = orjson.loads(call.payload.arguments)
    except orjson.JSONDecodeError as error:
        raise ToolError(f"failed to parse function arguments: {error}") from error
    if not isinstance(arguments, dict):
        raise ToolError(
            "failed to parse function arguments: expected an object, got "
            f"{type(arguments).__name__}"
        )
    return cast("dict[str, Json]", arguments)  # keys of JSON objects are text
