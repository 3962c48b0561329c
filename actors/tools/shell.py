"""The shell tools: run a command for the model, when policy or a person allows it."""

from collections.abc import Mapping
from typing import Final

import attrs

from actors.rollout import formatted_truncate_text
from actors.safety import looks_denied
from messages.tool_settings import EnvironmentPolicy
from messages.value import Json

from .capture import ProcessOutput
from .command_answer import command_answer, wants_json
from .command_gate import CommandGate, CommandRefused, CommandRequest, Launch, check_escalation
from .command_report import CommandReport, decode_output
from .environment import command_environment
from .errors import SpawnError, ToolError
from .patch import Patcher
from .process import ProcessResult, run_process
from .shell_arguments import ShellRequest, read_shell_request
from .tool import Offer, ToolCall, ToolContext, ToolOutput, parse_arguments
from .tool_spec import WORKDIR_AND_RIGHTS, function_spec

__all__ = ["ShellSession", "ShellTool", "shell_tools"]

_OFFERED: Final = "shell"

_SWITCHED_OFF: Final = (
    "commands cannot run here: they are switched off for this conversation; go on without them"
)

_DESCRIPTION: Final = (
    "Runs a command and returns its output and exit code. `command` is a list of words, run as "
    'they are; for a script write ["bash", "-lc", "<script>"]. Set `workdir` rather than '
    "changing directory in the command. When the command ends, whatever it left running in the "
    "background is ended too."
)

_PARAMETERS: Final[Mapping[str, Json]] = {
    "command": {
        "type": "array",
        "items": {"type": "string"},
        "description": "The words of the command.",
    },
    "timeout_ms": {
        "type": "number",
        "description": "Milliseconds after which it is ended; 10000 when not given.",
    },
    **WORKDIR_AND_RIGHTS,
}

_SPEC: Final = function_spec(_OFFERED, _DESCRIPTION, _PARAMETERS, "command")


@attrs.frozen(kw_only=True, eq=False)
class ShellSession:
    """
    What the shell tools of one thread share.

    Attributes:
        gate: Lets commands through.
        environ: Our own variables.
        environment_policy: Which of them commands get.
        shell: Path of the shell that runs scripts.
        patcher: Takes over commands that apply a patch; None when nobody does.
        enabled: Whether commands may run at all.
    """

    gate: CommandGate
    environ: Mapping[str, str] = attrs.field(repr=False)
    environment_policy: EnvironmentPolicy
    shell: str
    patcher: Patcher | None = None
    enabled: bool = True

    async def intercept(
        self, request: ShellRequest, call: ToolCall, context: ToolContext
    ) -> ToolOutput | None:
        """Let the patcher do it if it is a patch; otherwise None."""
        if self.patcher is None:
            return None
        return await self.patcher.intercept(
            request.argv, cwd=request.cwd, call=call, tool_name=call.name, context=context
        )

    async def run(
        self, request: ShellRequest, report: CommandReport, context: ToolContext
    ) -> ProcessResult:
        """
        Run it as the gate has it; its output is told as it comes, and nothing else.

        Raises:
            CommandRefused: The gate does not let it through.
            SpawnError: It could not be started.
        """
        variables = command_environment(self.environ, self.environment_policy, context)

        async def attempt(launch: Launch) -> ProcessResult:
            report.output = ProcessOutput()  # the end tells the last attempt
            return await run_process(
                launch.argv,
                cwd=request.cwd,
                env={**variables, **launch.env_extra},
                timeout=request.timeout,
                on_output=report.tell_output,
                output=report.output,
            )

        asked = CommandRequest(
            call_id=report.call_id,
            argv=request.argv,
            cwd=request.cwd,
            escalated=request.escalated,
            justification=request.justification,
            prefix_rule=request.prefix_rule,
        )
        return await self.gate.run(asked, context, attempt, denied=_is_denied)


