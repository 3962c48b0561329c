"""
Reads bodies of HTTP answers, whole or event by event, and never too much of them.

A loop over a body is never left early, because the generators inside it would be left to
the garbage collector: who has enough cancels the scope around the loop.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from actors.models.sse import EventTooLong, SseParser

from .message_lines import MESSAGE_LIMIT_BYTES

if TYPE_CHECKING:
    import httpx2

__all__ = ["AnswerTooLong", "read_body", "read_events"]

_FAREWELL: Final = 0.1
"""Seconds that a server gets to end its stream, so that the connection can be used again."""


class AnswerTooLong(Exception):  # noqa: N818 -- never leaves the transport
    """What came is longer than any message may be; it was not kept."""

    def __str__(self) -> str:
        return f"the answer has more than {MESSAGE_LIMIT_BYTES // (1024 * 1024)} MiB"


async def read_body(response: "httpx2.Response") -> bytes:
    """
    Read a body, as it came: what is compressed although we did not ask for it stays so.

    Raises:
        AnswerTooLong: It has more than 8 MiB.
        httpx2.HTTPError: It broke off.
    """
    parts: list[bytes] = []
    size = 0
    with trio.CancelScope() as reading:
        async for piece in response.aiter_raw():
            size += len(piece)
            parts.append(piece)
            if size > MESSAGE_LIMIT_BYTES:
                reading.cancel()
    if size > MESSAGE_LIMIT_BYTES:
        raise AnswerTooLong
    return b"".join(parts)


async def read_events(
    response: "httpx2.Response", take: Callable[[bytes], Awaitable[bool]]
) -> None:
    """
    Give the data of each event to *take*, until it says that it has enough, or to the end.

    Raises:
        AnswerTooLong: An event has more than 8 MiB.
        httpx2.HTTPError: The stream broke off.
    """
    parser = SseParser(MESSAGE_LIMIT_BYTES)
    too_long = False
    with trio.CancelScope() as reading:
        async for piece in response.aiter_raw():
            try:
                events = parser.feed(piece)
            except EventTooLong:
                too_long = True
                reading.cancel()
                continue
            for data in events:
                if await take(data):
                    reading.deadline = trio.current_time() + _FAREWELL
    if too_long:
        raise AnswerTooLong
