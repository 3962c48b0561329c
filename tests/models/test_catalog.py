"""What is known of the models."""

from __future__ import annotations

import attrs
import pytest

from actors.models import (
    BASE_INSTRUCTIONS,
    DEFAULT_MODEL,
    SCRIPTED_MODEL,
    InputModality,
    ModelInfo,
    find_model_info,
)
from messages.settings import TruncationMode, TruncationPolicy

BYTES = TruncationPolicy(mode=TruncationMode.BYTES, limit=10_000)
TOKENS = TruncationPolicy(mode=TruncationMode.TOKENS, limit=10_000)


@pytest.mark.parametrize(
    ("model", "truncation", "parallel"),
    [
        ("gpt-5.3-codex", TOKENS, True),
        ("gpt-5.2-codex", TOKENS, True),
        ("gpt-5.1-codex-max", TOKENS, False),
        ("gpt-5.1-codex", TOKENS, False),
        ("gpt-5.2", BYTES, True),
        ("gpt-5.1", BYTES, True),
        ("gpt-5-codex", TOKENS, False),
        ("gpt-5", BYTES, False),
        ("gpt-5.1-codex-mini", TOKENS, False),
        ("gpt-5-codex-mini", TOKENS, False),
    ],
)
def test_known_models_have_the_values_of_codex(
    model: str, truncation: TruncationPolicy, parallel: bool
) -> None:
    """Truncation and parallel calls differ, the rest is common."""
    info = find_model_info(model)

    assert info.slug == model
    assert info.truncation_policy == truncation
    assert info.supports_parallel_tool_calls is parallel
    assert info.supports_reasoning_summaries
    assert (info.context_window, info.default_effort) == (272_000, "medium")


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-5.2-codex-2026", "gpt-5.2-codex"),
        ("gpt-5.2-anything", "gpt-5.2"),
        ("gpt-5-anything", "gpt-5"),
        ("gpt-5.9", "gpt-5"),
    ],
)
def test_longest_known_prefix_decides(model: str, known: str) -> None:
    """And the name stays as it was asked for."""
    assert find_model_info(model) == attrs.evolve(find_model_info(known), slug=model)


@pytest.mark.parametrize("model", ["", "gpt", "llama", "my-gpt-5"])
def test_unknown_model_gets_what_is_safe_with_any(model: str) -> None:
    """Nothing that a server might refuse."""
    assert find_model_info(model) == ModelInfo(
        slug=model,
        context_window=272_000,
        effective_context_window_percent=95,
        auto_compact_token_limit=None,
        supports_reasoning_summaries=False,
        default_effort=None,
        supports_verbosity=False,
        default_verbosity=None,
        supports_parallel_tool_calls=False,
        truncation_policy=BYTES,
        input_modalities=(InputModality.TEXT, InputModality.IMAGE),
        base_instructions=BASE_INSTRUCTIONS,
    )


def test_default_models_are_known() -> None:
    """Both of them."""
    assert find_model_info(DEFAULT_MODEL).supports_reasoning_summaries
    assert find_model_info(SCRIPTED_MODEL).supports_parallel_tool_calls


@pytest.mark.parametrize(
    ("window", "limit", "effective", "compaction"),
    [
        (272_000, None, 258_400, 244_800),
        (100, 50, 95, 50),
        (100, 95, 95, 90),
        (None, 50, None, 50),
        (None, None, None, None),
    ],
)
def test_limits_follow_from_the_window(
    window: int | None, limit: int | None, effective: int | None, compaction: int | None
) -> None:
    """Nine tenths at most; without a window only what is configured."""
    info = ModelInfo(
        slug="m", context_window=window, auto_compact_token_limit=limit, truncation_policy=BYTES
    )

    assert info.effective_context_window == effective
    assert info.compaction_limit == compaction


def test_images_need_the_modality() -> None:
    """A model for text only says so."""
    info = ModelInfo(slug="m", truncation_policy=BYTES, input_modalities=(InputModality.TEXT,))

    assert find_model_info("gpt-5").supports_images
    assert not info.supports_images
