"""Server-sent events, from bytes as they come to the data of whole events."""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["EVENT_LIMIT_BYTES", "EventTooLong", "SseParser"]

EVENT_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Longest event: images and encrypted reasoning take megabytes, a runaway server takes all."""


class EventTooLong(ValueError):  # noqa: N818 -- a condition of the stream, not of the program
    """
    An event is longer than the limit; nothing more can be read.

    Attributes:
        limit_bytes: The limit.
    """

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"an event is longer than {self.limit_bytes} bytes"


@attrs.define(eq=False)
class SseParser:
    """
    Cuts a byte stream into events and keeps their data only.

    Names, ids, retry times and comments are skipped: the service repeats the
    name inside of the data.  Bytes are not decoded here, so a character that
    two chunks share is no problem, and each byte is looked at once or twice
    however small the chunks are.

    Source:
        WHATWG HTML, "Server-sent events", section 9.2.6.
    """

    _limit_bytes: int = EVENT_LIMIT_BYTES

    # The beginning of a line that has not ended, in the pieces it came in.
    _partial: list[bytes] = attrs.field(factory=list[bytes], init=False)
    # Data lines of the event that has not ended.
    _data: list[bytes] = attrs.field(factory=list[bytes], init=False)
    # Invariant: the bytes that _partial and _data hold.
    _partial_bytes: int = attrs.field(default=0, init=False)
    _data_bytes: int = attrs.field(default=0, init=False)
    _after_cr: bool = attrs.field(default=False, init=False)
    _begun: bool = attrs.field(default=False, init=False)

    def feed(self, chunk: bytes) -> list[bytes]:
        """
        Take the next bytes, and return the data of the events that they end, in order.

        Raises:
            EventTooLong: An event does not end within the limit.
        """
        events: list[bytes] = []
        for line in self._lines(chunk):
            if line:
                self._take(line)
            elif self._data:
                events.append(self._take_data())
        if self._partial_bytes + self._data_bytes > self._limit_bytes:
            raise EventTooLong(self._limit_bytes)
        return events

    def finish(self) -> list[bytes]:
        """
        Say that no more bytes come, and return the data of an event that lacks only its end.

        The specification drops such an event; servers that forget the last
        empty line exist, and half an event is no valid JSON anyway.
        """
        if self._partial:
            self._take(b"".join(self._partial))
            self._partial.clear()
            self._partial_bytes = 0
        return [self._take_data()] if self._data else []

    def _take_data(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._data_bytes = 0
        return data

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._after_cr and chunk:  # the other half of a CR LF that was cut in two
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:  # rare, so the common way stays one split
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        tail = lines.pop()
        if lines and self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial.clear()
            self._partial_bytes = 0
        if tail:
            self._partial.append(tail)
            self._partial_bytes += len(tail)
        if lines and not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")  # a byte order mark
        return lines

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._data_bytes += len(value)
