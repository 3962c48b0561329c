"""The tool that starts processes: answers, events, refusals, and nothing left behind."""

import os
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from actors.safety import NoSandbox
from actors.tools import ToolError, ToolOutput, keeper_link, open_launcher
from actors.tools.command_gate import CommandGate, CommandRefused, CommandRequest
from actors.tools.exec_session import ExecSession
from actors.tools.exec_sessions import ExecStatistics
from actors.tools.rules_source import RulesSource
from actors.tools.sandbox_probe import SandboxProbe
from messages.events import (
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandSource,
    ExecCommandStatus,
    ExecOutputStream,
)
from messages.ops import ReviewDecisionKind
from messages.settings import AskForApproval, WorkspaceWrite
from tests.waiting import PATIENCE

from .exec_calls import Exec, OpenGate, body, exit_code
from .fake_context import CALL, TURN, FakeContext, offer
from .processes import MARK, children, kill, marked_processes, wait_gone

pytestmark = pytest.mark.usefixtures("nothing_left")

OUT = ExecOutputStream.STDOUT


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


async def wait_told(context: FakeContext, text: bytes) -> None:
    while text not in context.told(OUT):
        await context.emitted.wait()


def statistics(running: int = 0, unread: int = 0) -> ExecStatistics:
    return ExecStatistics(running=running, unread=unread, capacity=64)


# --- the way it is


