"""The tool by which the model starts an agent."""

from collections.abc import Mapping
from typing import Final

import attrs

from messages.events import CollabAgentSpawnBegin, CollabAgentSpawnEnd, StatusKind
from messages.ids import ThreadId
from messages.value import Json

from ..errors import ToolError
from ..tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from ..tool_arguments import optional_text
from ..tool_spec import function_spec
from .agent_input import INPUT_PROPERTIES, preview, read_input
from .control import AgentControl, ParentTurn
from .replies import refusals, reply
from .roles import OFFERED_ROLES, AgentRole

__all__ = ["SpawnAgentTool"]

_SPEC: Final = function_spec(
    "spawn_agent",
    (
        "Starts an agent that works on a task beside you, in the same working directory, and "
        "returns its id at once. It knows nothing of this conversation: tell it all it needs. "
        "Use wait to get its result, and close_agent when you need it no more."
    ),
    {
        **INPUT_PROPERTIES,
        "agent_type": {
            "type": "string",
            "description": "What kind of agent; default when left out.\n"
            + "\n".join(f"{role.value}: {text}" for role, text in OFFERED_ROLES.items()),
        },
    },
)

_FAILED: Final = "collab spawn failed"


@attrs.frozen
class SpawnAgentTool:
    """
    Starts an agent with its first input.

    Source:
        Codex, ``handlers/collab.rs``, which tells no end when the agent's configuration is
        not possible; ours tells one end for each beginning.
    """

    _control: AgentControl
    name: str = attrs.field(default="spawn_agent", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it where the thread has agents."""
        return _SPEC if offer.features.collab else None

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Start it, and return its id without waiting for its work.

        Raises:
            ToolError: The arguments do not fit, or the agent could not be started.

        Cancellation:
            There is no agent, or it was told to end.
        """
        arguments = parse_arguments(call)
        prompt, role = read_input(arguments), _read_role(arguments)
        parent, shown = ParentTurn.of(context), preview(prompt)
        with refusals(_FAILED):
            self._control.check_depth(parent)
        context.emit(
            CollabAgentSpawnBegin(
                call_id=call.call_id, sender_thread_id=parent.thread_id, prompt=shown
            )
        )
        agent_id: ThreadId | None = None
        try:
            with refusals(_FAILED):
                agent_id = await self._control.spawn(parent, prompt, role=role)
        finally:
            context.emit(self._end(call, parent, shown, agent_id))
        return reply(agent_id=agent_id)

    def _end(
        self, call: ToolCall, parent: ParentTurn, shown: str, agent_id: ThreadId | None
    ) -> CollabAgentSpawnEnd:
        status = StatusKind.NOT_FOUND
        return CollabAgentSpawnEnd(
            call_id=call.call_id,
            sender_thread_id=parent.thread_id,
            prompt=shown,
            new_thread_id=agent_id,
            status=status if agent_id is None else self._control.status(parent, agent_id),
        )


def _read_role(arguments: Mapping[str, Json]) -> AgentRole:
    name = optional_text(arguments, "agent_type")
    if name is None:
        return AgentRole.DEFAULT
    try:
        return AgentRole(name)
    except ValueError:
        known = ", ".join(role.value for role in AgentRole)
        raise ToolError(
            f"failed to parse function arguments: agent_type: expected one of {known}, got {name!r}"
        ) from None
