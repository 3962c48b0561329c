"""What clients see of one command: its begin, its output, and exactly one end."""

from abc import ABC, abstractmethod
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

__all__ = ["CommandBlock", "CommandReport", "decode_output", "interruption", "with_line"]

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


def with_line(text: str, line: str) -> str:
    """Put *line* below *text*."""
    return f"{text}\n{line}" if text and not text.endswith("\n") else text + line


@attrs.define(eq=False)
class CommandBlock(ABC):
    """
    Tells clients of one command: a begin when its block is entered, its output, one end.

    Attributes:
        command: As it is shown and approved.
        cwd: Where it runs, absolute.
        source: Who wants it to run.
        process_id: What the model calls it by; None when it cannot outlive its call.
        ended: Whether its end was told.
    """

    context: ToolContext
    call_id: CallId
    command: tuple[str, ...]
    cwd: str
    source: ExecCommandSource = attrs.field(default=ExecCommandSource.AGENT, kw_only=True)
    process_id: str | None = attrs.field(default=None, kw_only=True)
    parsed: tuple[ParsedCommand, ...] = attrs.field(init=False)
    ended: bool = attrs.field(default=False, init=False)

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
                process_id=self.process_id,
            )
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave(error)

    @abstractmethod
    def leave(self, error: BaseException | None) -> None:
        """See to the end when the block is left; *error* is what it was left by."""

    def fail(self, text: str, status: ExecCommandStatus = ExecCommandStatus.FAILED) -> None:
        """Tell that it never ran, and why."""
        self.tell_end(
            exit_code=_NO_EXIT_CODE,
            status=status,
            stderr=text,
            aggregated=text,
            formatted=text,
        )

    def stop(self, why: str, *, stdout: str, stderr: str, aggregated: str, duration: float) -> None:
        """Tell that it was stopped, and why; its output until then stays in the end."""
        self.tell_end(
            exit_code=_NO_EXIT_CODE,
            status=ExecCommandStatus.FAILED,
            stdout=stdout,
            stderr=with_line(stderr, why),
            aggregated=with_line(aggregated, why),
            duration=duration,
            formatted=why,
        )

    def tell_end(
        self,
        *,
        exit_code: int,
        aggregated: str,
        formatted: str,
        status: ExecCommandStatus | None = None,
        stdout: str = "",
        stderr: str = "",
        duration: float = 0.0,
    ) -> None:
        """
        Tell the one end.

        Args:
            status: None for what the exit code says.
            duration: Seconds.
        """
        assert not self.ended, "a command has one end"
        self.ended = True
        by_code = ExecCommandStatus.FAILED if exit_code else ExecCommandStatus.COMPLETED
        self.context.emit(
            ExecCommandEnd(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                command=self.command,
                cwd=self.cwd,
                parsed_cmd=self.parsed,
                source=self.source,
                process_id=self.process_id,
                stdout=stdout,
                stderr=stderr,
                aggregated_output=aggregated,
                exit_code=exit_code,
                duration=Seconds(duration),
                formatted_output=formatted,
                status=status or by_code,
            )
        )


@attrs.define(eq=False)
class CommandReport(CommandBlock):
    """
    Tells clients of a command that ends with its call.

    Promise: whoever enters it has told a begin, and whoever leaves it, in whichever
    way, one end.  A block left by an exception tells that the command was broken off, with
    what it had written until then.

    Attributes:
        output: What it wrote so far; give it to `run_process`.
    """

    output: ProcessOutput = attrs.field(factory=ProcessOutput, init=False)

    def leave(self, error: BaseException | None) -> None:
        """Tell that it was broken off, unless its end was told."""
        if not self.ended:
            self.stop(
                interruption(error),
                stdout=decode_output(self.output.stdout),
                stderr=decode_output(self.output.stderr),
                aggregated=decode_output(self.output.aggregated()),
                duration=0.0,
            )

    def tell_output(self, stream: ExecOutputStream, piece: bytes) -> None:
        """Tell a piece of output; fits `run_process`."""
        self.context.emit(ExecCommandOutputDelta(call_id=self.call_id, stream=stream, chunk=piece))

    def end(self, result: ProcessResult, formatted: str) -> None:
        """Tell how it ended, and what the model reads of it."""
        self.tell_end(
            exit_code=result.exit_code,
            stdout=decode_output(result.stdout),
            stderr=decode_output(result.stderr),
            aggregated=decode_output(result.aggregated),
            duration=result.duration,
            formatted=formatted,
        )
