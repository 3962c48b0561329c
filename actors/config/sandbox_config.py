"""What the user configured about who is asked, and what commands may do."""

from __future__ import annotations

from typing import Final

from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)

from .config_table import ConfigTable
from .model_config import resolved

__all__ = ["SANDBOX_MODES", "read_approval_policy", "read_sandbox_policy"]

SANDBOX_MODES: Final = ("read-only", "workspace-write", "danger-full-access")
"""The values of ``sandbox_mode``."""


def read_approval_policy(table: ConfigTable) -> AskForApproval:
    """
    Read ``approval_policy``.

    Raises:
        ConfigError: There is no such policy.
    """
    allowed = [policy.value for policy in AskForApproval]
    default = AskForApproval.ON_REQUEST.value
    return AskForApproval(table.choice("approval_policy", allowed, default))


def read_sandbox_policy(table: ConfigTable) -> SandboxPolicy:
    """
    Read ``sandbox_mode`` and ``[sandbox_workspace_write]``.

    Raises:
        ConfigError: There is no such mode, or a value is of another kind.
    """
    # Read in any mode, so that a mistake in it does not wait for a change of mode.
    workspace = _workspace(table.table("sandbox_workspace_write"))
    match table.choice("sandbox_mode", SANDBOX_MODES, SANDBOX_MODES[0]):
        case "workspace-write":
            return workspace
        case "danger-full-access":
            return DangerFullAccess()
        case _:
            return ReadOnly()


def _workspace(table: ConfigTable) -> WorkspaceWrite:
    # Codex takes a relative root from the folder of the file, and "~" for the user's home.
    key = "writable_roots"
    roots = [str(resolved(table, key, root)) for root in table.text_list(key)]
    table.note(key, [*roots])
    return WorkspaceWrite(
        writable_roots=tuple(roots),
        network_access=table.flag("network_access"),
        exclude_tmpdir_env_var=table.flag("exclude_tmpdir_env_var"),
        exclude_slash_tmp=table.flag("exclude_slash_tmp"),
    )
