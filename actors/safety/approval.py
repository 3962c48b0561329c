"""What a person allowed already, and what such a yes is good for."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

from messages.settings import AskForApproval, SandboxPolicy

from .plain_script import plain_commands, shell_script

__all__ = ["ApprovalCache", "ApprovalKey", "CommandKey", "PatchKey", "canonical_command"]

_SCRIPT: Final = "__codex_shell_script__"

_SHELL_FOLDERS: Final = frozenset(
    {"", "/bin/", "/usr/bin/", "/usr/local/bin/", "/opt/homebrew/bin/"}
)
"""Where shells live that are taken for the same; the first is "found by name"."""


@attrs.frozen
class CommandKey:
    """
    What an approval of a command for the session is good for.

    Attributes:
        command: In its canonical form, see `canonical_command`.
        cwd: Where it runs.
        escalated: Whether it asked to run without a sandbox.
        tty: Whether it gets a terminal.
    """

    command: tuple[str, ...]
    cwd: str
    escalated: bool = False
    tty: bool = False


@attrs.frozen
class PatchKey:
    """
    What an approval of a patch for the session is good for: one file.

    Attributes:
        path: Absolute.
    """

    path: str


ApprovalKey: TypeAlias = CommandKey | PatchKey


@attrs.define(eq=False)
class ApprovalCache:
    """
    What a person allowed for the rest of the session, of one thread.

    Good only for the policies it was given under: a change of either forgets all (L42).
    It grows with the number of yeses that a person says, and is bounded by that.
    """

    _policies: tuple[AskForApproval, SandboxPolicy] | None = None
    _allowed: set[ApprovalKey] = attrs.field(factory=set[ApprovalKey], init=False)

    def enter(self, approval: AskForApproval, policy: SandboxPolicy) -> None:
        """Say which policies are in force; call it before the other methods."""
        if self._policies != (approval, policy):
            self._allowed.clear()
            self._policies = (approval, policy)

    def allows(self, *keys: ApprovalKey) -> bool:
        """Whether each of these was allowed for the session; False for none at all."""
        return bool(keys) and self._allowed.issuperset(keys)

    def allow(self, *keys: ApprovalKey) -> None:
        """Remember that these are allowed for the session."""
        self._allowed.update(keys)

    def allowed(self) -> frozenset[ApprovalKey]:
        """List what is allowed."""
        return frozenset(self._allowed)

    def revoke(self, key: ApprovalKey) -> None:
        """Take one back; nothing happens when it was not allowed."""
        self._allowed.discard(key)

    def clear(self) -> None:
        """Take back everything."""
        self._allowed.clear()


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
