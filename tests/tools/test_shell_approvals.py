"""What the policies make of the shell, with real sandboxes: who is asked, what happens."""

import json
import os
import shlex
import socket
import subprocess

import attrs
import pytest

from actors.safety import find_bubblewrap, probe_argv
from actors.tools import open_launcher
from actors.tools.command_gate import CommandGate
from actors.tools.rules_source import RulesSource
from actors.tools.sandbox_probe import SandboxProbe
from actors.tools.shell import shell_tools
from messages.events import (
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    ExecCommandStatus,
)
from messages.ops import ApprovedExecpolicyAmendment, ReviewDecisionKind
from messages.settings import (
    AskForApproval,
    DangerFullAccess,
    ExternalSandbox,
    ReadOnly,
    WorkspaceWrite,
)

from .fake_context import FakeContext, function_call

pytestmark = pytest.mark.usefixtures("nothing_left")


def why_no_sandbox() -> str:
    """Say why bubblewrap does not work here; nothing when it does."""
    program = find_bubblewrap(os.environ.get("PATH", ""))
    if program is None:
        return "bubblewrap is not installed"
    tried = subprocess.run(probe_argv(program), capture_output=True, text=True, timeout=10)
    return (tried.stderr.strip() or "it fails") if tried.returncode else ""


WHY_NOT = why_no_sandbox()
needs_bubblewrap = pytest.mark.skipif(bool(WHY_NOT), reason=f"no sandbox: {WHY_NOT}")

YES = ReviewDecisionKind.APPROVED
NO = ReviewDecisionKind.DENIED
RETRY = "command failed; retry without sandbox?"

# Tests write below /tmp, which would be writable otherwise.
WORKSPACE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
NEVER, ON_FAILURE = AskForApproval.NEVER, AskForApproval.ON_FAILURE
ON_REQUEST, UNTRUSTED = AskForApproval.ON_REQUEST, AskForApproval.UNTRUSTED


@attrs.define(eq=False, kw_only=True)
class Bench:
    """A thread's shell, a workspace, and a place outside."""

    folder: object
    tool: object
    context: FakeContext

    async def run(self, *argv: str, answers=(), **arguments: object):
        """Run it; give back text, exit code (None when there is none) and reasons asked."""
        self.context.events.clear()
        self.context.exec_answers.extend(list(answers))
        call = function_call("shell", command=list(argv), **arguments)
        output = (await self.tool.run(call, self.context)).output
        assert len(self.context.exec_answers) == 0, "an answer was not asked for"
        asked = [request.reason for request in self.context.of(ExecApprovalRequest)]
        try:
            answer = json.loads(output)
        except ValueError:
            return output, None, asked
        return answer["output"], answer["metadata"]["exit_code"], asked

    async def write(self, path, **options: object):
        """Write a file by a script that is neither known to be safe nor to be dangerous."""
        return await self.run("sh", "-c", f"echo written > {shlex.quote(str(path))}", **options)

    @property
    def inside(self):
        return self.folder / "work" / "made"

    @property
    def outside(self):
        return self.folder / "outside" / "made"

    @property
    def end(self) -> ExecCommandEnd:
        (end,) = self.context.of(ExecCommandEnd)
        return end


@pytest.fixture
async def open_bench(tmp_path, marked_env):
    """Build a bench under the policies that a test names."""
    for name in ("work", "outside", "home"):
        (tmp_path / name).mkdir()

    def open_bench(approval, sandbox, *, probe_path: str | None = None) -> Bench:
        ours = marked_env if probe_path is None else {**marked_env, "PATH": probe_path}
        gate = CommandGate(
            environ=marked_env, sandbox=SandboxProbe(ours), rules=RulesSource(tmp_path / "home")
        )
        tools = shell_tools(gate=gate, environ=marked_env, shell="/bin/bash")
        context = FakeContext(
            cwd=str(tmp_path / "work"), approval_policy=approval, sandbox_policy=sandbox
        )
        return Bench(folder=tmp_path, tool=tools[0], context=context)

    async with open_launcher():
        yield open_bench


