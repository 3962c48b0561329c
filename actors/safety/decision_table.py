"""What a command needs before it may run, as one table."""

from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final, assert_never

import attrs

from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    RestrictedReadAccess,
    SandboxPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

from .command_class import CommandClass
from .rules import Verdict

__all__ = ["Case", "Outcome", "PolicyKind", "decide", "policy_kind"]


class PolicyKind(Enum):
    """What a sandbox policy promises, as far as the table needs it."""

    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    RESTRICTED_READ = "restricted read"
    """Either of the two above, and not everything may be read."""

    FULL = "danger-full-access"
    EXTERNAL = "external-sandbox"
    UNKNOWN = "unknown"


class Outcome(Enum):
    """What follows for a command."""

    RUN = "run"
    """Run it, in the sandbox of its policy if that has one."""

    RUN_BARE = "run bare"
    """Run it without a sandbox."""

    ASK = "ask"
    """Ask, then run it like `RUN`."""

    ASK_BARE = "ask, bare"
    """Ask, then run it without a sandbox, as it wishes."""

    ASK_NO_SANDBOX = "ask, there is none"
    """Ask, saying that no sandbox works, then run it without."""

    NOT_BY_RULE = "no: rule"
    """A rule forbids it."""

    NOT_DANGEROUS = "no: dangerous"
    """It is dangerous, and nobody may be asked."""

    NOT_UNASKED = "no: nobody asked"
    """Somebody would have to be asked, and nobody may be."""

    NOT_UNCONFINED = "no: no sandbox"
    """It needs a sandbox, none works, and nobody may be asked."""

    NOT_UNDER_POLICY = "no: policy"
    """Nobody knows what the policy means."""


@attrs.frozen(kw_only=True)
class Case:
    """
    A command and all that decides about it.

    Attributes:
        sandbox: Whether one can be built here.
        rule: The strictest of the rules about it; ALLOW only when every command is allowed.
        kind: The worst of the commands that no rule allows.
        escalated: It asks to run without a sandbox.
    """

    approval: AskForApproval
    policy: PolicyKind
    sandbox: bool
    rule: Verdict | None
    kind: CommandClass
    escalated: bool


_CONFINED: Final = frozenset(
    {PolicyKind.READ_ONLY, PolicyKind.WORKSPACE_WRITE, PolicyKind.RESTRICTED_READ}
)
"""Policies that need a sandbox."""

_READ_ALL: Final = _CONFINED - {PolicyKind.RESTRICTED_READ}
"""Policies under which a command that only reads does nothing they forbid."""

_HELD: Final = _CONFINED | {PolicyKind.EXTERNAL}
"""Policies under which there is a sandbox, ours or another; unless ours does not work."""


@attrs.frozen(kw_only=True)
class _Row:
    """Cases that have one outcome; None stands for every value."""

    approval: AskForApproval | None = None
    policies: AbstractSet[PolicyKind] | None = None
    sandbox: bool | None = None
    rule: Verdict | None = None
    kind: CommandClass | None = None
    escalated: bool | None = None
    outcome: Outcome

    def fits(self, case: Case) -> bool:
        """Whether the case is one of them."""
        return (
            self.approval in {None, case.approval}
            and (self.policies is None or case.policy in self.policies)
            and self.sandbox in {None, case.sandbox}
            and self.rule in {None, case.rule}
            and self.kind in {None, case.kind}
            and self.escalated in {None, case.escalated}
        )


_NEVER: Final = AskForApproval.NEVER
_READS: Final = CommandClass.READS
_CONTAINED: Final = CommandClass.CONTAINED
_DANGEROUS: Final = CommandClass.DANGEROUS
_PROMPT: Final = Verdict.PROMPT

# The first row that fits decides.
# fmt: off
_ROWS: Final = (
    _Row(policies={PolicyKind.UNKNOWN}, outcome=Outcome.NOT_UNDER_POLICY),
    # Rules, the strictest first.
    _Row(rule=Verdict.FORBIDDEN, outcome=Outcome.NOT_BY_RULE),
    _Row(rule=_PROMPT, approval=_NEVER, outcome=Outcome.NOT_UNASKED),
    _Row(rule=_PROMPT, policies=_CONFINED, escalated=True, outcome=Outcome.ASK_BARE),
    _Row(rule=_PROMPT, policies=_CONFINED, sandbox=False, outcome=Outcome.ASK_NO_SANDBOX),
    _Row(rule=_PROMPT, outcome=Outcome.ASK),
    _Row(rule=Verdict.ALLOW, outcome=Outcome.RUN_BARE),
    # No rule is about it.
    _Row(kind=_DANGEROUS, approval=_NEVER, outcome=Outcome.NOT_DANGEROUS),
    # It asks for no sandbox, or there is none: only what reads may have that for nothing.
    _Row(kind=_READS, policies=_READ_ALL, escalated=True, outcome=Outcome.RUN_BARE),
    _Row(kind=_READS, policies=_READ_ALL, sandbox=False, outcome=Outcome.RUN_BARE),
    _Row(policies=_CONFINED, escalated=True, approval=_NEVER, outcome=Outcome.NOT_UNASKED),
    _Row(policies=_CONFINED, escalated=True, outcome=Outcome.ASK_BARE),
    _Row(policies=_CONFINED, sandbox=False, approval=_NEVER, outcome=Outcome.NOT_UNCONFINED),
    _Row(policies=_CONFINED, sandbox=False, outcome=Outcome.ASK_NO_SANDBOX),
    # It runs in the sandbox of its policy, if that has one.
    _Row(kind=_DANGEROUS, outcome=Outcome.ASK),
    _Row(kind=_READS, outcome=Outcome.RUN),
    _Row(kind=_CONTAINED, policies=_HELD, outcome=Outcome.RUN),
    _Row(approval=AskForApproval.UNTRUSTED, outcome=Outcome.ASK),
    _Row(outcome=Outcome.RUN),
)
# fmt: on


def decide(case: Case) -> Outcome:
    """
    Look up what follows.

    Source:
        Codex, ``render_decision_for_unmatched_command`` and ``create_exec_approval_
        requirement_for_command``.  There a command that needs a sandbox runs without one
        where none can be built, and one that is known to be safe may run others.
    """
    return next(row.outcome for row in _ROWS if row.fits(case))


def policy_kind(policy: SandboxPolicy) -> PolicyKind:
    """Tell what kind a policy is of."""
    match policy:
        case ReadOnly(access=RestrictedReadAccess()):
            return PolicyKind.RESTRICTED_READ
        case WorkspaceWrite(read_only_access=RestrictedReadAccess()):
            return PolicyKind.RESTRICTED_READ
        case ReadOnly():
            return PolicyKind.READ_ONLY
        case WorkspaceWrite():
            return PolicyKind.WORKSPACE_WRITE
        case DangerFullAccess():
            return PolicyKind.FULL
        case ExternalSandbox():
            return PolicyKind.EXTERNAL
        case UnknownSandbox():
            return PolicyKind.UNKNOWN
        case _:
            assert_never(policy)
