"""The tool by which the model tells an agent more."""

from collections.abc import Mapping
from typing import Final

import attrs

from messages.events import CollabAgentInteractionBegin, CollabAgentInteractionEnd
from messages.value import Json

from ..tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from ..tool_arguments import unfit
from ..tool_spec import function_spec
from .agent_input import INPUT_PROPERTIES, preview, read_agent_id, read_input
from .control import AgentControl, ParentTurn
from .replies import refusals, reply

__all__ = ["SendInputTool"]

_SPEC: Final = function_spec(
    "send_input",
    (
        "Tells an agent that you started something more. If it is at work, it reads this at its "
        "next step; if it is done, it goes on with this. With interrupt it drops what it does "
        "first."
    ),
    {
        "id": {"type": "string", "description": "The agent, as spawn_agent returned it."},
        **INPUT_PROPERTIES,
        "interrupt": {
            "type": "boolean",
            "description": "Whether it stops what it does and turns to this at once; "
            "false when left out.",
        },
    },
    "id",
)


@attrs.frozen
class SendInputTool:
    """
    Gives an agent more input.

    Source:
        Codex, ``handlers/collab.rs``.
    """

    _control: AgentControl
    name: str = attrs.field(default="send_input", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it where the thread has agents."""
        return _SPEC if offer.features.collab else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Send it, and return the id of the submission without waiting for the answer.

        Raises:
            ToolError: The arguments do not fit, or the agent could not be told.

        Cancellation:
            The agent was not told; it may have been interrupted.
        """
        arguments = parse_arguments(call)
        agent_id, items = read_agent_id(arguments), read_input(arguments)
        interrupt = _read_interrupt(arguments)
        parent, shown = ParentTurn.of(context), preview(items)
        if interrupt:
            with refusals():
                self._control.interrupt(parent, agent_id)
        context.emit(
            CollabAgentInteractionBegin(
                call_id=call.call_id,
                sender_thread_id=parent.thread_id,
                receiver_thread_id=agent_id,
                prompt=shown,
            )
        )
        try:
            with refusals():
                submission_id = await self._control.send(parent, agent_id, items)
        finally:
            context.emit(
                CollabAgentInteractionEnd(
                    call_id=call.call_id,
                    sender_thread_id=parent.thread_id,
                    receiver_thread_id=agent_id,
                    prompt=shown,
                    status=self._control.status(parent, agent_id),
                )
            )
        return reply(submission_id=submission_id)


def _read_interrupt(arguments: Mapping[str, Json]) -> bool:
    value = arguments.get("interrupt")
    if value is not None and not isinstance(value, bool):
        raise unfit("interrupt", "a boolean", value)
    return bool(value)