@pytest.fixture
def port():
    """A port of this machine that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def reach(port: int) -> tuple[str, ...]:
    return ("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached")


# --- full access


@pytest.mark.parametrize("approval", [ON_REQUEST, ON_FAILURE, NEVER])
@pytest.mark.parametrize("sandbox", [DangerFullAccess(), ExternalSandbox()])
async def test_full_access_writes_anywhere_and_asks_nobody(open_bench, port, approval, sandbox):
    """The network is open as well."""
    bench = open_bench(approval, sandbox)

    assert await bench.write(bench.outside) == ("", 0, [])
    assert bench.outside.read_text() == "written\n"
    assert await bench.run(*reach(port)) == ("reached\n", 0, [])


async def test_full_access_escalated_asks_nobody(open_bench):
    """There is nothing to escalate to."""
    bench = open_bench(ON_REQUEST, DangerFullAccess())

    written = await bench.write(bench.outside, sandbox_permissions="require_escalated")

    assert written == ("", 0, [])


async def test_untrusted_asks_for_all_but_known_reading_also_with_full_access(open_bench):
    """Echo says something; a script with a redirection may do anything."""
    bench = open_bench(UNTRUSTED, DangerFullAccess())

    assert await bench.run("echo", "hi") == ("hi\n", 0, [])
    assert await bench.write(bench.outside, answers=[YES]) == ("", 0, [None])
    assert bench.outside.exists()


@pytest.mark.parametrize("approval", [ON_REQUEST, ON_FAILURE, UNTRUSTED])
async def test_dangerous_command_is_asked_for_also_with_full_access(open_bench, approval):
    """A person who says no keeps the folder."""
    bench = open_bench(approval, DangerFullAccess())

    text, exit_code, asked = await bench.run("rm", "-rf", str(bench.outside.parent), answers=[NO])

    assert (text, exit_code, len(asked)) == ("exec command rejected by user", None, 1)
    assert bench.outside.parent.exists()


async def test_dangerous_command_is_refused_where_nobody_is_asked(open_bench):
    """By the policy, which is told as a failure."""
    bench = open_bench(NEVER, DangerFullAccess())

    _, exit_code, asked = await bench.run("rm", "-rf", str(bench.outside.parent))

    assert (exit_code, asked, bench.end.status) == (None, [], ExecCommandStatus.FAILED)
    assert bench.outside.parent.exists()


# --- read-only and workspace


@needs_bubblewrap
@pytest.mark.parametrize("sandbox", [ReadOnly(), WORKSPACE])
async def test_escalated_command_is_asked_for_and_runs_without_a_sandbox(open_bench, sandbox):
    """The model's reason is shown; a no leaves no file."""
    bench = open_bench(ON_REQUEST, sandbox)
    escalated = {"sandbox_permissions": "require_escalated", "justification": "for the test"}

    refused = await bench.write(bench.outside, answers=[NO], **escalated)
    assert refused == ("exec command rejected by user", None, ["for the test"])
    assert bench.end.status is ExecCommandStatus.DECLINED
    assert not bench.outside.exists()

    assert await bench.write(bench.outside, answers=[YES], **escalated) == (
        "",
        0,
        ["for the test"],
    )
    assert bench.outside.exists()


@pytest.mark.slow
@needs_bubblewrap
@pytest.mark.parametrize("approval", [ON_REQUEST, NEVER])
@pytest.mark.parametrize("sandbox", [ReadOnly(), WORKSPACE])
async def test_sandbox_keeps_writing_out_and_the_network_closed(
    open_bench, port, approval, sandbox
):
    """Nobody is asked; the model reads why it failed."""
    bench = open_bench(approval, sandbox)

    text, exit_code, asked = await bench.write(bench.outside)
    assert (exit_code != 0, asked, bench.outside.exists()) == (True, [], False)
    assert "Read-only file system" in text or "Permission denied" in text
    assert bench.context.kinds() == [ExecCommandBegin, ExecCommandOutputDelta, ExecCommandEnd]
    assert bench.end.status is ExecCommandStatus.FAILED

    text, exit_code, asked = await bench.run(*reach(port))
    assert (exit_code != 0, asked, "reached" in text) == (True, [], False)
    assert await bench.run("printenv", "CODEX_SANDBOX_NETWORK_DISABLED") == ("1\n", 0, [])


