"""A server that is our child process, and ends with us."""

import contextlib
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.server.rpc_limits import Limits
from actors.server.transports.lines import LineStream, SocketBytes
from actors.server.transports.message_stream import Farewell, MessageStream
from actors.tools import SpawnError
from actors.tools.keeper_link import KeptCommand, start_command
from actors.tools.output_ends import OutputEnd, Outputs
from messages.rpc.envelope import Notification
from messages.rpc.handshake import ClientInfo, InitializeCapabilities

from .ending import open_ending_nursery
from .errors import CannotConnect, ConnectionLost
from .rpc_client import RpcClient, open_rpc_client

__all__ = ["open_process_client", "open_process_stream"]

_WORDS_BYTES: Final = 4096
"""So much of the end of what the process wrote to standard error is kept, for errors."""

_EXIT_PATIENCE: Final = 0.5
"""Seconds from the end of what a process says to its exit, for the error to say its code."""

_GRACE: Final = 2.0
"""Seconds that a server gets to end by itself when its input ended.  Then it is stopped."""

# The socket is on 1; the server reads from it as well.
_BOTH_WAYS: Final = ("/bin/sh", "-c", 'exec "$@" <&1', "treadle")


@attrs.define(eq=False)
class _Process:
    """The end of a child process, and its last words."""

    command: KeptCommand
    program: str
    exited: trio.Event = attrs.field(factory=trio.Event, init=False)
    silent: trio.Event = attrs.field(factory=trio.Event, init=False)
    code: int | None = attrs.field(default=None, init=False)
    _words: bytes = attrs.field(default=b"", init=False)

    async def watch(self) -> None:
        """Wait for its end."""
        self.code = await self.command.wait()
        self.exited.set()

    async def hear(self) -> None:
        """Read what it writes to standard error, and keep the end."""
        while piece := await self.command.ends[0].receive():
            self._words = (self._words + piece)[-_WORDS_BYTES:]
        self.silent.set()

    async def obituary(self) -> str:
        """Say how it ended, as far as that shows soon."""
        with trio.move_on_after(_EXIT_PATIENCE):
            await self.exited.wait()
            await self.silent.wait()
        how = "closed its output" if self.code is None else f"ended with exit code {self.code}"
        words = self._words.decode(errors="replace").strip()
        said = f"; the last it said: {words}" if words else ""
        return f"{self.program} {how}{said}"


@attrs.define(eq=False)
class _ProcessStream:
    """A `MessageStream` to a child process, which says how that ended."""

    _lines: LineStream
    _process: _Process

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        return self._lines.peer

    async def receive(self) -> bytes | None:
        """Wait for the next message; see `MessageStream.receive`."""
        try:
            message = await self._lines.receive()
        except trio.BrokenResourceError:
            message = None
        if message is None:
            raise trio.BrokenResourceError(await self._process.obituary())
        return message

    async def send(self, messages: Sequence[bytes], progress: Callable[[], None]) -> None:
        """Send messages; see `MessageStream.send`."""
        await self._lines.send(messages, progress)

    async def aclose(self, farewell: Farewell) -> None:
        """End its input, and give it time to end."""
        await self._lines.aclose(farewell)


@contextlib.asynccontextmanager
async def open_process_stream(
    command: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
    limits: Limits | None = None,
) -> AsyncGenerator[MessageStream]:
    """
    Start a server that talks at its standard input and output, for as long as the block lasts.

    It gets a process group of its own.  At the end of the block its input ends, and it
    has two seconds to end, too; what is left of it, and of what it started, is killed.
    The same becomes of it when this process dies, in whatever way.

    Args:
        command: The program and its arguments.
        cwd: Where it runs; here by default.
        env: Exactly its variables; those of this process by default.
        stderr:
            Descriptor that gets its standard error.  None keeps the last 4 KiB, for the
            texts of errors.
        limits: `Limits.message_bytes` is the longest message that is read.

    Raises:
        CannotConnect: It could not be started.
        ValueError: *command* has no words, or is a text.
    """
    if isinstance(command, str):  # a sequence of texts, too
        raise ValueError(f"a command is a list of words, got {command!r}")  # noqa: TRY004
    if not command:
        raise ValueError("a command needs at least one word")
    variables = dict(os.environ if env is None else env)
    place = str(Path.cwd() if cwd is None else cwd)
    name = f"process {Path(command[0]).name}"
    program = await trio.to_thread.run_sync(_find, command[0], place, variables.get("PATH"))
    if program is None:
        raise CannotConnect(name, f"there is no program {command[0]!r} to be run")
    ours, theirs = socket.socketpair()
    theirs.setblocking(True)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    argv = (*_BOTH_WAYS, program, *command[1:])
    limit = (limits or Limits()).message_bytes
    try:
        async with (
            start_command(
                argv, cwd=place, env=variables, open_outputs=lambda: _outputs(theirs, stderr)
            ) as kept,
            open_ending_nursery() as nursery,
        ):
            process = _Process(kept, program)
            nursery.start_soon(process.watch)
            if kept.ends:
                nursery.start_soon(process.hear)
            else:
                process.silent.set()
            lines = LineStream.over(SocketBytes(stream), name, limit_bytes=limit)
            try:
                yield _ProcessStream(lines, process)
            finally:
                stream.socket.close()
                with trio.move_on_after(_GRACE, shield=True):
                    await process.exited.wait()
    except SpawnError as exc:
        raise CannotConnect(name, str(exc)) from exc
    finally:
        stream.socket.close()
        theirs.close()


def _find(program: str, cwd: str, path: str | None) -> str | None:
    if "/" not in program:
        return shutil.which(program, path=path or os.defpath)
    found = Path(cwd, program)
    return str(found) if found.is_file() and os.access(found, os.X_OK) else None


def _outputs(theirs: socket.socket, stderr: int | None) -> Outputs:
    """Make a socket its standard output, and input, and find it something for its errors."""
    if stderr is not None:
        return Outputs((), (theirs.detach(), os.dup(stderr)))
    words, spoken = os.pipe()
    return Outputs((OutputEnd(trio.lowlevel.FdStream(words)),), (theirs.detach(), spoken))


@contextlib.asynccontextmanager
async def open_process_client(
    command: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
    client_info: ClientInfo | None = None,
    capabilities: InitializeCapabilities | None = None,
    limits: Limits | None = None,
    listener: Callable[[Notification], None] | None = None,
    on_lost: Callable[[ConnectionLost], None] | None = None,
) -> AsyncGenerator[RpcClient]:
    """
    Start a server and talk to it; see `open_process_stream` and `open_rpc_client`.

    Raises:
        CannotConnect: It could not be started, or does not want us.
    """
    async with (
        open_process_stream(command, cwd=cwd, env=env, stderr=stderr, limits=limits) as stream,
        open_rpc_client(
            stream,
            client_info=client_info,
            capabilities=capabilities,
            limits=limits,
            listener=listener,
            on_lost=on_lost,
        ) as client,
    ):
        yield client
