"""Values to JSON and back."""

from typing import Any, TypeVar, overload

import orjson

from ..errors import DecodeError, EncodeError
from ..value import Json
from .assembly import the_codec
from .misfit import Misfit

__all__ = ["UNWRITABLE", "decode", "encode", "encode_error", "from_json", "to_json"]

T = TypeVar("T")

UNWRITABLE = (ValueError, TypeError, AttributeError, Misfit, RecursionError)
"""What writers and orjson raise for values that have no JSON."""

_TOO_DEEP = "nested too deep"


def to_json(value: object) -> Json:
    """
    JSON of a value: dicts, lists and scalars, with the tag where the class has one.

    JSON that the value carries (`Value.extra`, `Unknown.raw`, fields of type `Json`)
    is not copied.

    Raises:
        EncodeError: The value holds something that JSON has no form for.
    """
    try:
        return the_codec().writers[value.__class__](value)
    except UNWRITABLE as exc:
        raise encode_error(value, exc) from exc


def encode(value: object) -> bytes:
    """
    The same as UTF-8 text without white space.

    Raises:
        EncodeError: As `to_json`; also for text with lone surrogates, whole numbers
            of more than 64 bits, and more than 254 levels.
    """
    try:
        return orjson.dumps(the_codec().writers[value.__class__](value))
    except UNWRITABLE as exc:
        raise encode_error(value, exc) from exc


@overload
def from_json(raw: Json, as_type: type[T]) -> T: ...


@overload
def from_json(raw: Json, as_type: Any) -> Any: ...


def from_json(raw: Json, as_type: Any) -> Any:
    """
    Make a value of JSON.

    Args:
        raw: As `orjson.loads` gives it.
        as_type:
            What it is to be: a class, a union such as `Op`, or a container such as
            ``tuple[ResponseItem, ...]``.  Not `RolloutItem`, whose kind stands in its
            line: use `decode_line`.

    Raises:
        DecodeError: It is no such thing; nothing was built.
    """
    try:
        return the_codec().reader(as_type)(raw)
    except Misfit as problem:
        raise problem.as_error() from None
    except RecursionError:
        raise DecodeError("$", _TOO_DEEP) from None


@overload
def decode(data: bytes, as_type: type[T]) -> T: ...


@overload
def decode(data: bytes, as_type: Any) -> Any: ...


def decode(data: bytes, as_type: Any) -> Any:
    """
    Make a value of JSON text in UTF-8.

    Raises:
        DecodeError: It is no JSON, or no such thing; nothing was built.
    """
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise DecodeError("$", f"no JSON: {exc}") from exc
    return from_json(raw, as_type)


def encode_error(value: object, exc: BaseException) -> EncodeError:
    """The error for callers, in which the class of the whole value is named."""
    problem = _TOO_DEEP if isinstance(exc, RecursionError) else str(exc)
    return EncodeError(type(value).__name__, problem)