@needs_bubblewrap
@pytest.mark.parametrize("sandbox", [ReadOnly(), WORKSPACE])
async def test_on_failure_asks_when_the_sandbox_held_the_command_back(open_bench, sandbox):
    """There is one begin and one end, and the end is that of the last attempt."""
    bench = open_bench(ON_FAILURE, sandbox)

    refused = await bench.write(bench.outside, answers=[NO])
    assert refused == ("exec command rejected by user", None, [RETRY])
    assert (bench.end.status, bench.outside.exists()) == (ExecCommandStatus.DECLINED, False)

    assert await bench.write(bench.outside, answers=[YES]) == ("", 0, [RETRY])
    assert bench.outside.exists()
    assert bench.context.kinds() == [
        ExecCommandBegin,
        ExecCommandOutputDelta,
        ExecApprovalRequest,
        ExecCommandEnd,
    ]
    assert (bench.end.status, bench.end.stderr) == (ExecCommandStatus.COMPLETED, "")


@needs_bubblewrap
async def test_on_failure_does_not_ask_about_a_command_that_fails_by_itself(open_bench):
    """Neither about one that ran out of time, whatever it wrote."""
    bench = open_bench(ON_FAILURE, ReadOnly())

    assert await bench.run("sh", "-c", "exit 3") == ("", 3, [])
    text, exit_code, asked = await bench.run(
        "sh", "-c", "echo permission denied; exec sleep 1000", timeout_ms=100
    )
    assert (exit_code, asked) == (124, [])
    assert text.endswith("permission denied\n")


@needs_bubblewrap
@pytest.mark.parametrize("sandbox", [ReadOnly(), WORKSPACE])
async def test_untrusted_asks_first_and_not_again(open_bench, sandbox):
    """What the sandbox holds back then runs without it: a person said yes to it."""
    bench = open_bench(UNTRUSTED, sandbox)

    assert await bench.write(bench.outside, answers=[NO]) == (
        "exec command rejected by user",
        None,
        [None],
    )
    assert not bench.outside.exists()

    assert await bench.write(bench.outside, answers=[YES]) == ("", 0, [None])
    assert bench.outside.exists()
    assert await bench.run("cat", str(bench.outside)) == ("written\n", 0, [])


@pytest.mark.slow
@needs_bubblewrap
@pytest.mark.parametrize("approval", [ON_REQUEST, ON_FAILURE, NEVER])
async def test_workspace_may_be_written_but_not_what_is_protected_in_it(open_bench, approval):
    """No one is asked for the one; the other stays, also where it does not exist yet."""
    bench = open_bench(approval, WORKSPACE)
    answers = [NO] if approval is ON_FAILURE else []
    (bench.folder / "work" / ".git").mkdir()

    assert await bench.write(bench.inside) == ("", 0, [])
    assert bench.inside.read_text() == "written\n"
    for path in (".git/config", ".codex/config.toml"):
        await bench.write(bench.folder / "work" / path, answers=answers)
        assert bench.end.exit_code != 0
    assert list((bench.folder / "work" / ".git").iterdir()) == []
    assert not (bench.folder / "work" / ".codex").exists()


@needs_bubblewrap
async def test_rules_are_not_written_by_the_commands_that_they_are_for(open_bench):
    """Wherever the home lies, and whatever variables commands get."""
    bench = open_bench(NEVER, attrs.evolve(WORKSPACE, writable_roots=("..",)))

    assert await bench.write(bench.outside) == ("", 0, [])
    await bench.write(bench.folder / "home" / "rules")
    assert bench.end.exit_code != 0
    assert list((bench.folder / "home").iterdir()) == []


@needs_bubblewrap
async def test_model_does_not_choose_what_is_writable(open_bench):
    """It chooses where a command runs; the policy is about where the turn does."""
    bench = open_bench(NEVER, WORKSPACE)

    _, exit_code, _ = await bench.run("sh", "-c", "pwd -P; echo > made", workdir="../outside")

    assert (exit_code != 0, bench.outside.exists()) == (True, False)
    assert bench.end.stdout == f"{bench.outside.parent}\n"


