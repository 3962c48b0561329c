"""Cuts what a server writes into lines, and keeps no line that is too long."""

import re
from collections.abc import Iterator
from typing import Final

import attrs

__all__ = ["MESSAGE_LIMIT_BYTES", "MessageLines", "TooLong"]

MESSAGE_LIMIT_BYTES: Final = 8 * 1024 * 1024
"""Longest message of a server, in bytes."""

_END_BYTES: Final = 256
"""How much of the end of a line that is too long is kept: the id may be there."""

_ENDLESS: Final = 8
"""A line of so many times the limit will not end."""

_ID: Final = rb'"id"\s*:\s*(\d{1,18})'
_VERSION: Final = rb'"jsonrpc"\s*:\s*"2\.0"'
# Where the usual libraries write the id, and nothing that a text inside could look like.
_ID_IN_FRONT: Final = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb"\s*,\s*)?" + _ID + rb"\s*,")
_ID_AT_END: Final = re.compile(_ID + rb"(?:\s*,\s*" + _VERSION + rb")?\s*\}\s*$")


@attrs.frozen
class TooLong:
    """
    A line that was not kept.

    Attributes:
        id: Of the question that it answers; None when that could not be seen.
    """

    id: int | None


@attrs.define(eq=False)
class MessageLines:
    """
    The lines of one stream.

    Attributes:
        limit_bytes: Longer lines come as `TooLong`, those without an end before it.
    """

    limit_bytes: int = MESSAGE_LIMIT_BYTES
    _parts: list[bytes] = attrs.field(factory=list[bytes], init=False)
    _size: int = attrs.field(default=0, init=False)
    # Of a line that is too long: its beginning and, so far, its end.
    _cut: tuple[bytes, bytes] | None = attrs.field(default=None, init=False)

    def feed(self, piece: bytes) -> Iterator[bytes | TooLong]:
        """Take the next piece; give the lines that it completes, without their ends."""
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._add(line)
            yield self._take()
        self._add(rest)
        if self._size > _ENDLESS * self.limit_bytes:
            yield TooLong(None)

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._cut is not None:
            head, end = self._cut
            self._cut = (head, (end + part)[-_END_BYTES:])
            return
        self._parts.append(part)
        if self._size > self.limit_bytes:
            whole = b"".join(self._parts)
            self._cut = (whole[:_END_BYTES], whole[-_END_BYTES:])
            self._parts.clear()

    def _take(self) -> bytes | TooLong:
        line: bytes | TooLong
        line = b"".join(self._parts) if self._cut is None else TooLong(_seen_id(*self._cut))
        self._parts.clear()
        self._size, self._cut = 0, None
        return line


def _seen_id(head: bytes, end: bytes) -> int | None:
    found = _ID_IN_FRONT.match(head) or _ID_AT_END.search(end)
    return int(found.group(1)) if found else None
