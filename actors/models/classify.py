"""Which error a refusal or a failed response is: decisions only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, cast

from messages.value import Json

from .error_texts import error_member, text_member, usage_limit_text
from .errors import (
    ContextWindowExceeded,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    ModelError,
    QuotaExceeded,
    RateLimited,
    ServerOverloaded,
    StreamDisconnected,
    UnexpectedStatus,
    UsageLimitReached,
    UsageNotIncluded,
)
from .headers import read_date, read_delay, read_limit_name, read_rate_limit, read_request_id

__all__ = ["error_from_failure", "error_from_refusal", "incomplete_error"]

_BAD_IMAGE: Final = "The image data you provided does not represent a valid image"
_OVERLOADED: Final = frozenset({"server_is_overloaded", "slow_down"})
_TRY_AGAIN: Final = re.compile(r"try again in\s*(\d+(?:\.\d+)?)\s*(ms|s|seconds?)\b", re.IGNORECASE)


def error_from_refusal(
    status: int, body: str, headers: Mapping[str, str], *, url: str | None = None
) -> ModelError:
    """
    Say which error a status other than success is.

    Args:
        status: Below 200 or from 300.
        body: As text; may be empty or cut.
        headers: Names in lower case.
        url: What was asked, without its query.

    Source:
        Codex, ``map_api_error``; what a 429 and the fatal statuses become is ours.
    """
    error = error_member(body)
    code, kind = text_member(error, "code"), text_member(error, "type")
    delay = read_delay(headers)
    match status:
        case HTTPStatus.SERVICE_UNAVAILABLE if code in _OVERLOADED:
            return ServerOverloaded()
        case HTTPStatus.BAD_REQUEST if _BAD_IMAGE in body:
            return InvalidImage()
        case HTTPStatus.BAD_REQUEST if code == "context_length_exceeded":
            return ContextWindowExceeded()
        case HTTPStatus.BAD_REQUEST:
            return InvalidRequest(body.strip() or "Invalid request.")
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            return InternalServerError(delay)
        case HTTPStatus.TOO_MANY_REQUESTS if kind == "usage_limit_reached":
            return _usage_limit(error, headers)
        case HTTPStatus.TOO_MANY_REQUESTS if kind == "usage_not_included":
            return UsageNotIncluded()
        case HTTPStatus.TOO_MANY_REQUESTS if "insufficient_quota" in (code, kind):
            return QuotaExceeded()
        case HTTPStatus.TOO_MANY_REQUESTS:
            message = text_member(error, "message") or body
            asked = _delay_in(message) if delay is None else delay
            return RateLimited(read_request_id(headers), asked)
        case _:
            return UnexpectedStatus(
                status, body, url, headers.get("cf-ray"), headers.get("x-request-id"), delay
            )


def error_from_failure(error: Json) -> ModelError:
    """
    Say which error the ``error`` of a failed response is.

    Args:
        error: The member as it came, whatever it is.

    Source:
        Codex, ``ResponsesStreamEvent`` of kind ``response.failed``.
    """
    if error is None:
        return StreamDisconnected("response.failed event received")
    code, message = text_member(error, "code"), text_member(error, "message") or ""
    match code:
        case "context_length_exceeded":
            return ContextWindowExceeded()
        case "insufficient_quota":
            return QuotaExceeded()
        case "usage_not_included":
            return UsageNotIncluded()
        case "invalid_prompt":
            return InvalidRequest(message or "Invalid request.")
        case "server_is_overloaded" | "slow_down":
            return ServerOverloaded()
        case "rate_limit_exceeded":
            return StreamDisconnected(message, _delay_in(message))
        case _:
            return StreamDisconnected(message)


def incomplete_error(response: Json) -> ModelError:
    """Say which error a response that the server left incomplete is."""
    details: Json = None
    if isinstance(response, dict):
        members = cast("dict[str, Json]", response)  # keys of JSON are strings
        details = members.get("incomplete_details")
    reason = text_member(details, "reason") or "unknown"
    return StreamDisconnected(f"Incomplete response returned, reason: {reason}")


def _delay_in(message: str) -> float | None:
    match = _TRY_AGAIN.search(message)
    if match is None:
        return None
    amount = float(match[1])
    return amount / 1000 if match[2].lower() == "ms" else amount


def _usage_limit(error: Json, headers: Mapping[str, str]) -> UsageLimitReached:
    limit_id = headers.get("x-codex-active-limit")
    resets_at = _integer_member(error, "resets_at")
    text = usage_limit_text(
        plan=text_member(error, "plan_type"),
        limit_name=read_limit_name(headers, (limit_id or "codex").lower().replace("_", "-")),
        promo=headers.get("x-codex-promo-message", "").strip() or None,
        resets_at=_local(resets_at),
        now=read_date(headers),
    )
    return UsageLimitReached(text, resets_at, read_rate_limit(headers, limit_id))


def _integer_member(container: Json, name: str) -> int | None:
    if not isinstance(container, dict):
        return None
    value = cast("dict[str, Json]", container).get(name)  # keys of JSON are strings
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _local(timestamp: int | None) -> datetime | None:
    if timestamp is None:
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
