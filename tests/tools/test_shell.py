"""The shell tools: what is told, what the model reads; see also `test_shell_approvals`."""

import json
import re
from collections.abc import AsyncIterator

import attrs
import pytest
import trio

from actors.tools import ToolError, ToolOutput, open_launcher
from actors.tools.command_gate import CommandGate
from actors.tools.router import ToolRouter
from actors.tools.rules_source import RulesSource
from actors.tools.sandbox_probe import SandboxProbe
from actors.tools.shell import shell_tools
from messages.events import (
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandStatus,
    ExecOutputStream,
    UnknownCommand,
)
from messages.ops import ReviewDecisionKind
from messages.settings import (
    AskForApproval,
    TruncationMode,
    TruncationPolicy,
    UnknownSandbox,
)

from .fake_context import CALL, TURN, FakeContext, function_call, offer
from .processes import MARK, marked_processes

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
async def context(tmp_path) -> AsyncIterator[FakeContext]:
    """A turn that never asks and has full access, and one launcher for all its commands."""
    async with open_launcher():
        yield FakeContext(cwd=str(tmp_path))


@pytest.fixture
def build(marked_env, tmp_path_factory):
    """Build the tools of a thread."""

    def build(**options: object):
        gate = CommandGate(
            environ=marked_env,
            sandbox=SandboxProbe(marked_env),
            rules=RulesSource(tmp_path_factory.mktemp("home")),
        )
        tools = shell_tools(gate=gate, environ=marked_env, shell="/bin/sh", **options)
        return {tool.name: tool for tool in tools}

    return build


@pytest.fixture
def tools(build):
    return build()


def call(name: str = "shell", **arguments: object):
    return function_call(name, **arguments)


def read(output: ToolOutput) -> tuple[str, int]:
    """What a JSON answer says."""
    assert isinstance(output.output, str)
    answer = json.loads(output.output)
    return answer["output"], answer["metadata"]["exit_code"]


# --- running


async def test_command_that_needs_no_approval_is_told_run_and_answered(tools, context, tmp_path):
    """Begin, output, end; the model reads JSON."""
    output = await tools["shell"].run(call(command=["sh", "-c", "echo hello"]), context)

    begin, delta, end = context.events
    argv = ("sh", "-c", "echo hello")
    parsed = (UnknownCommand(cmd="echo hello"),)
    assert begin == ExecCommandBegin(
        call_id=CALL, turn_id=TURN, command=argv, cwd=str(tmp_path), parsed_cmd=parsed
    )
    assert delta == ExecCommandOutputDelta(
        call_id=CALL, stream=ExecOutputStream.STDOUT, chunk=b"hello\n"
    )
    assert end == ExecCommandEnd(
        call_id=CALL,
        turn_id=TURN,
        command=argv,
        cwd=str(tmp_path),
        parsed_cmd=parsed,
        stdout="hello\n",
        stderr="",
        aggregated_output="hello\n",
        exit_code=0,
        duration=end.duration,
        formatted_output="hello\n",
        status=ExecCommandStatus.COMPLETED,
    )
    assert output.success is True
    assert re.fullmatch(
        r'\{"output":"hello\\n","metadata":\{"exit_code":0,"duration_seconds":\d\.\d\}\}',
        output.output,
    )


async def test_failing_command_is_told_and_answered_as_failed(tools, context):
    """With its own exit code and everything it wrote."""
    output = await tools["shell"].run(call(command="echo out; echo err >&2; exit 7"), context)

    (end,) = context.of(ExecCommandEnd)
    assert (end.exit_code, end.status) == (7, ExecCommandStatus.FAILED)
    assert (end.stdout, end.stderr, end.aggregated_output) == ("out\n", "err\n", "out\nerr\n")
    assert (read(output), output.success) == (("out\nerr\n", 7), False)


async def test_script_runs_in_the_login_shell_of_the_user(tools, context):
    """Or in one that is no login shell, if the model says so."""
    await tools["shell"].run(call(command="true"), context)
    await tools["shell"].run(call(command="true", login=False), context)

    commands = [begin.command for begin in context.of(ExecCommandBegin)]
    assert commands == [("/bin/sh", "-lc", "true"), ("/bin/sh", "-c", "true")]


async def test_shell_command_is_answered_as_text(tools, context):
    """The form for models that know the tool by this name."""
    output = await tools["shell_command"].run(
        call("shell_command", command="echo hello; exit 3", login=False), context
    )

    assert re.fullmatch(r"Exit code: 3\nWall time: \d\.\d seconds\nOutput:\nhello\n", output.output)


