"""The modes that clients can offer."""

from __future__ import annotations

import attrs
import pytest

from actors.config import (
    CollaborationModeMask,
    apply_mask,
    list_collaboration_modes,
    mode_preset,
)
from messages.settings import (
    KEEP,
    CollaborationMode,
    CollaborationSettings,
    ModeKind,
    ReasoningEffort,
)

NOW = CollaborationMode(
    mode=ModeKind.DEFAULT,
    settings=CollaborationSettings(
        model="m", reasoning_effort=ReasoningEffort("low"), developer_instructions="old"
    ),
)


def test_there_are_two_modes() -> None:
    """With Codex's names and settings, and no model."""
    shown = [
        (mask.name, mask.mode, mask.model, mask.reasoning_effort)
        for mask in list_collaboration_modes()
    ]

    assert shown == [
        ("Plan", ModeKind.PLAN, None, "medium"),
        ("Default", ModeKind.DEFAULT, None, KEEP),
    ]
    assert [mode_preset(kind).mode for kind in ModeKind] == list(ModeKind)


def test_plan_mode_tells_how_to_plan() -> None:
    """What is read by machines is there: the tool, and the tags on lines of their own."""
    text = mode_preset(ModeKind.PLAN).developer_instructions

    assert isinstance(text, str)
    lines = text.splitlines()
    assert lines.count("<proposed_plan>") == lines.count("</proposed_plan>") == 1
    assert "request_user_input" in text
    assert "update_plan" in text


def test_default_mode_takes_back_what_plan_mode_said() -> None:
    """And that nobody can be asked with the tool."""
    text = mode_preset(ModeKind.DEFAULT).developer_instructions

    assert isinstance(text, str)
    assert "request_user_input is not available in this mode" in text
    assert "Default and Plan" in text


def test_a_preset_is_put_over_what_a_thread_has() -> None:
    """The model stays; Default keeps the effort as well."""
    plan = apply_mask(mode_preset(ModeKind.PLAN), NOW)
    back = apply_mask(mode_preset(ModeKind.DEFAULT), plan)

    assert (plan.mode, plan.settings.model) == (ModeKind.PLAN, "m")
    assert plan.settings.reasoning_effort == "medium"
    assert back.settings.reasoning_effort == "medium"
    assert back.mode is ModeKind.DEFAULT
    assert back.settings.developer_instructions != plan.settings.developer_instructions


def test_a_mask_of_nothing_changes_nothing() -> None:
    """Each member says "as it is"."""
    assert apply_mask(CollaborationModeMask(name="x"), NOW) == NOW


@pytest.mark.parametrize("field", ["reasoning_effort", "developer_instructions"])
def test_a_mask_may_clear_a_setting(field: str) -> None:
    """None is not the same as nothing said."""
    mask = attrs.evolve(CollaborationModeMask(name="x"), **{field: None})

    changed = apply_mask(mask, NOW)

    assert changed.settings == attrs.evolve(NOW.settings, **{field: None})


def test_a_mask_may_set_everything() -> None:
    """Also the model."""
    mask = CollaborationModeMask(
        name="x",
        mode=ModeKind.PLAN,
        model="n",
        reasoning_effort=ReasoningEffort("high"),
        developer_instructions="new",
    )

    assert apply_mask(mask, NOW) == CollaborationMode(
        mode=ModeKind.PLAN,
        settings=CollaborationSettings(
            model="n", reasoning_effort=ReasoningEffort("high"), developer_instructions="new"
        ),
    )


def test_the_texts_are_not_in_a_repr() -> None:
    """They are long."""
    assert "proposed_plan" not in repr(list_collaboration_modes())
