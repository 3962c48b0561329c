"""The tool by which the model gets back an agent that has ended."""

from typing import Final

import attrs

from messages.events import CollabResumeBegin, CollabResumeEnd
from messages.value import Json

from ..tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from ..tool_spec import function_spec
from .agent_input import read_agent_id
from .control import AgentControl, ParentTurn
from .replies import refusals, reply, status_json

__all__ = ["ResumeAgentTool"]

_SPEC: Final = function_spec(
    "resume_agent",
    (
        "Opens an agent again that was closed, with all it knew, so that send_input and wait "
        "reach it. An agent that is open stays as it is."
    ),
    {"id": {"type": "string", "description": "The agent, as spawn_agent returned it."}},
    "id",
)


@attrs.frozen
class ResumeAgentTool:
    """
    Resumes an agent from its rollout.

    Source:
        Codex, ``handlers/collab.rs``.
    """

    _control: AgentControl
    name: str = attrs.field(default="resume_agent", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it where the thread has agents."""
        return _SPEC if offer.features.collab else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Resume it, and return what it does.

        Raises:
            ToolError: The arguments do not fit, or it could not be resumed.

        Cancellation:
            It was not resumed.
        """
        agent_id = read_agent_id(parse_arguments(call))
        parent = ParentTurn.of(context)
        with refusals():
            self._control.check_depth(parent)
        context.emit(
            CollabResumeBegin(
                call_id=call.call_id,
                sender_thread_id=parent.thread_id,
                receiver_thread_id=agent_id,
            )
        )
        try:
            with refusals():
                await self._control.resume(parent, agent_id)
        finally:
            status = self._control.status(parent, agent_id)
            context.emit(
                CollabResumeEnd(
                    call_id=call.call_id,
                    sender_thread_id=parent.thread_id,
                    receiver_thread_id=agent_id,
                    status=status,
                )
            )
        return reply(status=status_json(status))
