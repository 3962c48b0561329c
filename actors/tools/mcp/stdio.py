"""
Talks to a server that is our child process.

The process is started like every command, by `keeper_link`: whatever it starts in turn
ends with it, and with us, also when we are killed.  Standard input and output are one
socket, as Node's own clients have it; standard error is drained, and its end is kept for
texts about a server that ended.

A server may write lines that are no messages, as banners of package managers are; so many
in a row that it can only be a mistake end the connection.
"""

import contextlib
import math
import os
import shutil
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from ..errors import SpawnError
from ..keeper_link import KeptCommand, start_command
from ..output_ends import OutputEnd, Outputs
from .errors import McpStartError
from .farewell import Farewell
from .launch import StdioLaunch
from .message_lines import MESSAGE_LIMIT_BYTES, MessageLines, TooLong

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

    Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
    Outgoing = MemoryObjectSendStream[SessionMessage]

__all__ = ["open_stdio"]

_READ_BYTES: Final = 64 * 1024

_OUTGOING: Final = 256
"""
Messages that wait to be written.

Enough that a call can always be called off without waiting, even when the server does not
read: each open call is one message, and one more to call it off.
"""

_NONSENSE: Final = 1000
"""Lines in a row that are no messages, after which it can only be a mistake."""

_DRAIN: Final = 0.2
"""Seconds that what a server left in its pipes may take."""

_GRACE: Final = 0.5
"""Seconds that a server gets to end by itself when its input ended.  Then it is stopped."""

# The socket is on 1; the server reads from it as well.
_BOTH_WAYS: Final = ("/bin/sh", "-c", 'exec "$@" <&1', "mcp")


@contextlib.asynccontextmanager
async def open_stdio(
    launch: StdioLaunch, farewell: Farewell, ended: trio.Event
) -> "AsyncGenerator[tuple[Incoming, Outgoing]]":
    """
    Start a server and open the streams of a session; nothing of it is left afterwards.

    Args:
        ended: Set when the connection is over and *farewell* says how.

    Raises:
        McpStartError: It could not be started.

    Cancellation:
        The server is ended first: its input ends, 0.5 s, SIGTERM, 0.25 s, SIGKILL.
    """
    program = await trio.to_thread.run_sync(_find_program, launch)
    argv = (*_BOTH_WAYS, program, *launch.args)
    try:
        async with (
            start_command(argv, cwd=launch.cwd, env=launch.env, open_outputs=_open_ends) as command,
            _talk(command, farewell, ended) as streams,
        ):
            yield streams
    except SpawnError as error:
        raise McpStartError(str(error)) from error


