"""Whether and when a failed request is made again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models import (
    ConnectionFailed,
    ModelError,
    ProviderInfo,
    QuotaExceeded,
    RateLimited,
    StreamDisconnected,
    UnexpectedStatus,
    retry_delay,
)

PROVIDER = ProviderInfo(
    id="p", name="P", request_max_retries=2, stream_max_retries=4, stream_idle_timeout_ms=10_000
)
STREAM = StreamDisconnected("p")
REQUEST = ConnectionFailed("p")


def delay(error: ModelError, failures: int, random: float = 0.5) -> float | None:
    return retry_delay(error, failures=failures, provider=PROVIDER, random=random)


def test_delay_doubles_with_each_failure() -> None:
    """200 ms, 400 ms, 800 ms and so on, in the middle of the jitter."""
    assert [delay(STREAM, n) for n in (1, 2, 3, 4)] == pytest.approx([0.2, 0.4, 0.8, 1.6])


@pytest.mark.parametrize(
    ("error", "limit"), [(STREAM, 4), (REQUEST, 2), (RateLimited(), 2), (UnexpectedStatus(503), 2)]
)
def test_budget_is_used_up_at_the_limit_of_its_kind(error: ModelError, limit: int) -> None:
    """The last retry is at the limit, none above it."""
    assert delay(error, limit) is not None
    assert delay(error, limit + 1) is None


def test_one_count_holds_for_both_kinds() -> None:
    """Three broken streams leave nothing for a failed connection: they never multiply."""
    assert delay(REQUEST, 3) is None
    assert delay(STREAM, 3) is not None


@pytest.mark.parametrize("error", [QuotaExceeded(), UnexpectedStatus(401)])
def test_final_errors_are_not_retried(error: ModelError) -> None:
    """Not even once."""
    assert delay(error, 1) is None


@pytest.mark.parametrize(("asked", "given"), [(0.0, 0.0), (7.5, 7.5), (10.0, 10.0), (10.1, None)])
def test_delay_of_the_server_is_kept_as_long_as_patience_lasts(
    asked: float, given: float | None
) -> None:
    """Exactly, without jitter; longer than the longest silence is not worth waiting."""
    assert delay(RateLimited(None, asked), 1) == given
    assert delay(StreamDisconnected("p", asked), 1) == given


@given(failures=st.integers(1, 100), random=st.floats(0, 1, exclude_max=True))
def test_delay_is_positive_and_bounded(failures: int, random: float) -> None:
    """Even with the longest budget."""
    provider = ProviderInfo(id="p", name="P", stream_max_retries=100)

    delay = retry_delay(STREAM, failures=failures, provider=provider, random=random)

    assert delay is not None
    assert 0.18 <= delay <= 66


@pytest.mark.parametrize(("asked", "kept"), [(0, 0), (99, 99), (100, 100), (101, 100)])
def test_retry_numbers_are_capped(asked: int, kept: int) -> None:
    """At a hundred, as in Codex."""
    info = ProviderInfo(id="p", name="P", request_max_retries=asked, stream_max_retries=asked)

    assert (info.request_max_retries, info.stream_max_retries) == (kept, kept)


@pytest.mark.parametrize(
    "values",
    [
        {"request_max_retries": -1},
        {"stream_max_retries": -1},
        {"stream_idle_timeout_ms": 0},
        {"base_url": "ftp://x"},
        {"base_url": "https://"},
    ],
)
def test_senseless_numbers_and_addresses_are_refused(values: dict[str, object]) -> None:
    """When the value is made, not when it is used."""
    with pytest.raises(ValueError, match="must"):
        ProviderInfo(id="p", name="P", **values)  # type: ignore[arg-type]


def test_base_url_loses_its_last_slash() -> None:
    """So that paths can be appended."""
    assert ProviderInfo(id="p", name="P", base_url="http://h/v1/").base_url == "http://h/v1"
