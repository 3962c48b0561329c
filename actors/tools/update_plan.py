"""The tool by which the model keeps a to-do list that its user can see."""

from typing import Final

import attrs

from messages.events import PlanStep, PlanUpdate, StepStatus
from messages.settings import ModeKind
from messages.value import Json

from .errors import ToolError
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_arguments import optional_text, read_list, read_object, read_text, refuse_unknown

__all__ = ["UpdatePlanTool"]

_STATUSES: Final = tuple(status.value for status in StepStatus)

_SPEC: Final = {
    "type": "function",
    "name": "update_plan",
    "description": (
        "Shows the user your to-do list for the task: all steps with their status, and if it "
        "helps an explanation of what changed. Each call replaces the whole list. Have at most "
        "one step in_progress at a time."
    ),
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {
            "explanation": {"type": "string", "description": "Why the list changed."},
            "plan": {
                "type": "array",
                "description": "All steps, in their order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "step": {"type": "string", "description": "What is to be done."},
                        "status": {"type": "string", "description": f"{', '.join(_STATUSES)}."},
                    },
                    "required": ["step", "status"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["plan"],
        "additionalProperties": False,
    },
}


@attrs.frozen
class UpdatePlanTool:
    """
    Tells clients the model's to-do list.

    Not for Plan mode, where the plan is what the model writes.

    Source:
        Codex, ``handlers/plan.rs``; there, too, nobody counts the steps in progress.
    """

    name: str = attrs.field(default="update_plan", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, _offer: Offer) -> Json:
        """Describe it, in every mode: a list of tools that stays the same is read faster."""
        return _SPEC

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Tell the list; never waits.

        Raises:
            ToolError: The session is in Plan mode, or the arguments do not fit.
        """
        if context.mode is ModeKind.PLAN:
            raise ToolError("update_plan is a TODO/checklist tool and is not allowed in Plan mode")
        context.emit(_read_plan(parse_arguments(call)))
        return ToolOutput(output="Plan updated", success=True)


def _read_plan(arguments: dict[str, Json]) -> PlanUpdate:
    refuse_unknown(arguments, ("explanation", "plan"))
    steps = read_list(arguments, "plan")
    return PlanUpdate(
        explanation=optional_text(arguments, "explanation"),
        plan=tuple(_read_step(step, f"plan[{number}]") for number, step in enumerate(steps)),
    )


def _read_step(value: Json, place: str) -> PlanStep:
    members = read_object(value, place)
    refuse_unknown(members, ("step", "status"), f"{place}.")
    status = read_text(members, "status", f"{place}.")
    if status not in _STATUSES:
        raise ToolError(
            f"failed to parse function arguments: {place}.status: expected one of "
            f"{', '.join(_STATUSES)}, got {status!r}"
        )
    return PlanStep(step=read_text(members, "step", f"{place}."), status=StepStatus(status))
