"""What response headers say about limits."""

from __future__ import annotations

import pytest

from actors.models.headers import read_date, read_rate_limits, read_request_id
from messages.events import CreditsSnapshot, RateLimitSnapshot, RateLimitWindow


def test_every_family_of_limits_is_read_and_the_common_one_comes_first() -> None:
    """Each with its windows, its name and, for the common one, the credits."""
    headers = {
        "x-apples-primary-used-percent": "1",
        "x-apples-primary-window-minutes": "60",
        "x-apples-limit-name": " Apples ",
        "x-codex-primary-used-percent": "12.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1700000000",
        "x-codex-secondary-used-percent": "80",
        "x-codex-credits-has-credits": "True",
        "x-codex-credits-unlimited": "0",
        "x-codex-credits-balance": "5.00",
        "content-type": "text/event-stream",
    }

    assert read_rate_limits(headers) == (
        RateLimitSnapshot(
            limit_id="codex",
            primary=RateLimitWindow(used_percent=12.5, window_minutes=300, resets_at=1700000000),
            secondary=RateLimitWindow(used_percent=80.0),
            credits=CreditsSnapshot(has_credits=True, unlimited=False, balance="5.00"),
        ),
        RateLimitSnapshot(
            limit_id="apples",
            limit_name="Apples",
            primary=RateLimitWindow(used_percent=1.0, window_minutes=60),
        ),
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-codex-primary-used-percent": "0", "x-codex-primary-window-minutes": "0"},
        {"x-codex-primary-used-percent": "much"},
        {"x-codex-primary-used-percent": "nan"},
        {"x-codex-primary-window-minutes": "300"},
        {"x-codex-credits-has-credits": "perhaps", "x-codex-credits-unlimited": "true"},
        {"x-codex-credits-has-credits": "true"},
    ],
)
def test_headers_that_say_nothing_make_no_snapshot(headers: dict[str, str]) -> None:
    """An empty snapshot would only cost an event and a line in the rollout."""
    assert read_rate_limits(headers) == ()


def test_senseless_members_of_a_window_are_left_out() -> None:
    """The rest of it still counts."""
    headers = {"x-codex-primary-used-percent": "5", "x-codex-primary-reset-at": "later"}

    (snapshot,) = read_rate_limits(headers)

    assert snapshot.primary == RateLimitWindow(used_percent=5.0)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x-request-id": "a", "x-oai-request-id": "b", "cf-ray": "c"}, "a"),
        ({"x-oai-request-id": "b", "cf-ray": "c"}, "b"),
        ({"cf-ray": "c"}, "c"),
        ({}, None),
    ],
)
def test_request_has_the_first_name_it_was_given(headers: dict[str, str], name: str | None) -> None:
    """The server's own goes before the proxy's."""
    assert read_request_id(headers) == name


@pytest.mark.parametrize("text", ["", "soon", "Fri, 20 Nov 2026 12:00:00 -0000", "99999"])
def test_date_that_is_none_is_none(text: str) -> None:
    """Also one without a zone, which cannot be compared."""
    assert read_date({"date": text}) is None
