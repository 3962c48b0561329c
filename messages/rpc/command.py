"""A command that belongs to no thread."""

import attrs

from .checks import natural
from .settings import SandboxPolicy
from .value import RpcParams, RpcValue

__all__ = ["CommandExecParams", "CommandExecResponse"]


@attrs.frozen(kw_only=True)
class CommandExecParams(RpcParams):
    """
    Run a command and wait for its end.

    Attributes:
        command: Program and arguments.
        timeout_ms: None for the default.
        cwd: None for the server's own.
        sandbox_policy: None for the configured one.
    """

    command: tuple[str, ...]
    timeout_ms: int | None = attrs.field(default=None, validator=natural)
    cwd: str | None = None
    sandbox_policy: SandboxPolicy | None = None


@attrs.frozen(kw_only=True)
class CommandExecResponse(RpcValue):
    """How it ended, and what it said."""

    exit_code: int
    stdout: str
    stderr: str
