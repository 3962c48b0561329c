"""Tokens and rate limits in the words of the app-server protocol."""

from messages import events
from messages.rpc.account import CreditsSnapshot, RateLimitSnapshot, RateLimitWindow
from messages.rpc.notifications import (
    ThreadTokenUsage,
    ThreadTokenUsageUpdatedNotification,
    TokenUsageBreakdown,
)

__all__ = ["rate_limits", "usage_notification"]


def usage_notification(
    thread_id: str, turn_id: str, info: events.TokenUsageInfo
) -> ThreadTokenUsageUpdatedNotification:
    """Say how many tokens a thread used; the turn is the last one that did."""
    usage = ThreadTokenUsage(
        total=_breakdown(info.total_token_usage),
        last=_breakdown(info.last_token_usage),
        model_context_window=info.model_context_window,
    )
    return ThreadTokenUsageUpdatedNotification(
        thread_id=thread_id, turn_id=turn_id, token_usage=usage
    )


def _breakdown(usage: events.TokenUsage) -> TokenUsageBreakdown:
    return TokenUsageBreakdown(
        total_tokens=usage.total_tokens,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_output_tokens=usage.reasoning_output_tokens,
    )


def rate_limits(snapshot: events.RateLimitSnapshot) -> RateLimitSnapshot:
    """Say how much of the provider's limits is used, in whole percents."""
    credit = snapshot.credits
    return RateLimitSnapshot(
        limit_id=snapshot.limit_id,
        limit_name=snapshot.limit_name,
        primary=_window(snapshot.primary),
        secondary=_window(snapshot.secondary),
        credits=None
        if credit is None
        else CreditsSnapshot(
            has_credits=credit.has_credits, unlimited=credit.unlimited, balance=credit.balance
        ),
        plan_type=snapshot.plan_type,
    )


def _window(window: events.RateLimitWindow | None) -> RateLimitWindow | None:
    if window is None:
        return None
    return RateLimitWindow(
        used_percent=round(window.used_percent),
        window_duration_mins=window.window_minutes,
        resets_at=window.resets_at,
    )
