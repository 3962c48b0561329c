"""The tool by which the model ends an agent."""

from typing import Final

import attrs

from messages.events import CollabCloseBegin, CollabCloseEnd
from messages.value import Json

from ..tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from ..tool_spec import function_spec
from .agent_input import read_agent_id
from .control import AgentControl, ParentTurn
from .replies import refusals, reply, status_json

__all__ = ["CloseAgentTool"]

_SPEC: Final = function_spec(
    "close_agent",
    (
        "Ends an agent that you need no more, and those that it started, and returns what it "
        "did until then. Only so many agents can be open at once."
    ),
    {"id": {"type": "string", "description": "The agent, as spawn_agent returned it."}},
    "id",
)


@attrs.frozen
class CloseAgentTool:
    """
    Ends an agent, whatever it does.

    Source:
        Codex, ``handlers/collab.rs``, which does not wait for the end.  Ours does, so that
        the slot is free for the next agent.
    """

    _control: AgentControl
    name: str = attrs.field(default="close_agent", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it where the thread has agents."""
        return _SPEC if offer.features.collab else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        End it, and return its status from before.

        Raises:
            ToolError: The arguments do not fit, or there is no such agent.

        Cancellation:
            It was told to end and will.
        """
        agent_id = read_agent_id(parse_arguments(call))
        parent = ParentTurn.of(context)
        context.emit(
            CollabCloseBegin(
                call_id=call.call_id,
                sender_thread_id=parent.thread_id,
                receiver_thread_id=agent_id,
            )
        )
        status = self._control.status(parent, agent_id)
        try:
            with refusals():
                await self._control.close(parent, agent_id)
        finally:
            context.emit(
                CollabCloseEnd(
                    call_id=call.call_id,
                    sender_thread_id=parent.thread_id,
                    receiver_thread_id=agent_id,
                    status=status,
                )
            )
        return reply(status=status_json(status))
