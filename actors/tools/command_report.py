"""What clients see of one command: its begin, its output, and exactly one end."""

from types import TracebackType
from typing import Final, Self

import attrs

from messages.events import (
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandSource,
    ExecCommandStatus,
    ExecOutputStream,
    ParsedCommand,
)
from messages.ids import CallId
from messages.value import Seconds

from .capture import ProcessOutput
from .parsed_command import parse_command
from .process import ProcessResult
from .tool import ToolContext

__all__ = ["CommandReport", "decode_output", "interruption"]

_ABORTED: Final = "command aborted by user"
"""What a stopped command's end says.  Source: Codex, ``tasks/user_shell.rs``."""

_NO_EXIT_CODE: Final = -1


def decode_output(data: bytes) -> str:
    """
    Make text of output; what is no UTF-8 becomes the replacement character.

    Source:
        Codex guesses other encodings; a wrong guess is worse than a visible gap.
    """
    return data.decode("utf-8", "replace")


def interruption(error: BaseException | None) -> str:
    """Say in a few words why a command was broken off: by a cancellation, or by our fault."""
    if isinstance(error, Exception):
        return f"execution error: {type(error).__name__}"
    return _ABORTED


@attrs.define(eq=False)
class CommandReport:
    """
    Tells clients about one command; a block whose begin and end are those of the command.

    Promise: whoever enters it has told a begin, and whoever leaves it, in whichever
    way, one end.  A block left by an exception tells that the command was broken off, with
    what it had written until then.

    Attributes:
        command: As it is shown and approved.
        cwd: Where it runs, absolute.
        output: What it wrote so far; give it to `run_process`.
    """

    context: ToolContext
    call_id: CallId
    command: tuple[str, ...]
    cwd: str
    source: ExecCommandSource = ExecCommandSource.AGENT
    output: ProcessOutput = attrs.field(factory=ProcessOutput, init=False)
    parsed: tuple[ParsedCommand, ...] = attrs.field(init=False)
    _ended: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.parsed = parse_command(self.command)

    def __enter__(self) -> Self:
        self.context.emit(
            ExecCommandBegin(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                command=self.command,
                cwd=self.cwd,
                parsed_cmd=self.parsed,
                source=self.source,
            )
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._ended:
            self.break_off(interruption(error))

    def tell_output(self, stream: ExecOutputStream, piece: bytes) -> None:
        """Tell a piece of output; fits `run_process`."""
        self.context.emit(ExecCommandOutputDelta(call_id=self.call_id, stream=stream, chunk=piece))

    def end(self, result: ProcessResult, formatted: str) -> None:
        """Tell how it ended, and what the model reads of it."""
        ok = result.exit_code == 0
        self._end(
            exit_code=result.exit_code,
            status=ExecCommandStatus.COMPLETED if ok else ExecCommandStatus.FAILED,
            stdout=decode_output(result.stdout),
            stderr=decode_output(result.stderr),
            aggregated=decode_output(result.aggregated),
            duration=result.duration,
            formatted=formatted,
        )

    def fail(self, text: str, status: ExecCommandStatus = ExecCommandStatus.FAILED) -> None:
        """Tell that it never ran, and why."""
        self._end(
            exit_code=_NO_EXIT_CODE,
            status=status,
            stdout="",
            stderr=text,
            aggregated=text,
            duration=0.0,
            formatted=text,
        )

    def break_off(self, why: str) -> None:
        """Tell that it was stopped, and why; its output until then stays in the end."""
        stdout, stderr = decode_output(self.output.stdout), decode_output(self.output.stderr)
        before = decode_output(self.output.aggregated())
        self._end(
            exit_code=_NO_EXIT_CODE,
            status=ExecCommandStatus.FAILED,
            stdout=stdout,
            stderr=_with_line(stderr, why),
            aggregated=_with_line(before, why),
            duration=0.0,
            formatted=why,
        )

    def _end(
        self,
        *,
        exit_code: int,
        status: ExecCommandStatus,
        stdout: str,
        stderr: str,
        aggregated: str,
        duration: float,
        formatted: str,
    ) -> None:
        assert not self._ended, "a command has one end"
        self._ended = True
        self.context.emit(
            ExecCommandEnd(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                command=self.command,
                cwd=self.cwd,
                parsed_cmd=self.parsed,
                source=self.source,
                stdout=stdout,
                stderr=stderr,
                aggregated_output=aggregated,
                exit_code=exit_code,
                duration=Seconds(duration),
                formatted_output=formatted,
                status=status,
            )
        )


def _with_line(text: str, line: str) -> str:
    """Put *line* below *text*."""
    return f"{text}\n{line}" if text and not text.endswith("\n") else text + line
