"""Output of a session as text: pieces that end between characters, and what the model reads."""

import codecs
from collections.abc import Iterator
from random import Random
from typing import Final

import attrs

from actors.rollout import formatted_truncate_text
from messages.settings import TruncationMode, TruncationPolicy

from .capture import OutputBuffer
from .command_report import decode_output

__all__ = ["Characters", "SessionAnswer"]

_BYTES_PER_TOKEN: Final = 4
"""As where texts are cut."""

_PIECE_BYTES: Final = 8192
"""Most bytes of one piece.  Source: Codex, ``unified_exec/async_watcher.rs``."""


@attrs.define(eq=False)
class Characters:
    """
    Cuts a stream into pieces that end between characters, if it is UTF-8.

    What is no UTF-8 goes through unchanged; at most three bytes wait for the rest of a
    character.

    Source:
        Codex, ``split_valid_utf8_prefix``; there each wrong byte is a piece of its own.
    """

    _held: bytes = attrs.field(default=b"", init=False)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes, and give back the pieces that are complete."""
        data = self._held + data
        start = 0
        while start < len(data):
            part = data[start : start + _PIECE_BYTES]
            _, complete_bytes = codecs.utf_8_decode(part, "replace", False)
            if not complete_bytes:
                break
            start += complete_bytes
            yield part[:complete_bytes]
        self._held = data[start:]

    def finish(self) -> bytes:
        """Give back what still waits."""
        held, self._held = self._held, b""
        return held


@attrs.frozen(kw_only=True)
class SessionAnswer:
    """
    What the model reads after a call that started a process or typed into one.

    Attributes:
        session_id: Of the process.
        exit_code: None while it runs.
        output: What it wrote since the last answer.
        wall_time: Seconds that the call took.
        max_output_tokens: Room for the output, as the model wishes.
    """

    session_id: int
    exit_code: int | None
    output: OutputBuffer
    wall_time: float
    max_output_tokens: int

    def render(self, policy: TruncationPolicy, random: Random) -> str:
        """
        Put it into words; the output is cut to the lower of the model's wish and *policy*.

        Source:
            Codex, ``handlers/unified_exec.rs``.
        """
        if self.exit_code is None:
            state = f"Process running with session ID {self.session_id}"
        else:
            state = f"Process exited with code {self.exit_code}"
        room = TruncationPolicy(mode=TruncationMode.TOKENS, limit=self._limit_tokens(policy))
        lines = (
            f"Chunk ID: {random.getrandbits(24):06x}",
            f"Wall time: {self.wall_time:.4f} seconds",
            state,
            f"Original token count: {-(-self.output.total_bytes // _BYTES_PER_TOKEN)}",
            "Output:",
            formatted_truncate_text(decode_output(self.output.render()), room),
        )
        return "\n".join(lines)

    def _limit_tokens(self, policy: TruncationPolicy) -> int:
        if policy.mode is TruncationMode.TOKENS:
            return min(self.max_output_tokens, policy.limit)
        return min(self.max_output_tokens, policy.limit // _BYTES_PER_TOKEN)
