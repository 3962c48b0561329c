"""A tool whose calls wait until the test says how they end."""

from typing import Final, Self

import attrs
import trio

from actors.tools import FatalToolError, Offer, ToolCall, ToolContext, ToolError, ToolOutput
from messages.events import ExecApprovalRequest
from messages.items import FunctionOutput
from messages.value import Json

__all__ = ["ManualCall", "ManualTool"]

_CAPACITY: Final = 1024
"""Calls that may wait for the test; a test that needs more has run away."""


@attrs.define(eq=False)
class ManualCall:
    """
    One call of a `ManualTool`.

    Attributes:
        call: What the model asked.
        context: What the tool sees of the turn; also to emit events and ask questions.
        ended: Set when the call is over, in whichever way.
    """

    call: ToolCall
    context: ToolContext
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    _decided: trio.Event = attrs.field(factory=trio.Event, init=False)
    _end: ToolOutput | Exception | ExecApprovalRequest | None = attrs.field(
        default=None, init=False
    )

    def answer(self, output: FunctionOutput, *, success: bool = True) -> Self:
        """Give the model this output."""
        return self._decide(ToolOutput(output=output, success=success))

    def refuse(self, text: str) -> Self:
        """Tell the model why it cannot be done."""
        return self._decide(ToolError(text))

    def fail(self, error: Exception) -> Self:
        """Let the tool crash."""
        return self._decide(error)

    def end_turn(self, problem: str) -> Self:
        """Let the tool end the whole turn."""
        return self._decide(FatalToolError(problem))

    def ask_approval(self, *command: str) -> Self:
        """Let the tool ask whether a command may run, and give the model the decision's repr."""
        return self._decide(
            ExecApprovalRequest(
                call_id=self.call.call_id,
                turn_id=self.context.turn_id,
                command=command,
                cwd=self.context.cwd,
                parsed_cmd=(),
            )
        )

    def _decide(self, end: ToolOutput | Exception | ExecApprovalRequest) -> Self:
        self._end = end
        self._decided.set()
        return self

    async def run(self) -> ToolOutput:
        """Wait for the decision and carry it out; for the tool."""
        await self._decided.wait()
        match self._end:
            case ToolOutput():
                return self._end
            case ExecApprovalRequest():
                decision = await self.context.ask_exec_approval(self._end)
                return ToolOutput(output=repr(decision))
            case _:
                assert self._end is not None  # set before the event
                raise self._end


@attrs.define(eq=False)
class ManualTool:
    """
    A `Tool` whose calls end when and how the test says.

    Attributes:
        name: What calls name it by.
        parallel: Whether it may run beside other calls.
        stubborn: Seconds that a call goes on after it was cancelled.
    """

    name: str = "manual"
    parallel: bool = attrs.field(default=True, kw_only=True)
    stubborn: float = attrs.field(default=0.0, kw_only=True)
    _send: trio.MemorySendChannel[ManualCall] = attrs.field(init=False)
    _receive: trio.MemoryReceiveChannel[ManualCall] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel(_CAPACITY)

    def spec(self, _offer: Offer) -> Json:
        """Describe it as a function of any arguments."""
        return {
            "type": "function",
            "name": self.name,
            "description": "A tool of a test.",
            "strict": False,
            "parameters": {"type": "object", "properties": {}},
        }

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Hand the call to the test and wait; see `Tool.run`."""
        manual = ManualCall(call, context)
        self._send.send_nowait(manual)
        try:
            return await manual.run()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.stubborn)
            raise
        finally:
            manual.ended.set()

    async def next_call(self) -> ManualCall:
        """
        Wait for a call, and take it; for the test.

        Cancellation:
            No call is lost.
        """
        return await self._receive.receive()
