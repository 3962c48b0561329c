"""Counting tokens: what the provider reported, and estimates where it did not."""

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from messages.codec import encode
from messages.events import RateLimitSnapshot, TokenCount, TokenUsage, TokenUsageInfo
from messages.items import (
    Compaction,
    CustomToolCall,
    FunctionCall,
    GhostSnapshot,
    LocalShellCall,
    Message,
    ReasoningItem,
    ResponseItem,
)

__all__ = ["Usage", "estimated_tokens"]

_BYTES_PER_TOKEN: Final = 4
_CIPHER_OVERHEAD: Final = 650
"""Bytes of encrypted reasoning that are not text; base64 takes the rest to 4/3."""


@attrs.define(eq=False)
class Usage:
    """
    The tokens of a thread.

    Attributes:
        info: None until the provider reported something.
        rate_limits: As last heard of; None when the provider never says.
    """

    info: TokenUsageInfo | None = None
    rate_limits: RateLimitSnapshot | None = None

    def add(self, usage: TokenUsage, window: int | None) -> None:
        """Count one response: totals grow, last is replaced, a known window too."""
        total = self.info.total_token_usage if self.info else TokenUsage()
        self.info = TokenUsageInfo(
            total_token_usage=_sum(total, usage),
            last_token_usage=usage,
            model_context_window=self._window(window),
        )

    def fill(self, window: int) -> None:
        """Note that the context window is full, as the provider refused the request."""
        before = self.info.total_token_usage.total_tokens if self.info else 0
        self.info = TokenUsageInfo(
            total_token_usage=TokenUsage(total_tokens=window),
            last_token_usage=TokenUsage(total_tokens=max(0, window - before)),
            model_context_window=window,
        )

    def estimate(self, tokens: int, window: int | None) -> None:
        """Replace the last count by an estimate, because the history was cut."""
        total = self.info.total_token_usage if self.info else TokenUsage()
        self.info = TokenUsageInfo(
            total_token_usage=total,
            last_token_usage=TokenUsage(total_tokens=tokens),
            model_context_window=self._window(window),
        )

    def heard(self, limits: RateLimitSnapshot) -> None:
        """Take over rate limits; what the new snapshot does not say is kept."""
        before = self.rate_limits or RateLimitSnapshot()
        self.rate_limits = attrs.evolve(
            limits,
            limit_id=limits.limit_id or "codex",
            credits=limits.credits or before.credits,
            plan_type=limits.plan_type or before.plan_type,
        )

    def context_tokens(self, items: Sequence[ResponseItem]) -> int:
        """
        Say how many tokens the next request will count, about.

        What the last response counted, and an estimate of what was recorded since.

        Source:
            Codex, ``get_total_token_usage``.
        """
        if self.info is None:
            return 0
        since: list[ResponseItem] = []
        for item in reversed(items):
            if _by_model(item):
                break
            since.append(item)
        else:
            since.clear()  # nothing of the model's: the last count is of all there is
        return self.info.last_token_usage.total_tokens + estimated_tokens("", since)

    def event(self) -> TokenCount:
        """Build the event that tells clients."""
        return TokenCount(info=self.info, rate_limits=self.rate_limits)

    def _window(self, window: int | None) -> int | None:
        if window is not None:
            return window
        return self.info.model_context_window if self.info else None


def estimated_tokens(instructions: str, items: Iterable[ResponseItem]) -> int:
    """
    Estimate what a request would count: a token for every four bytes of JSON.

    Source:
        Codex, ``estimate_token_count``.
    """
    size = len(instructions.encode("utf-8", "replace")) + sum(map(_size, items))
    return -(-size // _BYTES_PER_TOKEN)


def _by_model(item: ResponseItem) -> bool:
    match item:
        case Message(role=role):
            return role == "assistant"
        case ReasoningItem() | FunctionCall() | CustomToolCall() | LocalShellCall():
            return True
        case _:
            return False


def _size(item: ResponseItem) -> int:
    match item:
        case GhostSnapshot():
            return 0
        case ReasoningItem(encrypted_content=str(text)) | Compaction(encrypted_content=text):
            return max(0, len(text) * 3 // 4 - _CIPHER_OVERHEAD)
        case _:
            return len(encode(item))


def _sum(left: TokenUsage, right: TokenUsage) -> TokenUsage:
    return TokenUsage(
        input_tokens=left.input_tokens + right.input_tokens,
        cached_input_tokens=left.cached_input_tokens + right.cached_input_tokens,
        output_tokens=left.output_tokens + right.output_tokens,
        reasoning_output_tokens=left.reasoning_output_tokens + right.reasoning_output_tokens,
        total_tokens=left.total_tokens + right.total_tokens,
    )
