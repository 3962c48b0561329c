"""What is known of a provider's models at one moment: our own list and what it told."""

from __future__ import annotations

import attrs

from .catalog import ModelInfo, find_by_prefix, longest_first
from .model_list import ListedModel, ModelPreset, list_presets, merge_models
from .models_cache import is_fresh
from .presets import bundled_models
from .provider import ProviderInfo

__all__ = ["KnownModels"]


def _listed(known: KnownModels) -> tuple[ListedModel, ...]:
    merges = known.provider.requires_openai_auth or not known.told
    return merge_models(bundled_models(known.provider) if merges else (), known.told)


def _longest_first(known: KnownModels) -> tuple[ModelInfo, ...]:
    every = merge_models(bundled_models(known.provider), known.told)
    return longest_first(model.info for model in every)


@attrs.frozen(kw_only=True)
class KnownModels:
    """
    The models of a provider, as far as they are known.

    The answer of OpenAI's own service (``requires_openai_auth``) is merged into
    our list.  Any other provider's answer is the list, once it names a model;
    ours then only counts for what models can do.

    Attributes:
        provider: Whose they are.
        told: By the server or the cache file, in its order.
        etag: The server's name for that; None when it gave none.
        fetched_at:
            When the server last confirmed it, in seconds since the Unix epoch;
            None when it never did.
        listed: The list that follows from all this, no name twice.
    """

    provider: ProviderInfo
    told: tuple[ListedModel, ...] = ()
    etag: str | None = None
    fetched_at: float | None = None

    listed: tuple[ListedModel, ...] = attrs.field(
        default=attrs.Factory(_listed, takes_self=True), init=False, repr=False
    )
    _by_length: tuple[ModelInfo, ...] = attrs.field(
        default=attrs.Factory(_longest_first, takes_self=True), init=False, repr=False
    )

    def model_info(self, model: str) -> ModelInfo:
        """Say what *model* can do, by the longest name that it begins with."""
        return find_by_prefix(model, self._by_length)

    def presets(self, *, chatgpt: bool) -> tuple[ModelPreset, ...]:
        """Make the list for clients, best first; hidden models are in it."""
        # OpenAI's list says itself what comes first; others have no such order.
        openai = self.provider.requires_openai_auth
        preferred = None if openai else self.provider.default_model
        return list_presets(self.listed, chatgpt=chatgpt, preferred=preferred)

    def is_fresh(self, now: float) -> bool:
        """Say whether a fetch would be too early."""
        return self.fetched_at is not None and is_fresh(self.fetched_at, now)
