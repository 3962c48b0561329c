"""Lines of a rollout: records in their envelope."""

import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from ..errors import DecodeError
from .assembly import line_reader, the_records
from .misfit import Misfit
from .values import UNWRITABLE, encode_error

if TYPE_CHECKING:
    from ..rollout import RolloutItem, RolloutLine

__all__ = [
    "decode_item",
    "decode_line",
    "decode_recorded",
    "encode_line",
    "encode_record",
    "recorded_classes",
]

_CRC_HEAD = b'{"crc":"'
_BODY = len(_CRC_HEAD) + len(b'00000000",')
# Started with this, the CRC-32 of a brace is 0, with which a CRC-32 starts: the brace in
# front of the body then counts for nothing, and need not be cut off first.
_BEFORE_BRACE = 0x0F6A705D

# How a line of ours begins, and where in it the checksum is.
_HEAD = b'{"crc":"00000000",'
_DIGITS = range(len(_CRC_HEAD), len(_CRC_HEAD) + 8)
# Behind checksum and position comes the timestamp, then the kind, in front of which there
# is no other member of this name; and behind it the tag of the payload.
_KIND = b'"type":"'
_BEFORE_KIND = len(b'{"crc":"00000000","seq":0,"timestamp":"')
_BEFORE_TAG_END = len(b'"type":"response_item","payload":{"type":"')
_PAYLOAD = b'"payload":'
_PAYLOAD_BYTES = len(_PAYLOAD)
_END = -len(b"}\n")

# What `Records.read` deals with: a kind without tags, or a payload that does not fit.
_MAYBE_UNKNOWN = (KeyError, TypeError, Misfit, RecursionError)
# No JSON, no object, or a member that is missing or of another kind.
_MAYBE_DAMAGED = (ValueError, KeyError, TypeError, Misfit)


def encode_record(item: "RolloutItem") -> tuple[str, bytes]:
    """
    The kind of a record, and its payload as UTF-8 text without white space.

    Raises:
        EncodeError: The item has no such form.
    """
    try:
        kind, payload = the_records().write(item)
        return kind, orjson.dumps(payload)
    except UNWRITABLE as exc:
        raise encode_error(item, exc) from exc


def encode_line(item: "RolloutItem", *, timestamp: str, seq: int) -> bytes:
    """
    One line of a rollout, newline included.

    It begins with a checksum over the rest of the line, newline excluded; Codex
    skips the members it does not know::

        {"crc":"%08x","seq":N,"timestamp":"...","type":"...","payload":{...}}

    Args:
        item: What to record.
        timestamp: When, RFC 3339 in UTC with milliseconds.
        seq: Position in the file, from 0.

    Raises:
        EncodeError: The item has no such form.
    """
    try:
        kind, payload = the_records().write(item)
        line = {"seq": seq, "timestamp": timestamp, "type": kind, "payload": payload}
        body = orjson.dumps(line)
    except UNWRITABLE as exc:
        raise encode_error(item, exc) from exc
    return b'{"crc":"%08x",%b\n' % (zlib.crc32(body, _BEFORE_BRACE), body[1:])


def decode_line(line: bytes) -> "RolloutLine":
    """
    Read one line of a rollout, of ours or of another program's.

    A record whose kind is not known, or whose payload does not fit, becomes an
    `UnknownRecord`, so that it can be carried along.

    Args:
        line: With or without its newline.

    Raises:
        DecodeError: It is no JSON, no envelope, or its checksum is wrong.
    """
    try:
        raw = orjson.loads(line)
        read: RolloutLine = line_reader()(raw)
    except orjson.JSONDecodeError as exc:
        raise DecodeError("$", f"no JSON: {exc}") from exc
    except Misfit as problem:
        raise problem.as_error() from None
    crc = read.crc
    if crc is not None and line.startswith(_CRC_HEAD):
        if crc == _checksum(line[_BODY:-1]):
            return read
        # It may have lost its newline, or got the one of another platform.
        if crc != _checksum(line[_BODY:].rstrip(b"\r\n")):
            raise DecodeError("$.crc", f"the line was damaged: its checksum is not {crc!r}")
    return read


def _checksum(body: bytes) -> str:
    return zlib.crc32(body).to_bytes(4, "big").hex()


def decode_item(line: bytes) -> "RolloutItem":
    """
    Read the item of one line of a rollout, and nothing else of it.

    The same as ``decode_line(line).item``, errors included, and a fifth faster:
    no `RolloutLine` is made for the lines that nothing happened to.
    """
    try:
        raw = orjson.loads(line)
        kind, payload = raw["type"], raw["payload"]
        try:
            item: RolloutItem = the_records().tagged_readers[kind][payload["type"]](payload)
        except _MAYBE_UNKNOWN:
            item = the_records().read(kind, payload)
        # This accepts less than decode_line, never more.
        if (
            raw["timestamp"].__class__ is str
            and kind.__class__ is str
            and ("crc" not in raw or raw["crc"] == _checksum(line[_BODY:-1]))
        ):
            return item
    except _MAYBE_DAMAGED:
        pass
    return decode_line(line).item  # says what is wrong, if anything is


def recorded_classes(lines: Sequence[bytes]) -> "list[type[RolloutItem] | None]":
    """
    Tell of many lines what they record, by their first bytes and their checksum.

    Takes an eighth of the time that it takes to decode them.

    Returns:
        For each line of ours with the right checksum the class of its item, if a tag
        tells it; what that line records then comes from `decode_recorded`.  None for
        all others: `decode_item` says whether they are anything.
    """
    heads = the_records().heads
    if _are_whole(lines):
        return [heads.get(_head(line)) for line in lines]
    return [heads.get(_head(line)) if _are_whole((line,)) else None for line in lines]


def _head(line: bytes) -> bytes:
    start = line.find(_KIND, _BEFORE_KIND)
    return line[start : line.find(b'"', start + _BEFORE_TAG_END) + 1]


def _are_whole(lines: Sequence[bytes]) -> bool:
    """Tell whether all are lines of ours with the right checksum and a line end."""
    crc32, body, size = zlib.crc32, _BODY, len(_HEAD)
    checksums = array("I", [crc32(line[body:-1]) for line in lines])
    if sys.byteorder == "little":
        checksums.byteswap()
    digits = checksums.tobytes().hex().encode()
    expected = bytearray(_HEAD * len(lines))
    for number, place in enumerate(_DIGITS):
        expected[place::size] = digits[number::8]
    return bytes(expected) == b"".join([line[:size] for line in lines])


def decode_recorded(line: bytes, cls: "type[RolloutItem]") -> "RolloutItem":
    """
    Read the item of a line of which `recorded_classes` told the class.

    What does not fit that class becomes an `UnknownRecord`, as in `decode_line`; so does
    what is no JSON, which no program of ours gives a checksum.
    """
    try:
        start = line.index(_PAYLOAD, _BEFORE_KIND) + _PAYLOAD_BYTES
        item: RolloutItem = the_records().readers[cls](orjson.loads(line[start:_END]))
    except _MAYBE_DAMAGED:
        return _as_unknown(line)
    except RecursionError:
        return decode_item(line)
    return item


def _as_unknown(line: bytes) -> "RolloutItem":
    from ..rollout import UnknownRecord  # noqa: PLC0415 -- see assembly.py

    try:
        return decode_item(line)
    except DecodeError as exc:
        return UnknownRecord(kind="", payload=None, reason=str(exc))
