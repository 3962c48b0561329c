"""
Runs commands and ends them: the only place that starts child processes.

Commands are started by `launcher`, a small process of our own that says in its
docstring why it is there.  One launcher serves every command of a trio run for as long
as somebody holds `open_launcher` open; a program that runs commands now and then needs
not care, one that runs many holds it open and saves 15 ms each.
"""

import array
import contextlib
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from messages.events import ExecOutputStream

from .capture import OUTPUT_LIMIT_BYTES, ProcessOutput
from .errors import SpawnError

__all__ = ["ProcessResult", "open_launcher", "run_process"]

_logger = logging.getLogger(__name__)

OnOutput = Callable[[ExecOutputStream, bytes], None]

TIMED_OUT: Final = 124
"""Exit code of what ran out of time, as the ``timeout`` command has it."""

_KILLED: Final = 128
"""Added to a signal's number, as shells do."""

_READ_BYTES: Final = 8192
"""Most bytes of one piece of output.  Source: Codex, ``READ_CHUNK_SIZE``."""

_MAX_PIECES: Final = 10_000
"""Pieces told as they come; later ones are only kept.  Source: Codex, as a limit of events."""

_DRAIN: Final = 0.2
"""Seconds that output may still come after the command itself ended."""

_DRAIN_READS: Final = 16
_DRAIN_READ_BYTES: Final = 64 * 1024
"""Together 1 MiB, the most that a pipe holds unless the administrator says otherwise."""

_PATIENCE: Final = 0.25
"""Seconds from SIGTERM to SIGKILL."""

_CLEAN_UP: Final = 1.0
"""Seconds after SIGKILL, or after closing the door, that we wait until everybody is gone."""

_STOP: Final = _PATIENCE + _CLEAN_UP