async def test_process_that_ends_in_its_call_is_answered_with_its_end(tools, context, tmp_path):
    """One begin before it starts, its output, one end, and an id that is free again."""
    output = await tools.start("echo out; echo err >&2; exit 3")

    begin, *deltas, end = context.events
    assert (exit_code(output), body(output), output.success) == (3, "out\nerr\n", False)
    command = ("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    parsed = begin.parsed_cmd
    assert begin == ExecCommandBegin(
        call_id=CALL,
        turn_id=TURN,
        command=command,
        cwd=str(tmp_path),
        parsed_cmd=parsed,
        source=ExecCommandSource.UNIFIED_EXEC_STARTUP,
        process_id=begin.process_id,
    )
    assert 1000 <= int(begin.process_id) < 100_000
    assert {type(delta) for delta in deltas} == {ExecCommandOutputDelta}
    assert context.told(OUT) == b"out\nerr\n"
    assert end.duration > 0
    assert attrs.evolve(end, duration=0) == ExecCommandEnd(
        call_id=CALL,
        turn_id=TURN,
        command=command,
        cwd=str(tmp_path),
        parsed_cmd=parsed,
        source=ExecCommandSource.UNIFIED_EXEC_STARTUP,
        process_id=begin.process_id,
        stdout="out\nerr\n",
        stderr="",
        aggregated_output="out\nerr\n",
        exit_code=3,
        duration=0,
        formatted_output="out\nerr\n",
        status=ExecCommandStatus.FAILED,
    )
    assert tools.sessions.statistics() == statistics()
    assert context.started == [f"exec session {begin.process_id}"]


async def test_process_that_goes_on_has_its_end_told_when_it_ends(tools, context, tmp_path):
    """With the ids of the call and turn that started it, and everything it wrote."""
    script = "echo 1; until [ -e go ]; do sleep 0.005; done; echo 2"
    number = await tools.start_lasting(script, until="1\n")

    assert context.of(ExecCommandEnd) == []
    assert tools.sessions.statistics() == statistics(running=1)

    (tmp_path / "go").touch()
    end = await context.wait_for(ExecCommandEnd)

    assert (end.call_id, end.turn_id, end.process_id) == (CALL, TURN, str(number))
    assert (end.exit_code, end.status, end.stdout) == (0, ExecCommandStatus.COMPLETED, "1\n2\n")
    assert context.kinds()[-1] is ExecCommandEnd
    assert tools.sessions.statistics() == statistics(unread=1)


async def test_two_tools_are_described_where_sessions_are_wanted(tools):
    """Otherwise they are only understood."""
    for tool, required in ((tools.command, "cmd"), (tools.stdin, "session_id")):
        spec = tool.spec(offer())
        assert (spec["name"], spec["parameters"]["required"]) == (tool.name, [required])
        assert spec["parameters"]["additionalProperties"] is False
        assert tool.spec(offer(unified_exec=False)) is None
        assert tool.spec(offer(shell_tool=False)) is None
    assert (tools.command.parallel, tools.stdin.parallel) == (True, False)


async def test_process_finds_variables_for_plain_output(tools, marked_env):
    """They win over ours; what the gate adds wins over all."""
    tools.environ |= {"TERM": "xterm-256color", "PAGER": "less", "LC_ALL": "de_DE", "MINE": "1"}
    tools.gate.env_extra = {"CODEX_SANDBOX_NETWORK_DISABLED": "1"}

    output = await tools.start("env -0 | tr '\\0' '\\n'")

    found = dict(line.split("=", 1) for line in body(output).splitlines())
    for name in ("PWD", "OLDPWD", "SHLVL", "_"):
        found.pop(name, None)
    utf8 = "C.UTF-8"
    assert found == {
        **marked_env,
        "MINE": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "LANG": utf8,
        "LC_CTYPE": utf8,
        "LC_ALL": utf8,
        "COLORTERM": "",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GH_PAGER": "cat",
        "CODEX_CI": "1",
        "CODEX_THREAD_ID": "thread-1",
        "CODEX_SANDBOX_NETWORK_DISABLED": "1",
    }


async def test_login_shell_reads_the_profile_of_the_user(tools, tmp_path):
    """Unless the model wants none; it may choose the shell, too."""
    (tmp_path / ".profile").write_text("export SEEN=profile\n")
    tools.environ["HOME"] = str(tmp_path)

    with_profile = await tools.start("echo $SEEN", login=True, shell="/bin/bash")
    without = await tools.start("echo $SEEN$BASH", login=False, shell="/bin/bash")

    assert body(with_profile) == "profile\n"
    assert body(without) == "/bin/bash\n"


async def test_process_runs_where_the_model_wants(tools, tmp_path):
    """Relative to the turn's folder."""
    (tmp_path / "sub").mkdir()

    assert body(await tools.start("pwd", workdir="sub")) == f"{tmp_path}/sub\n"


async def test_process_gets_a_terminal_only_when_the_model_wants_one(tools):
    """The gate is told, too, since people approve it differently."""
    plain = await tools.start("test -t 0; echo $?; cat")
    terminal = await tools.start("test -t 0; echo $?", tty=True)

    assert (body(plain), body(terminal)) == ("1\n", "0\r\n")
    assert [request.tty for request in tools.gate.requests] == [False, True]


async def test_gate_is_asked_with_everything_the_model_said(tools, context, tmp_path):
    """What a person sees is the script, not what becomes of it."""
    context.approval_policy = AskForApproval.ON_REQUEST

    await tools.start(
        "true",
        sandbox_permissions="require_escalated",
        justification="because",
        prefix_rule=["git"],
    )

    assert tools.gate.requests == [
        CommandRequest(
            call_id=CALL,
            argv=("/bin/sh", "-c", "true"),
            cwd=str(tmp_path),
            escalated=True,
            justification="because",
            prefix_rule=("git",),
        )
    ]


# --- output


async def test_answer_is_cut_to_what_the_model_wants(tools, context):
    """The end event has what the turn's policy allows, and the whole output."""
    output = await tools.start("head -c 4000 /dev/zero | tr '\\0' x", max_output_tokens=10)

    assert "Original token count: 1000\n" in output.output
    assert body(output).startswith("Total output lines: 1\n\nxxx")
    assert body(output).count("x") == 40
    (end,) = context.of(ExecCommandEnd)
    assert end.stdout == end.formatted_output == "x" * 4000


@pytest.mark.slow
async def test_flood_is_read_to_its_end_within_bounds(tools, context):
    """50 MB: ten thousand pieces are told, the ends are kept, and the process never waits."""
    with trio.fail_after(30):
        output = await tools.start(
            "echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last",
            yield_time_ms=30_000,
        )

    total = 50_000_000 + len("first\n\nlast\n")
    assert exit_code(output) == 0
    assert f"Original token count: {-(-total // 4)}\n" in output.output
    deltas = context.of(ExecCommandOutputDelta)
    assert len(deltas) <= 10_000
    (end,) = context.of(ExecCommandEnd)
    assert end.stdout.startswith("first\nxxx")
    assert end.stdout.endswith("xxx\nlast\n")
    assert len(end.stdout) < 1024 * 1024 + 100
    assert f"[... {total - 1024 * 1024} bytes omitted ...]" in end.stdout


async def test_no_more_pieces_than_the_limit_are_told(tools, context, monkeypatch):
    """The rest is kept, and stands in the end."""
    monkeypatch.setattr("actors.tools.exec_report._MAX_DELTAS", 3)

    await tools.start("for n in 1 2 3 4 5 6; do echo $n; sleep 0.005; done")

    assert len(context.of(ExecCommandOutputDelta)) <= 3
    assert context.of(ExecCommandEnd)[0].stdout == "1\n2\n3\n4\n5\n6\n"


async def test_characters_are_never_cut_in_two(tools, context, tmp_path):
    """Neither in what is told, nor between two answers; what is no text is kept as it is."""
    script = r"printf 'a\303'; until [ -e go ]; do sleep 0.005; done; printf '\244\377b\360\237'"
    number = await tools.start_lasting(script, until="a")
    (tmp_path / "go").touch()
    await context.wait_for(ExecCommandEnd)

    output = await tools.type(number)

    assert body(output) == "ä\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert context.told(OUT) == b"a\xc3\xa4\xffb\xf0\x9f"
    assert context.of(ExecCommandOutputDelta)[0].chunk == b"a"
    assert context.of(ExecCommandEnd)[0].stdout == "a" + body(output)


async def test_output_that_something_left_behind_writes_late_is_kept(tools):
    """For 0.2 s; then it is ended, and the call is answered."""
    output = await tools.start("(sleep 0.03; echo late; sleep 1000) & echo early")

    assert (exit_code(output), body(output)) == (0, "early\nlate\n")


# --- refusals and failures


class Refusing(OpenGate):
    """Says no."""

    def __init__(self, *, declined: bool) -> None:
        super().__init__()
        self.declined = declined

    async def run(self, request, context, attempt, *, denied):
        await trio.lowlevel.checkpoint()
        raise CommandRefused("exec command rejected by user", self.declined)


@pytest.mark.parametrize(
    ("declined", "status"),
    [(True, ExecCommandStatus.DECLINED), (False, ExecCommandStatus.FAILED)],
    ids=["person", "policy"],
)
async def test_refused_process_has_a_begin_and_an_end(tools, context, declined, status):
    """As refused commands of the shell tools have; who refused can be told apart."""
    tools.command.gate = Refusing(declined=declined)

    output = await tools.start("true")

    text = "exec command rejected by user"
    assert output == ToolOutput(output=text, success=False)
    begin, end = context.events
    assert isinstance(begin, ExecCommandBegin)
    assert (end.status, end.exit_code, end.stderr, end.aggregated_output) == (
        status,
        -1,
        text,
        text,
    )
    assert (end.formatted_output, end.duration, end.stdout) == (text, 0, "")
    assert tools.sessions.statistics() == statistics()


@pytest.mark.parametrize("tty", [False, True])
async def test_process_that_cannot_start_says_why(tools, context, tty):
    """In the words that the shell tools use."""
    output = await tools.start("true", workdir="/nowhere", tty=tty)

    text = "execution error: working directory '/nowhere' does not exist"
    assert output == ToolOutput(output=text, success=False)
    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    (end,) = context.of(ExecCommandEnd)
    assert (end.exit_code, end.status, end.stderr) == (-1, ExecCommandStatus.FAILED, text)
    assert tools.sessions.statistics() == statistics()


@pytest.mark.parametrize(
    "policy", [AskForApproval.NEVER, AskForApproval.ON_FAILURE, AskForApproval.UNTRUSTED]
)
async def test_asking_for_rights_that_nobody_can_give_is_refused_before_all_else(
    tools, context, policy
):
    """Nothing is told of it."""
    context.approval_policy = policy

    with pytest.raises(ToolError, match="reject command"):
        await tools.start("true", sandbox_permissions="require_escalated")

    assert context.events == []


async def test_attempt_that_the_sandbox_held_back_is_made_again(tools, context, tmp_path):
    """One begin and one end for both; the model reads the second."""
    tools.gate.retry = True
    script = "[ -e tried ] || { touch tried; echo Permission denied; exit 1; }; echo fine"

    output = await tools.start(script)

    assert (exit_code(output), body(output)) == (0, "fine\n")
    assert context.kinds() == [ExecCommandBegin, ExecCommandOutputDelta, ExecCommandEnd]
    (end,) = context.of(ExecCommandEnd)
    assert (end.exit_code, end.stdout) == (0, "fine\n")
    assert tools.sessions.statistics() == statistics()


async def sandboxed(tools: Exec, home: Path) -> None:
    """Let the real gate decide, for a turn that may write to its folder only."""
    environ = tools.environ
    probe = SandboxProbe(environ)
    tool = await probe.tool()
    if isinstance(tool, NoSandbox):
        pytest.skip(tool.reason)
    tools.command.gate = CommandGate(environ=environ, sandbox=probe, rules=RulesSource(home))
    tools.context.sandbox_policy = WorkspaceWrite(
        exclude_slash_tmp=True, exclude_tmpdir_env_var=True
    )


@pytest.mark.slow
async def test_process_in_a_sandbox_can_be_talked_to(tools, context, tmp_path, marked_env):
    """It writes where it may, has a terminal, is interrupted, and nothing of it is left."""
    await sandboxed(tools, tmp_path / "home")
    script = "tty; touch in; touch /outside || echo held; echo $CODEX_SANDBOX_NETWORK_DISABLED; cat"

    number = await tools.start_lasting(script, until="1\r\n", tty=True)
    said = await tools.type_until(number, "hello\r\nhello", "hello\n")
    end = await tools.type(number, "\u0003", yield_time_ms=30_000)

    assert "hello" in said
    assert exit_code(end) == 130
    transcript = context.of(ExecCommandEnd)[0].stdout
    assert transcript.startswith("/dev/")
    assert "held\r\n" in transcript
    assert (tmp_path / "in").exists()
    assert marked_processes(marked_env[MARK]) == []


@pytest.mark.slow
async def test_process_that_the_sandbox_held_back_runs_without_it_when_a_person_says_so(
    tools, context, tmp_path
):
    """One question, one begin, one end."""
    await sandboxed(tools, tmp_path / "home")
    context.cwd = str(tmp_path / "work")
    (tmp_path / "work").mkdir()
    context.approval_policy = AskForApproval.ON_FAILURE
    context.exec_answers.append(ReviewDecisionKind.APPROVED)

    output = await tools.start("echo yes > ../file", yield_time_ms=30_000)

    assert exit_code(output) == 0
    assert (tmp_path / "file").read_text() == "yes\n"
    kinds = [kind for kind in context.kinds() if kind is not ExecCommandOutputDelta]
    assert kinds == [ExecCommandBegin, ExecApprovalRequest, ExecCommandEnd]


async def test_patch_in_a_command_is_left_to_the_patcher(tools, context):
    """Before anything is told; what is no patch runs."""
    seen = []

    class Patcher:
        async def intercept(self, argv, *, cwd, call, tool_name, context):
            seen.append((argv[2], cwd, call.call_id, tool_name))
            return ToolOutput(output="patched", success=True) if "patch" in argv[2] else None

    tools.command.patcher = Patcher()

    patched = await tools.start("apply_patch ...")
    ran = await tools.start("echo ran")

    assert patched.output == "patched"
    assert body(ran) == "ran\n"
    assert seen == [
        ("apply_patch ...", context.cwd, CALL, "exec_command"),
        ("echo ran", context.cwd, CALL, "exec_command"),
    ]
    assert len(context.of(ExecCommandBegin)) == 1


async def test_bug_while_a_process_runs_ends_the_process_only(tools, context, caplog, monkeypatch):
    """The thread goes on; the call is answered, and the end is told."""

    def crash(_self: ExecSession, _data: bytes) -> None:
        raise LookupError("on purpose")

    monkeypatch.setattr(ExecSession, "_take", crash)

    output = await tools.start("echo on; exec sleep 1000")

    assert exit_code(output) == -1
    (end,) = context.of(ExecCommandEnd)
    assert end.aggregated_output == "execution error: internal error while the process ran"
    assert "crashed" in caplog.text
    assert tools.sessions.statistics() == statistics()


async def test_process_whose_keeper_is_killed_has_its_end(tools, context):
    """It went with its keeper."""
    number = await tools.start_lasting("echo on; sleep 1000 & wait", until="on")
    (launcher,) = children(os.getpid())
    kill(children(launcher)[0])

    with trio.fail_after(PATIENCE):
        end = await context.wait_for(ExecCommandEnd)

    assert (end.process_id, end.exit_code) == (str(number), 137)


# --- cancellation


@pytest.mark.parametrize("tty", [False, True])
async def test_cancelled_call_ends_its_process_and_tells_its_end(tools, context, marked_env, tty):
    """Everything it started is gone, its id is free; what it wrote stands in the end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(tools.start, "setsid sleep 1000 & echo on; sleep 1000", tty=tty))
        await wait_told(context, b"on")
        nursery.cancel_scope.cancel()

    assert marked_processes(marked_env[MARK]) == []
    (end,) = context.of(ExecCommandEnd)
    assert (end.exit_code, end.status) == (-1, ExecCommandStatus.FAILED)
    assert end.aggregated_output.replace("\r", "") == "on\ncommand aborted by user"
    assert tools.sessions.statistics() == statistics()


@pytest.mark.slow
async def test_cancelled_call_kills_what_ignores_sigterm(tools, context, marked_env):
    """After a quarter of a second."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tools.start, "trap '' TERM HUP; echo on; while :; do sleep 1; done")
        await wait_told(context, b"on")
        began = trio.current_time()
        nursery.cancel_scope.cancel()

    assert trio.current_time() - began >= 0.25
    assert marked_processes(marked_env[MARK]) == []
    assert len(context.of(ExecCommandEnd)) == 1


async def test_call_cancelled_while_a_person_is_asked_has_its_end(tools, context):
    """Nothing was started."""

    class Asking(OpenGate):
        async def run(self, request, context, attempt, *, denied):
            await trio.sleep_forever()

    tools.command.gate = Asking()
    with trio.move_on_after(0.01):
        await tools.start("true")

    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    assert context.of(ExecCommandEnd)[0].formatted_output == "command aborted by user"
    assert context.started == []


async def test_call_cancelled_before_its_job_began_starts_nothing(tools, context, tmp_path):
    """Nor does the job later on."""
    jobs = []

    class Busy(FakeContext):
        def start_job(self, name, job):
            jobs.append(job)

    context = tools.context = Busy(cwd=context.cwd)
    with trio.move_on_after(0.01):
        await tools.start("echo on > ran; sleep 1000")

    await jobs[0]()

    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    assert list(tmp_path.iterdir()) == []


async def test_call_cancelled_between_attempt_and_answer_keeps_no_process(
    tools, context, marked_env
):
    """The gate may wait in between; nobody else would own the process."""
    tools.gate.before_return = trio.sleep_forever
    with trio.move_on_after(0.15):
        await tools.start("exec sleep 1000", yield_time_ms=1)

    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    assert marked_processes(marked_env[MARK]) == []
    assert tools.sessions.statistics() == statistics()


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope just before the n-th step of whichever task."""

    scope: trio.CancelScope
    left: int

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if not self.left:
            self.scope.cancel()


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", ["echo on", "echo on; exec sleep 1000"], ids=["short", "lasting"]
)
async def test_cancellation_at_any_step_leaves_one_end_or_a_kept_process(
    tools, context, marked_env, script
):
    """The call was answered, or nothing of it is left."""
    step, done = 0, False
    while not done:
        step += 1
        context.events.clear()
        with trio.CancelScope() as scope:
            canceller = CancelAtStep(scope, step)
            trio.lowlevel.add_instrument(canceller)
            try:
                await tools.start(script, yield_time_ms=20)
            finally:
                trio.lowlevel.remove_instrument(canceller)
        done = canceller.left > 0
        running = tools.sessions.statistics().running
        assert len(context.of(ExecCommandBegin)) == len(context.of(ExecCommandEnd)) + running == 1
        tools.sessions.stop_all()
        await context.wait_for(ExecCommandEnd)
        assert marked_processes(marked_env[MARK]) == []

    assert step > 10


async def test_thread_that_ends_ends_its_processes_and_tells_it(marked_env, context, monkeypatch):
    """Its jobs are cancelled; nothing goes wrong by that."""
    monkeypatch.setattr("actors.tools.exec_arguments._SHORTEST", 0.02)
    tools = Exec(context, marked_env)
    async with open_launcher(), context.jobs():
        script = "echo on; setsid sleep 1000 & exec sleep 1000"
        number = await tools.start_lasting(script, until="on")

    assert marked_processes(marked_env[MARK]) == []
    (end,) = context.of(ExecCommandEnd)
    assert (end.process_id, end.exit_code) == (str(number), -1)
    assert end.aggregated_output == "on\ncommand aborted by user"


@pytest.mark.slow
async def test_no_session_outlives_our_process_when_that_is_killed(marked_env, tmp_path):
    """Neither one that is kept nor one whose call waits."""
    script = f"""
        import os, sys, trio
        from tests.tools.exec_calls import Exec
        from tests.tools.fake_context import FakeContext

        async def main():
            context = FakeContext(cwd={str(tmp_path)!r})
            tools = Exec(context, dict(os.environ))
            async with context.jobs() as nursery:
                await tools.start("setsid sleep 1000 & echo kept; sleep 1000", tty=True, yield_time_ms=1)
                nursery.start_soon(tools.start, "(sleep 1000 &) ; echo waits; sleep 1000")
                told = b""
                while b"waits" not in told:
                    await context.emitted.wait()
                    told = b"".join(event.chunk for event in context.events if hasattr(event, "chunk"))
                os.write(1, b"ready\\n")
                await trio.sleep_forever()

        trio.run(main)
    """
    root = str(Path(keeper_link.__file__).parents[2])
    env = {**marked_env, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    async with trio.open_nursery() as nursery:
        words = [sys.executable, "-c", textwrap.dedent(script)]
        run = partial(trio.run_process, words, env=env, stdout=subprocess.PIPE, check=False)
        owner = await nursery.start(run)
        assert await owner.stdout.receive_some() == b"ready\n"
        lines = marked_processes(marked_env[MARK])
        assert sum(b"sleep" in line.encode() for line in lines) >= 4
        owner.kill()

    with trio.fail_after(PATIENCE):
        for line in lines:
            await wait_gone(int(line.split()[0]))