@needs_bubblewrap
async def test_workspace_reaches_the_network_where_the_policy_says_so(open_bench, port):
    """And commands are not told otherwise."""
    bench = open_bench(ON_REQUEST, attrs.evolve(WORKSPACE, network_access=True))

    assert await bench.run(*reach(port)) == ("reached\n", 0, [])
    assert await bench.run("printenv", "CODEX_SANDBOX_NETWORK_DISABLED") == ("", 1, [])


@needs_bubblewrap
async def test_cancelled_sandbox_leaves_nothing_behind(open_bench):
    """Time runs out while something in it has started something else."""
    bench = open_bench(NEVER, ReadOnly())

    _, exit_code, _ = await bench.run(
        "sh", "-c", "sleep 1000 & setsid sleep 1000 & echo started; sleep 1000", timeout_ms=150
    )

    # The fixture looks for what is left.
    assert (exit_code, bench.end.stdout) == (124, "started\n")


# --- rules


@pytest.mark.slow
@needs_bubblewrap
async def test_person_who_allows_a_prefix_is_not_asked_again(open_bench):
    """Such commands then run without a sandbox."""
    bench = open_bench(ON_REQUEST, ReadOnly())
    amendment = ApprovedExecpolicyAmendment(proposed_execpolicy_amendment=("touch",))

    first = await bench.run(
        "touch",
        str(bench.outside),
        answers=[amendment],
        sandbox_permissions="require_escalated",
        prefix_rule=["touch"],
    )
    (request,) = bench.context.of(ExecApprovalRequest)
    second = await bench.run("touch", f"{bench.outside}2")

    assert request.proposed_execpolicy_amendment == ("touch",)
    assert (first, second) == (("", 0, [None]), ("", 0, []))
    assert bench.context.input_texts() == [
        ("developer", 'Approved command prefix saved:\n- ["touch"]')
    ]


@needs_bubblewrap
async def test_allowed_command_does_not_take_others_out_of_the_sandbox(open_bench):
    """A script is free only when each of its commands is (L39)."""
    bench = open_bench(NEVER, ReadOnly())
    (bench.folder / "home" / "rules").mkdir()
    (bench.folder / "home" / "rules" / "mine.rules").write_text(
        'prefix_rule(pattern=["echo"], decision="allow")\n'
    )

    _, exit_code, _ = await bench.run("bash", "-c", f"echo hi && touch {bench.outside}")

    assert (exit_code != 0, bench.outside.exists()) == (True, False)


# --- no bubblewrap


async def test_without_bubblewrap_only_reading_runs_where_nobody_is_asked(open_bench, tmp_path):
    """The policy allows it; anything else is refused with the way out."""
    bench = open_bench(NEVER, ReadOnly(), probe_path=str(tmp_path))
    (bench.folder / "work" / "file").write_text("hello\n")

    assert await bench.run("cat", "file") == ("hello\n", 0, [])

    text, exit_code, asked = await bench.write(bench.outside)
    assert (exit_code, asked, bench.end.status) == (None, [], ExecCommandStatus.FAILED)
    assert "bubblewrap" in text
    assert "danger-full-access" in text
    assert not bench.outside.exists()


@pytest.mark.parametrize("approval", [ON_REQUEST, ON_FAILURE, UNTRUSTED])
async def test_without_bubblewrap_a_person_is_asked_and_told_why(open_bench, tmp_path, approval):
    """Whoever says yes knows that nothing holds the command back."""
    bench = open_bench(approval, WORKSPACE, probe_path=str(tmp_path))

    text, exit_code, (reason,) = await bench.write(bench.outside, answers=[YES])

    assert (text, exit_code, bench.outside.exists()) == ("", 0, True)
    assert "bubblewrap" in reason


async def test_without_bubblewrap_full_access_needs_none(open_bench, tmp_path):
    """Nothing was promised."""
    bench = open_bench(NEVER, DangerFullAccess(), probe_path=str(tmp_path))

    assert await bench.write(bench.outside) == ("", 0, [])
