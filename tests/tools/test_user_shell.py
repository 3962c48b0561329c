"""The user's own commands: run without asking, and on record."""

import re

import pytest
import trio

from actors.tools import run_user_shell, user_shell
from messages.content import InputText
from messages.events import (
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandSource,
    ExecCommandStatus,
)
from messages.items import Message
from messages.settings import AskForApproval, ReadOnly, TruncationMode, TruncationPolicy
from messages.tool_settings import EnvironmentPolicy

from .fake_context import FakeContext
from .processes import MARK, marked_processes

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def context(tmp_path) -> FakeContext:
    return FakeContext(
        cwd=str(tmp_path), approval_policy=AskForApproval.UNTRUSTED, sandbox_policy=ReadOnly()
    )


@pytest.fixture
def run(context, marked_env):
    async def run(command: str) -> list:
        """Run it; give back events and records in their order."""
        await run_user_shell(
            command,
            context,
            record=context.events.append,
            environ={**marked_env, "SHELL": "/bin/sh"},
        )
        return context.events

    return run


def text_of(message: object) -> str:
    assert isinstance(message, Message)
    assert message.role == "user"
    (part,) = message.content
    assert isinstance(part, InputText)
    return part.text


async def test_user_command_runs_unasked_and_is_recorded_after_its_end(run, tmp_path):
    """In a login shell, with the user as its source."""
    begin, delta, end, record = await run("echo hello; exit 3")

    assert isinstance(begin, ExecCommandBegin)
    assert (begin.command, begin.cwd) == (("/bin/sh", "-lc", "echo hello; exit 3"), str(tmp_path))
    assert begin.source is end.source is ExecCommandSource.USER_SHELL
    assert isinstance(delta, ExecCommandOutputDelta)
    assert begin.call_id == delta.call_id == end.call_id != ""
    assert isinstance(end, ExecCommandEnd)
    assert (end.exit_code, end.status) == (3, ExecCommandStatus.FAILED)
    assert re.fullmatch(
        r"<user_shell_command>\n<command>\necho hello; exit 3\n</command>\n<result>\n"
        r"Exit code: 3\nDuration: 0\.\d{4} seconds\nOutput:\nhello\n\n"
        r"</result>\n</user_shell_command>",
        text_of(record),
    )


async def test_long_output_of_a_user_command_is_cut_on_record(run, context):
    """As a tool's would be."""
    context.truncation_policy = TruncationPolicy(mode=TruncationMode.BYTES, limit=10)

    *_, end, record = await run("seq 100")

    assert "Output:\nTotal output lines: 100\n\n1\n2\n3" in text_of(record)
    assert end.aggregated_output.endswith("99\n100\n")


async def test_user_command_that_cannot_start_is_recorded(run, context):
    """With the reason."""
    context.cwd = "/nowhere"

    begin, end, record = await run("true")

    assert isinstance(begin, ExecCommandBegin)
    text = "execution error: working directory '/nowhere' does not exist"
    assert (end.exit_code, end.formatted_output) == (-1, text)
    assert f"Exit code: -1\nDuration: 0.0000 seconds\nOutput:\n{text}\n" in text_of(record)


async def test_cancelled_user_command_is_recorded_before_its_end_is_told(run, context, marked_env):
    """Whoever sees the end can rely on the record; the command is gone."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, "echo hello; sleep 1000")
        await context.wait_for(ExecCommandOutputDelta)
        nursery.cancel_scope.cancel()

    assert marked_processes(marked_env[MARK]) == []
    record, end = context.events[-2:]
    assert text_of(record) == (
        "<user_shell_command>\n<command>\necho hello; sleep 1000\n</command>\n<result>\n"
        "Exit code: -1\nDuration: 0.0000 seconds\nOutput:\ncommand aborted by user\n"
        "</result>\n</user_shell_command>"
    )
    assert isinstance(end, ExecCommandEnd)
    assert (end.exit_code, end.status) == (-1, ExecCommandStatus.FAILED)
    assert end.stderr == "command aborted by user"


async def test_user_command_finds_our_own_environment_by_default(context):
    """As it would in the user's terminal."""
    await run_user_shell("true", context, record=context.events.append)

    assert context.of(ExecCommandEnd)[0].exit_code == 0


async def test_user_command_gets_the_variables_that_the_policy_lets_through(context, marked_env):
    """And the thread's id."""
    await run_user_shell(
        "echo $SECRET_A $B $CODEX_THREAD_ID",
        context,
        record=context.events.append,
        environ={**marked_env, "SHELL": "/bin/sh", "SECRET_A": "a", "B": "b"},
        policy=EnvironmentPolicy(ignore_default_excludes=False, set={"B": "c"}),
    )

    assert context.of(ExecCommandEnd)[0].stdout == "c thread-1\n"


async def test_user_command_that_runs_out_of_time_says_so(run, monkeypatch):
    """After an hour; here at once."""
    monkeypatch.setattr(user_shell, "_TIMEOUT", 0)

    *_, end, record = await run("sleep 1000")

    assert end.exit_code == 124
    assert re.search(r"Output:\ncommand timed out after \d+ milliseconds\n", text_of(record))
