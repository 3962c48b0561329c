"""The tool by which the model waits for agents."""

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from messages.events import AgentStatus, CollabWaitingBegin, CollabWaitingEnd
from messages.ids import ThreadId
from messages.value import Json

from ..errors import ToolError
from ..tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from ..tool_arguments import read_list, unfit
from ..tool_spec import function_spec
from .agent_input import to_agent_id
from .control import AgentControl, ParentTurn
from .replies import reply, status_json

__all__ = ["DEFAULT_TIMEOUT_MS", "MAX_TIMEOUT_MS", "MIN_TIMEOUT_MS", "WaitTool"]

DEFAULT_TIMEOUT_MS: Final = 30_000
MIN_TIMEOUT_MS: Final = 10_000
"""A model that waits for less asks again and again, and each time is a request."""

MAX_TIMEOUT_MS: Final = 300_000

_SPEC: Final = function_spec(
    "wait",
    (
        "Waits until one of these agents is done, and returns the statuses of those that are, "
        "with their last words. Agents that still work are left out: wait for them again. Use "
        "long times; asking often helps nobody."
    ),
    {
        "ids": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The agents, as spawn_agent returned them.",
        },
        "timeout_ms": {
            "type": "number",
            "description": f"How long at most, in milliseconds: {DEFAULT_TIMEOUT_MS} when left "
            f"out, and between {MIN_TIMEOUT_MS} and {MAX_TIMEOUT_MS}.",
        },
    },
    "ids",
)


@attrs.frozen
class WaitTool:
    """
    Waits until the first of some agents is done.

    Source:
        Codex, ``handlers/collab.rs``.  There an agent that was just sent new input may still
        count as done with the input before (L17).
    """

    _control: AgentControl
    name: str = attrs.field(default="wait", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it where the thread has agents."""
        return _SPEC if offer.features.collab else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Wait, and return the statuses of the agents that are done; none when time is up.

        Raises:
            ToolError: The arguments do not fit.

        Cancellation:
            Changes nothing.
        """
        arguments = parse_arguments(call)
        agent_ids, timeout = _read_ids(arguments), _read_timeout(arguments)
        parent = ParentTurn.of(context)
        context.emit(
            CollabWaitingBegin(
                call_id=call.call_id,
                sender_thread_id=parent.thread_id,
                receiver_thread_ids=agent_ids,
            )
        )
        statuses: Mapping[ThreadId, AgentStatus] = {}
        try:
            with trio.move_on_after(timeout):
                statuses = await self._control.wait_final(parent, agent_ids)
        finally:
            context.emit(
                CollabWaitingEnd(
                    call_id=call.call_id,
                    sender_thread_id=parent.thread_id,
                    statuses={str(agent_id): status for agent_id, status in statuses.items()},
                )
            )
        written: dict[str, Json] = {i: status_json(status) for i, status in statuses.items()}
        return reply(None, status=written, timed_out=not statuses)


def _read_ids(arguments: Mapping[str, Json]) -> tuple[ThreadId, ...]:
    values = read_list(arguments, "ids")
    if not values:
        raise ToolError("ids must be non-empty")
    agent_ids: dict[ThreadId, None] = {}  # each once, in order
    for number, value in enumerate(values):
        if not isinstance(value, str):
            raise unfit(f"ids[{number}]", "a string", value)
        agent_ids[to_agent_id(value)] = None
    return tuple(agent_ids)


def _read_timeout(arguments: Mapping[str, Json]) -> float:
    """Read how many seconds to wait."""
    value = arguments.get("timeout_ms")
    if value is None:
        value = DEFAULT_TIMEOUT_MS
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unfit("timeout_ms", "a number", value)
    if value <= 0:
        raise ToolError("timeout_ms must be greater than zero")
    return min(max(value, MIN_TIMEOUT_MS), MAX_TIMEOUT_MS) / 1000
