"""The texts of the longer errors, from what a server said."""

from __future__ import annotations

from datetime import datetime, tzinfo
from http import HTTPStatus
from typing import Final, cast

import orjson

from messages.value import Json

__all__ = [
    "error_member",
    "status_line",
    "text_member",
    "unexpected_status_text",
    "usage_limit_text",
]

_BODY_LIMIT_BYTES: Final = 1_000
_UPGRADE_TO_PRO: Final = "Upgrade to Pro (https://chatgpt.com/explore/pro), visit "
_CREDITS: Final = "https://chatgpt.com/codex/settings/usage to purchase more credits"
_LIMIT: Final = "You've hit your usage limit."
_ADVICE_BY_PLAN: Final = {
    "plus": f" {_UPGRADE_TO_PRO}{_CREDITS}",
    "team": " To get more access now, send a request to your admin",
    "business": " To get more access now, send a request to your admin",
    "free": " Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus),",
    "go": " Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus),",
    "pro": f" Visit {_CREDITS}",
}


def text_member(container: Json, name: str) -> str | None:
    """Get a member that is a string; None when there is none or *container* is no object."""
    if not isinstance(container, dict):
        return None
    value = cast("dict[str, Json]", container).get(name)  # keys of JSON are strings
    return value if isinstance(value, str) else None


def error_member(body: str) -> Json:
    """Get the ``error`` of a JSON body; None for any other body."""
    try:
        decoded: Json = orjson.loads(body)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    if not isinstance(decoded, dict):
        return None
    return cast("dict[str, Json]", decoded).get("error")  # keys of JSON are strings


def status_line(status: int) -> str:
    """Write a status as ``403 Forbidden``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} <unknown status code>"


def unexpected_status_text(
    status: int, body: str, *, url: str | None, cf_ray: str | None, request_id: str | None
) -> str:
    """
    Say what a status came with, in one line for people.

    Source:
        Codex, ``UnexpectedResponseError``.
    """
    named = (("url", url), ("cf-ray", cf_ray), ("request id", request_id))
    suffix = "".join(f", {name}: {value}" for name, value in named if value)
    line = status_line(status)
    if status == HTTPStatus.FORBIDDEN and "Cloudflare" in body and "blocked" in body:
        return (
            "Access blocked by Cloudflare. This usually happens when connecting from a "
            f"restricted region (status {line}){suffix}"
        )
    message = text_member(error_member(body), "message") or ""
    text = message.strip() or body.strip() or "Unknown error"
    return f"unexpected status {line}: {_shortened(text)}{suffix}"


def usage_limit_text(
    *,
    plan: str | None = None,
    limit_name: str | None = None,
    promo: str | None = None,
    resets_at: datetime | None = None,
    now: datetime | None = None,
) -> str:
    """
    Say that the usage limit is reached, and the way out.

    Args:
        plan: The user's plan, as the server names it.
        limit_name: Which limit, when it is not the common one.
        promo: What the server wants to be said instead of advice.
        resets_at: When there is more again; its time zone is the one shown.
        now: For leaving out the date when that is today; None always shows it.

    Source:
        Codex, ``UsageLimitReachedError``.
    """
    again = _when(resets_at, now)
    if limit_name and limit_name.lower() != "codex":
        return f"You've hit your usage limit for {limit_name}. Try again {again}."
    if promo:
        return f"{_LIMIT} {promo}, or try again {again}."
    advice = _ADVICE_BY_PLAN.get((plan or "").lower())
    if advice is None:
        return f"{_LIMIT} Try again {again}."
    return f"{_LIMIT}{advice} or try again {again}."


def _when(resets_at: datetime | None, now: datetime | None) -> str:
    if resets_at is None:
        return "later"
    hour = resets_at.hour % 12 or 12
    clock = f"{hour}:{resets_at.minute:02} {'AM' if resets_at.hour < _NOON else 'PM'}"
    if now is not None and _same_day(resets_at, now, resets_at.tzinfo):
        return f"at {clock}"
    month = _MONTHS[resets_at.month - 1]
    return f"at {month} {resets_at.day}{_ordinal(resets_at.day)}, {resets_at.year} {clock}"


_NOON: Final = 12
# Not strftime: its names of months and halves of the day depend on the locale.
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


def _same_day(first: datetime, second: datetime, zone: tzinfo | None) -> bool:
    return first.date() == second.astimezone(zone).date()


def _ordinal(day: int) -> str:
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _shortened(text: str) -> str:
    encoded = text.encode(errors="replace")
    if len(encoded) <= _BODY_LIMIT_BYTES:
        return text
    return encoded[:_BODY_LIMIT_BYTES].decode(errors="ignore") + "..."
