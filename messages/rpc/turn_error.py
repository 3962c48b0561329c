"""Why a turn failed, or is tried again."""

from enum import Enum
from typing import TypeAlias

import attrs

from .value import RpcValue

__all__ = [
    "CodexErrorCode",
    "CodexErrorInfo",
    "HttpConnectionFailedCodexErrorInfo",
    "ResponseStreamConnectionFailedCodexErrorInfo",
    "ResponseStreamDisconnectedCodexErrorInfo",
    "ResponseTooManyFailedAttemptsCodexErrorInfo",
    "TurnError",
]


class CodexErrorCode(Enum):
    """What went wrong, for programs."""

    CONTEXT_WINDOW_EXCEEDED = "contextWindowExceeded"
    USAGE_LIMIT_EXCEEDED = "usageLimitExceeded"
    SERVER_OVERLOADED = "serverOverloaded"
    INTERNAL_SERVER_ERROR = "internalServerError"
    UNAUTHORIZED = "unauthorized"
    BAD_REQUEST = "badRequest"
    SANDBOX_ERROR = "sandboxError"
    THREAD_ROLLBACK_FAILED = "threadRollbackFailed"
    OTHER = "other"


@attrs.frozen(kw_only=True)
class HttpConnectionFailedCodexErrorInfo(RpcValue):
    """No connection to the model; the status, where there was an answer."""

    http_status_code: int | None = None


@attrs.frozen(kw_only=True)
class ResponseStreamConnectionFailedCodexErrorInfo(RpcValue):
    """The answer could not be read from its beginning."""

    http_status_code: int | None = None


@attrs.frozen(kw_only=True)
class ResponseStreamDisconnectedCodexErrorInfo(RpcValue):
    """The answer broke off in the middle."""

    http_status_code: int | None = None


@attrs.frozen(kw_only=True)
class ResponseTooManyFailedAttemptsCodexErrorInfo(RpcValue):
    """The retries are used up."""

    http_status_code: int | None = None


CodexErrorInfo: TypeAlias = (
    CodexErrorCode
    | HttpConnectionFailedCodexErrorInfo
    | ResponseStreamConnectionFailedCodexErrorInfo
    | ResponseStreamDisconnectedCodexErrorInfo
    | ResponseTooManyFailedAttemptsCodexErrorInfo
)


@attrs.frozen(kw_only=True)
class TurnError(RpcValue):
    """What went wrong, for people and for programs."""

    message: str
    codex_error_info: CodexErrorInfo | None = None
    additional_details: str | None = None
