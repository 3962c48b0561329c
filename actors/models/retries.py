"""Whether and when a failed request is made again: one decision, one count of attempts."""

from __future__ import annotations

from typing import Final

from .errors import ModelError
from .provider import ProviderInfo

__all__ = ["retry_delay"]

_FIRST: Final = 0.2
_LONGEST: Final = 60.0
_JITTER: Final = 0.1


def retry_delay(
    error: ModelError, *, failures: int, provider: ProviderInfo, random: float
) -> float | None:
    """
    Say how long to wait before the same request is made again.

    Args:
        error: The latest failure.
        failures: Failures of this request so far, this one included: from 1.
        provider: Sets the limits: `ProviderInfo.request_max_retries` for errors
            before the stream, `ProviderInfo.stream_max_retries` for later ones.
            Both look at the same *failures*, so they never multiply.
        random: From 0 up to 1; spreads out clients that failed together.

    Returns:
        Seconds, or None to give up: the error is final, the budget is used up,
        or the server asks for more patience than the provider's longest silence.

    Source:
        Codex: 200 ms doubled each time, plus or minus a tenth.  It counts HTTP and
        stream retries apart, up to 30 requests; we stop doubling at a minute.
    """
    limit = provider.request_max_retries if error.before_stream else provider.stream_max_retries
    if not error.retryable or failures > limit:
        return None
    if error.delay is not None:
        return error.delay if error.delay <= provider.stream_idle_timeout else None
    # The exponent is bounded too: two to the hundredth is still a float, but silly.
    backoff = min(_LONGEST, _FIRST * 2.0 ** min(failures - 1, 16))
    return backoff * (1 - _JITTER + 2 * _JITTER * random)
