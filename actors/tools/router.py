"""Finds the tool for each call, and turns whatever happens into an answer for the model."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NoReturn, cast

import attrs
import trio

from messages.ids import CallId
from messages.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    FunctionOutput,
    LocalShellCall,
    ResponseItem,
)
from messages.value import Json

from .errors import FatalToolError, ToolError
from .tool import (
    CustomPayload,
    FunctionPayload,
    Offer,
    Tool,
    ToolCall,
    ToolContext,
    ToolOutput,
    ToolPayload,
    ToolSource,
)

__all__ = ["RequestTools", "ToolRouter"]

_logger = logging.getLogger(__name__)

_LOCAL_SHELL: Final = "local_shell"

_SHELL_FAMILY: Final = frozenset(
    {"shell", "container.exec", _LOCAL_SHELL, "shell_command", "unified_exec"}
)
"""Tools whose stopped calls say so in words of their own.  Source: Codex, ``parallel.rs``."""

_SHORTEST: Final = 0.1
"""Seconds; what a stopped call says it ran at least."""


class ToolRouter:
    """
    The tools of one thread, in the order in which they are offered to the model.

    Args:
        tools: Those that are always there.
        sources:
            Those that come and go.  One that has the name of an earlier tool is left
            out: nothing shadows what the model knows already.

    Raises:
        ValueError: Two tools that are always there have one name.
    """

    def __init__(self, tools: Iterable[Tool], sources: Iterable[ToolSource] = ()) -> None:
        self._tools = tuple(tools)
        self._sources = tuple(sources)
        names = [tool.name for tool in self._tools]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tools are called {name!r}; give one another name")
        self._built: tuple[Offer, tuple[Sequence[Tool], ...], RequestTools] | None = None

    def for_request(self, offer: Offer) -> "RequestTools":
        """
        Fix the tools of one model request: what is offered, and what is understood.

        Built anew only when the offer or a source has changed since the last time.
        """
        moving = tuple(source.tools() for source in self._sources)
        built = self._built
        if built is not None and built[0] == offer and _same(built[1], moving):
            return built[2]
        found = {tool.name: tool for tool in self._tools}
        for tools in moving:
            for tool in tools:
                if found.setdefault(tool.name, tool) is not tool:
                    _logger.warning("tool %r is left out: its name is taken", tool.name)
        request = RequestTools.of(found, offer)
        self._built = (offer, moving, request)
        return request

    @property
    def names(self) -> frozenset[str]:
        """What the tools that are always there are called."""
        return frozenset(tool.name for tool in self._tools)

    def __repr__(self) -> str:
        return f"<ToolRouter {', '.join(tool.name for tool in self._tools)}>"


@attrs.frozen(eq=False, repr=False)
class RequestTools:
    """
    The tools of one model request; later changes do not reach it.

    Attributes:
        specs: What the model is told of the tools, in order.
    """

    specs: tuple[Json, ...]
    _tools: dict[str, Tool]
    _parallel: frozenset[str]

    @classmethod
    def of(cls, tools: dict[str, Tool], offer: Offer) -> "RequestTools":
        """Ask each tool whether and how it is offered."""
        specs: list[Json] = []
        parallel: set[str] = set()
        for tool in tools.values():
            spec = tool.spec(offer)
            if spec is None:
                continue
            specs.append(spec)
            if tool.parallel:
                parallel.add(tool.name)
        return cls(tuple(specs), tools, frozenset(parallel))

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


def _same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    """Whether every source still gives the very tuple that it gave before."""
    return all(one is other for one, other in zip(before, now, strict=True))


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
