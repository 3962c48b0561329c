"""What may run and be written: classes of commands, rules, approvals and the sandbox."""

from .approval import ApprovalCache, ApprovalKey, CommandKey, PatchKey, canonical_command
from .command_class import CommandClass, classify_command
from .errors import RulesNotSaved, SafetyError
from .patch_requirement import patch_requirement
from .plain_script import plain_commands, shell_script
from .requirement import Ask, Forbidden, Requirement, Skip, command_requirement, retry_allowed
from .rule_files import load_rules, save_prefix
from .rules import PrefixRule, RuleBook, RuleMatch, Verdict
from .sandbox import (
    Bubblewrap,
    NoSandbox,
    SandboxTool,
    confine,
    env_probe_argv,
    find_bubblewrap,
    find_env,
    looks_denied,
    needs_sandbox,
    probe_argv,
)
from .writable import WritableRoot, may_write, writable_roots

__all__ = [
    "ApprovalCache",
    "ApprovalKey",
    "Ask",
    "Bubblewrap",
    "CommandClass",
    "CommandKey",
    "Forbidden",
    "NoSandbox",
    "PatchKey",
    "PrefixRule",
    "Requirement",
    "RuleBook",
    "RuleMatch",
    "RulesNotSaved",
    "SafetyError",
    "SandboxTool",
    "Skip",
    "Verdict",
    "WritableRoot",
    "canonical_command",
    "classify_command",
    "command_requirement",
    "confine",
    "env_probe_argv",
    "find_bubblewrap",
    "find_env",
    "load_rules",
    "looks_denied",
    "may_write",
    "needs_sandbox",
    "patch_requirement",
    "plain_commands",
    "probe_argv",
    "retry_allowed",
    "save_prefix",
    "shell_script",
    "writable_roots",
]
