"""Why a model did not answer; each class says whether asking again makes sense."""

# ruff: noqa: N818 -- conditions, most of them with the names that Codex gives them

from __future__ import annotations

from http import HTTPStatus

from messages.events import (
    CodexErrorCode,
    CodexErrorInfo,
    HttpConnectionFailed,
    RateLimitSnapshot,
    ResponseStreamConnectionFailed,
    ResponseTooManyFailedAttempts,
)

from .error_texts import status_line, unexpected_status_text

__all__ = [
    "ConnectionFailed",
    "ContextWindowExceeded",
    "InternalServerError",
    "InvalidImage",
    "InvalidRequest",
    "MissingKey",
    "ModelError",
    "QuotaExceeded",
    "RateLimited",
    "ResponseStreamFailed",
    "ServerOverloaded",
    "StreamDisconnected",
    "UnexpectedStatus",
    "UsageLimitReached",
    "UsageNotIncluded",
]

_TRANSIENT_STATUS = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
)


class ModelError(Exception):
    """
    Base of all reasons why a model request failed.

    What was streamed before the error stands; nothing comes after it.

    Attributes:
        retryable: Whether the same request may succeed when it is made again.
        delay: Seconds the server asked to wait first; None to back off as usual.
        before_stream: Whether it failed before the first event.
        info: The same for programs.

    Source:
        Codex, ``CodexErr``; texts and infos are the same unless a class says
        otherwise.
    """

    retryable: bool = False
    delay: float | None = None
    before_stream: bool = False

    @property
    def info(self) -> CodexErrorInfo:
        """What went wrong, for programs."""
        return CodexErrorCode.OTHER


class StreamDisconnected(ModelError):
    """
    The answer broke off, or did not make sense to the end.

    Attributes:
        problem: What happened, for people.
    """

    retryable = True

    def __init__(self, problem: str, delay: float | None = None) -> None:
        super().__init__(problem, delay)
        self.problem = problem
        self.delay = delay

    def __str__(self) -> str:
        return f"stream disconnected before completion: {self.problem}"


class ConnectionFailed(ModelError):
    """
    There was no connection, or it went away before an answer came.

    Attributes:
        problem: What happened, for people.

    Source:
        Codex reports most of these as a broken stream; we tell them apart.
    """

    before_stream = True

    def __init__(self, problem: str, *, retryable: bool = True) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retryable = retryable

    def __str__(self) -> str:
        return f"Connection failed: {self.problem}"

    @property
    def info(self) -> CodexErrorInfo:
        """No connection, and no status."""
        return HttpConnectionFailed()


class ResponseStreamFailed(ModelError):
    """
    The server accepted the request and answered with something that is no event stream.

    Asking again gives the same: usually the address is wrong.

    Attributes:
        problem: What came instead.
        request_id: The server's name for the request, for its operators.
    """

    before_stream = True

    def __init__(self, problem: str, request_id: str | None = None) -> None:
        super().__init__(problem, request_id)
        self.problem = problem
        self.request_id = request_id

    def __str__(self) -> str:
        suffix = "" if self.request_id is None else f", request id: {self.request_id}"
        return f"Error while reading the server response: {self.problem}{suffix}"

    @property
    def info(self) -> CodexErrorInfo:
        """The answer could not be read."""
        return ResponseStreamConnectionFailed(http_status_code=int(HTTPStatus.OK))


class ContextWindowExceeded(ModelError):
    """The history is longer than the model can take."""

    def __str__(self) -> str:
        return (
            "Codex ran out of room in the model's context window. "
            "Start a new thread or clear earlier history before retrying."
        )

    @property
    def info(self) -> CodexErrorInfo:
        """The window is full."""
        return CodexErrorCode.CONTEXT_WINDOW_EXCEEDED


class InvalidRequest(ModelError):
    """
    The server does not take this request.

    Attributes:
        message: Its reason; for status 400 the whole body.
    """

    before_stream = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidImage(ModelError):
    """An image in the history is none; the request works once it is taken out."""

    before_stream = True

    def __str__(self) -> str:
        return "Image poisoning"


class UsageLimitReached(ModelError):
    """
    The user's plan gives no more for now.

    Attributes:
        text: What to tell the user, with the way out.
        resets_at: When it gives more, in seconds since the Unix epoch; None unknown.
        rate_limits: How much was used; None unknown.
    """

    before_stream = True

    def __init__(
        self,
        text: str,
        resets_at: int | None = None,
        rate_limits: RateLimitSnapshot | None = None,
    ) -> None:
        super().__init__(text, resets_at, rate_limits)
        self.text = text
        self.resets_at = resets_at
        self.rate_limits = rate_limits

    def __str__(self) -> str:
        return self.text

    @property
    def info(self) -> CodexErrorInfo:
        """The limit is reached."""
        return CodexErrorCode.USAGE_LIMIT_EXCEEDED


