"""With which settings an agent starts: those of its parent's turn, changed by its role."""

from collections.abc import Mapping
from typing import Final

import attrs

from actors.config import ThreadConfig
from actors.thread import SessionSettings
from actors.tools.agents import AgentRole, ParentTurn
from messages.settings import AskForApproval, ReasoningEffort

__all__ = ["ROLE_PROFILES", "RoleProfile", "agent_config"]

_ORCHESTRATE: Final = """\
You lead a group of agents that work on one task for you.

Split the task into parts that do not need each other, and start an agent for each of them.
Tell every agent all that it needs: it knows nothing of your conversation, nor of the other
agents. Give agents that write files different files, and tell them that others are at work.
Do yourself only what is too small to explain. While agents work, wait for them with long
times instead of asking often. Read what they give back with a critical eye, send an agent
more input where something is missing, and close each agent whose work is done.

In the end put the parts together, check that they fit, and report what was done, what was
not, and what is uncertain.
"""


@attrs.frozen(kw_only=True)
class RoleProfile:
    """
    What a role changes of the settings that an agent inherits; None changes nothing.

    Attributes:
        model: By its name at the same provider.
        effort: How long it thinks.
        base_instructions: In the place of its parent's.
    """

    model: str | None = None
    effort: ReasoningEffort | None = None
    base_instructions: str | None = attrs.field(default=None, repr=False)


ROLE_PROFILES: Final[Mapping[AgentRole, RoleProfile]] = {
    AgentRole.EXPLORER: RoleProfile(effort=ReasoningEffort("medium")),
    AgentRole.ORCHESTRATOR: RoleProfile(base_instructions=_ORCHESTRATE),
}
"""
The roles that change anything.

Codex's explorer also has a smaller model of OpenAI's.  Ours keeps its parent's, because
the provider may have no such model.
"""


def agent_config(
    parent: ThreadConfig,
    settings: SessionSettings,
    turn: ParentTurn,
    *,
    profile: RoleProfile | None,
    may_spawn: bool,
) -> ThreadConfig:
    """
    Build the configuration of an agent.

    Nobody is asked about what it does: it may do what its parent may without asking.

    Args:
        parent: What the parent was started with.
        settings: The parent's settings as they are now.
        turn: The turn that starts the agent.
        profile:
            Of its role; None for an agent that is resumed, whose base instructions are
            those of its rollout.
        may_spawn: Whether it may have agents of its own.
    """
    role = profile or RoleProfile()
    inherited = None if profile is None else settings.base_instructions
    features = parent.features
    return attrs.evolve(
        parent,
        cwd=turn.cwd,
        model=role.model or turn.model,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=turn.sandbox_policy,
        effort=role.effort or settings.effort,
        summary=settings.summary,
        base_instructions=role.base_instructions or inherited,
        developer_instructions=settings.developer_instructions,
        user_instructions=settings.user_instructions,
        personality=settings.personality,
        collaboration_mode=None,
        features=attrs.evolve(features, collab=features.collab and may_spawn),
    )
