"""The tool that starts a process, and leaves it running when that takes longer than the call."""

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from actors.safety import looks_denied
from messages.content import InputText
from messages.items import Message
from messages.tool_settings import EnvironmentPolicy
from messages.value import Json

from .command_gate import CommandGate, CommandRefused, CommandRequest, Launch, check_escalation
from .command_report import decode_output
from .environment import command_environment
from .errors import SpawnError
from .exec_arguments import ExecRequest, read_exec_request
from .exec_report import SessionReport
from .exec_session import END, ExecSession
from .exec_sessions import ExecSessions
from .exec_text import SessionAnswer
from .patch import Patcher
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_spec import WORKDIR_AND_RIGHTS, function_spec

__all__ = ["ExecCommandTool"]

_PLAIN: Final[Mapping[str, str]] = {
    "NO_COLOR": "1",
    "TERM": "dumb",
    "LANG": "C.UTF-8",
    "LC_CTYPE": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "COLORTERM": "",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GH_PAGER": "cat",
    "CODEX_CI": "1",
}
"""
Lets programs write what a model can read: no colours, no pagers, UTF-8.

Source: Codex, ``UNIFIED_EXEC_ENV``.
"""

_DESCRIPTION: Final = (
    "Runs a script in a shell. If it ends within `yield_time_ms`, the answer has its output and "
    "exit code; otherwise it goes on, and the answer has a session ID for write_stdin. Set "
    "`workdir` rather than changing directory in the script."
)

_PARAMETERS: Final[Mapping[str, Json]] = {
    "cmd": {"type": "string", "description": "The script."},
    "shell": {
        "type": "string",
        "description": "Program that runs the script; the user's own shell when not given.",
    },
    "login": {
        "type": "boolean",
        "description": "Whether it is a login shell, which reads the user's profile; true when "
        "not given.",
    },
    "tty": {
        "type": "boolean",
        "description": "Whether it gets a terminal, so that write_stdin can type into it; false "
        "when not given, and then it has no input.",
    },
    "yield_time_ms": {
        "type": "number",
        "description": "Milliseconds to wait for its end, 250 to 30000; 10000 when not given.",
    },
    "max_output_tokens": {
        "type": "number",
        "description": "Room for its output in the answer, in tokens; 10000 when not given. The "
        "middle of what is longer is left out.",
    },
    **WORKDIR_AND_RIGHTS,
}

_SPEC: Final = function_spec("exec_command", _DESCRIPTION, _PARAMETERS, "cmd")


