"""Finds the tool for each call, and turns whatever happens into an answer for the model."""

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn, Protocol, TypeAlias, cast

import attrs
import orjson
import trio

from actors.runtime import World
from messages.events import DynamicToolCallRequest, EventMsg, ExecApprovalRequest
from messages.ids import CallId, ThreadId, TurnId
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    FunctionOutput,
    LocalShellCall,
    ResponseItem,
)
from messages.ops import DynamicToolResult, ReviewDecision
from messages.settings import AskForApproval, SandboxPolicy, TruncationPolicy
from messages.value import Json

from .errors import FatalToolError, ToolError

__all__ = [
    "CustomPayload",
    "FunctionPayload",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolOutput",
    "ToolPayload",
    "ToolRouter",
    "parse_arguments",
]

_logger = logging.getLogger(__name__)

_LOCAL_SHELL: Final = "local_shell"

_SHELL_FAMILY: Final = frozenset(
    {"shell", "container.exec", _LOCAL_SHELL, "shell_command", "unified_exec"}
)
"""Tools whose stopped calls say so in words of their own.  Source: Codex, ``parallel.rs``."""

_SHORTEST: Final = 0.1
"""Seconds; what a stopped call says it ran at least."""


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
    def world(self) -> World:
        """Time, ids and randomness."""
        ...

    def emit(self, event: EventMsg) -> None:
        """Publish an event of this turn; never waits."""
        ...

    async def ask_exec_approval(self, request: ExecApprovalRequest) -> ReviewDecision:
        """Publish the request and wait for a person's answer."""
        ...

    async def ask_client(self, request: DynamicToolCallRequest) -> DynamicToolResult | None:
        """Publish the request and wait for the client's answer; None when none will come."""
        ...


class Tool(Protocol):
    """
    Something the model can call.

    To add one, write a class with these four members in a module of its own, and put
    an instance into the list that is given to the router.
    """

    @property
    def name(self) -> str:
        """What calls name it by; unique in a router."""
        ...

    @property
    def parallel(self) -> bool:
        """Whether it may run beside other calls of one response."""
        ...

    def spec(self) -> Json:
        """Describe it to the model; None for a tool that is not offered, only understood."""
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


