"""How tools are described to models."""

from collections.abc import Mapping
from typing import Final

from messages.value import Json

__all__ = ["WORKDIR_AND_RIGHTS", "function_spec"]

WORKDIR_AND_RIGHTS: Final[Mapping[str, Json]] = {
    "workdir": {
        "type": "string",
        "description": "Where to run it; relative paths start at the turn's working directory.",
    },
    "sandbox_permissions": {
        "type": "string",
        "enum": ["use_default", "require_escalated"],
        "description": "require_escalated asks the user to let it run without a sandbox.",
    },
    "justification": {
        "type": "string",
        "description": "For require_escalated: one sentence that tells the user why.",
    },
    "prefix_rule": {
        "type": "array",
        "items": {"type": "string"},
        "description": "For require_escalated: first words of the commands that the user may "
        'allow from now on, for example ["git", "pull"].',
    },
}
"""Parameters of every tool that runs commands."""


def function_spec(
    name: str, description: str, properties: Mapping[str, Json], *required: str
) -> Json:
    """Describe a function tool to the model."""
    return {
        "type": "function",
        "name": name,
        "description": description,
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
    }
