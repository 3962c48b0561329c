"""What clients see of a process that may outlive its call."""

from typing import Final

import attrs

from actors.rollout import formatted_truncate_text
from messages.events import ExecCommandOutputDelta, ExecCommandSource, ExecOutputStream

from .capture import OUTPUT_LIMIT_BYTES, OutputBuffer
from .command_report import CommandBlock, decode_output, interruption

__all__ = ["SessionReport"]

_MAX_DELTAS: Final = 10_000
"""Later output is only kept.  Source: Codex, ``MAX_EXEC_OUTPUT_DELTAS_PER_CALL``."""


@attrs.define(eq=False)
class SessionReport(CommandBlock):
    """
    Tells clients of one process: its begin, its output, and exactly one end.

    A block whose begin is that of the call.  Whoever leaves the block has told the end,
    unless the process was left running: then whoever watches it tells the end, with the
    ids of the call and the turn that started it.
    """

    source: ExecCommandSource = attrs.field(
        default=ExecCommandSource.UNIFIED_EXEC_STARTUP, kw_only=True
    )
    _transcript: OutputBuffer = attrs.field(
        factory=lambda: OutputBuffer(OUTPUT_LIMIT_BYTES), init=False
    )
    _deltas: int = attrs.field(default=0, init=False)
    _left_running: bool = attrs.field(default=False, init=False)

    def leave(self, error: BaseException | None) -> None:
        """Tell that it was broken off, unless its end was told or it was left running."""
        if not self.ended and not self._left_running:
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
        output = self._take_transcript()
        self.tell_end(
            exit_code=exit_code,
            stdout=output,
            aggregated=output,
            duration=duration,
            formatted=formatted_truncate_text(output, self.context.truncation_policy),
        )

    def break_off(self, why: str, duration: float) -> None:
        """Tell that it was stopped, and why; its output until then stays in the end."""
        output = self._take_transcript()
        self.stop(why, stdout=output, stderr="", aggregated=output, duration=duration)

    def _take_transcript(self) -> str:
        output = decode_output(self._transcript.render())
        self._transcript = OutputBuffer(0)  # an ended process may stay known for long
        return output