class ToolRouter:
    """
    The tools of one thread, in the order in which they are offered to the model.

    Raises:
        ValueError: Two tools have one name.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        specs: list[Json] = []
        self._parallel: set[str] = set()
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are called {tool.name!r}; give one another name")
            self._tools[tool.name] = tool
            spec = tool.spec()
            if spec is None:
                continue
            specs.append(spec)
            if tool.parallel:
                self._parallel.add(tool.name)
        self._specs = tuple(specs)

    def __repr__(self) -> str:
        return f"<ToolRouter {', '.join(self._tools)}>"

    def specs(self) -> tuple[Json, ...]:
        """List what the model is told of the tools, in order."""
        return self._specs

    def is_parallel(self, call: ToolCall) -> bool:
        """
        Whether a call may run beside others.

        Only tools that are offered do: a call by a name that is merely understood runs alone.

        Source:
            Codex, ``tool_supports_parallel``.
        """
        return call.name in self._parallel

    def parse(self, item: ResponseItem) -> ToolCall | None:
        """Read an item of the model as a call; None when it is not one for us to run."""
        match item:
            case FunctionCall():
                payload: ToolPayload = FunctionPayload(arguments=item.arguments)
                return ToolCall(call_id=CallId(item.call_id), name=item.name, payload=payload)
            case CustomToolCall():
                payload = CustomPayload(input=item.input)
                return ToolCall(call_id=CallId(item.call_id), name=item.name, payload=payload)
            case LocalShellCall():
                return _local_shell_call(item)
            case _:
                return None

    async def dispatch(self, call: ToolCall, context: ToolContext) -> ResponseItem:
        """
        Run a call and give back the item that answers it.

        Whatever a tool raises is answered to the model as text, and a crash is logged:
        one bad tool must not cost the turn.

        Raises:
            FatalToolError: The turn has to end.

        Cancellation:
            The call is stopped; the caller gets its answer from `aborted`.
        """
        output = await self._run(call, context)
        _logger.debug("tool %r, call %r: success=%r", call.name, call.call_id, output.success)
        return _answer(call, output.output)

    def aborted(self, call: ToolCall, elapsed: float) -> ResponseItem:
        """
        Answer a call that was stopped by the user.

        Args:
            elapsed: Seconds that it ran.
        """
        seconds = max(elapsed, _SHORTEST)
        if call.name in _SHELL_FAMILY:
            return _answer(call, f"Wall time: {seconds:.1f} seconds\naborted by user")
        return _answer(call, f"aborted by user after {seconds:.1f}s")

    async def _run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        tool = self._tools.get(call.name)
        try:
            if tool is None:
                _raise_unsupported(call)
            _check_id(call)
            return await tool.run(call, context)
        except ToolError as error:
            return ToolOutput(output=error.text, success=False)
        except FatalToolError:
            raise
        except BaseExceptionGroup as group:
            return _explain_group(call, group)
        except Exception as error:  # noqa: BLE001 -- the promise of dispatch
            return _explain_crash(call, error)


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


def _check_id(call: ToolCall) -> None:
    if not call.call_id and call.name == _LOCAL_SHELL:
        raise ToolError("LocalShellCall without call_id or id")


def _raise_unsupported(call: ToolCall) -> NoReturn:
    kind = "custom tool call" if isinstance(call.payload, CustomPayload) else "call"
    raise ToolError(f"unsupported {kind}: {call.name}")


def _local_shell_call(item: LocalShellCall) -> ToolCall:
    """
    Read the shell call that some models have built in.

    Its environment and user are not used: commands run as we do, with our environment.
    """
    action = item.action
    arguments: dict[str, Json] = {"command": action.command}
    if action.working_directory is not None:
        arguments["workdir"] = action.working_directory
    if action.timeout_ms is not None:
        arguments["timeout_ms"] = action.timeout_ms
    # json, not orjson: a command may hold text that is no valid Unicode.
    payload = FunctionPayload(arguments=json.dumps(arguments))
    call_id = CallId(item.call_id or item.id or "")
    return ToolCall(call_id=call_id, name=_LOCAL_SHELL, payload=payload)


def _answer(call: ToolCall, output: FunctionOutput) -> ResponseItem:
    if isinstance(call.payload, CustomPayload):
        return CustomToolCallOutput(call_id=call.call_id, output=output)
    return FunctionCallOutput(call_id=call.call_id, output=output)


def _explain_crash(call: ToolCall, error: BaseException) -> ToolOutput:
    _logger.error("tool %r crashed in call %r", call.name, call.call_id, exc_info=error)
    return ToolOutput(
        output=f"tool {call.name} failed unexpectedly: {type(error).__name__}", success=False
    )


def _explain_group(call: ToolCall, group: BaseExceptionGroup[BaseException]) -> ToolOutput:
    """
    Answer for a nursery inside a tool that ended with several exceptions.

    A cancellation goes on without what crashed beside it, which is logged; a fatal
    error goes on alone; what is no `Exception`, such as `KeyboardInterrupt`, goes on.
    """
    ours, rest = group.split((Exception, trio.Cancelled))
    if ours is None or rest is not None:
        raise group
    cancelled, crashes = ours.split(trio.Cancelled)
    if cancelled is not None:
        if crashes is not None:
            _explain_crash(call, crashes)
        raise cancelled
    raised = tuple(_leaves(group))
    fatal = next((error for error in raised if isinstance(error, FatalToolError)), None)
    if fatal is not None:
        raise fatal from group
    refusals = [error for error in raised if isinstance(error, ToolError)]
    if len(refusals) == len(raised):
        return ToolOutput(output=refusals[0].text, success=False)
    return _explain_crash(call, group)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            yield error
