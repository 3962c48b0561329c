"""Keeps a command's output within a limit: the beginning and the end stay."""

from collections import deque
from typing import Final

import attrs

from messages.events import ExecOutputStream

__all__ = ["OutputBuffer", "ProcessOutput"]

OUTPUT_LIMIT_BYTES: Final = 1024 * 1024
"""Kept of each stream, and of both together.  Source: Codex, ``exec.rs``."""

_BLOCK_BYTES: Final = 8192
"""Pieces of output are put together until they are this long."""


@attrs.define(eq=False)
class OutputBuffer:
    """
    The first and the last bytes of one stream.

    The beginning usually says what ran and the end how it went, so when there is too
    much it is the middle that goes.

    Attributes:
        limit_bytes: How much is kept; what is over it is counted only.
        total_bytes: How much came.
    """

    limit_bytes: int = attrs.field(validator=attrs.validators.ge(0))
    total_bytes: int = attrs.field(default=0, init=False)
    _head: bytearray = attrs.field(factory=bytearray, init=False)
    # Invariant: holds the last limit_bytes // 2 of what did not fit into the head, or all
    # of that, and at most one block and one chunk more.
    _tail: deque[bytearray] = attrs.field(factory=deque[bytearray], init=False)
    _tail_bytes: int = attrs.field(default=0, init=False)

    @property
    def truncated(self) -> bool:
        """Whether bytes are missing from what is kept."""
        return self.total_bytes > self.limit_bytes

    def append(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        self.total_bytes += len(chunk)
        room = self.limit_bytes - self.limit_bytes // 2 - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if not chunk:
            return
        self._tail_bytes += len(chunk)
        if self._tail and len(self._tail[-1]) < _BLOCK_BYTES:
            self._tail[-1] += chunk  # many tiny pieces would cost far more than they hold
        else:
            self._tail.append(bytearray(chunk))
        while self._tail_bytes - len(self._tail[0]) >= self.limit_bytes // 2:
            self._tail_bytes -= len(self._tail.popleft())
            if not self._tail:
                break

    def render(self, limit_bytes: int | None = None) -> bytes:
        """
        Put together what is kept, with a line in the middle that says how much is missing.

        Args:
            limit_bytes: At most the buffer's own limit, or None for that; the line
                itself is not counted.
        """
        limit_bytes = self.limit_bytes if limit_bytes is None else limit_bytes
        kept = bytes(self._head) + b"".join(self._tail)
        if self.total_bytes <= limit_bytes:
            return kept
        back = limit_bytes // 2
        missing = self.total_bytes - limit_bytes
        note = f"\n[... {missing} bytes omitted ...]\n".encode()
        return kept[: limit_bytes - back] + note + kept[len(kept) - back :]


@attrs.define(eq=False)
class ProcessOutput:
    """
    Both streams of a command, within their limits.

    A caller that wants to see what came before a cancellation makes one and passes it
    to `run_process`.
    """

    limit_bytes: int = OUTPUT_LIMIT_BYTES
    _streams: dict[ExecOutputStream, OutputBuffer] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._streams = {stream: OutputBuffer(self.limit_bytes) for stream in ExecOutputStream}

    @property
    def stdout(self) -> bytes:
        """What is kept of standard output."""
        return self._streams[ExecOutputStream.STDOUT].render()

    @property
    def stderr(self) -> bytes:
        """What is kept of standard error."""
        return self._streams[ExecOutputStream.STDERR].render()

    @property
    def truncated(self) -> bool:
        """Whether bytes are missing from either stream."""
        return any(buffer.truncated for buffer in self._streams.values())

    def append(self, stream: ExecOutputStream, chunk: bytes) -> None:
        """Take the next bytes of a stream."""
        self._streams[stream].append(chunk)

    def aggregated(self) -> bytes:
        """
        Standard output, then standard error, within one limit.

        When both do not fit, standard error gets up to two thirds and standard output
        the rest.

        Source:
            Codex, ``aggregate_output``; there the end of each stream is cut off, here
            its middle.
        """
        stdout = self._streams[ExecOutputStream.STDOUT]
        stderr = self._streams[ExecOutputStream.STDERR]
        first = min(stdout.total_bytes, self.limit_bytes // 3)
        second = min(stderr.total_bytes, self.limit_bytes - first)
        first = min(stdout.total_bytes, self.limit_bytes - second)
        return stdout.render(first) + stderr.render(second)
