"""What a configuration says of its model."""

from __future__ import annotations

import attrs
import pytest

from actors.models import ModelOverrides, find_model_info


def test_overrides_that_say_nothing_change_nothing() -> None:
    """None is no value."""
    info = find_model_info("gpt-5.2-codex")

    assert ModelOverrides().apply(info) == info


def test_overrides_go_before_what_the_catalog_says() -> None:
    """Each of them, and the limits follow."""
    info = ModelOverrides(context_window=1000, supports_reasoning_summaries=False).apply(
        find_model_info("gpt-5.2-codex")
    )

    assert info == attrs.evolve(
        find_model_info("gpt-5.2-codex"), context_window=1000, supports_reasoning_summaries=False
    )
    assert (info.effective_context_window, info.compaction_limit) == (950, 900)


def test_senseless_overrides_are_refused() -> None:
    """No window is that small."""
    with pytest.raises(ValueError):
        ModelOverrides(context_window=0)

    assert ModelOverrides(context_window=1).context_window == 1
