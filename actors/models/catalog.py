"""What is known of the models: windows, abilities and defaults, by the longest known prefix."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

import attrs

from messages.settings import ReasoningEffort, TruncationMode, TruncationPolicy, Verbosity

from .instructions import BASE_INSTRUCTIONS

__all__ = [
    "DEFAULT_MODEL",
    "SCRIPTED_MODEL",
    "InputModality",
    "ModelInfo",
    "PatchForm",
    "find_by_prefix",
    "find_model_info",
    "longest_first",
]

DEFAULT_MODEL: Final = "gpt-5.2-codex"
"""Asked when nobody chose a model; the first of Codex's list that its picker shows."""

SCRIPTED_MODEL: Final = "scripted"
"""The name of the model that plays scenarios."""


class InputModality(Enum):
    """What a model can take in."""

    TEXT = "text"
    IMAGE = "image"


class PatchForm(Enum):
    """How a model writes patches: as free text, or as the argument of a function."""

    FREEFORM = "freeform"
    FUNCTION = "function"


_BOTH: Final = (InputModality.TEXT, InputModality.IMAGE)


@attrs.frozen(kw_only=True)
class ModelInfo:
    """
    What one model can do.

    Attributes:
        slug: The name it was asked for by.
        context_window: In tokens; None when not known.
        effective_context_window_percent: How much of it a conversation may use.
        auto_compact_token_limit:
            Compact from here on, in tokens; None for nine tenths of the window.
            See `compaction_limit`, which is the one to use.
        supports_reasoning_summaries: Whether it reasons and can sum it up.
        default_effort: Used when a request does not say; None leaves it to the server.
        supported_efforts: Least first; empty when not known.
        supports_verbosity: Whether it can be told how much to write.
        default_verbosity: Used when a request does not say; None leaves it to the server.
        supports_parallel_tool_calls: Whether it may call several tools at once.
        apply_patch: How it writes patches; None when nothing is known of that.
        truncation_policy: How long a tool output may be in the history.
        base_instructions: Sent when a thread brings none of its own.
    """

    slug: str
    context_window: int | None = 272_000
    effective_context_window_percent: int = 95
    auto_compact_token_limit: int | None = None
    supports_reasoning_summaries: bool = False
    default_effort: ReasoningEffort | None = None
    supported_efforts: tuple[ReasoningEffort, ...] = ()
    supports_verbosity: bool = False
    default_verbosity: Verbosity | None = None
    supports_parallel_tool_calls: bool = False
    apply_patch: PatchForm | None = None
    truncation_policy: TruncationPolicy
    input_modalities: tuple[InputModality, ...] = _BOTH
    base_instructions: str = attrs.field(default=BASE_INSTRUCTIONS, repr=False)

    @property
    def effective_context_window(self) -> int | None:
        """What of the window a conversation may use, in tokens; None when not known."""
        if self.context_window is None:
            return None
        return self.context_window * self.effective_context_window_percent // 100

    @property
    def compaction_limit(self) -> int | None:
        """Compact from here on, in tokens; None means never."""
        if self.context_window is None:
            return self.auto_compact_token_limit
        nine_tenths = self.context_window * 9 // 10
        limit = self.auto_compact_token_limit
        return nine_tenths if limit is None else min(limit, nine_tenths)

    @property
    def supports_images(self) -> bool:
        """Whether images may be sent."""
        return InputModality.IMAGE in self.input_modalities

    def fit_effort(self, effort: ReasoningEffort | None) -> ReasoningEffort | None:
        """
        Choose an effort for this model, given the one chosen for another.

        It stays when the model supports it, and so does None, which is the
        model's own default.  Otherwise the one in the middle; when nothing is
        known of the efforts, the default.

        Source:
            Codex, ``TurnContext::with_model``; there None also becomes the middle one.
        """
        if effort is None or effort in self.supported_efforts:
            return effort
        if not self.supported_efforts:
            return self.default_effort
        return self.supported_efforts[(len(self.supported_efforts) - 1) // 2]


_10K_BYTES: Final = TruncationPolicy(mode=TruncationMode.BYTES, limit=10_000)
_10K_TOKENS: Final = TruncationPolicy(mode=TruncationMode.TOKENS, limit=10_000)
_MEDIUM: Final = ReasoningEffort("medium")


def _reasoning(
    slug: str,
    truncation: TruncationPolicy,
    efforts: str = "low medium high",
    *,
    parallel: bool = False,
    verbosity: bool = False,
    default_verbosity: Verbosity | None = None,
) -> ModelInfo:
    return ModelInfo(
        slug=slug,
        supports_reasoning_summaries=True,
        default_effort=_MEDIUM,
        supported_efforts=tuple(map(ReasoningEffort, efforts.split())),
        supports_verbosity=verbosity,
        default_verbosity=default_verbosity,
        supports_parallel_tool_calls=parallel,
        apply_patch=PatchForm.FREEFORM,
        truncation_policy=truncation,
    )


_UP_TO_XHIGH: Final = "low medium high xhigh"

_KNOWN: Final = (
    _reasoning("gpt-5.3-codex", _10K_TOKENS, _UP_TO_XHIGH, parallel=True),
    _reasoning("gpt-5.2-codex", _10K_TOKENS, _UP_TO_XHIGH, parallel=True),
    _reasoning("gpt-5.1-codex-max", _10K_TOKENS, _UP_TO_XHIGH),
    _reasoning("gpt-5.1-codex-mini", _10K_TOKENS, "medium high"),
    _reasoning("gpt-5.1-codex", _10K_TOKENS),
    _reasoning("gpt-5-codex-mini", _10K_TOKENS, "medium high"),
    _reasoning("gpt-5-codex", _10K_TOKENS),
    _reasoning(
        "gpt-5.2",
        _10K_BYTES,
        _UP_TO_XHIGH,
        parallel=True,
        verbosity=True,
        default_verbosity=Verbosity.LOW,
    ),
    _reasoning(
        "gpt-5.1", _10K_BYTES, parallel=True, verbosity=True, default_verbosity=Verbosity.LOW
    ),
    _reasoning("gpt-5", _10K_BYTES, "minimal low medium high", verbosity=True),
    _reasoning(SCRIPTED_MODEL, _10K_BYTES, parallel=True),
)


def longest_first(infos: Iterable[ModelInfo]) -> tuple[ModelInfo, ...]:
    """Put *infos* into the order in which `find_by_prefix` wants them."""
    return tuple(sorted(infos, key=lambda info: len(info.slug), reverse=True))


def find_by_prefix(model: str, infos: Iterable[ModelInfo]) -> ModelInfo:
    """
    Say what *model* can do, by the longest slug among *infos* that it begins with.

    Args:
        model: As the user named it.
        infos: Longest slug first.

    Returns:
        The description, with *model* itself as its slug; cautious values when
        it begins with none of them.
    """
    for known in infos:
        if model.startswith(known.slug):
            return known if known.slug == model else attrs.evolve(known, slug=model)
    return ModelInfo(slug=model, truncation_policy=_10K_BYTES)


_BY_LENGTH: Final = longest_first(_KNOWN)


def find_model_info(model: str) -> ModelInfo:
    """
    Say what *model* can do, as far as this version knows without asking anybody.

    The known name that is the longest prefix of *model* decides, so that
    ``gpt-5.2-codex-2026-01-01`` is taken for a ``gpt-5.2-codex``.  A name that
    begins with none of them gets what is safe with any model: no reasoning
    controls, no verbosity, no parallel calls, outputs cut at 10,000 bytes, and
    a window of 272,000 tokens.

    Returns:
        The description, with *model* itself as its slug.

    Source:
        Codex, ``get_model_info`` and its bundled list; the instructions are ours.
    """
    return find_by_prefix(model, _BY_LENGTH)
