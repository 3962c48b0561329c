"""The kinds of agents that a model can choose from, and what it reads of them."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

__all__ = ["OFFERED_ROLES", "AgentRole"]


class AgentRole(Enum):
    """What an agent is for; who starts agents says what each of them is set up with."""

    DEFAULT = "default"
    WORKER = "worker"
    EXPLORER = "explorer"
    ORCHESTRATOR = "orchestrator"


OFFERED_ROLES: Final[Mapping[AgentRole, str]] = {
    AgentRole.DEFAULT: "An agent like you, for anything.",
    AgentRole.EXPLORER: (
        "Answers one well-defined question about the code. Quick and to be trusted: do not "
        "look up again what it found. Start several beside each other for separate questions."
    ),
    AgentRole.WORKER: (
        "Carries out a piece of the work, such as a feature, a fix or a test. Give it files of "
        "its own, and tell it that others are working in the same tree."
    ),
}
"""
The roles that the model is told of, with when to use them.

An orchestrator is understood but not offered, as in Codex: it would need agents of its
own, for which the default depth has no room.
"""
