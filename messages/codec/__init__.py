"""The codec: values to JSON and back; the only place that knows what JSON looks like."""

from .lines import decode_item, decode_line, encode_line, encode_record
from .values import decode, encode, from_json, to_json

__all__ = [
    "decode",
    "decode_item",
    "decode_line",
    "encode",
    "encode_line",
    "encode_record",
    "from_json",
    "to_json",
]
