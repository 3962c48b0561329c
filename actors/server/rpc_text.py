"""
The text of messages: from bytes to one of four kinds, and back.

Only the envelope is dealt with here, directly on what orjson gives; what is inside of
params and results is the affair of `messages.codec`.  What goes to several clients is
written once.
"""

from typing import Any, Final, TypeGuard, cast

import attrs
import orjson

from messages.codec import to_json
from messages.errors import EncodeError
from messages.rpc.envelope import (
    ErrorResponse,
    Notification,
    Request,
    RequestId,
    Response,
    RpcError,
    RpcMessage,
)
from messages.value import Json

from .rpc_errors import NotAMessage

__all__ = [
    "OutgoingNotification",
    "read_message",
    "write_error",
    "write_notification",
    "write_request",
    "write_response",
]

_ID_MIN: Final = -(2**63)
_ID_MAX: Final = 2**63 - 1


@attrs.frozen
class OutgoingNotification:
    """
    A notification in its written form, for any number of connections.

    Attributes:
        method: What connections may opt out of.
        text: The whole message as UTF-8, without an end of line.
    """

    method: str
    text: bytes = attrs.field(repr=False)


def read_message(text: bytes | str) -> RpcMessage:
    """
    Tell what a client says.

    An object is tried as request, notification, response and error, in this order;
    members that do not belong there are not looked at.

    Raises:
        NotAMessage: It is none of them.
    """
    try:
        raw: Any = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        # The message of the error says where, and quotes nothing.
        raise NotAMessage(f"no JSON: {exc.msg} at position {exc.pos}") from None
    if not isinstance(raw, dict):
        batch = isinstance(raw, list)
        raise NotAMessage("a batch; send one message at a time" if batch else "no JSON object")
    members = cast("dict[str, Any]", raw)  # as orjson gives objects
    method, request_id = members.get("method"), members.get("id")
    if isinstance(method, str):
        if _is_id(request_id):
            return Request(id=request_id, method=method, params=members.get("params"))
        return Notification(method=method, params=members.get("params"))
    if not _is_id(request_id):
        raise NotAMessage("neither a method nor an id")
    if "result" in members:
        return Response(id=request_id, result=members["result"])
    return ErrorResponse(id=request_id, error=_read_error(members.get("error")))


def _is_id(value: object) -> TypeGuard[RequestId]:
    # bool is an int to Python, and not to JSON.
    return isinstance(value, str) or (type(value) is int and _ID_MIN <= value <= _ID_MAX)


def _read_error(raw: Any) -> RpcError:
    match raw:
        case {"code": int(code), "message": str(message)}:
            return RpcError(code=code, message=message, data=raw.get("data"))
        case _:
            raise NotAMessage("neither method nor result, and no error with code and message")


def write_request(request_id: RequestId, method: str, params: Json) -> bytes:
    """
    Write a request of ours; see `write_response` for *params*.

    Raises:
        EncodeError: They have no such form.
    """
    message: dict[str, Json] = {"method": method, "id": request_id}
    return _write(message if params is None else message | {"params": params}, params)


def write_notification(method: str, params: Json, *, emitted_at_ms: int) -> OutgoingNotification:
    """
    Write a notification; see `write_response` for *params*.

    Args:
        method: Its name.
        params: What it says; None for nothing.
        emitted_at_ms: Now, in milliseconds since the Unix epoch.

    Raises:
        EncodeError: The params have no such form.
    """
    message: dict[str, Json] = {"method": method, "emittedAtMs": emitted_at_ms}
    text = _write(message if params is None else message | {"params": params}, params)
    return OutgoingNotification(method, text)


def write_response(request_id: RequestId, result: Json) -> bytes:
    """
    Write an answer.

    Args:
        request_id: As the request had it.
        result:
            JSON, values of `messages` in place of any of it, or what is written
            already (`orjson.Fragment`).

    Raises:
        EncodeError: It has no such form.
    """
    return _write({"id": request_id, "result": result}, result)


def write_error(request_id: RequestId, error: RpcError) -> bytes:
    """
    Write a refusal.

    Raises:
        EncodeError: Its data has no such form.
    """
    body: dict[str, Json] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return _write({"error": body, "id": request_id}, error.data)


def _write(message: dict[str, Json], content: Json) -> bytes:
    try:
        # A copy: what orjson gives holds 4 KB of memory however short it is, and many
        # messages wait or are kept.
        return b"%b" % orjson.dumps(message, default=to_json)
    except TypeError as exc:  # what orjson raises for all that has no JSON
        problem = str(exc.__cause__ or exc)
        raise EncodeError(type(content).__name__, problem) from exc
