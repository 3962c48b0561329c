"""The patch tool: two forms, one behaviour."""

from pathlib import Path

import attrs
import pytest

from actors.models import PatchForm
from actors.safety import ApprovalCache
from actors.tools.errors import ToolError
from actors.tools.patch import ApplyPatchTool, Patcher
from actors.tools.patch.parser import parse_patch
from actors.tools.patch.wording import FUNCTION_DESCRIPTION, GRAMMAR
from messages.settings import DangerFullAccess
from messages.value import Json

from ..fake_context import FakeContext, custom_call, function_call, offer, raw_call
from .trees import contents, patch


@pytest.fixture
def tool() -> ApplyPatchTool:
    return ApplyPatchTool(Patcher(approvals=ApprovalCache(), environ={}))


def spec(tool: ApplyPatchTool, form: PatchForm | None, *, feature: bool) -> Json:
    base = offer(apply_patch_freeform=feature)
    return tool.spec(attrs.evolve(base, model=attrs.evolve(base.model, apply_patch=form)))


def test_model_gets_the_form_that_it_knows(tool: ApplyPatchTool) -> None:
    """The feature counts only where the model says nothing."""
    freeform = spec(tool, PatchForm.FREEFORM, feature=False)
    function = spec(tool, PatchForm.FUNCTION, feature=True)

    assert (
        freeform == spec(tool, None, feature=True) == spec(tool, PatchForm.FREEFORM, feature=True)
    )
    assert spec(tool, None, feature=False) is None
    assert isinstance(freeform, dict)
    assert freeform["type"] == "custom"
    assert freeform["format"] == {"type": "grammar", "syntax": "lark", "definition": GRAMMAR}
    assert isinstance(function, dict)
    assert function["type"] == "function"
    assert function["parameters"] == {
        "type": "object",
        "properties": {"input": {"type": "string", "description": "The whole text of the patch."}},
        "required": ["input"],
        "additionalProperties": False,
    }
    assert tool.name == "apply_patch"
    assert tool.parallel is False


def test_example_in_the_description_is_a_patch() -> None:
    """The model learns from it."""
    example = FUNCTION_DESCRIPTION[FUNCTION_DESCRIPTION.index("*** Begin Patch\n") :]

    assert len(parse_patch(example)) == 3


@pytest.mark.parametrize("form", ["custom", "function"])
async def test_both_kinds_of_calls_are_understood(
    tool: ApplyPatchTool, tmp_path: Path, form: str
) -> None:
    context = FakeContext(cwd=str(tmp_path), sandbox_policy=DangerFullAccess())
    text = patch("*** Add File: n", "+x")
    call = custom_call("apply_patch", text)
    if form == "function":
        call = function_call("apply_patch", input=text, other=1)

    output = await tool.run(call, context)

    assert output.success
    assert contents(tmp_path) == {"n": b"x\n"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{}", "input: expected a string, got NoneType"),
        ('{"input": 1}', "input: expected a string, got int"),
        ("[]", "expected an object, got list"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(
    tool: ApplyPatchTool, arguments: str, problem: str
) -> None:
    with pytest.raises(ToolError) as caught:
        await tool.run(raw_call("apply_patch", arguments), FakeContext())

    assert caught.value.text == f"failed to parse function arguments: {problem}"