@attrs.frozen(kw_only=True)
class ShellTool:
    """
    Runs commands under one of the names that models call it by.

    Every call that has readable arguments tells one `ExecCommandBegin`, before anybody
    is asked, and one `ExecCommandEnd`, however it ends; a patch tells its own events.

    Attributes:
        name: What calls name it by.
        session: Shared with the other shell tools of its thread.

    Source:
        Codex, ``handlers/shell.rs`` and ``tools/events.rs``.  There a refusal by policy is
        told like one by the user (L41), and a stopped call has no end.
    """

    name: str
    session: ShellSession
    parallel: bool = attrs.field(default=True, init=False)

    def spec(self, offer: Offer) -> Json:
        """Describe it to the model, if it goes by this name and nothing better is offered."""
        features = offer.features
        if self.name != _OFFERED or not features.shell_tool or features.unified_exec:
            return None
        return _SPEC

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Run one command to its end.

        Raises:
            ToolError: Its arguments do not fit, it asks for rights that nobody can give, it
                is a patch that does not fit, or commands are switched off.

        Cancellation:
            The command and all it started are ended, within 0.25 s if they heed SIGTERM.
        """
        session = self.session
        if not session.enabled:
            raise ToolError(_SWITCHED_OFF)
        request = read_shell_request(parse_arguments(call), cwd=context.cwd, shell=session.shell)
        check_escalation(context.approval_policy, escalated=request.escalated)
        patched = await session.intercept(request, call, context)
        if patched is not None:
            return patched
        with CommandReport(context, call.call_id, request.argv, request.cwd) as report:
            return await self._run(call, request, report, context)

    async def _run(
        self, call: ToolCall, request: ShellRequest, report: CommandReport, context: ToolContext
    ) -> ToolOutput:
        try:
            result = await self.session.run(request, report, context)
        except CommandRefused as refusal:
            report.fail(refusal.text, refusal.status)
            return ToolOutput(output=refusal.text, success=False)
        except SpawnError as error:
            text = f"execution error: {error}"
            report.fail(text)
            return ToolOutput(output=text, success=False)
        text = _output_text(result)
        report.end(result, formatted_truncate_text(text, context.truncation_policy))
        answer = command_answer(
            text,
            exit_code=result.exit_code,
            duration=result.duration,
            policy=context.truncation_policy,
            as_json=wants_json(call, context.model_info),
        )
        return ToolOutput(output=answer, success=result.exit_code == 0)


def shell_tools(
    *,
    gate: CommandGate,
    environ: Mapping[str, str],
    environment_policy: EnvironmentPolicy | None = None,
    shell: str,
    patcher: Patcher | None = None,
    enabled: bool = True,
) -> tuple[ShellTool, ...]:
    """
    Build the shell tools of one thread.

    ``shell`` is offered where nothing better is; the other names are those that models
    know from elsewhere.

    Args:
        environ: Our own variables.
        environment_policy: Which of them commands get; None for all.
        shell: Path of the shell that runs scripts.
        patcher: Takes over commands that apply a patch.
        enabled: Whether commands may run at all; if not, each call is answered so.
    """
    session = ShellSession(
        gate=gate,
        environ=environ,
        environment_policy=environment_policy or EnvironmentPolicy(),
        shell=shell,
        patcher=patcher,
        enabled=enabled,
    )
    return (
        ShellTool(name=_OFFERED, session=session),
        ShellTool(name="container.exec", session=session),
        ShellTool(name="local_shell", session=session),
        ShellTool(name="shell_command", session=session),
    )


def _is_denied(result: ProcessResult) -> bool:
    # What ran out of time did not fail; looking for words in its output would be guessing.
    return not result.timed_out and looks_denied(result.exit_code, decode_output(result.aggregated))


def _output_text(result: ProcessResult) -> str:
    text = decode_output(result.aggregated)
    if not result.timed_out:
        return text
    return f"command timed out after {result.duration * 1000:.0f} milliseconds\n{text}"
