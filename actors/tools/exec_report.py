"""What clients see of a process that may outlive its call."""

from types import TracebackType
from typing import Final, Self

import attrs

from actors.rollout import formatted_truncate_text
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

from .capture import OUTPUT_LIMIT_BYTES, OutputBuffer
from .command_report import decode_output, interruption
from .parsed_command import parse_command
from .tool import ToolContext

__all__ = ["SessionReport"]

_MAX_DELTAS: Final = 10_000
"""Later output is only kept.  Source: Codex, ``MAX_EXEC_OUTPUT_DELTAS_PER_CALL``."""

_NO_EXIT_CODE: Final = -1


@attrs.define(eq=False)
class SessionReport:
    """
    Tells clients of one process: its begin, its output, and exactly one end.

    A block whose begin is that of the call.  Whoever leaves the block has told the end,
    unless the process was left running: then whoever watches it tells the end, with the
    ids of the call and the turn that started it.

    Attributes:
        command: As it is shown and approved.
        cwd: Where it runs, absolute.
        process_id: What the model calls it by.
    """

    context: ToolContext
    call_id: CallId
    command: tuple[str, ...]
    cwd: str
    process_id: str
    _parsed: tuple[ParsedCommand, ...] = attrs.field(init=False)
    _transcript: OutputBuffer = attrs.field(
        factory=lambda: OutputBuffer(OUTPUT_LIMIT_BYTES), init=False
    )
    _deltas: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _left_running: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._parsed = parse_command(self.command)

    def __enter__(self) -> Self:
        self.context.emit(
            ExecCommandBegin(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                command=self.command,
                cwd=self.cwd,
                parsed_cmd=self._parsed,
                source=ExecCommandSource.UNIFIED_EXEC_STARTUP,
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
        if not self._ended and not self._left_running:
            self.break_off(interruption(error), 0.0)

    def begin_attempt(self) -> None:
        """Start once more: the end tells the last attempt."""
        self._transcript = OutputBuffer(OUTPUT_LIMIT_BYTES)

    def leave_running(self) -> None:
        """Leave the end to whoever watches the process."""
        self._left_running = True

    def tell_output(self, piece: bytes) -> None:
        """Keep a piece of output, and tell it while there are not too many."""
        self._transcript.append(piece)
        if self._deltas < _MAX_DELTAS:
            self._deltas += 1
            stream = ExecOutputStream.STDOUT
            self.context.emit(
                ExecCommandOutputDelta(call_id=self.call_id, stream=stream, chunk=piece)
            )

    def end(self, exit_code: int, duration: float) -> None:
        """Tell that the process ended by itself."""
        ok = exit_code == 0
        output = decode_output(self._transcript.render())
        self._end(
            exit_code=exit_code,
            status=ExecCommandStatus.COMPLETED if ok else ExecCommandStatus.FAILED,
            stdout=output,
            aggregated=output,
            duration=duration,
            formatted=formatted_truncate_text(output, self.context.truncation_policy),
        )

    def fail(self, text: str, *, declined: bool = False) -> None:
        """Tell that it never ran, and why."""
        self._end(
            exit_code=_NO_EXIT_CODE,
            status=ExecCommandStatus.DECLINED if declined else ExecCommandStatus.FAILED,
            stderr=text,
            aggregated=text,
            duration=0.0,
            formatted=text,
        )

    def break_off(self, why: str, duration: float) -> None:
        """Tell that it was stopped, and why; its output until then stays in the end."""
        output = decode_output(self._transcript.render())
        self._end(
            exit_code=_NO_EXIT_CODE,
            status=ExecCommandStatus.FAILED,
            stdout=output,
            stderr=why,
            aggregated=_with_line(output, why),
            duration=duration,
            formatted=why,
        )

    def _end(
        self,
        *,
        exit_code: int,
        status: ExecCommandStatus,
        aggregated: str,
        duration: float,
        formatted: str,
        stdout: str = "",
        stderr: str = "",
    ) -> None:
        assert not self._ended, "a command has one end"
        self._ended = True
        self.context.emit(
            ExecCommandEnd(
                call_id=self.call_id,
                turn_id=self.context.turn_id,
                command=self.command,
                cwd=self.cwd,
                parsed_cmd=self._parsed,
                source=ExecCommandSource.UNIFIED_EXEC_STARTUP,
                process_id=self.process_id,
                stdout=stdout,
                stderr=stderr,
                aggregated_output=aggregated,
                exit_code=exit_code,
                duration=Seconds(duration),
                formatted_output=formatted,
                status=status,
            )
        )
        self._transcript = OutputBuffer(0)  # an ended process may stay known for long


def _with_line(text: str, line: str) -> str:
    """Put *line* below *text*."""
    return f"{text}\n{line}" if text and not text.endswith("\n") else text + line