@pytest.mark.parametrize("name", ["container.exec", "local_shell"])
async def test_other_names_for_the_shell_are_understood(tools, context, name):
    """Models know them from elsewhere."""
    output = await tools[name].run(call(name, command=["echo", "hello"]), context)

    assert read(output) == ("hello\n", 0)


@pytest.mark.parametrize("shell_tool", [True, False])
@pytest.mark.parametrize("unified_exec", [True, False])
def test_shell_is_offered_where_nothing_better_is(tools, shell_tool, unified_exec):
    """Under one name; the others are understood only."""
    request = ToolRouter(tools.values()).for_request(
        offer(shell_tool=shell_tool, unified_exec=unified_exec)
    )

    names = [spec["name"] for spec in request.specs]
    assert names == (["shell"] if shell_tool and not unified_exec else [])


def test_shell_describes_its_arguments(tools):
    """Commands of one response may run beside each other."""
    request = ToolRouter(tools.values()).for_request(offer(unified_exec=False))

    (spec,) = request.specs
    assert (spec["type"], spec["strict"]) == ("function", False)
    assert spec["parameters"]["required"] == ["command"]
    assert spec["parameters"]["additionalProperties"] is False
    assert set(spec["parameters"]["properties"]) == {
        "command",
        "workdir",
        "timeout_ms",
        "sandbox_permissions",
        "justification",
        "prefix_rule",
    }
    assert request.is_parallel(call())
    assert not request.is_parallel(call("shell_command"))


@pytest.mark.parametrize("name", ["shell", "container.exec", "local_shell", "shell_command"])
async def test_no_command_runs_where_commands_are_switched_off(build, context, tmp_path, name):
    """Whatever name the model tries; it reads that there is no use in trying."""
    with pytest.raises(ToolError, match="switched off for this conversation"):
        await build(enabled=False)[name].run(call(name, command=["touch", "made"]), context)

    assert (context.events, list(tmp_path.iterdir())) == ([], [])


async def test_command_runs_in_the_directory_the_model_names(tools, context, tmp_path):
    """Relative to the turn's own, or absolute."""
    (tmp_path / "sub").mkdir()

    relative = await tools["shell"].run(call(command=["pwd"], workdir="sub"), context)
    absolute = await tools["shell"].run(call(command=["pwd"], workdir="/"), context)
    empty = await tools["shell"].run(call(command=["pwd"], workdir=""), context)

    assert [read(output)[0] for output in (relative, absolute, empty)] == [
        f"{tmp_path}/sub\n",
        "/\n",
        f"{tmp_path}\n",
    ]


async def test_command_knows_the_thread_it_runs_for(tools, context):
    """By a variable of its environment."""
    output = await tools["shell"].run(call(command=["printenv", "CODEX_THREAD_ID"]), context)

    assert read(output) == ("thread-1\n", 0)


async def test_command_that_runs_out_of_time_says_so_before_its_output(tools, context):
    """In the answer and in the end."""
    output = await tools["shell"].run(
        call(command=["sh", "-c", "echo hello; sleep 1000"], timeout_ms=100), context
    )

    text, exit_code = read(output)
    assert re.fullmatch(r"command timed out after \d\d\d+ milliseconds\nhello\n", text)
    assert (exit_code, output.success) == (124, False)
    (end,) = context.of(ExecCommandEnd)
    assert (end.formatted_output, end.status) == (text, ExecCommandStatus.FAILED)
    assert end.aggregated_output == "hello\n"


async def test_output_that_is_no_text_is_shown_with_replacement_characters(tools, context):
    """Bytes in the deltas, text everywhere else."""
    output = await tools["shell"].run(call(command=["printf", "a\\377b"]), context)

    assert read(output)[0] == "a\ufffdb"
    assert context.told(ExecOutputStream.STDOUT) == b"a\xffb"


@pytest.mark.parametrize("name", ["shell", "shell_command"])
async def test_long_output_is_cut_for_the_model_but_not_for_clients(tools, context, name):
    """The middle goes, and the number of lines is told."""
    context.truncation_policy = TruncationPolicy(mode=TruncationMode.BYTES, limit=20)

    output = await tools[name].run(call(name, command=["seq", "100"]), context)

    (end,) = context.of(ExecCommandEnd)
    cut = "1\n2\n3\n4\n5\n…272 chars truncated…98\n99\n100\n"
    assert end.formatted_output == f"Total output lines: 100\n\n{cut}"
    assert end.aggregated_output == "".join(f"{n}\n" for n in range(1, 101))
    if name == "shell":
        assert read(output)[0] == f"Total output lines: 100\n\n{cut}"
    else:
        assert output.output.endswith(f"seconds\nTotal output lines: 100\nOutput:\n{cut}")


