"""The pool's end of the socket over which it talks with one worker about all the rest."""

import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from actors.server.transports.lines import LineSplitter
from messages.codec import decode, encode
from messages.control import PoolCommand, WorkerMessage

from .descriptors import DescriptorSocket

__all__ = ["ControlLink"]

_log = logging.getLogger("actors")

_COMMANDS: Final = 64
"""Commands that wait to be read.  A worker that lives reads each at once, and one that hangs is
found out by its silence; until then whoever has more to say waits."""

_MESSAGE_BYTES: Final = 64 << 20
"""Longest message of a worker: a report of a hundred thousand threads is shorter."""

_WORKER_MESSAGE: Final[Any] = WorkerMessage


@attrs.frozen
class _Command:
    data: bytes
    # The client's socket that goes with it, and is closed when it has gone.
    client: socket.socket | None


@attrs.define(eq=False)
class ControlLink:
    """
    Sends commands to one worker, in order, and hands on what it says.

    Attributes:
        name: Of the worker, for logs.
    """

    name: str
    _socket: DescriptorSocket
    _outbox: "trio.MemorySendChannel[_Command]" = attrs.field(init=False)
    _commands: "trio.MemoryReceiveChannel[_Command]" = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._outbox, self._commands = trio.open_memory_channel[_Command](_COMMANDS)

    async def tell(self, command: PoolCommand, client: socket.socket | None = None) -> None:
        """
        Queue a command; wait for room.

        Args:
            client: Goes with it, and is closed then, or at the end of the link.

        Raises:
            trio.BrokenResourceError: The worker has died; *client* is the caller's.

        Cancellation:
            Nothing was queued; *client* is the caller's.
        """
        try:
            await self._outbox.send(_Command(encode(command) + b"\n", client))
        except trio.ClosedResourceError as exc:
            raise trio.BrokenResourceError from exc

    async def run(self, heard: Callable[[WorkerMessage], None]) -> None:
        """
        Send and hear, until the worker can say no more.

        Args:
            heard: Told each message; must not wait.

        Raises:
            DecodeError, MessageTooLong: The worker says what no worker says.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, name=f"commands to {self.name}")
                await self._receive(heard)
                nursery.cancel_scope.cancel()
        finally:
            self._close()

    async def _send(self) -> None:
        try:
            async for command in self._commands:
                client = () if command.client is None else (command.client.fileno(),)
                try:
                    await self._socket.send(command.data, client)
                finally:
                    if command.client is not None:
                        command.client.close()
        except trio.BrokenResourceError:
            # It has died; what it said before is still being read.
            await trio.sleep_forever()

    async def _receive(self, heard: Callable[[WorkerMessage], None]) -> None:
        lines = LineSplitter(_MESSAGE_BYTES)
        while chunk := await self._socket.receive():
            for line in lines.feed(chunk):
                heard(decode(line, _WORKER_MESSAGE))

    def _close(self) -> None:
        self._outbox.close()
        while True:
            try:
                command = self._commands.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            if command.client is not None:
                command.client.close()
        self._commands.close()
        self._socket.close()