@contextlib.asynccontextmanager
async def _talk(
    command: KeptCommand, farewell: Farewell, ended: trio.Event
) -> "AsyncGenerator[tuple[Incoming, Outgoing]]":
    import anyio  # noqa: PLC0415 -- with the rest of mcp, when it is first needed
    from mcp.shared.message import SessionMessage  # noqa: PLC0415

    # Nothing waits in the first: who does not read slows the server down, not us.
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, to_server = anyio.create_memory_object_stream[SessionMessage](_OUTGOING)
    talk = _Talk(command, farewell, ended)
    with to_session, incoming, outgoing, to_server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk.listen, to_session)
            nursery.start_soon(talk.speak, to_server)
            nursery.start_soon(talk.hear)
            nursery.start_soon(talk.watch)
            try:
                yield incoming, outgoing
            finally:
                with trio.move_on_after(_GRACE, shield=True):
                    await talk.leave()
                nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class _Talk:
    """One conversation with a process: what is read, what is written, how it ends."""

    _command: KeptCommand
    _farewell: Farewell
    _ended: trio.Event
    _exited: trio.Event = attrs.field(factory=trio.Event, init=False)
    _silent: trio.Event = attrs.field(factory=trio.Event, init=False)
    _listening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _nonsense: int = attrs.field(default=0, init=False)

    @property
    def _stream(self) -> trio.lowlevel.FdStream:
        return self._command.ends[0].stream

    async def listen(self, session: "MemoryObjectSendStream[SessionMessage | Exception]") -> None:
        """Hand on what the server says; when it says no more, find out why and tell."""
        with self._listening:
            await self._read_messages(session)
        with trio.move_on_after(_DRAIN):
            if self._farewell.problem is None:
                await self._exited.wait()
                await self._silent.wait()
        # Told before the session sees the end: whoever waits for an answer reads why.
        self._ended.set()
        session.close()

    async def _read_messages(
        self, session: "MemoryObjectSendStream[SessionMessage | Exception]"
    ) -> None:
        lines = MessageLines()
        while piece := await _receive(self._stream):
            for line in lines.feed(piece):
                message = self._read(line)
                if self._farewell.problem is not None:
                    return
                if message is not None:
                    await session.send(message)

    def _read(self, line: bytes | TooLong) -> "SessionMessage | None":
        from mcp.shared.message import SessionMessage  # noqa: PLC0415 -- as above
        from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415

        if isinstance(line, TooLong):
            return self._refuse(line)
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            self._nonsense += 1
            if self._nonsense >= _NONSENSE:
                self._farewell.problem = "the server writes lines that are no messages"
            return None
        self._nonsense = 0
        return SessionMessage(message)

    def _refuse(self, line: TooLong) -> "SessionMessage | None":
        """Answer a question whose answer is too long; without knowing which, give up."""
        from mcp.shared.message import SessionMessage  # noqa: PLC0415 -- as above
        from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError  # noqa: PLC0415

        limit = MESSAGE_LIMIT_BYTES // (1024 * 1024)
        if line.id is None:
            self._farewell.problem = f"the server sent a message of more than {limit} MiB"
            return None
        error = ErrorData(code=INTERNAL_ERROR, message=f"the answer has more than {limit} MiB")
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=line.id, error=error))

    async def speak(self, session: "MemoryObjectReceiveStream[SessionMessage]") -> None:
        """Write what the session says."""
        async for said in session:
            line = said.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await self._stream.send_all(line.encode() + b"\n")
            except trio.BrokenResourceError:
                return  # `listen` sees the end, too

    async def hear(self) -> None:
        """Drain the standard error."""
        while piece := await self._command.ends[1].receive():
            self._farewell.hear(piece)
        self._silent.set()

    async def watch(self) -> None:
        """Wait for the end of the process, also when something it left holds the socket."""
        self._farewell.exit_code = await self._command.wait()
        self._exited.set()
        self._listening.deadline = trio.current_time() + _DRAIN

    async def leave(self) -> None:
        """Let the server end by itself, and wait until it has."""
        with contextlib.suppress(OSError):
            _end_input(self._stream.fileno())
        self._listening.deadline = math.inf  # it may write to the end
        if self._farewell.problem is None:
            await self._exited.wait()


async def _receive(stream: trio.lowlevel.FdStream) -> bytes:
    try:
        return await stream.receive_some(_READ_BYTES)
    except trio.BrokenResourceError:  # it ended with something from us unread
        return b""


def _open_ends() -> Outputs:
    """Open a socket for standard output, and input, and a pipe for standard error."""
    ours, theirs = socket.socketpair()
    try:
        words, spoken = os.pipe()
    except OSError:
        ours.close()
        theirs.close()
        raise
    theirs.setblocking(True)
    ends = (ours.detach(), words)
    return Outputs(
        tuple(OutputEnd(trio.lowlevel.FdStream(end)) for end in ends), (theirs.detach(), spoken)
    )


def _end_input(descriptor: int) -> None:
    ours = socket.socket(fileno=os.dup(descriptor))
    with ours:
        ours.shutdown(socket.SHUT_WR)


def _find_program(launch: StdioLaunch) -> str:
    """Find the program as the server's own variables say."""
    command = launch.command
    if "/" in command:
        path = Path(launch.cwd, command)
        if not path.is_file():
            raise McpStartError(f"command not found: {command!r}")
        if not os.access(path, os.X_OK):
            raise McpStartError(f"no permission to run {command!r}")
        return str(path)
    found = shutil.which(command, path=launch.env.get("PATH", os.defpath))
    if found is None:
        raise McpStartError(f"command not found: {command!r}")
    return found
