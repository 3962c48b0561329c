"""The tool calls of one model request: started as they come, answered in their order."""

from collections.abc import Callable

import attrs
import trio

from actors.tools import CustomPayload, FatalToolError, RequestTools, ToolCall, ToolContext
from messages.items import CustomToolCallOutput, FunctionCallOutput, ResponseItem

__all__ = ["ToolCalls"]


@attrs.define(eq=False)
class _Slot:
    call: ToolCall
    parallel: bool
    started: float
    done: trio.Event = attrs.field(factory=trio.Event)
    output: ResponseItem | None = None


@attrs.define(eq=False)
class ToolCalls:
    """
    Runs the calls of one model request in a nursery of the turn.

    A call of a parallel tool waits for the earlier calls that are not parallel;
    any other call waits for all earlier ones.  The number of calls is bounded by
    what one model response can hold.

    Source:
        Codex, ``ToolCallRuntime``; its read-write lock gives the same order for
        calls that come in a row.
    """

    _tools: RequestTools
    _context: ToolContext
    _nursery: trio.Nursery
    _clock: Callable[[], float] = trio.current_time
    _slots: list[_Slot] = attrs.field(factory=list[_Slot], init=False)
    _fatal: FatalToolError | None = attrs.field(default=None, init=False)

    def start(self, call: ToolCall) -> None:
        """Start a call now, while the model may still be writing."""
        slot = _Slot(call, self._tools.is_parallel(call), self._clock())
        earlier = tuple(other for other in self._slots if self._blocks(other, slot))
        self._slots.append(slot)
        self._nursery.start_soon(self._run, slot, earlier, name=f"tool {call.name}")

    def __len__(self) -> int:
        """Count the calls of this request."""
        return len(self._slots)

    def outputs(self) -> tuple[ResponseItem, ...]:
        """List the answers in call order; a call without one counts as stopped."""
        now = self._clock()
        return tuple(
            slot.output or self._tools.aborted(slot.call, now - slot.started)
            for slot in self._slots
        )

    def check(self) -> None:
        """
        Raise what a tool could not answer to the model.

        Raises:
            FatalToolError: The first one, if any.
        """
        if self._fatal is not None:
            raise self._fatal

    @staticmethod
    def _blocks(earlier: _Slot, later: _Slot) -> bool:
        return not earlier.done.is_set() and not (later.parallel and earlier.parallel)

    async def _run(self, slot: _Slot, earlier: tuple[_Slot, ...]) -> None:
        for other in earlier:
            await other.done.wait()
        try:
            slot.output = await self._tools.dispatch(slot.call, self._context)
        except FatalToolError as error:
            self._fatal = self._fatal or error
            slot.output = _answer(slot.call, str(error))
        finally:
            slot.done.set()


def _answer(call: ToolCall, text: str) -> ResponseItem:
    if isinstance(call.payload, CustomPayload):
        return CustomToolCallOutput(call_id=call.call_id, output=text)
    return FunctionCallOutput(call_id=call.call_id, output=text)
