"""Bytes with file descriptors beside them, over sockets between our own processes."""

import array
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Final

import attrs
import trio

__all__ = ["DescriptorSocket"]

_CHUNK_BYTES: Final = 64 * 1024

_DESCRIPTORS: Final = 8
"""Room for descriptors in one call.  Each is sent by itself, and no call takes two of those."""


@attrs.define(eq=False)
class DescriptorSocket:
    """
    A stream socket over which file descriptors travel as well.

    The kernel keeps a descriptor with the first byte that it was sent with: when that byte
    is there, so is the descriptor, and descriptors come in the order in which they were sent.

    One task sends and one receives, at the same time.
    """

    _socket: trio.socket.SocketType
    _came: deque[int] = attrs.field(factory=deque[int], init=False)

    @classmethod
    def over(cls, stream: socket.socket) -> "DescriptorSocket":
        """Make one over a connected socket, which is its own from here on."""
        return cls(trio.socket.from_stdlib_socket(stream))

    async def send(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """
        Send all bytes, with copies of the descriptors beside the first.

        Raises:
            trio.BrokenResourceError: The other side is gone.

        Cancellation:
            A part may have been sent, after which no more can be.
        """
        rest = memoryview(data)
        rights: list[tuple[int, int, array.array[int]]] = []
        if descriptors:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            while rest:
                rest = rest[await self._socket.sendmsg([rest], rights) :]
                rights = []
        except OSError as exc:
            raise trio.BrokenResourceError from exc

    async def receive(self) -> bytes:
        """
        Wait for bytes; empty at the end, however the other side ended.

        Cancellation:
            Nothing was taken.
        """
        space = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
        try:
            data, ancillary, _, _ = await self._socket.recvmsg(
                _CHUNK_BYTES, space, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            # It ended with something unread, which the kernel tells behind all that it sent.
            return b""
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._came.extend(numbers)
        return data

    def take_descriptor(self) -> int | None:
        """Take over the oldest descriptor that came; None when none is left."""
        return self._came.popleft() if self._came else None

    def close(self) -> None:
        """Close the socket, and the descriptors that nobody took."""
        self._socket.close()
        while self._came:
            os.close(self._came.popleft())
