"""The tool that types into processes and looks what they wrote."""

import pytest
import trio

from actors.tools import ToolError, open_launcher
from actors.tools.command_gate import CommandGate
from actors.tools.exec_sessions import ExecStatistics
from actors.tools.rules_source import RulesSource
from actors.tools.sandbox_probe import SandboxProbe
from messages.events import ExecCommandEnd, ExecCommandOutputDelta, TerminalInteraction
from messages.ids import CallId, TurnId
from messages.settings import ReadOnly
from tests.waiting import PATIENCE

from .exec_calls import Exec, body, exit_code, session_id
from .fake_context import FakeContext
from .test_shell_approvals import needs_bubblewrap

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def context(tmp_path) -> FakeContext:
    return FakeContext(cwd=str(tmp_path))


@pytest.fixture
async def tools(marked_env, context, monkeypatch, nothing_left):
    monkeypatch.setattr("actors.tools.exec_arguments._SHORTEST", 0.02)
    monkeypatch.setattr("actors.tools.exec_arguments._SHORTEST_POLL", 0.02)
    monkeypatch.setattr("actors.tools.exec_arguments._STDIN_YIELD_MS", 20)
    async with open_launcher(), context.jobs():
        yield Exec(context, marked_env)


async def test_answer_has_only_what_came_since_the_last_one(tools, context, tmp_path):
    """And the last one the exit code; then the process is forgotten."""
    number = await tools.start_lasting(
        "stty -echo; echo ready; read a; echo got $a; read b; exit $b", until="ready", tty=True
    )

    second = await tools.type_until(number, "got one\r\n", "one\n")
    third = await tools.type(number, "7\n", yield_time_ms=30_000)

    assert second == "got one\r\n"
    assert (exit_code(third), body(third), third.success) == (7, "", False)
    with pytest.raises(ToolError, match=f"^write_stdin failed: Unknown process id {number}$"):
        await tools.type(number)
    assert tools.sessions.statistics() == ExecStatistics(running=0, unread=0, capacity=64)


async def test_each_call_tells_what_was_typed_with_the_id_of_the_starting_call(tools, context):
    """Empty looks as well."""
    number = await tools.start_lasting("cat", tty=True, call_id="starter")
    context.events.clear()

    await tools.type_until(number, "hello", "hello\n")
    await tools.type(number)

    typed, *looks = context.of(TerminalInteraction)
    assert typed == TerminalInteraction(
        call_id=CallId("starter"), process_id=str(number), stdin="hello\n"
    )
    assert {look.stdin for look in looks} == {""}


async def test_what_is_typed_is_told_before_what_it_leads_to(tools, context):
    """Or it would stand behind the end of the process that it ended."""
    number = await tools.start_lasting("echo on; read line; echo off", until="on", tty=True)
    context.events.clear()

    output = await tools.type(number, "x\n", yield_time_ms=30_000)

    assert exit_code(output) == 0
    assert context.kinds() == [TerminalInteraction, ExecCommandOutputDelta, ExecCommandEnd]


async def test_interrupt_ends_the_process_in_front(tools, context):
    """The control character reaches it, and its end is the answer."""
    # A shell that is just starting another program loses an interrupt; this one starts none.
    number = await tools.start_lasting("echo on; read forever", until="on", tty=True)

    output = await tools.type(number, "\u0003", yield_time_ms=30_000)

    assert exit_code(output) == 130
    end = await context.wait_for(ExecCommandEnd)
    assert end.exit_code == 130


async def test_process_that_ended_meanwhile_is_answered_with_its_end(tools, context, tmp_path):
    """Although something should be typed: nobody is there to read it, and nothing was typed."""
    number = await tools.start_lasting(
        "until [ -e go ]; do sleep 0.005; done; echo late; exit 5", tty=True
    )
    (tmp_path / "go").touch()
    await context.wait_for(ExecCommandEnd)

    output = await tools.type(number, "x")

    assert (exit_code(output), body(output)) == (5, "late\r\n")
    assert [told.stdin for told in context.of(TerminalInteraction)] == [""]
    assert len(context.of(ExecCommandEnd)) == 1


async def test_typing_into_a_process_without_a_terminal_is_refused_with_the_way_out(tools, context):
    """Looking is not; nor is the process harmed."""
    number = await tools.start_lasting("echo on; exec sleep 1000")

    with pytest.raises(ToolError) as caught:
        await tools.type(number, "x")

    assert str(caught.value) == (
        "write_stdin failed: stdin is closed for this session; rerun exec_command with tty=true "
        "to keep stdin open"
    )
    assert context.of(TerminalInteraction) == []
    assert session_id(await tools.type(number)) == number


@pytest.mark.slow
async def test_process_that_reads_nothing_does_not_hold_the_call(tools, context):
    """It is said after a moment; the process goes on, and can still be looked at."""
    number = await tools.start_lasting(
        "stty raw -echo; echo ready; exec sleep 1000", until="ready", tty=True
    )

    with trio.fail_after(PATIENCE), pytest.raises(ToolError, match="the process reads no input"):
        await tools.type(number, "x" * 300_000)

    assert session_id(await tools.type(number)) == number
    assert [len(told.stdin) for told in context.of(TerminalInteraction)][-2:] == [300_000, 0]


async def test_cancelled_call_leaves_the_process_running(tools, context):
    """What was typed is told all the same."""
    number = await tools.start_lasting("exec cat", tty=True)
    with trio.move_on_after(0.05):
        await tools.type(number, "x\n", yield_time_ms=30_000)

    assert [told.stdin for told in context.of(TerminalInteraction)] == ["x\n"]
    assert context.of(ExecCommandEnd) == []
    assert tools.sessions.find(number) is not None


async def test_flooding_process_is_looked_at_within_bounds(tools, context):
    """It never waits for us; what came between two looks is cut in the middle."""
    number = await tools.start_lasting("exec yes", yield_time_ms=50)

    output = await tools.type(number, max_output_tokens=10)

    assert session_id(output) == number
    assert len(body(output)) < 200


async def test_call_from_a_later_turn_finds_the_process(tools, context, marked_env, tmp_path):
    """The end keeps the ids of the first."""
    number = await tools.start_lasting("read line; echo got $line", tty=True)
    later = FakeContext(cwd=str(tmp_path), turn_id=TurnId("turn-2"))
    tools.context = later

    output = await tools.type(number, "hi\n", yield_time_ms=30_000)

    assert (exit_code(output), body(output)) == (0, "hi\r\ngot hi\r\n")
    assert [type(event) for event in later.events] == [TerminalInteraction]
    (end,) = context.of(ExecCommandEnd)
    assert end.turn_id == "turn-1"


@needs_bubblewrap
async def test_program_in_a_sandbox_deals_with_an_interrupt_itself(
    marked_env, context, tmp_path, monkeypatch
):
    """The sandbox around it does not end by what is typed for the program in it."""
    context.sandbox_policy = ReadOnly()
    probe, rules = SandboxProbe(marked_env), RulesSource(tmp_path / "home")
    gate = CommandGate(environ=marked_env, sandbox=probe, rules=rules)
    async with open_launcher(), context.jobs():
        tools = Exec(context, marked_env, gate=gate)
        script = "trap 'echo caught' INT; echo ready; while :; do sleep 0.05; done"
        number = await tools.start_lasting(script, until="ready", tty=True)

        assert "caught" in await tools.type_until(number, "caught", "\u0003")

        output = await tools.type(number, "\u001c", yield_time_ms=30_000)  # quit
        assert exit_code(output) == 131
