"""
Runs commands to their ends.

`open_launcher` is here for those who run many: one launcher serves every command of a
trio run for as long as somebody holds it open.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import trio

from messages.events import ExecOutputStream

from .capture import OUTPUT_LIMIT_BYTES, ProcessOutput
from .keeper_link import DRAIN, STOP, KeptCommand, start_command
from .launcher_link import open_launcher
from .output_ends import OutputEnd, open_two_pipes

__all__ = ["ProcessResult", "open_launcher", "run_process"]

OnOutput = Callable[[ExecOutputStream, bytes], None]

TIMED_OUT: Final = 124
"""Exit code of what ran out of time, as the ``timeout`` command has it."""

_MAX_PIECES: Final = 10_000
"""Pieces told as they come; later ones are only kept.  Source: Codex, as a limit of events."""


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
    started = start_command(argv, cwd=cwd, env=env, open_outputs=open_two_pipes)
    async with started as command:
        began = trio.current_time()
        streams = tuple(zip(ExecOutputStream, command.ends, strict=True))
        async with trio.open_nursery() as nursery:
            for stream, end in streams:
                nursery.start_soon(run.pump, end, stream)
            nursery.start_soon(run.watch, command, timeout, nursery.cancel_scope)
        for stream, end in streams:
            for piece in end.receive_rest():
                run.take(stream, piece)
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

    async def pump(self, end: OutputEnd, stream: ExecOutputStream) -> None:
        while piece := await end.receive():
            self.take(stream, piece)

    async def watch(self, command: KeptCommand, limit: float, pumps: trio.CancelScope) -> None:
        """Wait for the end or the time limit, then give the pumps their last 0.2 s."""
        with trio.move_on_after(limit) as patience:
            self.exit_code = await command.wait()
        self.ended = trio.current_time()
        if patience.cancelled_caught:
            self.timed_out = True
            # The pumps go on meanwhile: what it says on SIGTERM is output, too.
            with trio.move_on_after(STOP, shield=True):
                await command.stop()
        pumps.deadline = trio.current_time() + DRAIN

    def take(self, stream: ExecOutputStream, piece: bytes) -> None:
        self.output.append(stream, piece)
        if self._pieces < _MAX_PIECES:
            self._pieces += 1
            self._on_output(stream, piece)
