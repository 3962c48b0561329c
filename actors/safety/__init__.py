"""What may run: approval tables, remembered approvals, and reading of plain scripts."""

from .approval import (
    ApprovalCache,
    ApprovalKey,
    Ask,
    Forbidden,
    Requirement,
    Skip,
    approval_requirement,
    canonical_command,
    lacks_sandbox,
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
    "plain_commands",
    "shell_script",
]
