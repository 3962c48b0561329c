"""The shell tool: runs a command for the model, when policy or a person allows it."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, assert_never

import attrs
import orjson

from actors.rollout import formatted_truncate_text, truncate_text
from actors.safety import (
    ApprovalCache,
    ApprovalKey,
    Ask,
    Forbidden,
    Skip,
    approval_requirement,
    canonical_command,
    lacks_sandbox,
)
from messages.events import ExecApprovalRequest, ExecCommandStatus, WarningEvent
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecision, ReviewDecisionKind
from messages.settings import AskForApproval, TruncationPolicy
from messages.value import Json

from .command_report import CommandReport, decode_output
from .environment import choose_shell, command_environment
from .errors import SpawnError, ToolError
from .process import ProcessResult, run_process
from .router import ToolCall, ToolContext, ToolOutput, parse_arguments
from .shell_arguments import ShellRequest, read_shell_request

__all__ = ["OutputForm", "ShellSession", "ShellTool", "shell_tools"]

_REJECTED: Final = "exec command rejected by user"

_NO_SANDBOX: Final = (
    "this version enforces no sandbox: commands run with all rights of the user, "
    "whatever the sandbox policy says"
)

_POLICY_NAMES: Final = {
    AskForApproval.NEVER: "Never",
    AskForApproval.ON_FAILURE: "OnFailure",
    AskForApproval.ON_REQUEST: "OnRequest",
    AskForApproval.UNTRUSTED: "UnlessTrusted",
}

_DESCRIPTION: Final = (
    "Runs a command and returns its output and exit code. `command` is either a list of words, "
    "run as they are, or one string, run as a script by the user's login shell. Set `workdir` "
    "rather than changing directory in the command. When the command ends, whatever it left "
    "running in the background is ended too."
)

_PARAMETERS: Final = {
    "command": {
        "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}],
        "description": "The words of the command, or a shell script.",
    },
    "workdir": {
        "type": "string",
        "description": "Where to run it; relative paths start at the turn's working directory.",
    },
    "timeout_ms": {
        "type": "number",
        "description": "Milliseconds after which it is ended; 10000 when not given.",
    },
    "sandbox_permissions": {
        "type": "string",
        "enum": ["use_default", "require_escalated"],
        "description": "require_escalated asks the user to let it run without a sandbox.",
    },
    "justification": {
        "type": "string",
        "description": "For require_escalated: one sentence that tells the user why.",
    },
}


class OutputForm(Enum):
    """How the model reads what a command gave."""

    JSON = "json"
    TEXT = "text"


@attrs.define(eq=False)
class ShellSession:
    """
    What the shell tools of one thread share and remember.

    Attributes:
        environ: Variables for commands.
        shell: Path of the shell that runs scripts.
        approvals: What the user allowed for the session.
    """

    environ: Mapping[str, str]
    shell: str
    approvals: ApprovalCache = attrs.field(factory=ApprovalCache)
    _warned: bool = attrs.field(default=False, init=False)

    async def permit(
        self, request: ShellRequest, report: CommandReport, context: ToolContext
    ) -> None:
        """
        Return when the command may run.

        Raises:
            _Refused: It may not.

        Cancellation:
            The question is withdrawn.
        """
        requirement = approval_requirement(context.approval_policy, context.sandbox_policy)
        match requirement:
            case Forbidden(reason=reason):
                raise _Refused(reason, ExecCommandStatus.FAILED)
            case Ask():
                await self._ask(request, report, context)
            case Skip():
                self._warn_once(context)
            case _:
                assert_never(requirement)

    async def _ask(
        self, request: ShellRequest, report: CommandReport, context: ToolContext
    ) -> None:
        self.approvals.enter(context.approval_policy, context.sandbox_policy)
        key = ApprovalKey(canonical_command(request.argv), request.cwd, request.escalated)
        if self.approvals.allows(key):
            return
        decision = await context.ask_exec_approval(
            ExecApprovalRequest(
                call_id=report.call_id,
                turn_id=context.turn_id,
                command=request.argv,
                cwd=request.cwd,
                parsed_cmd=report.parsed,
                reason=_reason(request, context),
            )
        )
        if not self._granted(decision, key, context):
            raise _Refused(_REJECTED, ExecCommandStatus.DECLINED)

    def _granted(self, decision: ReviewDecision, key: ApprovalKey, context: ToolContext) -> bool:
        match decision:
            case ReviewDecisionKind.APPROVED:
                return True
            case ReviewDecisionKind.APPROVED_FOR_SESSION:
                # Entered again: the answer may come after a change of policy.
                self.approvals.enter(context.approval_policy, context.sandbox_policy)
                self.approvals.allow(key)
                return True
            case ApprovedExecpolicyAmendment():
                context.emit(
                    WarningEvent(
                        message="Failed to apply execpolicy amendment: this version keeps no "
                        "rules; the command was approved this once"
                    )
                )
                return True
            case ReviewDecisionKind.DENIED | ReviewDecisionKind.ABORT:
                return False
            case _:
                assert_never(decision)

    def _warn_once(self, context: ToolContext) -> None:
        if lacks_sandbox(context.sandbox_policy) and not self._warned:
            self._warned = True
            context.emit(WarningEvent(message=_NO_SANDBOX))


@attrs.frozen(kw_only=True)
class ShellTool:
    """
    Runs commands under one of the names that models call it by.

    Every call that has readable arguments tells one `ExecCommandBegin`, before anybody
    is asked, and one `ExecCommandEnd`, however it ends.

    Attributes:
        name: What calls name it by.
        session: Shared with the other shell tools of its thread.
        form: How the model reads the output.
        offered: Whether the model is told of it.

    Source:
        Codex, ``handlers/shell.rs`` and ``tools/events.rs``.  There a refusal by policy is
        told like one by the user (L41), and a stopped call has no end.
    """

    name: str
    session: ShellSession
    form: OutputForm = OutputForm.JSON
    offered: bool = False
    parallel: bool = attrs.field(default=True, init=False)

    def spec(self) -> Json:
        """Describe it to the model, if it goes by this name."""
        if not self.offered:
            return None
        return {
            "type": "function",
            "name": self.name,
            "description": _DESCRIPTION,
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": _PARAMETERS,
                "required": ["command"],
                "additionalProperties": False,
            },
        }

    async def run(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """
        Run one command to its end.

        Raises:
            ToolError: Its arguments do not fit, or it asks for rights that nobody can give.

        Cancellation:
            The command and all it started are ended, within 0.25 s if they heed SIGTERM.
        """
        session = self.session
        request = read_shell_request(parse_arguments(call), cwd=context.cwd, shell=session.shell)
        _check_escalation(request, context.approval_policy)
        report = CommandReport(context, call.call_id, request.argv, request.cwd)
        with report:
            try:
                await session.permit(request, report, context)
                result = await run_process(
                    request.argv,
                    cwd=request.cwd,
                    env=command_environment(session.environ, context.thread_id),
                    timeout=request.timeout,
                    on_output=report.tell_output,
                    output=report.output,
                )
            except _Refused as refusal:
                report.fail(refusal.text, refusal.status)
                return ToolOutput(output=refusal.text, success=False)
            except SpawnError as error:
                text = f"execution error: {error}"
                report.fail(text)
                return ToolOutput(output=text, success=False)
            text = _output_text(result)
            report.end(result, formatted_truncate_text(text, context.truncation_policy))
        answer = _FORMS[self.form](result, text, context.truncation_policy)
        return ToolOutput(output=answer, success=result.exit_code == 0)


def shell_tools(environ: Mapping[str, str]) -> tuple[ShellTool, ...]:
    """
    Build the shell tools of one thread.

    ``shell`` is offered; the other names are those that models know from elsewhere.
    """
    session = ShellSession(environ, choose_shell(environ))
    return (
        ShellTool(name="shell", session=session, offered=True),
        ShellTool(name="container.exec", session=session),
        ShellTool(name="local_shell", session=session),
        ShellTool(name="shell_command", session=session, form=OutputForm.TEXT),
    )


class _Refused(Exception):  # noqa: N818 -- never leaves this module
    def __init__(self, text: str, status: ExecCommandStatus) -> None:
        super().__init__(text, status)
        self.text = text
        self.status = status


def _check_escalation(request: ShellRequest, policy: AskForApproval) -> None:
    if request.escalated and policy is not AskForApproval.ON_REQUEST:
        name = _POLICY_NAMES[policy]
        raise ToolError(
            f"approval policy is {name}; reject command — you should not ask for escalated "
            f"permissions if the approval policy is {name}"
        )


def _reason(request: ShellRequest, context: ToolContext) -> str | None:
    note = _NO_SANDBOX if lacks_sandbox(context.sandbox_policy) else None
    return "; ".join(part for part in (request.justification, note) if part) or None


def _output_text(result: ProcessResult) -> str:
    text = decode_output(result.aggregated)
    if not result.timed_out:
        return text
    return f"command timed out after {result.duration * 1000:.0f} milliseconds\n{text}"


def _as_json(result: ProcessResult, text: str, policy: TruncationPolicy) -> str:
    metadata = {
        "exit_code": result.exit_code,
        "duration_seconds": round(result.duration, 1),
    }
    output = formatted_truncate_text(text, policy)
    return orjson.dumps({"output": output, "metadata": metadata}).decode()


def _as_text(result: ProcessResult, text: str, policy: TruncationPolicy) -> str:
    output = truncate_text(text, policy)
    lines = len(text.splitlines())
    sections = [f"Exit code: {result.exit_code}", f"Wall time: {result.duration:.1f} seconds"]
    if len(output.splitlines()) != lines:
        sections.append(f"Total output lines: {lines}")
    return "\n".join([*sections, "Output:", output])


_FORMS: Final[Mapping[OutputForm, Callable[[ProcessResult, str, TruncationPolicy], str]]] = {
    OutputForm.JSON: _as_json,
    OutputForm.TEXT: _as_text,
}
