"""The tool that types into a process that was left running, or looks what it wrote."""

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from messages.events import TerminalInteraction
from messages.value import Json

from .errors import ToolError
from .exec_arguments import StdinRequest, read_stdin_request
from .exec_session import ExecSession
from .exec_sessions import ExecSessions
from .exec_text import SessionAnswer
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_spec import function_spec

__all__ = ["WriteStdinTool"]

_DESCRIPTION: Final = (
    "Types into a process that exec_command left running, and answers with what it wrote since "
    "the last answer. Without `chars` it only waits and looks."
)

_PARAMETERS: Final[Mapping[str, Json]] = {
    "session_id": {"type": "number", "description": "From the answer of exec_command."},
    "chars": {
        "type": "string",
        "description": "What to type; end a line with a newline. Control characters count: "
        "\\u0003 interrupts the process, \\u0004 ends its input.",
    },
    "yield_time_ms": {
        "type": "number",
        "description": "Milliseconds to wait for its end, up to 30000; at least 250 (which is "
        "what it is when not given), or 5000 without `chars`.",
    },
    "max_output_tokens": {
        "type": "number",
        "description": "Room for its output in the answer, in tokens; 10000 when not given. The "
        "middle of what is longer is left out.",
    },
}

_SPEC: Final = function_spec("write_stdin", _DESCRIPTION, _PARAMETERS, "session_id")


@attrs.define(eq=False, kw_only=True)
class WriteStdinTool:
    """
    Talks to the processes that `ExecCommandTool` left running.

    Each call that finds its process tells one `TerminalInteraction`, with the id of the
    call that started it, before it types.

    Attributes:
        sessions: Shared with `ExecCommandTool`.
        typing_patience: Seconds that a process gets to take what is typed.

    Source:
        Codex, ``handlers/unified_exec.rs``.  There typing waits without a limit, and is
        told after the wait, behind what it led to.
    """

    sessions: ExecSessions
    typing_patience: float = 5.0

    name: str = attrs.field(default="write_stdin", init=False)
    parallel: bool = attrs.field(default=False, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it to the model, where sessions are wanted."""
        if not (offer.features.shell_tool and offer.features.unified_exec):
            return None
        return _SPEC

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Type, and wait until the process ends or the call has waited long enough.

        Raises:
            ToolError:
                The arguments do not fit, there is no such process, or it takes no input.

        Cancellation:
            The process goes on; it may have got the beginning of what was typed.
        """
        request = read_stdin_request(parse_arguments(call))
        session = self.sessions.find(request.session_id)
        if session is None:
            raise ToolError(f"write_stdin failed: Unknown process id {request.session_id}")
        if request.chars and not session.tty:
            raise ToolError(
                "write_stdin failed: stdin is closed for this session; rerun exec_command with "
                "tty=true to keep stdin open"
            )
        began = trio.current_time()
        chars = "" if session.ended else request.chars
        # First, or it would stand behind what it leads to.
        _tell(session, chars, context)
        typed = await self._type(session, chars)
        with trio.move_on_after(request.patience):
            await session.wait_ended()
        if session.ended:
            self.sessions.forget(session)
        elif not typed:
            raise ToolError(
                "write_stdin failed: failed to write to stdin; the process is about to end"
            )
        return _answer(session, request, context, trio.current_time() - began)

    async def _type(self, session: ExecSession, chars: str) -> bool:
        """Type, if there is anything to type; whether the process was there to take it."""
        with trio.move_on_after(self.typing_patience):
            try:
                await session.type(chars.encode())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
            return True
        raise ToolError(
            "write_stdin failed: the process reads no input; in "
            f"{self.typing_patience:g} seconds it did not take all of the {len(chars)} characters, "
            "perhaps a part of them. Let it read first, or end it with another command"
        )


def _tell(session: ExecSession, chars: str, context: ToolContext) -> None:
    context.emit(
        TerminalInteraction(call_id=session.report.call_id, process_id=str(session.id), stdin=chars)
    )


def _answer(
    session: ExecSession, request: StdinRequest, context: ToolContext, wall_time: float
) -> ToolOutput:
    answer = SessionAnswer(
        session_id=session.id,
        exit_code=session.exit_code,
        output=session.read(),
        wall_time=wall_time,
        max_output_tokens=request.max_output_tokens,
    )
    text = answer.render(context.truncation_policy, context.world.random)
    return ToolOutput(output=text, success=session.exit_code in (None, 0))
