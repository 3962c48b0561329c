"""
Starts commands, hears of their ends, and ends them: the only place that does.

Commands are started by `launcher`, a small process of our own that says in its
docstring why it is there.  `process` runs a command to its end, `live_process` talks to
one; both start it here.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

import attrs
import trio

from .errors import SpawnError
from .launcher_link import open_launcher
from .output_ends import OpenOutputs, OutputEnd

__all__ = ["DRAIN", "STOP", "KeptCommand", "start_command"]

_logger = logging.getLogger(__name__)

DRAIN: Final = 0.2
"""Seconds that output may still come after the command itself ended."""

_PATIENCE: Final = 0.25
"""Seconds from SIGTERM to SIGKILL."""

_CLEAN_UP: Final = 1.0
"""Seconds after SIGKILL that we wait until everybody is gone."""

STOP: Final = _PATIENCE + _CLEAN_UP
"""Seconds after which whoever stops a command need not wait any longer."""

_KILLED: Final = 128
"""Added to a signal's number, as shells do."""


@attrs.define(eq=False)
class KeptCommand:
    """
    A command that a keeper watches over, seen from us.

    Attributes:
        program: Its first word.
        cwd: Where it runs.
        ends: Our ends of what it writes to.
        pid: Of the command itself; 0 until it has started.
    """

    program: str
    cwd: str
    ends: tuple[OutputEnd, ...]
    _control: trio.SocketStream
    pid: int = attrs.field(default=0, init=False)
    _received: bytearray = attrs.field(factory=bytearray, init=False)
    _stopped: bool = attrs.field(default=False, init=False)
    _gone: bool = attrs.field(default=False, init=False)

    async def start(self, request: bytes) -> None:
        """
        Send the keeper its request, and wait until the command runs.

        Raises:
            SpawnError: It does not.
        """
        try:
            await self._control.send_all(len(request).to_bytes(4, "big") + request)
            answer = await self._read_line()
        except trio.BrokenResourceError:
            answer = None
        match (answer or "failed 0 launcher").split():
            case ["started", pid]:
                self.pid = int(pid)
            case words:
                raise SpawnError(self.program, self.cwd, words[2], int(words[1]))

    async def wait(self) -> int:
        """
        Wait for the command itself, not for what it left behind; once, and not beside `stop`.

        Returns:
            0 to 255; 128 + n when signal n ended it.
        """
        line = await self._read_line()
        if line is None:
            return await self._lost()
        code = int(line.split()[1])
        return code if code >= 0 else _KILLED - code

    async def stop(self) -> None:
        """
        End what is left of the command, and wait until it is gone.

        Again, it returns at once: the first caller waited as long as it makes sense.

        Cancellation:
            The keeper goes on.
        """
        if self._stopped:
            return
        self._stopped = True
        with contextlib.suppress(OSError):  # the keeper may be gone already
            self._control.socket.shutdown(socket.SHUT_WR)
        while await self._read_line() is not None:
            pass
        self._gone = True

    def close(self) -> None:
        """Let go of its output and of the keeper, which ends what is left."""
        if self._stopped and not self._gone:
            _logger.warning("process %d outlives SIGKILL; left to its keeper", self.pid)
        self._control.socket.close()
        for end in self.ends:
            end.close()

    async def _lost(self) -> int:
        """Do what can be done when the keeper was killed; the command goes with it."""
        _logger.warning("the keeper of process %d was killed", self.pid)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
            with trio.move_on_after(_CLEAN_UP):
                await _wait_gone(self.pid)
        return _KILLED + signal.SIGKILL

    async def _read_line(self) -> str | None:
        """Read one line from the keeper; None when it has ended."""
        while b"\n" not in self._received:
            try:
                part = await self._control.receive_some()
            except trio.BrokenResourceError:
                return None
            if not part:
                return None
            self._received += part
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received[:] = rest
        return line.decode()


@contextlib.asynccontextmanager
async def start_command(
    argv: Sequence[str], *, cwd: str, env: Mapping[str, str], open_outputs: OpenOutputs
) -> AsyncGenerator[KeptCommand]:
    """
    Start a command; on the way out nothing of it is left, whatever happened.

    It gets its own session and exactly *env*.  The block is left by whichever task
    entered it; others may use the command meanwhile.

    Args:
        open_outputs: Opens what it writes to; with a terminal, what it reads as well.

    Raises:
        SpawnError: It could not be started.
        ValueError: It has no words.

    Cancellation:
        The command is ended before `trio.Cancelled` goes on: SIGTERM, 0.25 s, SIGKILL.
        After 1.25 s what is left of it is left to its keeper.
    """
    request = _encode_request(argv, cwd, env)
    async with open_launcher() as launcher:
        command, theirs = _open(argv[0], cwd, open_outputs)
        try:
            try:
                await launcher.hand_over(theirs, argv[0], cwd)
            finally:
                for descriptor in set(theirs):  # both streams may share one
                    os.close(descriptor)
            try:
                await command.start(request)
                yield command
            finally:
                with trio.move_on_after(STOP, shield=True):
                    await command.stop()
        finally:
            command.close()


async def _wait_gone(pid: int) -> None:
    """Wait until a process is gone that is not our child; at once where nobody can tell."""
    if sys.platform != "linux":
        return
    process = os.pidfd_open(pid)
    try:
        await trio.lowlevel.wait_readable(process)
    finally:
        os.close(process)


def _encode_request(argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> bytes:
    if not argv:
        raise ValueError("a command needs at least one word")
    try:
        words = [os.fsencode(word) for word in argv]
        variables = [os.fsencode(f"{name}={value}") for name, value in env.items()]
        place = os.fsencode(cwd)
    except UnicodeEncodeError:
        raise SpawnError(argv[0], cwd, "words", 0) from None
    fields = [place, str(_PATIENCE).encode(), str(len(words)).encode(), *words, *variables]
    if any(b"\0" in field for field in fields) or any("=" in name or not name for name in env):
        raise SpawnError(argv[0], cwd, "words", 0)
    return b"\0".join(fields)


def _open(program: str, cwd: str, open_outputs: OpenOutputs) -> tuple[KeptCommand, tuple[int, ...]]:
    """Make the control socket and the outputs: our ends, and the file descriptors of theirs."""
    with contextlib.ExitStack() as undo:
        try:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            undo.callback(theirs.close)
            outputs = open_outputs()
        except OSError as error:
            raise SpawnError(program, cwd, "pipe", error.errno or 0) from error
        undo.pop_all()
    # Theirs stays blocking: only our end of each belongs to the event loop.
    theirs.setblocking(True)
    control = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    command = KeptCommand(program, cwd, outputs.ours, control)
    return command, (theirs.detach(), *outputs.theirs)