async def test_cancelled_command_is_told_as_aborted_and_gone(tools, context, marked_env):
    """One end, with what it wrote; then the cancellation goes on."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tools["shell"].run, call(command="echo hello; sleep 1000"), context)
        await context.wait_for(ExecCommandOutputDelta)
        nursery.cancel_scope.cancel()

    assert marked_processes(marked_env[MARK]) == []
    (end,) = context.of(ExecCommandEnd)
    assert context.events[-1] is end
    assert (end.exit_code, end.status) == (-1, ExecCommandStatus.FAILED)
    assert (end.stdout, end.stderr) == ("hello\n", "command aborted by user")
    assert end.aggregated_output == "hello\ncommand aborted by user"


async def test_command_that_we_fail_to_report_is_gone_and_told_as_failed(
    tools, tmp_path, marked_env
):
    """Our own crash is not put down to the user; the begin has its end all the same."""

    class BrokenContext(FakeContext):
        def emit(self, event):
            if isinstance(event, ExecCommandOutputDelta):
                raise LookupError("on purpose")
            super().emit(event)

    context = BrokenContext(cwd=str(tmp_path))

    with pytest.RaisesGroup(LookupError):
        await tools["shell"].run(call(command="echo hello; sleep 1000"), context)

    assert marked_processes(marked_env[MARK]) == []
    (end,) = context.of(ExecCommandEnd)
    assert (end.exit_code, end.stdout) == (-1, "hello\n")
    assert end.formatted_output == "execution error: ExceptionGroup"


# --- failures


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"command": ["no-such-thing"]}, "command not found: 'no-such-thing'"),
        (
            {"command": ["ls"], "workdir": "/nowhere"},
            "working directory '/nowhere' does not exist",
        ),
        ({"command": ["/etc/passwd"]}, "no permission to run '/etc/passwd'"),
    ],
)
async def test_command_that_cannot_start_is_told_and_answered(tools, context, arguments, text):
    """In clear words, the same for everybody."""
    output = await tools["shell"].run(call(**arguments), context)

    text = f"execution error: {text}"
    assert (output.output, output.success) == (text, False)
    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    end = context.events[-1]
    assert (end.exit_code, end.status, end.duration) == (-1, ExecCommandStatus.FAILED, 0)
    assert (end.stdout, end.stderr) == ("", text)
    assert end.aggregated_output == end.formatted_output == text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "command: expected a list of strings or a script, got NoneType"),
        ({"command": 5}, "command: expected a list of strings or a script, got int"),
        ({"command": ["ls", 5]}, "command[1]: expected a string, got int"),
        ({"command": []}, "command is empty"),
        ({"command": "ls", "workdir": 5}, "workdir: expected a string, got int"),
        ({"command": "ls", "login": "no"}, "login: expected a boolean, got str"),
        (
            {"command": "ls", "timeout_ms": "1"},
            "timeout_ms: expected a number of milliseconds, got str",
        ),
        (
            {"command": "ls", "timeout_ms": True},
            "timeout_ms: expected a number of milliseconds, got bool",
        ),
        ({"command": "ls", "timeout_ms": -1}, "timeout_ms is -1, below 0"),
        ({"command": "ls", "timeout": -0.5}, "timeout_ms is -0.5, below 0"),
        ({"command": "ls", "justification": []}, "justification: expected a string, got list"),
        (
            {"command": "ls", "prefix_rule": "ls"},
            "prefix_rule: expected a list of strings, got str",
        ),
        ({"command": "ls", "prefix_rule": [1]}, "prefix_rule[0]: expected a string, got int"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_without_an_event(
    tools, context, arguments, problem
):
    """Nothing ran, so nothing is told; the model reads which one is wrong."""
    with pytest.raises(ToolError) as caught:
        await tools["shell"].run(call(**arguments), context)

    assert str(caught.value) == f"failed to parse function arguments: {problem}"
    assert context.events == []


async def test_unknown_arguments_are_ignored_and_null_means_not_given(tools, context):
    """Models make them up."""
    arguments = {"prefix_rule": [], "colour": "red", "timeout_ms": None, "workdir": None}

    output = await tools["shell"].run(call(command=["true"], **arguments), context)

    assert output.success


@pytest.mark.parametrize("argument", ["timeout_ms", "timeout"])
async def test_timeout_goes_by_two_names(tools, context, argument):
    """As the reference has it."""
    output = await tools["shell"].run(call(command=["sleep", "1000"], **{argument: 0}), context)

    assert read(output)[1] == 124


# --- refusals


@pytest.mark.parametrize("name", ["shell", "shell_command"])
@pytest.mark.parametrize("decision", [ReviewDecisionKind.DENIED, ReviewDecisionKind.ABORT])
async def test_command_that_a_person_denies_is_told_as_declined(
    tools, context, tmp_path, name, decision
):
    """It does not run, and the model reads who refused."""
    context.approval_policy = AskForApproval.UNTRUSTED
    context.exec_answers.append(decision)

    output = await tools[name].run(call(name, command="touch made"), context)

    assert (output.output, output.success) == ("exec command rejected by user", False)
    assert context.kinds() == [ExecCommandBegin, ExecApprovalRequest, ExecCommandEnd]
    end = context.events[-1]
    assert (end.exit_code, end.status) == (-1, ExecCommandStatus.DECLINED)
    assert end.stderr == end.aggregated_output == "exec command rejected by user"
    assert not (tmp_path / "made").exists()


async def test_command_that_the_policy_refuses_is_told_as_failed(tools, context, tmp_path):
    """No person said no (L41); the model reads the policy's own words."""
    context.sandbox_policy = UnknownSandbox(tag="moon-base", raw={"type": "moon-base"})

    output = await tools["shell"].run(call(command="touch made"), context)

    assert "moon-base" in output.output
    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    end = context.events[-1]
    assert (end.exit_code, end.status) == (-1, ExecCommandStatus.FAILED)
    assert end.stderr == end.aggregated_output == end.formatted_output == output.output
    assert not (tmp_path / "made").exists()


