"""Which error a refusal is, and what it says."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from actors.models import (
    ConnectionFailed,
    ContextWindowExceeded,
    InternalServerError,
    InvalidImage,
    InvalidRequest,
    MissingKey,
    ModelError,
    QuotaExceeded,
    RateLimited,
    ResponseStreamFailed,
    ServerOverloaded,
    StreamDisconnected,
    UnexpectedStatus,
    UsageLimitReached,
    UsageNotIncluded,
)
from actors.models.classify import error_from_refusal
from actors.models.error_texts import usage_limit_text
from messages.events import (
    CodexErrorCode,
    HttpConnectionFailed,
    RateLimitSnapshot,
    RateLimitWindow,
    ResponseStreamConnectionFailed,
    ResponseTooManyFailedAttempts,
)


def body_of(**error: Any) -> str:
    return json.dumps({"error": error})


BAD_IMAGE = "The image data you provided does not represent a valid image. Fix it."


@pytest.mark.parametrize(
    ("status", "body", "expected", "retryable"),
    [
        (400, "broken", InvalidRequest("broken"), False),
        (400, "[1]", InvalidRequest("[1]"), False),
        (404, "[1]", UnexpectedStatus(404, "[1]", "http://u"), False),
        (400, " ", InvalidRequest("Invalid request."), False),
        (400, body_of(message=BAD_IMAGE), InvalidImage(), False),
        (400, body_of(code="context_length_exceeded"), ContextWindowExceeded(), False),
        (401, "x", UnexpectedStatus(401, "x", "http://u"), False),
        (403, "x", UnexpectedStatus(403, "x", "http://u"), False),
        (404, "x", UnexpectedStatus(404, "x", "http://u"), False),
        (302, "", UnexpectedStatus(302, "", "http://u"), False),
        (413, "", UnexpectedStatus(413, "", "http://u"), False),
        (408, "", UnexpectedStatus(408, "", "http://u"), True),
        (409, "", UnexpectedStatus(409, "", "http://u"), True),
        (425, "", UnexpectedStatus(425, "", "http://u"), True),
        (429, "", RateLimited(), True),
        (429, body_of(type="usage_not_included"), UsageNotIncluded(), False),
        (429, body_of(code="insufficient_quota"), QuotaExceeded(), False),
        (429, body_of(type="insufficient_quota"), QuotaExceeded(), False),
        (500, "x", InternalServerError(), True),
        (502, "x", UnexpectedStatus(502, "x", "http://u"), True),
        (503, "x", UnexpectedStatus(503, "x", "http://u"), True),
        (503, body_of(code="server_is_overloaded"), ServerOverloaded(), False),
        (503, body_of(code="slow_down"), ServerOverloaded(), False),
        (599, "x", UnexpectedStatus(599, "x", "http://u"), True),
    ],
)
def test_status_and_body_decide(
    status: int, body: str, expected: ModelError, retryable: bool
) -> None:
    """Refusals that come again are final, passing ones are not."""
    error = error_from_refusal(status, body, {}, url="http://u")

    assert type(error) is type(expected)
    assert error.args == expected.args
    assert error.retryable is retryable
    assert error.before_stream or isinstance(
        error, (ContextWindowExceeded, QuotaExceeded, UsageNotIncluded, ServerOverloaded)
    )


@pytest.mark.parametrize(
    ("headers", "body", "delay"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, "", 0.25),
        ({"retry-after": "-7"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "soon"}, "", None),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT",
                "date": "Fri, 20 Nov 2026 12:00:00 GMT",
            },
            "",
            30.0,
        ),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 11:00:00 GMT",
                "date": "Fri, 20 Nov 2026 12:00:00 GMT",
            },
            "",
            0.0,
        ),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, "", None),
        ({}, body_of(message="Please try again in 20s. Thanks"), 20.0),
        ({"retry-after": "3"}, body_of(message="try again in 20s"), 3.0),
        ({}, "try again in 9 seconds", 9.0),
    ],
)
def test_rate_limit_tells_how_long_to_wait(
    headers: dict[str, str], body: str, delay: float | None
) -> None:
    """Headers go before the text; nonsense is no delay."""
    assert error_from_refusal(429, body, headers).delay == delay


def test_server_errors_tell_how_long_to_wait_too() -> None:
    """Any retryable refusal may carry the header."""
    assert error_from_refusal(500, "", {"retry-after": "2"}).delay == 2
    assert error_from_refusal(503, "", {"retry-after": "2"}).delay == 2


def test_usage_limit_carries_its_reset_and_what_was_used() -> None:
    """The active limit's headers go along for the client."""
    headers = {
        "x-codex-active-limit": "other_limit",
        "x-other-limit-primary-used-percent": "100",
        "x-other-limit-primary-window-minutes": "300",
        "x-other-limit-limit-name": "Other",
    }

    error = error_from_refusal(
        429, body_of(type="usage_limit_reached", plan_type="pro", resets_at=99), headers
    )

    assert isinstance(error, UsageLimitReached)
    assert error.resets_at == 99
    assert error.rate_limits == RateLimitSnapshot(
        limit_id="other_limit",
        limit_name="Other",
        primary=RateLimitWindow(used_percent=100.0, window_minutes=300),
    )
    assert str(error).startswith("You've hit your usage limit for Other. Try again at ")
    assert not error.retryable


