"""Whether a command may run, must be asked for, or may not run; and what was allowed already."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    SandboxPolicy,
    UnknownSandbox,
)

from .plain_script import plain_commands, shell_script

__all__ = [
    "ApprovalCache",
    "ApprovalKey",
    "Ask",
    "Forbidden",
    "Requirement",
    "Skip",
    "approval_requirement",
    "canonical_command",
    "lacks_sandbox",
]

_SCRIPT: Final = "__codex_shell_script__"

_SHELL_FOLDERS: Final = frozenset(
    {"", "/bin/", "/usr/bin/", "/usr/local/bin/", "/opt/homebrew/bin/"}
)
"""Where shells live that are taken for the same; the first is "found by name"."""


@attrs.frozen
class Skip:
    """Run it without asking."""


@attrs.frozen
class Ask:
    """Ask a person first."""


@attrs.frozen
class Forbidden:
    """Do not run it, for this reason."""

    reason: str


Requirement: TypeAlias = Skip | Ask | Forbidden


def approval_requirement(approval: AskForApproval, sandbox: SandboxPolicy) -> Requirement:
    """
    Decide what a command needs before it may run.

    ==========  ================  =================
    approval    sandbox known     sandbox unknown
    ==========  ================  =================
    never       skip              forbidden
    any other   ask               forbidden
    ==========  ================  =================

    The table is this short on purpose: lists of commands known to be safe, rules and
    the sandbox itself arrive together, and until then every command that somebody
    could be asked about is asked about.

    Source:
        Codex, ``default_exec_approval_requirement``, which asks less because its sandbox
        catches the rest.
    """
    if isinstance(sandbox, UnknownSandbox):
        return Forbidden(
            f"sandbox policy {sandbox.tag!r} is unknown to this version, and no command runs "
            "under it; choose another policy"
        )
    return Skip() if approval is AskForApproval.NEVER else Ask()


def lacks_sandbox(sandbox: SandboxPolicy) -> bool:
    """
    Whether the policy promises limits that nothing enforces.

    This version has no sandbox: with any policy but full access, and one that says that
    somebody else built the sandbox, a command has more rights than the policy reads.
    """
    return not isinstance(sandbox, DangerFullAccess | ExternalSandbox)


@attrs.frozen
class ApprovalKey:
    """
    What an approval for the session is good for.

    Attributes:
        command: In its canonical form, see `canonical_command`.
        cwd: Where it runs.
        escalated: Whether it asked for more rights than the sandbox gives.
    """

    command: tuple[str, ...]
    cwd: str
    escalated: bool = False


@attrs.define(eq=False)
class ApprovalCache:
    """
    What a person allowed for the rest of the session, of one thread.

    Good only for the policies it was given under: a change of either forgets all (L42).
    It grows with the number of yeses that a person says, and is bounded by that.
    """

    _policies: tuple[AskForApproval, SandboxPolicy] | None = None
    _allowed: set[ApprovalKey] = attrs.field(factory=set[ApprovalKey], init=False)

    def enter(self, approval: AskForApproval, sandbox: SandboxPolicy) -> None:
        """Say which policies are in force; call it before the other two."""
        if self._policies != (approval, sandbox):
            self._allowed.clear()
            self._policies = (approval, sandbox)

    def allows(self, key: ApprovalKey) -> bool:
        """Whether this was allowed for the session."""
        return key in self._allowed

    def allow(self, key: ApprovalKey) -> None:
        """Remember that this is allowed for the session."""
        self._allowed.add(key)

    def allowed(self) -> frozenset[ApprovalKey]:
        """List what is allowed."""
        return frozenset(self._allowed)

    def revoke(self, key: ApprovalKey) -> None:
        """Take one back; nothing happens when it was not allowed."""
        self._allowed.discard(key)


def canonical_command(argv: Sequence[str]) -> tuple[str, ...]:
    """
    Bring a command into the form under which its approval is remembered.

    One plain command inside a shell's ``-c`` or ``-lc`` becomes its words, so that the
    path of the shell and the spacing do not matter.  Any other script keeps its text.
    A word that the shell would expand, such as ``*``, is not plain here: ``rm *`` and
    the list ``["rm", "*"]`` are different things.

    A shell in an unusual place keeps its path: who allowed ``bash`` did not allow
    ``/tmp/bash``.

    Source:
        Codex, ``command_canonicalization.rs``; there such words count as plain, and a
        shell may be anywhere.
    """
    script = shell_script(argv)
    if script is None or not _is_usual_shell(argv[0]):
        return tuple(argv)
    commands = plain_commands(script)
    if commands is not None and len(commands) == 1:
        return commands[0]
    return (_SCRIPT, argv[1], script)


def _is_usual_shell(program: str) -> bool:
    folder = program[: program.rfind("/") + 1]
    return folder in _SHELL_FOLDERS
