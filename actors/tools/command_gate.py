"""
The gate that every command of the model goes through: approval, sandbox, run, retry.

What a command needs is decided by the tables of `actors.safety`; here it is carried out.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeVar, assert_never

import attrs
import trio

from actors.safety import (
    ApprovalCache,
    Ask,
    Bubblewrap,
    CommandKey,
    Forbidden,
    NoSandbox,
    Requirement,
    SandboxTool,
    Skip,
    canonical_command,
    command_requirement,
    confine,
    needs_sandbox,
    retry_allowed,
)
from messages.content import InputText
from messages.events import ExecApprovalRequest, ExecCommandStatus, WarningEvent
from messages.ids import CallId
from messages.items import Message
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecision, ReviewDecisionKind
from messages.settings import (
    AskForApproval,
    ExternalSandbox,
    NetworkAccess,
    SandboxPolicy,
    WorkspaceWrite,
)
from messages.tool_settings import EnvironmentPolicy

from .environment import command_environment
from .errors import ToolError, ToolsError
from .parsed_command import parse_command
from .rules_source import RulesSource, show_prefix
from .sandbox_probe import SandboxProbe
from .tool import ToolContext

__all__ = [
    "CommandGate",
    "CommandRefused",
    "CommandRequest",
    "Launch",
    "check_escalation",
]

_T = TypeVar("_T")

_REJECTED: Final = "exec command rejected by user"

_RETRY: Final = "command failed; retry without sandbox?"

_NOT_NEEDED: Final = NoSandbox("the policy asks for none")

_NETWORK_CLOSED: Final = {"CODEX_SANDBOX_NETWORK_DISABLED": "1"}
"""Tells a command why it reaches nothing.  Source: Codex, ``spawn.rs``."""

_POLICY_NAMES: Final = {
    AskForApproval.NEVER: "Never",
    AskForApproval.ON_FAILURE: "OnFailure",
    AskForApproval.ON_REQUEST: "OnRequest",
    AskForApproval.UNTRUSTED: "UnlessTrusted",
}


@attrs.frozen(kw_only=True)
class CommandRequest:
    """
    A command that wants to run.

    Attributes:
        argv: As it is shown and approved; never empty.
        cwd: Where it is to run, absolute.
        escalated: It asks to run without a sandbox.
        justification: Why, in the model's words.
        prefix_rule: First words of commands that the model wants allowed with this one.
        tty: It gets a terminal, and its input stays open.
    """

    call_id: CallId
    argv: tuple[str, ...]
    cwd: str
    escalated: bool = False
    justification: str | None = None
    prefix_rule: tuple[str, ...] | None = None
    tty: bool = False


@attrs.frozen(kw_only=True)
class Launch:
    """
    What to start, after the gate let it through.

    Attributes:
        argv: The command, or the sandbox around it.
        sandboxed: Whether there is a sandbox around it.
        env_extra: Variables on top of those that every command gets.
    """

    argv: tuple[str, ...]
    sandboxed: bool
    env_extra: Mapping[str, str]


class CommandRefused(ToolsError):  # noqa: N818 -- a condition that the caller tells on
    """
    A command may not run, or not once more; no attempt of it is running.

    Attributes:
        text: Why, word for word as the model reads it.
        declined: A person said no; otherwise the policy does.
    """

    def __init__(self, text: str, declined: bool) -> None:  # noqa: FBT001 -- pickle passes args
        super().__init__(text, declined)
        self.text = text
        self.declined = declined

    @property
    def status(self) -> ExecCommandStatus:
        """How the command ended, for clients."""
        return ExecCommandStatus.DECLINED if self.declined else ExecCommandStatus.FAILED

    def __str__(self) -> str:
        return self.text


def check_escalation(approval: AskForApproval, *, escalated: bool) -> None:
    """
    Refuse a call that asks for more rights where nobody can be asked for them.

    To be called before anything is told of the command.

    Raises:
        ToolError: It is such a call.
    """
    if escalated and approval is not AskForApproval.ON_REQUEST:
        name = _POLICY_NAMES[approval]
        raise ToolError(
            f"approval policy is {name}; reject command — you should not ask for escalated "
            f"permissions if the approval policy is {name}"
        )


@attrs.define(eq=False, kw_only=True)
class CommandGate:
    """
    Lets the commands of one thread through, or refuses them.

    Attributes:
        environ: Our own variables.
        environment_policy:
            Which of them commands get; their ``PATH`` and ``TMPDIR`` count for what they may do.
        sandbox: Says what builds sandboxes.
        rules: Says which commands are allowed or forbidden by their first words.
        approvals: What a person allowed for the session; may be shared with other tools.

    Source:
        Codex, ``tools/orchestrator.rs``.  There a refusal by policy is told like one by a
        person (L41), and ``CODEX_SANDBOX_NETWORK_DISABLED`` is set also where the network
        is open.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)
    environment_policy: EnvironmentPolicy = attrs.field(factory=EnvironmentPolicy)
    sandbox: SandboxProbe
    rules: RulesSource
    approvals: ApprovalCache = attrs.field(factory=ApprovalCache)

    async def run(
        self,
        request: CommandRequest,
        context: ToolContext,
        attempt: Callable[[Launch], Awaitable[_T]],
        *,
        denied: Callable[[_T], bool],
    ) -> _T:
        """
        Get approval where it is needed, and run *attempt* inside the sandbox it has to be in.

        An attempt that the sandbox held back is made once more without one, if the policy
        has it so and a person agrees, who is not asked twice about one command.  The
        policies are those of the beginning, however long the person takes.

        Args:
            attempt: Runs the command; called once or twice.
            denied: Whether the sandbox held an attempt back; asked of a sandboxed one only.

        Returns:
            What the last attempt gave.

        Raises:
            CommandRefused: It may not run, or a person did not want it tried again.

        Cancellation:
            A question is withdrawn; an attempt does as it promises.
        """
        policy = context.sandbox_policy
        retries = retry_allowed(context.approval_policy)
        room = _Room(
            policy=policy,
            tool=await self.sandbox.tool() if needs_sandbox(policy) else _NOT_NEEDED,
            # Not the command's own: the model chooses that.
            cwd=context.cwd,
            environ=self._environ(context),
            # Rules must not be written by what they are for.
            guarded=self.rules.folders,
        )
        requirement = await self._requirement(request, context, room)
        if isinstance(requirement, Forbidden):
            raise CommandRefused(requirement.reason, declined=False)
        if isinstance(requirement, Ask):
            await self._ask(request, context, requirement.reason, requirement.amendment)
        sandboxed = needs_sandbox(policy) and not requirement.bypass
        launch = await room.wrap(request) if sandboxed else room.leave_bare(request.argv)
        result = await attempt(launch)
        if not (launch.sandboxed and retries and denied(result)):
            return result
        if isinstance(requirement, Skip):  # otherwise a person has said yes already
            await self._ask(request, context, _RETRY, requirement.amendment)
        return await attempt(room.leave_bare(request.argv))

    def _environ(self, context: ToolContext) -> dict[str, str]:
        """Say what counts for where a command may write."""
        variables = command_environment(self.environ, self.environment_policy, context)
        if "CODEX_HOME" in self.environ:
            variables["CODEX_HOME"] = self.environ["CODEX_HOME"]
        return variables

    async def _requirement(
        self, request: CommandRequest, context: ToolContext, room: "_Room"
    ) -> Requirement:
        decide = partial(
            command_requirement,
            request.argv,
            approval=context.approval_policy,
            policy=room.policy,
            sandbox=room.tool,
            rules=await self.rules.book(),
            search_path=room.environ.get("PATH", ""),
            escalated=request.escalated,
            prefix_rule=request.prefix_rule,
        )
        # Programs are looked up in the file system.
        return await trio.to_thread.run_sync(decide, abandon_on_cancel=True)

    async def _ask(
        self,
        request: CommandRequest,
        context: ToolContext,
        reason: str | None,
        amendment: tuple[str, ...] | None,
    ) -> None:
        """Return when a person says yes, or has said so for the session."""
        self.approvals.enter(context.approval_policy, context.sandbox_policy)
        key = CommandKey(
            canonical_command(request.argv), request.cwd, request.escalated, request.tty
        )
        if self.approvals.allows(key):
            return
        decision = await context.ask_exec_approval(
            ExecApprovalRequest(
                call_id=request.call_id,
                turn_id=context.turn_id,
                command=request.argv,
                cwd=request.cwd,
                parsed_cmd=parse_command(request.argv),
                reason=reason or request.justification,
                proposed_execpolicy_amendment=amendment,
            )
        )
        if not await self._granted(decision, key, context):
            raise CommandRefused(_REJECTED, declined=True)

    async def _granted(
        self, decision: ReviewDecision, key: CommandKey, context: ToolContext
    ) -> bool:
        match decision:
            case ReviewDecisionKind.APPROVED:
                return True
            case ReviewDecisionKind.APPROVED_FOR_SESSION:
                # Entered again: the answer may come after a change of policy.
                self.approvals.enter(context.approval_policy, context.sandbox_policy)
                self.approvals.allow(key)
                return True
            case ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=words):
                await self._amend(words, context)
                return True
            case ReviewDecisionKind.DENIED | ReviewDecisionKind.ABORT:
                return False
            case _:
                assert_never(decision)

    async def _amend(self, words: tuple[str, ...], context: ToolContext) -> None:
        """Allow a prefix from now on, and tell the model; the yes counts even if that fails."""
        problem = await self.rules.add_prefix(words)
        if problem is not None:
            text = f"Failed to apply execpolicy amendment: {problem}"
            context.emit(WarningEvent(message=text))
            return
        text = f"Approved command prefix saved:\n- {show_prefix(words)}"
        # Without room it is not told: the model then asks once more than it has to.
        context.add_input(Message(role="developer", content=(InputText(text=text),)))