@pytest.mark.parametrize("resets_at", [None, "soon", True, 10**15, -(10**15), 10**20])
def test_usage_limit_with_a_senseless_reset_says_later(resets_at: Any) -> None:
    """A time that is none does not break the error."""
    error = error_from_refusal(429, body_of(type="usage_limit_reached", resets_at=resets_at), {})

    assert str(error) == "You've hit your usage limit. Try again later."


NOON = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "You've hit your usage limit. Try again later."),
        ({"plan": "enterprise"}, "You've hit your usage limit. Try again later."),
        (
            {"plan": "plus"},
            (
                "You've hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit "
                "https://chatgpt.com/codex/settings/usage to purchase more credits or try again later."
            ),
        ),
        (
            {"plan": "Team", "resets_at": NOON, "now": NOON},
            (
                "You've hit your usage limit. To get more access now, send a request to your admin "
                "or try again at 12:05 PM."
            ),
        ),
        (
            {"plan": "free", "resets_at": NOON.replace(hour=0), "now": NOON},
            (
                "You've hit your usage limit. Upgrade to Plus to continue using Codex "
                "(https://chatgpt.com/explore/plus), or try again at 12:05 AM."
            ),
        ),
        (
            {"plan": "pro", "resets_at": NOON},
            (
                "You've hit your usage limit. Visit https://chatgpt.com/codex/settings/usage to "
                "purchase more credits or try again at Nov 20th, 2026 12:05 PM."
            ),
        ),
        ({"promo": "Buy"}, "You've hit your usage limit. Buy, or try again later."),
        ({"limit_name": "CODEX"}, "You've hit your usage limit. Try again later."),
        ({"limit_name": "X"}, "You've hit your usage limit for X. Try again later."),
    ],
)
def test_usage_limit_text_names_the_way_out(arguments: Any, text: str) -> None:
    """Limit name, promotion and plan, in this order."""
    assert usage_limit_text(**arguments) == text


