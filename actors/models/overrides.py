"""What a configuration knows better than the catalog of models."""

from __future__ import annotations

from typing import Final

import attrs

from messages.settings import TruncationMode, TruncationPolicy

from .catalog import ModelInfo

__all__ = ["ModelOverrides"]

_BYTES_PER_TOKEN: Final = 4

_positive = attrs.validators.optional(attrs.validators.ge(1))
_non_negative = attrs.validators.optional(attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class ModelOverrides:
    """
    What a configuration says of its model, whatever the catalog says.

    None leaves a value as it is.

    Attributes:
        context_window: ``model_context_window``, in tokens.
        auto_compact_token_limit: ``model_auto_compact_token_limit``, in tokens.
        supports_reasoning_summaries: ``model_supports_reasoning_summaries``.
        tool_output_token_limit: How long a tool output may be in the history.

    Source:
        Codex, ``with_config_overrides``.
    """

    context_window: int | None = attrs.field(default=None, validator=_positive)
    auto_compact_token_limit: int | None = attrs.field(default=None, validator=_positive)
    supports_reasoning_summaries: bool | None = None
    tool_output_token_limit: int | None = attrs.field(default=None, validator=_non_negative)

    def apply(self, info: ModelInfo) -> ModelInfo:
        """Return *info* as the configuration wants it; to be done last."""
        return attrs.evolve(
            info,
            context_window=_or(self.context_window, info.context_window),
            auto_compact_token_limit=_or(
                self.auto_compact_token_limit, info.auto_compact_token_limit
            ),
            supports_reasoning_summaries=(
                info.supports_reasoning_summaries
                if self.supports_reasoning_summaries is None
                else self.supports_reasoning_summaries
            ),
            truncation_policy=self._truncation(info.truncation_policy),
        )

    def _truncation(self, policy: TruncationPolicy) -> TruncationPolicy:
        limit = self.tool_output_token_limit
        if limit is None:
            return policy
        # What the policy counts stays: a model that is cut by bytes stays so.
        in_bytes = policy.mode is TruncationMode.BYTES
        return attrs.evolve(policy, limit=limit * _BYTES_PER_TOKEN if in_bytes else limit)


def _or(override: int | None, value: int | None) -> int | None:
    return value if override is None else override
