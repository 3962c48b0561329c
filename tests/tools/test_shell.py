"""The shell tool: what is asked, what is told, what the model reads."""

import json
import re
from collections.abc import AsyncIterator

import attrs
import pytest
import trio

from actors.tools import (
    ToolCall,
    ToolError,
    ToolOutput,
    ToolRouter,
    builtin_tools,
    open_launcher,
    shell_tools,
)
from actors.tools.environment import choose_shell
from messages.events import (
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandStatus,
    ExecOutputStream,
    UnknownCommand,
    WarningEvent,
)
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecisionKind
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    TruncationMode,
    TruncationPolicy,
    UnknownSandbox,
    WorkspaceWrite,
)

from .fakes import CALL, TURN, FakeContext, function_call
from .processes import MARK, marked_processes

NO_SANDBOX = (
    "this version enforces no sandbox: commands run with all rights of the user, "
    "whatever the sandbox policy says"
)
ASKING = [policy for policy in AskForApproval if policy is not AskForApproval.NEVER]


pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
async def context(tmp_path) -> AsyncIterator[FakeContext]:
    """A turn that never asks, and one launcher for all commands of a test."""
    async with open_launcher():
        yield FakeContext(cwd=str(tmp_path))


@pytest.fixture
def tools(marked_env):
    return {tool.name: tool for tool in shell_tools({**marked_env, "SHELL": "/bin/sh"})}


def call(name: str = "shell", **arguments: object) -> ToolCall:
    return function_call(name, json.dumps(arguments))


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


def test_shell_is_offered_under_one_name():
    """The other names are understood only."""
    router = ToolRouter(builtin_tools({}))

    (spec,) = router.specs()
    assert (spec["name"], spec["strict"]) == ("shell", False)
    assert spec["parameters"]["required"] == ["command"]
    assert router.is_parallel(call())
    assert not router.is_parallel(call("shell_command"))


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
    arguments = {"prefix_rule": ["ls"], "colour": "red", "timeout_ms": None, "workdir": None}

    output = await tools["shell"].run(call(command=["true"], **arguments), context)

    assert output.success


@pytest.mark.parametrize("argument", ["timeout_ms", "timeout"])
async def test_timeout_goes_by_two_names(tools, context, argument):
    """As the reference has it."""
    output = await tools["shell"].run(call(command=["sleep", "1000"], **{argument: 0}), context)

    assert read(output)[1] == 124


# --- approval


@pytest.mark.parametrize("policy", ASKING)
async def test_command_is_asked_for_after_its_begin_and_runs_when_approved(
    tools, context, tmp_path, policy
):
    """Every policy but "never" asks, as long as nothing else holds commands back."""
    context.approval_policy = policy
    context.answers.append(ReviewDecisionKind.APPROVED)

    output = await tools["shell"].run(
        call(command=["echo", "hi"], justification="why not"), context
    )

    assert read(output) == ("hi\n", 0)
    assert context.kinds() == [
        ExecCommandBegin,
        ExecApprovalRequest,
        ExecCommandOutputDelta,
        ExecCommandEnd,
    ]
    assert context.events[1] == ExecApprovalRequest(
        call_id=CALL,
        turn_id=TURN,
        command=("echo", "hi"),
        cwd=str(tmp_path),
        parsed_cmd=(UnknownCommand(cmd="echo hi"),),
        reason="why not",
    )


@pytest.mark.parametrize("decision", [ReviewDecisionKind.DENIED, ReviewDecisionKind.ABORT])
async def test_command_that_is_denied_is_told_as_declined(tools, context, tmp_path, decision):
    """It does not run, and the model reads who refused."""
    context.approval_policy = AskForApproval.UNTRUSTED
    context.answers.append(decision)

    output = await tools["shell"].run(call(command="touch made"), context)

    assert (output.output, output.success) == ("exec command rejected by user", False)
    assert context.kinds() == [ExecCommandBegin, ExecApprovalRequest, ExecCommandEnd]
    end = context.events[-1]
    assert (end.exit_code, end.status) == (-1, ExecCommandStatus.DECLINED)
    assert end.stderr == end.aggregated_output == "exec command rejected by user"
    assert not (tmp_path / "made").exists()


async def test_command_that_is_cancelled_while_it_is_asked_for_is_told_as_aborted(tools, context):
    """Its begin was told, so its end is."""
    context.approval_policy = AskForApproval.ON_REQUEST
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tools["shell"].run, call(command="true"), context)
        await context.wait_for(ExecApprovalRequest)
        nursery.cancel_scope.cancel()

    assert context.kinds() == [ExecCommandBegin, ExecApprovalRequest, ExecCommandEnd]
    assert context.events[-1].aggregated_output == "command aborted by user"


async def test_approval_for_the_session_is_good_for_the_same_command_in_the_same_place(
    tools, context, tmp_path
):
    """Also when it is written differently; not for another place, not for another command."""
    (tmp_path / "sub").mkdir()
    context.approval_policy = AskForApproval.UNTRUSTED
    context.answers.append(ReviewDecisionKind.APPROVED_FOR_SESSION)
    await tools["shell"].run(call(command=["echo", "hi"]), context)

    for arguments in (
        {"command": ["echo", "hi"]},
        {"command": "echo   'hi'"},
        {"command": ["bash", "-lc", "echo hi"]},
    ):
        assert (
            await tools["shell_command"].run(call("shell_command", **arguments), context)
        ).success
    assert len(context.of(ExecApprovalRequest)) == 1

    for arguments in (
        {"command": ["echo", "ho"]},
        {"command": ["echo", "hi"], "workdir": "sub"},
        {"command": "echo hi > file"},
    ):
        context.answers.append(ReviewDecisionKind.DENIED)
        assert not (await tools["shell"].run(call(**arguments), context)).success
    assert len(context.of(ExecApprovalRequest)) == 4


