"""One call to a server as clients see it: a begin, and an end whatever happens."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from messages.events import (
    McpCallFailed,
    McpCallOk,
    McpCallResult,
    McpInvocation,
    McpToolCallBegin,
    McpToolCallEnd,
    McpToolResult,
)
from messages.ids import CallId
from messages.value import Seconds

from ..tool import ToolContext
from .errors import McpCallError, McpServerLost

__all__ = ["run_told"]

_INTERRUPTED: Final = "tool call was interrupted"


async def run_told(
    call_id: CallId,
    invocation: McpInvocation,
    context: ToolContext,
    work: Callable[[], Awaitable[McpToolResult]],
) -> McpToolResult:
    """
    Do *work* between `McpToolCallBegin` and `McpToolCallEnd`.

    Raises:
        McpCallError: As *work*.
        McpServerLost: As *work*.

    Cancellation:
        The end is told.
    """
    context.emit(McpToolCallBegin(call_id=call_id, invocation=invocation))
    began = trio.current_time()
    told: McpCallResult = McpCallFailed(err=_INTERRUPTED)
    try:
        result = await work()
        told = McpCallOk(ok=result)
    except (McpCallError, McpServerLost) as error:
        told = McpCallFailed(err=error.text)
        raise
    finally:
        context.emit(
            McpToolCallEnd(
                call_id=call_id,
                invocation=invocation,
                duration=Seconds(trio.current_time() - began),
                result=told,
            )
        )
    return result
