"""Runs a command that the user typed, for the user and for the record."""

import os
from collections.abc import Callable, Mapping
from typing import Final

from actors.rollout import formatted_truncate_text
from messages.content import InputText
from messages.events import ExecCommandSource
from messages.ids import CallId
from messages.items import Message
from messages.settings import TruncationPolicy
from messages.tool_settings import EnvironmentPolicy

from .command_report import CommandReport, decode_output, interruption
from .environment import choose_shell, command_environment
from .errors import SpawnError
from .process import ProcessResult, run_process
from .tool import ToolContext

__all__ = ["run_user_shell"]

_TIMEOUT: Final = 3600.0
"""Seconds.  Source: Codex, ``USER_SHELL_TIMEOUT_MS``."""


async def run_user_shell(
    command: str,
    context: ToolContext,
    *,
    record: Callable[[Message], object],
    environ: Mapping[str, str] | None = None,
    policy: EnvironmentPolicy | None = None,
) -> None:
    """
    Run a command as the user would: in a login shell, without asking, without a sandbox.

    Tells one begin and one end, with the output between them as it comes, and hands
    *record* one message for the model, whichever way the command ends.  The message of a
    stopped command is recorded before its end is told, any other after it.

    Args:
        record: Puts the message into the history; must not wait.
        environ: Our own variables; None means those of this process.
        policy: Which of them it gets; None means all.

    Cancellation:
        The command is ended and recorded as aborted; then `trio.Cancelled` goes on.

    Source:
        Codex, ``tasks/user_shell.rs``.
    """
    variables = os.environ if environ is None else environ
    env = command_environment(variables, policy or EnvironmentPolicy(), context)
    argv = (choose_shell(variables), "-lc", command)
    call_id = CallId(context.world.new_id())
    report = CommandReport(context, call_id, argv, context.cwd, source=ExecCommandSource.USER_SHELL)
    with report:
        try:
            result = await run_process(
                argv,
                cwd=context.cwd,
                env=env,
                timeout=_TIMEOUT,
                on_output=report.tell_output,
                output=report.output,
            )
        except SpawnError as error:
            text = f"execution error: {error}"
            report.fail(text)
            record(_message(command, -1, 0.0, text))
        except BaseException as error:
            record(_message(command, -1, 0.0, interruption(error)))
            raise
        else:
            text = _output_text(result, context.truncation_policy)
            report.end(result, text)
            record(_message(command, result.exit_code, result.duration, text))


def _output_text(result: ProcessResult, policy: TruncationPolicy) -> str:
    text = decode_output(result.aggregated)
    if result.timed_out:
        text = f"command timed out after {result.duration * 1000:.0f} milliseconds\n{text}"
    return formatted_truncate_text(text, policy)


def _message(command: str, exit_code: int, duration: float, output: str) -> Message:
    text = (
        f"<user_shell_command>\n<command>\n{command}\n</command>\n<result>\n"
        f"Exit code: {exit_code}\nDuration: {duration:.4f} seconds\nOutput:\n{output}\n"
        "</result>\n</user_shell_command>"
    )
    return Message(role="user", content=(InputText(text=text),))