@pytest.mark.parametrize(
    "change", [{"approval_policy": AskForApproval.ON_FAILURE}, {"sandbox_policy": ReadOnly()}]
)
async def test_approval_for_the_session_ends_with_the_policy_it_was_given_under(
    tools, context, change
):
    """A stricter policy must not be undone by an old yes."""
    context.approval_policy = AskForApproval.UNTRUSTED
    context.answers.append(ReviewDecisionKind.APPROVED_FOR_SESSION)
    await tools["shell"].run(call(command=["true"]), context)

    changed = attrs.evolve(context, **change)
    changed.answers.append(ReviewDecisionKind.DENIED)
    assert not (await tools["shell"].run(call(command=["true"]), changed)).success


async def test_amendment_that_nobody_proposed_approves_once_and_says_so(tools, context):
    """There are no rules to amend yet; the yes still counts."""
    context.approval_policy = AskForApproval.UNTRUSTED
    amendment = ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("true",))
    context.answers.extend([amendment, ReviewDecisionKind.DENIED])

    assert (await tools["shell"].run(call(command=["true"]), context)).success
    assert not (await tools["shell"].run(call(command=["true"]), context)).success
    (warning,) = context.of(WarningEvent)
    assert warning.message.startswith("Failed to apply execpolicy amendment: ")


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (AskForApproval.NEVER, "Never"),
        (AskForApproval.ON_FAILURE, "OnFailure"),
        (AskForApproval.UNTRUSTED, "UnlessTrusted"),
    ],
)
async def test_escalation_is_refused_where_it_cannot_be_asked_for(tools, context, policy, name):
    """In the words of the reference, before anything is told."""
    context.approval_policy = policy

    with pytest.raises(ToolError) as caught:
        await tools["shell"].run(
            call(command=["true"], sandbox_permissions="require_escalated"), context
        )

    assert str(caught.value) == (
        f"approval policy is {name}; reject command — you should not ask for escalated "
        f"permissions if the approval policy is {name}"
    )
    assert context.events == []


async def test_escalation_is_asked_for_on_request(tools, context):
    """With the model's reason."""
    context.approval_policy = AskForApproval.ON_REQUEST
    context.sandbox_policy = ReadOnly()
    context.answers.append(ReviewDecisionKind.APPROVED)

    await tools["shell"].run(
        call(
            command=["true"],
            sandbox_permissions="require_escalated",
            justification="to see",
        ),
        context,
    )

    (request,) = context.of(ExecApprovalRequest)
    assert request.reason == f"to see; {NO_SANDBOX}"


# --- no sandbox


@pytest.mark.parametrize("sandbox", [ReadOnly(), WorkspaceWrite()])
async def test_missing_sandbox_is_warned_of_once_in_a_thread(tools, context, sandbox):
    """Before the first command runs, under whatever name."""
    context.sandbox_policy = sandbox

    await tools["shell"].run(call(command=["true"]), context)
    await tools["shell_command"].run(call("shell_command", command=["true"]), context)

    assert context.kinds()[:3] == [ExecCommandBegin, WarningEvent, ExecCommandEnd]
    assert context.of(WarningEvent) == [WarningEvent(message=NO_SANDBOX)]


@pytest.mark.parametrize("sandbox", [DangerFullAccess(), ExternalSandbox()])
async def test_no_warning_where_no_sandbox_was_promised(tools, context, sandbox):
    """Full access is what it says."""
    context.sandbox_policy = sandbox

    await tools["shell"].run(call(command=["true"]), context)

    assert context.of(WarningEvent) == []


async def test_missing_sandbox_is_told_to_whoever_is_asked(tools, context):
    """Each time, since each time somebody decides."""
    context.sandbox_policy = WorkspaceWrite()
    context.approval_policy = AskForApproval.ON_FAILURE
    context.answers.extend([ReviewDecisionKind.APPROVED] * 2)

    for _ in range(2):
        await tools["shell"].run(call(command=["true"]), context)

    assert [request.reason for request in context.of(ExecApprovalRequest)] == [NO_SANDBOX] * 2
    assert context.of(WarningEvent) == []


@pytest.mark.parametrize("policy", list(AskForApproval))
async def test_nothing_runs_under_a_sandbox_policy_that_is_not_known(
    tools, context, tmp_path, policy
):
    """Nobody can say what it allows; it is a refusal by policy, not by the user."""
    context.approval_policy = policy
    context.sandbox_policy = UnknownSandbox(tag="moon-base", raw={"type": "moon-base"})

    output = await tools["shell"].run(call(command="touch made"), context)

    assert output.output.startswith("sandbox policy 'moon-base' is unknown to this version")
    assert context.kinds() == [ExecCommandBegin, ExecCommandEnd]
    assert context.events[-1].status is ExecCommandStatus.FAILED
    assert not (tmp_path / "made").exists()


# --- the user's shell


@pytest.mark.parametrize(
    ("environ", "shell"),
    [
        ({"SHELL": "/bin/sh"}, "/bin/sh"),
        ({"SHELL": "/no/such/bash"}, "/bin/bash"),
        ({"SHELL": "bash"}, "/bin/bash"),
        ({"SHELL": "/usr/bin/env"}, "/bin/bash"),
        ({}, "/bin/bash"),
    ],
)
def test_shell_of_the_user_is_one_that_we_know_how_to_call(environ, shell):
    """Else bash, else sh."""
    assert choose_shell(environ) == shell
