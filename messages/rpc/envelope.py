"""The four kinds of messages of the protocol: JSON-RPC 2.0 without its version member."""

from typing import Final, TypeAlias

import attrs

from ..value import Json
from .value import RpcValue

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "OVERLOADED",
    "ErrorResponse",
    "Notification",
    "Request",
    "RequestId",
    "Response",
    "RpcError",
    "RpcMessage",
]

RequestId: TypeAlias = str | int
"""Chosen by who asks, and echoed unchanged: ``"7"`` is not ``7``."""

INVALID_REQUEST: Final = -32600
"""Nearly everything that is the client's: unknown methods, wrong params, wrong states."""

METHOD_NOT_FOUND: Final = -32601
"""A known method that this thread cannot serve."""

INTERNAL_ERROR: Final = -32603
"""Files and processes failed us."""

OVERLOADED: Final = -32001
"""The request was not even queued; the client may retry later."""


@attrs.frozen(kw_only=True)
class Request(RpcValue):
    """
    A question that wants one answer.

    Attributes:
        params: As they came or go; None stands for none and for null.
    """

    id: RequestId
    method: str
    params: Json = None


@attrs.frozen(kw_only=True)
class Notification(RpcValue):
    """
    A fact that wants no answer.

    Attributes:
        params: As they came or go; None for none.
        emitted_at_ms: When the server said it, in milliseconds since the Unix epoch.
    """

    method: str
    params: Json = None
    emitted_at_ms: int | None = None


@attrs.frozen(kw_only=True)
class Response(RpcValue):
    """The answer to the request of this id."""

    id: RequestId
    result: Json


@attrs.frozen(kw_only=True)
class RpcError(RpcValue):
    """
    Why a request was refused.

    Attributes:
        code: One of the constants of this module.
        data: More for programs; None for nothing.
    """

    code: int
    message: str
    data: Json = None


@attrs.frozen(kw_only=True)
class ErrorResponse(RpcValue):
    """The refusal of the request of this id; None when a client could not tell which."""

    id: RequestId | None
    error: RpcError


RpcMessage: TypeAlias = Request | Notification | Response | ErrorResponse