async def test_command_that_is_cancelled_while_it_is_asked_for_is_told_as_aborted(tools, context):
    """Its begin was told, so its end is."""
    context.approval_policy = AskForApproval.UNTRUSTED
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tools["shell"].run, call(command=["touch", "x"]), context)
        await context.wait_for(ExecApprovalRequest)
        nursery.cancel_scope.cancel()

    assert context.kinds() == [ExecCommandBegin, ExecApprovalRequest, ExecCommandEnd]
    assert context.events[-1].aggregated_output == "command aborted by user"


async def test_escalation_that_cannot_be_asked_for_is_refused_before_anything_is_told(
    tools, context
):
    """The call is at fault, not the command."""
    with pytest.raises(ToolError, match="approval policy is Never; reject command"):
        await tools["shell"].run(
            call(command=["true"], sandbox_permissions="require_escalated"), context
        )

    assert context.events == []


# --- patches


@attrs.define(eq=False)
class Patcher:
    """Takes over what begins with ``apply_patch``."""

    seen: list[object] = attrs.field(factory=list)

    async def intercept(self, argv, *, cwd, call, tool_name, context):
        await trio.lowlevel.checkpoint()
        self.seen.append((argv, cwd, call, tool_name, context))
        return ToolOutput(output="patched", success=True) if argv[0] == "apply_patch" else None


async def test_command_that_applies_a_patch_is_left_to_the_patcher(build, context, tmp_path):
    """It tells its own events; the command has none."""
    patcher = Patcher()
    patch = call("local_shell", command=["apply_patch", "text"], workdir="sub")

    output = await build(patcher=patcher)["local_shell"].run(patch, context)

    assert (output.output, context.events) == ("patched", [])
    argv = ("apply_patch", "text")
    assert patcher.seen == [(argv, str(tmp_path / "sub"), patch, "local_shell", context)]


async def test_any_other_command_runs_although_there_is_a_patcher(build, context):
    """It was asked, and said no."""
    patcher = Patcher()

    output = await build(patcher=patcher)["shell"].run(call(command=["echo", "hi"]), context)

    assert read(output) == ("hi\n", 0)
    assert len(patcher.seen) == 1


async def test_patch_does_not_evade_the_check_of_escalation(build, context):
    """The check comes first."""
    patcher = Patcher()

    with pytest.raises(ToolError, match="reject command"):
        await build(patcher=patcher)["shell"].run(
            call(command=["apply_patch", "x"], sandbox_permissions="require_escalated"), context
        )

    assert patcher.seen == []
