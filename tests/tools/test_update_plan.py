"""The model's to-do list reaches the client, or the model reads why not."""

import json

import pytest

from actors.tools.errors import FatalToolError, ToolError
from actors.tools.tool import Offer, Tool
from actors.tools.update_plan import UpdatePlanTool
from messages.events import PlanStep, PlanUpdate, StepStatus
from messages.settings import ModeKind

from .fake_context import MODEL, FakeContext, custom_call, function_call, offer, raw_call

STEP = {"step": "look", "status": "pending"}


async def test_plan_is_told_and_confirmed():
    """The whole list, in its order; nobody counts the steps in progress."""
    context = FakeContext()
    plan = [
        {"step": "look", "status": "completed"},
        {"step": "think", "status": "in_progress"},
        {"step": "write", "status": "in_progress"},
        {"step": "", "status": "pending"},
    ]

    output = await UpdatePlanTool().run(
        function_call("update_plan", plan=plan, explanation="found it"), context
    )

    assert (output.output, output.success) == ("Plan updated", True)
    assert context.events == [
        PlanUpdate(
            explanation="found it",
            plan=(
                PlanStep(step="look", status=StepStatus.COMPLETED),
                PlanStep(step="think", status=StepStatus.IN_PROGRESS),
                PlanStep(step="write", status=StepStatus.IN_PROGRESS),
                PlanStep(step="", status=StepStatus.PENDING),
            ),
        )
    ]


@pytest.mark.parametrize("arguments", [{"plan": []}, {"plan": [], "explanation": None}])
async def test_plan_may_be_empty_and_without_a_word(arguments):
    """That is how the model takes it back."""
    context = FakeContext()

    await UpdatePlanTool().run(function_call("update_plan", **arguments), context)

    assert context.events == [PlanUpdate(plan=())]


async def test_plan_is_refused_in_plan_mode_whatever_it_says():
    """There the plan is what the model writes."""
    context = FakeContext(mode=ModeKind.PLAN)

    with pytest.raises(ToolError) as caught:
        await UpdatePlanTool().run(raw_call("update_plan", "{"), context)

    text = "update_plan is a TODO/checklist tool and is not allowed in Plan mode"
    assert str(caught.value) == text
    assert context.events == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "missing field plan"),
        ({"plan": None}, "plan: expected a list, got null"),
        ({"plan": {}}, "plan: expected a list, got an object"),
        ({"plan": [STEP, "x"]}, "plan[1]: expected an object, got a string"),
        ({"plan": [{"step": "a"}]}, "missing field plan[0].status"),
        ({"plan": [{"status": "pending"}]}, "missing field plan[0].step"),
        ({"plan": [{**STEP, "step": 1}]}, "plan[0].step: expected a string, got a number"),
        ({"plan": [{**STEP, "status": True}]}, "plan[0].status: expected a string, got a boolean"),
        (
            {"plan": [{**STEP, "status": "done"}]},
            "plan[0].status: expected one of pending, in_progress, completed, got 'done'",
        ),
        (
            {"plan": [{**STEP, "note": ""}]},
            "unknown field plan[0].note, expected one of step, status",
        ),
        ({"plan": [], "steps": []}, "unknown field steps, expected one of explanation, plan"),
        ({"plan": [], "explanation": []}, "explanation: expected a string, got a list"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_with_their_field(arguments, problem):
    """Nothing is told then, so that the client keeps the old list."""
    context = FakeContext()

    with pytest.raises(ToolError) as caught:
        await UpdatePlanTool().run(function_call("update_plan", **arguments), context)

    assert str(caught.value) == f"failed to parse function arguments: {problem}"
    assert context.events == []


async def test_call_with_free_text_ends_the_turn():
    """The model and we disagree about what the tool is."""
    with pytest.raises(FatalToolError):
        await UpdatePlanTool().run(custom_call("update_plan", "x"), FakeContext())


def test_tool_is_offered_in_every_mode_and_runs_alone():
    """Equal offers get equal specs."""
    tool: Tool = UpdatePlanTool()
    spec = tool.spec(offer())

    assert (tool.name, tool.parallel) == ("update_plan", False)
    assert (
        spec == tool.spec(Offer(model=MODEL, mode=ModeKind.PLAN)) == UpdatePlanTool().spec(offer())
    )
    assert json.loads(json.dumps(spec))["parameters"]["required"] == ["plan"]
