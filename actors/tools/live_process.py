"""Talks to a command while it runs."""

import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence

import attrs
import trio

from .keeper_link import KeptCommand, start_command
from .output_ends import OutputEnd, open_one_pipe, open_terminal

__all__ = ["LiveProcess", "open_live_process"]


@attrs.define(eq=False)
class LiveProcess:
    """
    A command that runs, and our end of its terminal or pipe.

    One task at a time may receive, one may wait, and any number may write.

    Attributes:
        tty: Whether it has a terminal, and so an input.
    """

    tty: bool
    _command: KeptCommand
    _writing: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @property
    def pid(self) -> int:
        """Its process id, which is that of its session and process group as well."""
        return self._command.pid

    async def write(self, data: bytes) -> None:
        """
        Type *data*; returns when its terminal has taken all of it.

        Control characters do what they do in a terminal: 3 (Ctrl-C) interrupts, 4 (Ctrl-D)
        ends the input.

        Raises:
            trio.ClosedResourceError: It has no terminal, or its block was left.
            trio.BrokenResourceError: It has ended.

        Cancellation:
            The terminal may have taken a part of it.
        """
        if not self.tty:
            raise trio.ClosedResourceError(f"process {self.pid} has no input; give it a terminal")
        async with self._writing:
            await self._end.stream.send_all(data)

    async def receive(self) -> bytes:
        """
        Wait for the next piece of output; empty at the end of it.

        The end comes when nobody holds the other end, so what the command left behind may
        keep it from coming; see `wait`.
        """
        return await self._end.receive()

    def receive_rest(self) -> Iterator[bytes]:
        """Take the output that is there already, at most 1 MiB."""
        return self._end.receive_rest()

    async def wait(self) -> int:
        """
        Wait for the end of the command itself; once.

        Returns:
            0 to 255; 128 + n when signal n ended it.
        """
        return await self._command.wait()

    async def stop(self) -> None:
        """
        End it and all it started: SIGTERM, 0.25 s, SIGKILL.  Not beside `wait`.

        Cancellation:
            It is ended all the same.
        """
        await self._command.stop()

    @property
    def _end(self) -> OutputEnd:
        return self._command.ends[0]


@contextlib.asynccontextmanager
async def open_live_process(
    argv: Sequence[str], *, cwd: str, env: Mapping[str, str], tty: bool
) -> AsyncGenerator[LiveProcess]:
    """
    Start a command to talk to; nothing it started is alive when the block is left.

    It gets its own session and exactly *env*.  Its standard output and standard error are
    one stream, so that their order is kept.  It is ended, too, when our process dies;
    `launcher` says what cannot be reached.

    Args:
        tty:
            It gets a controlling terminal of 80 columns and 24 rows, on all three standard
            streams.  Otherwise a pipe, and an empty standard input.

    Raises:
        SpawnError: It could not be started.
        ValueError: It has no words.

    Cancellation:
        It is ended before `trio.Cancelled` goes on, within 0.25 s and the blink that
        SIGKILL takes; after 1.25 s it is left to its keeper.
    """
    open_outputs = open_terminal if tty else open_one_pipe
    async with start_command(argv, cwd=cwd, env=env, open_outputs=open_outputs) as command:
        yield LiveProcess(tty, command)
