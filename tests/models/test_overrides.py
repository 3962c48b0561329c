"""What a configuration says of its model."""

from __future__ import annotations

import attrs
import pytest

from actors.models import ModelInfo, ModelOverrides, find_model_info
from messages.settings import TruncationMode, TruncationPolicy


def cut(mode: TruncationMode, limit: int) -> ModelInfo:
    return ModelInfo(slug="m", truncation_policy=TruncationPolicy(mode=mode, limit=limit))


def test_overrides_that_say_nothing_change_nothing() -> None:
    """None is no value."""
    info = find_model_info("gpt-5.2-codex")

    assert ModelOverrides().apply(info) == info


def test_overrides_go_before_what_the_catalog_says() -> None:
    """Each of them, and the limits follow."""
    info = ModelOverrides(
        context_window=1000,
        auto_compact_token_limit=500,
        supports_reasoning_summaries=False,
        tool_output_token_limit=7,
    ).apply(find_model_info("gpt-5.2-codex"))

    assert info == attrs.evolve(
        find_model_info("gpt-5.2-codex"),
        context_window=1000,
        auto_compact_token_limit=500,
        supports_reasoning_summaries=False,
        truncation_policy=TruncationPolicy(mode=TruncationMode.TOKENS, limit=7),
    )
    assert (info.effective_context_window, info.compaction_limit) == (950, 500)


@pytest.mark.parametrize(
    ("mode", "limit"), [(TruncationMode.BYTES, 400), (TruncationMode.TOKENS, 100)]
)
def test_limit_of_outputs_keeps_what_the_model_counts(mode: TruncationMode, limit: int) -> None:
    """A token is taken for four bytes."""
    info = ModelOverrides(tool_output_token_limit=100).apply(cut(mode, 10_000))

    assert info.truncation_policy == TruncationPolicy(mode=mode, limit=limit)


@pytest.mark.parametrize(
    "values",
    [{"context_window": 0}, {"auto_compact_token_limit": 0}, {"tool_output_token_limit": -1}],
)
def test_senseless_overrides_are_refused(values: dict[str, int]) -> None:
    """No window is that small; no output at all may be wanted."""
    with pytest.raises(ValueError):
        ModelOverrides(**values)

    assert ModelOverrides(tool_output_token_limit=0).tool_output_token_limit == 0
