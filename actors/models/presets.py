"""The models that this version knows without asking anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .catalog import ModelInfo, find_model_info
from .model_list import EffortChoice, ListedModel, Visibility
from .provider import ProviderInfo

__all__ = ["bundled_models", "effort_choices"]

_NEWEST: Final = "gpt-5.2-codex"

_EFFORT_TEXTS: Final[Mapping[str, str]] = {
    "none": "Answers at once, without reasoning",
    "minimal": "Hardly any reasoning; for the simplest questions",
    "low": "Little reasoning; quick",
    "medium": "Reasons as much as everyday work needs",
    "high": "Reasons longer; for hard problems",
    "xhigh": "Reasons longest; for the hardest problems, and slow",
}


def effort_choices(info: ModelInfo) -> tuple[EffortChoice, ...]:
    """Describe the efforts of a model in our own words."""
    return tuple(
        EffortChoice(effort, _EFFORT_TEXTS.get(effort, "")) for effort in info.supported_efforts
    )


def _known(
    slug: str, priority: int, description: str, *, hidden: bool = False, upgrade: str | None = None
) -> ListedModel:
    info = find_model_info(slug)
    return ListedModel(
        info=info,
        display_name=slug,
        description=description,
        efforts=effort_choices(info),
        visibility=Visibility.HIDE if hidden else Visibility.LIST,
        priority=priority,
        upgrade=upgrade,
    )


_OPENAI: Final = (
    _known("gpt-5.3-codex", 0, "For programming; the newest", hidden=True),
    _known("gpt-5.2-codex", 1, "For programming; the first choice"),
    _known("gpt-5.1-codex-max", 2, "For programming; long tasks", upgrade=_NEWEST),
    _known("gpt-5.1-codex", 3, "For programming", hidden=True, upgrade=_NEWEST),
    _known("gpt-5.2", 4, "For all subjects", upgrade=_NEWEST),
    _known("gpt-5.1", 5, "For all subjects", hidden=True, upgrade=_NEWEST),
    _known("gpt-5-codex", 8, "For programming", hidden=True, upgrade=_NEWEST),
    _known("gpt-5", 9, "For all subjects", hidden=True, upgrade=_NEWEST),
    _known("gpt-5.1-codex-mini", 10, "For programming; cheaper and quicker", upgrade=_NEWEST),
    _known(
        "gpt-5-codex-mini", 11, "For programming; cheaper and quicker", hidden=True, upgrade=_NEWEST
    ),
)

_OPENAI_SLUGS: Final = frozenset(model.slug for model in _OPENAI)


def bundled_models(provider: ProviderInfo) -> tuple[ListedModel, ...]:
    """
    List what *provider* has as far as this version knows.

    OpenAI's models for a provider whose default is one of them, which is so for
    every configured one; for any other, such as the scripted model, its default
    and nothing else.

    Source:
        Codex, its bundled list: names, priorities, visibility and efforts; the
        descriptions are ours.
    """
    if provider.default_model in _OPENAI_SLUGS:
        return _OPENAI
    info = find_model_info(provider.default_model)
    return (ListedModel(info=info, display_name=info.slug, efforts=effort_choices(info)),)