@attrs.define(eq=False, kw_only=True)
class ExecCommandTool:
    """
    Starts processes that may outlive their calls.

    Every call that has readable arguments and is no patch tells one `ExecCommandBegin`,
    before anybody is asked, and one `ExecCommandEnd`: before the call returns, unless the
    process goes on; then when it ends, with the ids of the call and turn that started it.

    Attributes:
        sessions: Where processes that go on are kept; shared with `WriteStdinTool`.
        gate: Decides whether a command may run, and in which sandbox.
        environ: Our own variables.
        environment_policy: Which of them commands get.
        shell: Path of the shell for calls that name none.
        patcher: None leaves patches to whatever program is called ``apply_patch``.

    Source:
        Codex, ``handlers/unified_exec.rs``.  There a refused call has no events, its text
        is the source code of an error (L41), and the id of a cancelled one is lost.
    """

    sessions: ExecSessions
    gate: CommandGate
    environ: Mapping[str, str] = attrs.field(repr=False)
    environment_policy: EnvironmentPolicy = attrs.field(factory=EnvironmentPolicy, repr=False)
    shell: str
    patcher: Patcher | None = None

    name: str = attrs.field(default="exec_command", init=False)
    parallel: bool = attrs.field(default=True, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it to the model, where sessions are wanted."""
        if not (offer.features.shell_tool and offer.features.unified_exec):
            return None
        return _SPEC

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Start a process, and wait until it ends or the call has waited long enough.

        Raises:
            ToolError: The arguments do not fit, or ask for rights that nobody can give.

        Cancellation:
            The process and all it started are ended, within 0.25 s if they heed SIGTERM.
        """
        request = read_exec_request(parse_arguments(call), cwd=context.cwd, shell=self.shell)
        check_escalation(context.approval_policy, escalated=request.escalated)
        if self.patcher is not None:
            patched = await self.patcher.intercept(
                request.argv, cwd=request.cwd, call=call, tool_name=self.name, context=context
            )
            if patched is not None:
                return patched
        with self.sessions.reserved(context.world.random) as number:
            report = SessionReport(
                context, call.call_id, request.argv, request.cwd, process_id=str(number)
            )
            with report:
                return await self._run(_Start(self, request, report, number))

    async def _run(self, start: "_Start") -> ToolOutput:
        try:
            session = await self.gate.run(
                start.command_request(), start.report.context, start.attempt, denied=_denied
            )
            return start.answer(session)
        except CommandRefused as refusal:
            start.report.fail(refusal.text, refusal.status)
            return ToolOutput(output=refusal.text, success=False)
        except SpawnError as error:
            text = f"execution error: {error}"
            start.report.fail(text)
            return ToolOutput(output=text, success=False)
        finally:
            with trio.move_on_after(END, shield=True):
                await start.end()


@attrs.define(eq=False)
class _Start:
    """One call, and the process of its latest attempt."""

    _tool: ExecCommandTool
    _request: ExecRequest
    report: SessionReport
    _number: int
    # Until it is kept.
    _session: ExecSession | None = attrs.field(default=None, init=False)
    _began: float = attrs.field(default=0.0, init=False)

    def command_request(self) -> CommandRequest:
        return CommandRequest(
            call_id=self.report.call_id,
            argv=self._request.argv,
            cwd=self._request.cwd,
            escalated=self._request.escalated,
            justification=self._request.justification,
            prefix_rule=self._request.prefix_rule,
            tty=self._request.tty,
        )

    async def attempt(self, launch: Launch) -> ExecSession:
        """Start the process as a job of the thread, and wait for its end or the yield time."""
        context = self.report.context
        self.report.begin_attempt()
        session = self._session = self._make(launch)
        self._tool.sessions.attach(session)
        context.start_job(f"exec session {session.id}", session.run)
        await session.wait_up()
        self._began = trio.current_time()
        with trio.move_on_after(self._request.patience):
            await session.wait_ended()
        return session

    def answer(self, session: ExecSession) -> ToolOutput:
        """Tell the end, or keep the process; either way say so to the model."""
        context = self.report.context
        answer = SessionAnswer(
            session_id=session.id,
            exit_code=session.exit_code,
            output=session.read(),
            wall_time=trio.current_time() - self._began,
            max_output_tokens=self._request.max_output_tokens,
        )
        if session.ended:
            session.tell_end()
        else:
            self._session = None
            warning = self._tool.sessions.keep(session)
            if warning is not None:
                # Without room it is not told; the next process brings it again.
                context.add_input(Message(role="user", content=(InputText(text=warning),)))
        text = answer.render(context.truncation_policy, context.world.random)
        return ToolOutput(output=text, success=session.exit_code in (None, 0))

    async def end(self) -> None:
        """Leave no process behind that is not kept."""
        if self._session is not None:
            await self._session.end()

    def _make(self, launch: Launch) -> ExecSession:
        tool, context = self._tool, self.report.context
        variables = command_environment(tool.environ, tool.environment_policy, context)
        return ExecSession(
            id=self._number,
            argv=launch.argv,
            env={**variables, **_PLAIN, **launch.env_extra},
            tty=self._request.tty,
            report=self.report,
            started=context.world.now(),
        )


def _denied(session: ExecSession) -> bool:
    """Whether the process ended, and looks as if the sandbox had held it back."""
    code = session.exit_code
    return code is not None and looks_denied(code, decode_output(session.peek()))
