"""Commands that belong to no thread."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.config import Config
from actors.safety import Bubblewrap, confine, needs_sandbox
from actors.tools import ProcessResult, SpawnError, run_process
from actors.tools.command_report import decode_output
from actors.tools.environment import command_environment
from messages.rpc.command import CommandExecParams, CommandExecResponse
from messages.settings import ExternalSandbox, NetworkAccess, SandboxPolicy, WorkspaceWrite

from ..ground import Ground
from ..rpc_connection import ClientRequest
from ..rpc_errors import RpcFailure
from ..settings_from_params import core_sandbox

__all__ = ["command_exec"]

_TIMEOUT_MS: Final = 10_000
"""When nobody says; as in Codex."""


async def command_exec(ground: Ground, request: ClientRequest) -> CommandExecResponse:
    """
    Run a command to its end, in the sandbox that the client or the configuration says.

    It gets no input; what it leaves running is ended with it, and all of it when the
    client goes away.  One that runs out of time has the exit code 124.
    """
    params: CommandExecParams = request.params
    if not params.command:
        raise RpcFailure.invalid("command must not be empty")
    cwd = ground.setup.cwd / (params.cwd or ".")
    config = await ground.config(cwd)
    policy = config.sandbox_policy
    if params.sandbox_policy is not None:
        policy = core_sandbox(params.sandbox_policy)
    variables = _variables(ground, config, policy)
    guarded = (str(ground.home / "rules"), *config.rule_folders)
    argv = await _confined(ground, params.command, policy, cwd, variables, guarded=guarded)
    timeout = _TIMEOUT_MS if params.timeout_ms is None else params.timeout_ms
    try:
        result = await run_process(
            argv,
            cwd=str(cwd),
            env=variables,
            timeout=timeout / 1000,
            on_output=lambda _stream, _piece: None,
        )
    except (SpawnError, ValueError) as exc:
        raise RpcFailure.internal(f"exec failed: {exc}") from exc
    return _said(result)


def _said(result: ProcessResult) -> CommandExecResponse:
    return CommandExecResponse(
        exit_code=result.exit_code,
        stdout=decode_output(result.stdout),
        stderr=decode_output(result.stderr),
    )


def _variables(ground: Ground, config: Config, policy: SandboxPolicy) -> dict[str, str]:
    variables = command_environment(ground.setup.environ, config.environment_policy, None)
    match policy:
        case ExternalSandbox(network_access=NetworkAccess.RESTRICTED):
            closed = True
        case WorkspaceWrite(network_access=network):
            closed = not network
        case _:
            closed = needs_sandbox(policy)
    return variables | ({"CODEX_SANDBOX_NETWORK_DISABLED": "1"} if closed else {})


async def _confined(
    ground: Ground,
    argv: tuple[str, ...],
    policy: SandboxPolicy,
    cwd: Path,
    variables: Mapping[str, str],
    *,
    guarded: tuple[str, ...],
) -> tuple[str, ...]:
    """
    Put a command into its sandbox, where it cannot write what loosens it for others.

    Args:
        guarded: Folders of rules; see `writable_roots`.

    Raises:
        RpcFailure: There is none here.
    """
    if not needs_sandbox(policy):
        return argv
    tool = await ground.sandbox.tool()
    if not isinstance(tool, Bubblewrap):
        raise RpcFailure.internal(f"exec failed: there is no sandbox: {tool.reason}")
    # What is protected is protected from this command, too.
    homes = {"TREADLE_HOME": str(ground.home)}
    if "CODEX_HOME" in ground.setup.environ:
        homes["CODEX_HOME"] = ground.setup.environ["CODEX_HOME"]
    wrap = partial(
        confine,
        argv,
        tool,
        policy=policy,
        cwd=str(cwd),
        workdir=str(cwd),
        environ={**variables, **homes},
        guarded=guarded,
    )
    return await trio.to_thread.run_sync(wrap, abandon_on_cancel=True)  # looks at folders