@attrs.frozen(kw_only=True)
class ProcessResult:
    """
    How a command ended, and what it wrote.

    Attributes:
        exit_code: 0 to 255; 128 + n when signal n ended it; 124 when time ran out.
        stdout: Within the limit; when cut, a line in the middle says so.
        stderr: As stdout.
        aggregated: stdout, then stderr, both within one limit.
        duration: Seconds from its start to its end.
        timed_out: It was ended because its time ran out.
        truncated: Bytes are missing from stdout or stderr.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    aggregated: bytes
    duration: float
    timed_out: bool
    truncated: bool


async def run_process(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109 -- a timeout is a result here, with its output
    on_output: OnOutput,
    output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
    output: ProcessOutput | None = None,
) -> ProcessResult:
    """
    Run a command to its end; nothing it started is alive afterwards.

    It gets its own session, an empty standard input and exactly *env*.  When it ends,
    output may come for 0.2 s more, since something it left behind may hold the pipes;
    what came is kept.  Then whatever it left behind is ended too: SIGTERM, 0.25 s,
    SIGKILL.  The same happens when its time runs out, and when our process dies.
    `launcher` says what cannot be reached.

    Args:
        timeout: Seconds; `math.inf` for none.  Counted from the command's start.
        on_output:
            Called with each piece of output as it comes, in the order of its stream,
            the first 10,000 times.  Between the streams the order is that of arrival.
        output: Where the output is kept, for a caller that wants it after a cancellation.
            *output_limit_bytes* is then not used.

    Raises:
        SpawnError: It could not be started.
        ValueError: It has no words.

    Cancellation:
        The command is ended as above before `trio.Cancelled` goes on, within 0.25 s and
        the blink that SIGKILL takes; after 1.25 s it is left to the launcher.

    Source:
        Codex, ``exec.rs``.  There output is lost when something holds the pipe (L40).
    """
    run = _Run(output or ProcessOutput(output_limit_bytes), on_output)
    async with open_launcher() as launcher, _started(launcher, argv, cwd, env) as command:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.pump, command.stdout, ExecOutputStream.STDOUT)
            nursery.start_soon(run.pump, command.stderr, ExecOutputStream.STDERR)
            nursery.start_soon(run.watch, command, timeout, nursery.cancel_scope)
        run.pump_nowait(command.stdout, ExecOutputStream.STDOUT)
        run.pump_nowait(command.stderr, ExecOutputStream.STDERR)
    return ProcessResult(
        exit_code=run.exit_code,
        stdout=run.output.stdout,
        stderr=run.output.stderr,
        aggregated=run.output.aggregated(),
        duration=run.ended - began,
        timed_out=run.timed_out,
        truncated=run.output.truncated,
    )


@attrs.define(eq=False)
class _Run:
    """What is known of a command while it runs."""

    output: ProcessOutput
    _on_output: OnOutput
    _pieces: int = 0
    exit_code: int = TIMED_OUT
    timed_out: bool = False
    ended: float = 0.0

    async def pump(self, pipe: trio.lowlevel.FdStream, stream: ExecOutputStream) -> None:
        while piece := await pipe.receive_some(_READ_BYTES):
            self._take(stream, piece)

    def pump_nowait(self, pipe: trio.lowlevel.FdStream, stream: ExecOutputStream) -> None:
        """
        Take what is in the pipe already.

        The drain ends by the clock, and on a busy machine the clock may win although the
        output is there.  Bounded, because somebody may be writing as fast as we read.
        """
        with contextlib.suppress(BlockingIOError):
            for _ in range(_DRAIN_READS):
                piece = os.read(pipe.fileno(), _DRAIN_READ_BYTES)
                if not piece:
                    return
                self._take(stream, piece)

    async def watch(self, command: "_Command", limit: float, pumps: trio.CancelScope) -> None:
        """Wait for the end or the time limit, then give the pumps their last 0.2 s."""
        with trio.move_on_after(limit) as patience:
            self.exit_code = await command.wait()
        self.ended = trio.current_time()
        if patience.cancelled_caught:
            self.timed_out = True
            # The pumps go on meanwhile: what it says on SIGTERM is output, too.
            with trio.move_on_after(_STOP, shield=True):
                await command.stop()
        pumps.deadline = trio.current_time() + _DRAIN

    def _take(self, stream: ExecOutputStream, piece: bytes) -> None:
        self.output.append(stream, piece)
        if self._pieces < _MAX_PIECES:
            self._pieces += 1
            self._on_output(stream, piece)


@attrs.define(eq=False)
class _Command:
    """Our ends of one command's control socket and pipes."""

    program: str
    cwd: str
    control: trio.SocketStream
    stdout: trio.lowlevel.FdStream
    stderr: trio.lowlevel.FdStream
    _pid: int = 0
    _received: bytearray = attrs.field(factory=bytearray)
    _stopped: bool = False
    _gone: bool = False

    async def start(self, request: bytes) -> None:
        try:
            await self.control.send_all(len(request).to_bytes(4, "big") + request)
            answer = await self._read_line()
        except trio.BrokenResourceError:
            answer = None
        match (answer or "failed 0 launcher").split():
            case ["started", pid]:
                self._pid = int(pid)
            case words:
                raise SpawnError(self.program, self.cwd, words[2], int(words[1]))

    async def wait(self) -> int:
        """Wait for the command itself, not for what it left behind."""
        line = await self._read_line()
        if line is None:
            return self._lost()
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
            self.control.socket.shutdown(socket.SHUT_WR)
        while await self._read_line() is not None:
            pass
        self._gone = True

    def close(self) -> None:
        if self._stopped and not self._gone:
            _logger.warning("process %d outlives SIGKILL; left to its keeper", self._pid)
        self.control.socket.close()
        self.stdout.close()
        self.stderr.close()

    def _lost(self) -> int:
        """Do what can be done when the keeper was killed; the command went with it."""
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGKILL)
        _logger.warning("the keeper of process %d was killed", self._pid)
        return _KILLED + signal.SIGKILL

    async def _read_line(self) -> str | None:
        """Read one line from the keeper; None when it has ended."""
        while b"\n" not in self._received:
            try:
                part = await self.control.receive_some()
            except trio.BrokenResourceError:
                return None
            if not part:
                return None
            self._received += part
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received[:] = rest
        return line.decode()


@contextlib.asynccontextmanager
async def _started(
    launcher: "_Launcher", argv: Sequence[str], cwd: str, env: Mapping[str, str]
) -> AsyncGenerator[_Command]:
    """Start a command; on the way out nothing of it is left, whatever happened."""
    request = _encode_request(argv, cwd, env)
    command, theirs = _open_pipes(argv[0], cwd)
    try:
        try:
            await launcher.hand_over(theirs, argv[0], cwd)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        try:
            await command.start(request)
            yield command
        finally:
            with trio.move_on_after(_STOP, shield=True):
                await command.stop()
    finally:
        command.close()


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