class QuotaExceeded(ModelError):
    """The account has no credit left."""

    def __str__(self) -> str:
        return "Quota exceeded. Check your plan and billing details."

    @property
    def info(self) -> CodexErrorInfo:
        """The limit is reached."""
        return CodexErrorCode.USAGE_LIMIT_EXCEEDED


class UsageNotIncluded(ModelError):
    """The user's plan does not cover this use at all."""

    def __str__(self) -> str:
        return (
            "To use Codex with your ChatGPT plan, upgrade to Plus: "
            "https://chatgpt.com/explore/plus."
        )

    @property
    def info(self) -> CodexErrorInfo:
        """The limit is reached."""
        return CodexErrorCode.USAGE_LIMIT_EXCEEDED


class ServerOverloaded(ModelError):
    """The model has no room for more users."""

    def __str__(self) -> str:
        return "Selected model is at capacity. Please try a different model."

    @property
    def info(self) -> CodexErrorInfo:
        """The server is overloaded."""
        return CodexErrorCode.SERVER_OVERLOADED


class InternalServerError(ModelError):
    """The server failed on its own account (status 500)."""

    retryable = True
    before_stream = True

    def __init__(self, delay: float | None = None) -> None:
        super().__init__(delay)
        self.delay = delay

    def __str__(self) -> str:
        return "We're currently experiencing high demand, which may cause temporary errors."

    @property
    def info(self) -> CodexErrorInfo:
        """The server failed."""
        return CodexErrorCode.INTERNAL_SERVER_ERROR


class RateLimited(ModelError):
    """
    Too many requests for now (status 429).

    Attributes:
        request_id: The server's name for the request, for its operators.

    Source:
        Codex, ``RetryLimit``, which it never retries.  We wait as long as the
        server asks, within the one budget.
    """

    retryable = True
    before_stream = True

    def __init__(self, request_id: str | None = None, delay: float | None = None) -> None:
        super().__init__(request_id, delay)
        self.request_id = request_id
        self.delay = delay

    def __str__(self) -> str:
        suffix = "" if self.request_id is None else f", request id: {self.request_id}"
        line = status_line(HTTPStatus.TOO_MANY_REQUESTS)
        return f"exceeded retry limit, last status: {line}{suffix}"

    @property
    def info(self) -> CodexErrorInfo:
        """Too many attempts."""
        return ResponseTooManyFailedAttempts(http_status_code=int(HTTPStatus.TOO_MANY_REQUESTS))


class UnexpectedStatus(ModelError):
    """
    The server answered with a status that has no class of its own.

    Retryable from 500 and for 408, 409 and 425; any other, such as 401, 403
    and 404, would only come again.

    Attributes:
        status: The HTTP status.
        body: Its body, as text.
        url: What was asked, without the query, which may hold a key; None unknown.
        cf_ray: The name that a proxy gave the request.
        request_id: The server's own name for it.

    Source:
        Codex, ``UnexpectedStatusResponseError``, which it always retries.  Ours
        says ``unauthorized`` to programs where the status is 401.
    """

    before_stream = True

    def __init__(  # noqa: PLR0917 -- what copies and pickles call it with
        self,
        status: int,
        body: str = "",
        url: str | None = None,
        cf_ray: str | None = None,
        request_id: str | None = None,
        delay: float | None = None,
    ) -> None:
        super().__init__(status, body, url, cf_ray, request_id, delay)
        self.status = status
        self.body = body
        self.url = url
        self.cf_ray = cf_ray
        self.request_id = request_id
        self.delay = delay
        self.retryable = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT_STATUS

    def __str__(self) -> str:
        return unexpected_status_text(
            self.status,
            self.body,
            url=self.url,
            cf_ray=self.cf_ray,
            request_id=self.request_id,
        )

    @property
    def info(self) -> CodexErrorInfo:
        """Whether the key was refused."""
        unauthorized = self.status == HTTPStatus.UNAUTHORIZED
        return CodexErrorCode.UNAUTHORIZED if unauthorized else CodexErrorCode.OTHER


class MissingKey(ModelError):
    """
    A provider's key is not in the environment; nothing was sent.

    Attributes:
        variable: Where it should be.
        instructions: How to get one, for people; None when nobody said.
    """

    before_stream = True

    def __init__(self, variable: str, instructions: str | None = None) -> None:
        super().__init__(variable, instructions)
        self.variable = variable
        self.instructions = instructions

    def __str__(self) -> str:
        suffix = "" if self.instructions is None else f" {self.instructions}"
        return f"Missing environment variable: `{self.variable}`.{suffix}"