@pytest.mark.parametrize(
    ("day", "written"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (22, "22nd"),
        (23, "23rd"),
        (30, "30th"),
    ],
)
def test_days_are_written_in_order(day: int, written: str) -> None:
    """The teens are exceptions."""
    text = usage_limit_text(resets_at=datetime(2026, 6, day, 15, 0, tzinfo=UTC), now=NOON)

    assert text == f"You've hit your usage limit. Try again at Jun {written}, 2026 3:00 PM."


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnexpectedStatus(404, "  gone "), "unexpected status 404 Not Found: gone"),
        (UnexpectedStatus(404, ""), "unexpected status 404 Not Found: Unknown error"),
        (UnexpectedStatus(599, "x"), "unexpected status 599 <unknown status code>: x"),
        (
            UnexpectedStatus(401, body_of(message=" no key "), "http://u", "ray", "req"),
            (
                "unexpected status 401 Unauthorized: no key, url: http://u, cf-ray: ray, "
                "request id: req"
            ),
        ),
        (
            UnexpectedStatus(403, "<html>Cloudflare has blocked you", "http://u"),
            (
                "Access blocked by Cloudflare. This usually happens when connecting from a "
                "restricted region (status 403 Forbidden), url: http://u"
            ),
        ),
        (
            UnexpectedStatus(418, "ä" * 501),
            "unexpected status 418 I'm a Teapot: " + "ä" * 500 + "...",
        ),
        (
            RateLimited("id"),
            "exceeded retry limit, last status: 429 Too Many Requests, request id: id",
        ),
        (StreamDisconnected("p"), "stream disconnected before completion: p"),
        (ConnectionFailed("p"), "Connection failed: p"),
        (
            ResponseStreamFailed("p", "id"),
            "Error while reading the server response: p, request id: id",
        ),
        (MissingKey("V"), "Missing environment variable: `V`."),
        (MissingKey("V", "Get one."), "Missing environment variable: `V`. Get one."),
        (QuotaExceeded(), "Quota exceeded. Check your plan and billing details."),
        (InvalidImage(), "Image poisoning"),
    ],
)
def test_texts_are_those_of_codex(error: ModelError, text: str) -> None:
    """People and programs know them."""
    assert str(error) == text


@pytest.mark.parametrize(
    ("error", "info"),
    [
        (StreamDisconnected("p"), CodexErrorCode.OTHER),
        (ConnectionFailed("p"), HttpConnectionFailed()),
        (ResponseStreamFailed("p"), ResponseStreamConnectionFailed(http_status_code=200)),
        (ContextWindowExceeded(), CodexErrorCode.CONTEXT_WINDOW_EXCEEDED),
        (UsageLimitReached("t"), CodexErrorCode.USAGE_LIMIT_EXCEEDED),
        (QuotaExceeded(), CodexErrorCode.USAGE_LIMIT_EXCEEDED),
        (UsageNotIncluded(), CodexErrorCode.USAGE_LIMIT_EXCEEDED),
        (ServerOverloaded(), CodexErrorCode.SERVER_OVERLOADED),
        (InternalServerError(), CodexErrorCode.INTERNAL_SERVER_ERROR),
        (RateLimited(), ResponseTooManyFailedAttempts(http_status_code=429)),
        (UnexpectedStatus(401), CodexErrorCode.UNAUTHORIZED),
        (UnexpectedStatus(403), CodexErrorCode.OTHER),
        (InvalidRequest("m"), CodexErrorCode.OTHER),
        (MissingKey("V"), CodexErrorCode.OTHER),
    ],
)
def test_infos_are_those_of_codex(error: ModelError, info: Any) -> None:
    """Programs tell the errors apart by them."""
    assert error.info == info


@pytest.mark.parametrize(
    "error",
    [
        StreamDisconnected("p", 2.0),
        ConnectionFailed("p", retryable=False),
        ResponseStreamFailed("p", "id"),
        ContextWindowExceeded(),
        InvalidRequest("m"),
        InvalidImage(),
        UsageLimitReached("t", 5, RateLimitSnapshot(limit_id="x")),
        QuotaExceeded(),
        UsageNotIncluded(),
        ServerOverloaded(),
        InternalServerError(3.0),
        RateLimited("id", 4.0),
        UnexpectedStatus(503, "b", "u", "r", "i", 5.0),
        MissingKey("V", "i"),
    ],
)
def test_errors_survive_pickle_and_copy(error: ModelError) -> None:
    """With all their fields."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)
        assert (other.retryable, other.delay) == (error.retryable, error.delay)