@attrs.frozen(kw_only=True)
class _Room:
    """What the policy is about, and what can be built around a command."""

    policy: SandboxPolicy
    tool: SandboxTool
    cwd: str
    environ: Mapping[str, str] = attrs.field(repr=False)
    guarded: tuple[str, ...]

    async def wrap(self, request: CommandRequest) -> Launch:
        """Put it into a sandbox; refuse it where there is none."""
        if not isinstance(self.tool, Bubblewrap):
            raise CommandRefused(
                f"the sandbox policy asks for a sandbox, and there is none: {self.tool.reason}",
                declined=False,
            )
        wrap = partial(
            confine,
            request.argv,
            self.tool,
            policy=self.policy,
            cwd=self.cwd,
            workdir=request.cwd,
            environ=self.environ,
            guarded=self.guarded,
            tty=request.tty,
        )
        wrapped = await trio.to_thread.run_sync(wrap, abandon_on_cancel=True)  # looks at folders
        closed = not (isinstance(self.policy, WorkspaceWrite) and self.policy.network_access)
        return Launch(argv=wrapped, sandboxed=True, env_extra=_NETWORK_CLOSED if closed else {})

    def leave_bare(self, argv: tuple[str, ...]) -> Launch:
        """Run it as it is; somebody else's sandbox may be around all of us."""
        closed = self.policy == ExternalSandbox(network_access=NetworkAccess.RESTRICTED)
        return Launch(argv=argv, sandboxed=False, env_extra=_NETWORK_CLOSED if closed else {})
