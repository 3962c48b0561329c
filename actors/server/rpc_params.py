"""What a request asks, typed: the first check that every request passes."""

from collections.abc import Mapping

from messages.codec import from_json
from messages.errors import DecodeError
from messages.rpc.requests import CLIENT_REQUESTS
from messages.value import Json

from .rpc_errors import RpcFailure

__all__ = ["read_request"]


def read_request(method: str, params: Json) -> object:
    """
    Make typed params of what came; None for a method that takes none.

    Raises:
        RpcFailure: There is no such method, or these are not its params.
    """
    kind = CLIENT_REQUESTS.get(method)
    if kind is None:
        known = ", ".join(f"`{name}`" for name in CLIENT_REQUESTS)
        raise _unreadable(f"unknown variant `{method[:64]}`, expected one of {known}")
    if kind.params is None:
        if params is not None and not isinstance(params, Mapping):
            raise _unreadable("params of this method are none, null or an object")
        return None
    if params is None:
        raise _unreadable("missing field `params`")
    try:
        return from_json(params, kind.params)
    except DecodeError as error:
        raise _unreadable(str(error)) from error


def _unreadable(problem: str) -> RpcFailure:
    return RpcFailure.invalid(f"Invalid request: {problem}")
