"""A forked process as the pool holds it: by a pidfd, and by what its parent says of it."""

import os
import signal
from contextlib import suppress
from typing import Final, Self

import attrs
import trio

from .descriptors import DescriptorSocket

__all__ = ["ForkFailed", "ForkedProcess"]

_STATUS: Final = 1.0
"""Seconds that the parent may take to say how a process ended that has ended."""


class ForkFailed(Exception):  # noqa: N818 -- handled beside it
    """
    The parent could not fork, or died.

    Attributes:
        number: The system's number for why not; 0 for a parent that died.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@attrs.define(eq=False)
class ForkedProcess:
    """
    A child of the fork server; a `WorkerProcess`.

    A pidfd is of this very process: no signal reaches another one that has its number later.
    """

    pid: int
    _pidfd: int
    _life: DescriptorSocket
    _said: bytes
    _status: int | None = attrs.field(default=None, init=False)
    _gone: trio.Event = attrs.field(factory=trio.Event, init=False)

    @classmethod
    async def of(cls, life: DescriptorSocket) -> Self:
        """
        Wait until the parent has forked it.

        Raises:
            ForkFailed: It has not, and will not.

        Cancellation:
            There may be such a process; close *life*, and its control socket.
        """
        said = b""
        while b"\n" not in said:
            chunk = await life.receive()
            if not chunk:
                raise ForkFailed(0)
            said += chunk
        line, _, said = said.partition(b"\n")
        word, number = line.split()
        pidfd = life.take_descriptor()
        if word != b"started" or pidfd is None:
            raise ForkFailed(int(number))
        return cls(int(number), pidfd, life, said)

    async def run(self) -> None:
        """Wait for its end, and learn how it was."""
        await trio.lowlevel.wait_readable(self._pidfd)
        with trio.move_on_after(_STATUS):
            while chunk := await self._life.receive():
                self._said += chunk
        words = self._said.split()
        if words[:1] == [b"exit"]:
            self._status = int(words[1])
        self._gone.set()

    def kill(self) -> None:
        """Send SIGKILL; nothing when it is gone."""
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def wait_gone(self) -> int | None:
        """Wait until it has ended; see `Worker.wait_gone`."""
        await self._gone.wait()
        return self._status

    def close(self) -> None:
        """Let go of it; it cannot be killed any more."""
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)
        self._life.close()
        self._gone.set()
