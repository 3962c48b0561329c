"""Where the prompt comes from: the command line, or standard input to its end."""

import os
from typing import Final

import trio

from .errors import UsageError

__all__ = ["read_prompt"]

_STDIN: Final = 0
_FROM_STDIN: Final = "-"
_CHUNK_BYTES: Final = 1 << 16


async def read_prompt(argument: str | None) -> str:
    """
    Return the prompt.

    An argument is taken as it is, and standard input is not touched then: it may
    be a pipe that nobody closes.  Without one, or with ``-``, it is standard input.

    Raises:
        UsageError: There is none, or it is no text.

    Cancellation:
        Takes effect at once; what was read is lost.
    """
    if argument is not None and argument != _FROM_STDIN:
        if not argument.strip():
            raise UsageError("the prompt is empty; write one, or pipe it into standard input")
        return _text(os.fsencode(argument), "the prompt")
    if argument is None and os.isatty(_STDIN):
        raise UsageError("no prompt: write one as an argument, or pipe it into standard input")
    # Abandoned when cancelled: nothing wakes a thread that reads from a pipe.
    data = await trio.to_thread.run_sync(_read_stdin, abandon_on_cancel=True)
    prompt = _text(data, "the prompt on standard input")
    if not prompt.strip():
        raise UsageError("the prompt on standard input is empty; pipe some text into it")
    return prompt


def _read_stdin() -> bytes:
    # Not through sys.stdin: an abandoned thread would keep its lock, and the
    # interpreter waits for that at exit.
    parts: list[bytes] = []
    try:
        while part := os.read(_STDIN, _CHUNK_BYTES):
            parts.append(part)
    except OSError as exc:
        raise UsageError(f"standard input cannot be read: {exc.strerror}") from exc
    return b"".join(parts)


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise UsageError(f"{what} is no UTF-8 text ({exc.reason} at byte {exc.start})") from exc
