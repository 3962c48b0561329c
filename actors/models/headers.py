"""What response headers say: rate limits, how long to wait, names for a request."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from messages.events import CreditsSnapshot, RateLimitSnapshot, RateLimitWindow

__all__ = [
    "read_date",
    "read_delay",
    "read_limit_name",
    "read_rate_limit",
    "read_rate_limits",
    "read_request_id",
]

_CODEX: Final = "codex"
_FAMILY: Final = re.compile(r"x-(.+)-primary-used-percent")


def read_rate_limits(headers: Mapping[str, str]) -> tuple[RateLimitSnapshot, ...]:
    """
    Read every family of limits that the headers tell something of.

    Args:
        headers: Names in lower case.

    Returns:
        The common limit first, the others by name; empty when nothing was told.

    Source:
        Codex, ``parse_all_rate_limits``; it also makes up an empty snapshot of
        the common limit when the headers say nothing.
    """
    families = {match[1] for name in headers if (match := _FAMILY.fullmatch(name))}
    ordered = [_CODEX, *sorted(families - {_CODEX})]
    snapshots = (read_rate_limit(headers, family) for family in ordered)
    return tuple(snapshot for snapshot in snapshots if _says_something(snapshot))


def read_rate_limit(headers: Mapping[str, str], limit_id: str | None) -> RateLimitSnapshot:
    """
    Read one family of limits; members that the headers lack are None.

    Args:
        headers: Names in lower case.
        limit_id: None or blank for the common limit.
    """
    family = (limit_id or "").strip().lower().replace("_", "-") or _CODEX
    return RateLimitSnapshot(
        limit_id=family.replace("-", "_"),
        limit_name=read_limit_name(headers, family),
        primary=_window(headers, f"x-{family}-primary"),
        secondary=_window(headers, f"x-{family}-secondary"),
        credits=_credits(headers) if family == _CODEX else None,
    )


def read_limit_name(headers: Mapping[str, str], family: str) -> str | None:
    """Get the name of a limit for people; None when the headers lack it."""
    return headers.get(f"x-{family}-limit-name", "").strip() or None


def read_request_id(headers: Mapping[str, str]) -> str | None:
    """Get the server's name for the request; None when it gave none."""
    for name in ("x-request-id", "x-oai-request-id", "cf-ray"):
        if value := headers.get(name):
            return value
    return None


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """Get the server's own wall clock time; None when it did not tell."""
    return _http_date(headers.get("date", ""))


def read_delay(headers: Mapping[str, str]) -> float | None:
    """
    Get how long the server wants us to wait, in seconds; None when it did not say.

    A date in ``retry-after`` is compared with the server's own ``date``, so that
    it does not matter what our clock says.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    until, now = _http_date(text), read_date(headers)
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # "-0000" gives a time without a zone, which cannot be compared with others.
    return date if date.tzinfo is not None else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _window(headers: Mapping[str, str], prefix: str) -> RateLimitWindow | None:
    used = _number(headers.get(f"{prefix}-used-percent", ""))
    if used is None:
        return None
    minutes = _integer(headers.get(f"{prefix}-window-minutes", ""))
    resets_at = _integer(headers.get(f"{prefix}-reset-at", ""))
    if not used and not minutes and resets_at is None:
        return None  # how the server says that there is no such window
    return RateLimitWindow(used_percent=used, window_minutes=minutes, resets_at=resets_at)


def _credits(headers: Mapping[str, str]) -> CreditsSnapshot | None:
    has_credits = _flag(headers.get("x-codex-credits-has-credits", ""))
    unlimited = _flag(headers.get("x-codex-credits-unlimited", ""))
    if has_credits is None or unlimited is None:
        return None
    balance = headers.get("x-codex-credits-balance", "").strip() or None
    return CreditsSnapshot(has_credits=has_credits, unlimited=unlimited, balance=balance)


def _flag(text: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())


def _says_something(snapshot: RateLimitSnapshot) -> bool:
    parts = (snapshot.primary, snapshot.secondary, snapshot.credits)
    return any(part is not None for part in parts)