def _open_pipes(program: str, cwd: str) -> tuple[_Command, tuple[int, int, int]]:
    """Make the control socket and the pipes: our ends, and the file descriptors of theirs."""
    with contextlib.ExitStack() as undo:
        try:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            undo.callback(theirs.close)
            pipes: list[int] = []
            for _ in range(2):
                pipes.extend(os.pipe())
                undo.callback(os.close, pipes[-2])
                undo.callback(os.close, pipes[-1])
        except OSError as error:
            raise SpawnError(program, cwd, "pipe", error.errno or 0) from error
        undo.pop_all()
    # Theirs stays blocking: only our end of each belongs to the event loop.
    theirs.setblocking(True)
    control = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    stdout, stderr = trio.lowlevel.FdStream(pipes[0]), trio.lowlevel.FdStream(pipes[2])
    command = _Command(program, cwd, control, stdout, stderr)
    return command, (theirs.detach(), pipes[1], pipes[3])


@attrs.define(eq=False)
class _Launcher:
    """The launcher of this run, started when the first command needs it."""

    holders: int = 0
    _starting: trio.Lock = attrs.field(factory=trio.Lock)
    _door: trio.socket.SocketType | None = None
    _process: trio.Process | None = None

    async def hand_over(self, descriptors: tuple[int, int, int], program: str, cwd: str) -> None:
        """
        Give a keeper-to-be its file descriptors; a launcher that died is replaced once.

        Cancellation:
            Either they were handed over or nothing was.
        """
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        for _ in range(2):
            async with self._starting:
                door = self._door or await self._start(program, cwd)
            # Closed: somebody else's command found it dead at the same moment.
            with contextlib.suppress(OSError, trio.ClosedResourceError):
                await door.sendmsg([b"\0"], rights)
                return
            if door is self._door:
                await self.close()
        raise SpawnError(program, cwd, "launcher", 0)

    async def _start(self, program: str, cwd: str) -> trio.socket.SocketType:
        if not sys.executable:
            raise SpawnError(program, cwd, "launcher", errno.ENOENT)
        script = str(Path(__file__).with_name("launcher.py"))
        with contextlib.ExitStack() as undo:
            try:
                ours, theirs = socket.socketpair()
                undo.callback(ours.close)
                with theirs:
                    # Not trio.run_process: its life is this object's, not a task's.
                    self._process = await trio.lowlevel.open_process(
                        [sys.executable, "-I", "-S", script, str(os.getpid())],
                        stdin=theirs,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )
            except OSError as error:
                raise SpawnError(program, cwd, "launcher", error.errno or 0) from error
            undo.pop_all()
        self._door = trio.socket.from_stdlib_socket(ours)
        return self._door

    async def close(self) -> None:
        """
        End the launcher; commands that still run keep their keepers.

        Cancellation:
            Shielded, for at most two seconds.
        """
        if self._door is None or self._process is None:
            return
        process = self._process
        self._door.close()
        self._door = self._process = None
        with trio.move_on_after(_CLEAN_UP, shield=True):
            await process.wait()
            return
        process.kill()
        with trio.move_on_after(_CLEAN_UP, shield=True):
            await process.wait()


# A key, not a state: each trio run has a launcher of its own.
_launcher: Final = trio.lowlevel.RunVar[_Launcher]("treadle launcher")


@contextlib.asynccontextmanager
async def open_launcher() -> AsyncGenerator[_Launcher]:
    """
    Share one launcher among all commands that run inside this block.

    Blocks may overlap and nest; the launcher starts with the first command and ends
    with the last block.  It takes 15 ms to start and about 8 MB.
    """
    try:
        launcher = _launcher.get()
    except LookupError:
        launcher = _Launcher()
        _launcher.set(launcher)
    launcher.holders += 1
    try:
        yield launcher
    finally:
        launcher.holders -= 1
        if not launcher.holders:
            _launcher.set(_Launcher())
            with trio.move_on_after(2 * _CLEAN_UP, shield=True):
                await launcher.close()
