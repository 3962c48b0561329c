"""The codec: values to JSON and back; the only place that knows what JSON looks like."""

from .lines import (
    decode_item,
    decode_line,
    decode_recorded,
    encode_line,
    encode_record,
    recorded_classes,
)
from .values import decode, encode, from_json, to_json

__all__ = [
    "decode",
    "decode_item",
    "decode_line",
    "decode_recorded",
    "encode",
    "encode_line",
    "encode_record",
    "from_json",
    "recorded_classes",
    "to_json",
]
