"""The frame around outputs, by tool and model."""

import json

import attrs
import pytest

from actors.models import PatchForm, find_model_info
from actors.tools import CustomPayload, FunctionPayload, ToolCall
from actors.tools.command_answer import command_answer, wants_json
from messages.ids import CallId
from messages.settings import TruncationMode, TruncationPolicy

MODEL = find_model_info("scripted")
POLICY = TruncationPolicy(mode=TruncationMode.BYTES, limit=20)


@pytest.mark.parametrize("form", [*PatchForm, None])
@pytest.mark.parametrize(
    "name", ["shell", "container.exec", "local_shell", "apply_patch", "shell_command"]
)
@pytest.mark.parametrize("payload", [FunctionPayload(arguments="{}"), CustomPayload(input="")])
def test_json_is_for_function_calls_of_models_that_write_patches_so(form, name, payload) -> None:
    """Every other model reads text, whatever the tool is."""
    call = ToolCall(call_id=CallId("c"), name=name, payload=payload)
    expected = (
        form is PatchForm.FUNCTION
        and isinstance(payload, FunctionPayload)
        and name != "shell_command"
    )

    assert wants_json(call, attrs.evolve(MODEL, apply_patch=form)) is expected


def test_json_holds_the_output_and_the_code_apart() -> None:
    """With tenths of seconds."""
    answer = command_answer("hi\n", exit_code=3, duration=1.26, policy=POLICY, as_json=True)

    assert json.loads(answer) == {
        "output": "hi\n",
        "metadata": {"exit_code": 3, "duration_seconds": 1.3},
    }


def test_text_names_the_number_of_lines_only_when_lines_are_missing() -> None:
    """A short output speaks for itself."""
    short = command_answer("hi\n", exit_code=0, duration=0, policy=POLICY, as_json=False)
    long = command_answer("line\n" * 50, exit_code=1, duration=0, policy=POLICY, as_json=False)

    assert short == "Exit code: 0\nWall time: 0.0 seconds\nOutput:\nhi\n"
    assert long.startswith(
        "Exit code: 1\nWall time: 0.0 seconds\nTotal output lines: 50\nOutput:\nline\n"
    )
