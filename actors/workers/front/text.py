"""What must be known of a message that passes, read off its bytes."""

from typing import Any, Final, NamedTuple, cast

import orjson

from actors.server.rpc_errors import NotAMessage, RpcFailure
from messages.ids import ThreadId
from messages.rpc.envelope import RequestId

__all__ = [
    "ANSWER",
    "METHOD",
    "REFUSAL",
    "BegunTurn",
    "answered_id",
    "begun_turn_of",
    "is_active",
    "params_of",
    "readdressed",
    "refusal_of",
    "thread_id_of",
]

# How our own writer begins the messages; see `rpc_text`.
METHOD: Final = b'{"method":"'
ANSWER: Final = b'{"id":'
REFUSAL: Final = b'{"error":'

_ID: Final = b',"id":'
_THREAD: Final = b',"result":{"thread":{"id":"'
_STATUS: Final = b'"status":{"type":"'
_ID_LENGTH: Final = 36


def answered_id(line: bytes) -> int:
    """
    Tell which request of ours is answered or refused.

    Raises:
        NotAMessage: It does not say.
    """
    if line.startswith(ANSWER):
        text = line[len(ANSWER) : line.find(b",", len(ANSWER))]
    else:
        text = line[line.rfind(_ID) + len(_ID) : -1]
    if not text.isdigit():
        raise NotAMessage("an answer to nobody's request")
    return int(text)


def readdressed(line: bytes, request_id: RequestId) -> bytes:
    """Give an answer to one of our requests to the client who asked."""
    own = orjson.dumps(request_id)
    if line.startswith(ANSWER):
        return b"".join((ANSWER, own, line[line.find(b",", len(ANSWER)) :]))
    return b"".join((line[: line.rfind(_ID) + len(_ID)], own, b"}"))


def refusal_of(line: bytes) -> RpcFailure:
    """
    Read a refusal.

    Raises:
        NotAMessage: It is none.
    """
    match _loads(line).get("error"):
        case {"code": int(code), "message": str(message)} as error:
            return RpcFailure(code, message, cast("dict[str, Any]", error).get("data"))
        case _:
            raise NotAMessage("a refusal without code and message")


def params_of(line: bytes) -> dict[str, Any]:
    """
    Read the params of a message with a method.

    Raises:
        NotAMessage: It has none.
    """
    params = _loads(line).get("params")
    if not isinstance(params, dict):
        raise NotAMessage("params that are no object")
    return cast("dict[str, Any]", params)  # as orjson gives objects


def thread_id_of(line: bytes) -> ThreadId:
    """
    Tell which thread an answer is about, without reading its turns if that can be.

    Raises:
        NotAMessage: It is about none.
    """
    start = line.find(b",", len(ANSWER))
    if line.startswith(_THREAD, start):
        start += len(_THREAD)
        return ThreadId(line[start : start + _ID_LENGTH].decode("ascii", "replace"))
    match _loads(line).get("result"):
        case {"thread": {"id": str(thread_id)}}:
            return ThreadId(thread_id)
        case _:
            raise NotAMessage("an answer without a thread")


def is_active(line: bytes) -> bool:
    """Tell whether a turn runs in the thread that an answer is about."""
    # The status comes before whatever somebody else wrote, but for texts; in these, quotes
    # have backslashes.
    start = line.find(_STATUS)
    return start >= 0 and line.startswith(b"active", start + len(_STATUS))


class BegunTurn(NamedTuple):
    """A turn that an answer is about, and its thread where that is said."""

    turn_id: str
    thread_id: ThreadId | None


def begun_turn_of(line: bytes) -> BegunTurn:
    """
    Tell which turn an answer is about.

    Raises:
        NotAMessage: It is about none.
    """
    match _loads(line).get("result"):
        case {"turn": {"id": str(turn_id)}, "reviewThreadId": str(thread_id)}:
            return BegunTurn(turn_id, ThreadId(thread_id))
        case {"turn": {"id": str(turn_id)}}:
            return BegunTurn(turn_id, None)
        case _:
            raise NotAMessage("an answer without a turn")


def _loads(line: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise NotAMessage(f"no JSON: {exc.msg} at position {exc.pos}") from None
    if not isinstance(message, dict):
        raise NotAMessage("no JSON object")
    return cast("dict[str, Any]", message)  # as orjson gives objects
