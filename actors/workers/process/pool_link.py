"""A worker's end of the socket over which it talks with the pool."""

import logging
import os
import socket
from collections.abc import Iterable
from typing import Any, Final

import attrs
import trio

from actors.server.transports.lines import LineSplitter
from messages.codec import decode, encode
from messages.control import Adopt, Begun, PoolCommand, WorkerMessage

from .descriptors import DescriptorSocket

__all__ = ["PoolLink"]

_log = logging.getLogger("actors")

_QUEUED: Final = 65536
"""Messages that the pool has not taken.  It reads as it comes; only a pool that was stopped
does not.  That many are hours of work, after which it is too late to tell it anything."""

_COMMAND_BYTES: Final = 128 << 20
"""Longest command: an `Adopt` holds a request of a client, which is shorter."""

_POOL_COMMAND: Final[Any] = PoolCommand

_FLUSH: Final = 0.5
"""Seconds that the last messages may take to go."""


@attrs.define(eq=False)
class PoolLink:
    """
    Hears the pool's commands, and tells it what happens, in order.

    The end of it is the end of the worker: nobody could reach it any more.
    """

    _socket: DescriptorSocket
    _send: "trio.MemorySendChannel[WorkerMessage]" = attrs.field(init=False)
    _queue: "trio.MemoryReceiveChannel[WorkerMessage]" = attrs.field(init=False)
    _sent: trio.Event = attrs.field(factory=trio.Event, init=False)
    _lines: LineSplitter = attrs.field(factory=lambda: LineSplitter(_COMMAND_BYTES), init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._queue = trio.open_memory_channel[WorkerMessage](_QUEUED)

    def post(self, message: WorkerMessage) -> None:
        """Tell the pool something, as soon as it takes it; never wait."""
        try:
            self._send.send_nowait(message)
        except trio.ClosedResourceError:
            return  # the worker is ending; the pool sees that by itself
        except trio.WouldBlock:
            _log.critical("the pool takes nothing any more: this worker ends")
            os._exit(1)

    async def run(self) -> None:
        """Send what is posted, until `finish`."""
        async for message in self._queue:
            try:
                await self._socket.send(encode(message) + b"\n")
            except trio.BrokenResourceError:
                os._exit(0)  # the pool is gone
        self._sent.set()

    async def finish(self) -> None:
        """Post nothing more, and wait until all was sent, or until that takes too long."""
        self._send.close()
        with trio.move_on_after(_FLUSH):
            await self._sent.wait()

    async def receive(self) -> list[PoolCommand]:
        """
        Wait for the next commands, oldest first; the process ends when there will be none.

        The pool is told of each `Adopt` that it was read.

        Raises:
            DecodeError, MessageTooLong: It is not the pool that talks to us.
        """
        while True:
            chunk = await self._socket.receive()
            if not chunk:
                os._exit(0)
            if lines := self._lines.feed(chunk):
                commands: list[PoolCommand] = [decode(line, _POOL_COMMAND) for line in lines]
                self._acknowledge(commands)
                return commands

    def _acknowledge(self, commands: Iterable[PoolCommand]) -> None:
        # Here, because what a worker may die of must not come before it.
        for command in commands:
            if isinstance(command, Adopt):
                self.post(Begun(number=command.number))

    def take_client(self) -> socket.socket | None:
        """Take over the socket that came with the oldest `Connect`; None when none did."""
        number = self._socket.take_descriptor()
        return None if number is None else socket.socket(fileno=number)
