"""What a configuration knows better than the catalog of models."""

from __future__ import annotations

import attrs

from .catalog import ModelInfo

__all__ = ["ModelOverrides"]

_positive = attrs.validators.optional(attrs.validators.ge(1))


@attrs.frozen(kw_only=True)
class ModelOverrides:
    """
    What a configuration says of its model, whatever the catalog says.

    None leaves a value as it is.

    Attributes:
        context_window: ``model_context_window``, in tokens.
        supports_reasoning_summaries: ``model_supports_reasoning_summaries``.

    Source:
        Codex, ``with_config_overrides``.  It also puts the limits of the history and of tool
        outputs in here; ours are settings of a thread, `ThreadConfig`, and nowhere else.
    """

    context_window: int | None = attrs.field(default=None, validator=_positive)
    supports_reasoning_summaries: bool | None = None

    def apply(self, info: ModelInfo) -> ModelInfo:
        """Return *info* as the configuration wants it; to be done last."""
        window, summaries = self.context_window, self.supports_reasoning_summaries
        return attrs.evolve(
            info,
            context_window=info.context_window if window is None else window,
            supports_reasoning_summaries=(
                info.supports_reasoning_summaries if summaries is None else summaries
            ),
        )
