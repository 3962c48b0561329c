"""Commands run to their end, and nothing of them is left."""

import errno
import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from actors.tools import (
    ProcessResult,
    SpawnError,
    keeper_link,
    launcher_link,
    open_launcher,
    process,
    run_process,
)
from actors.tools.capture import ProcessOutput
from messages.events import ExecOutputStream

from .processes import MARK, children, is_alive, kill, marked_processes, wait_gone

pytestmark = pytest.mark.usefixtures("nothing_left")

OUT = ExecOutputStream.STDOUT
ERR = ExecOutputStream.STDERR


@attrs.define(eq=False)
class Told:
    """What `on_output` was told, and a way to wait for it."""

    pieces: list[tuple[ExecOutputStream, bytes]] = attrs.field(factory=list)
    changed: trio.Event = attrs.field(factory=trio.Event)

    def __call__(self, stream: ExecOutputStream, piece: bytes) -> None:
        self.pieces.append((stream, piece))
        self.changed.set()
        self.changed = trio.Event()

    def of(self, stream: ExecOutputStream) -> bytes:
        return b"".join(piece for told, piece in self.pieces if told is stream)

    async def wait_for(self, text: bytes) -> None:
        while text not in self.of(OUT) + self.of(ERR):
            await self.changed.wait()


@pytest.fixture
async def launcher() -> AsyncIterator[None]:
    """One launcher for all commands of a test, as in a long-running program."""
    async with open_launcher():
        yield


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def run(launcher, marked_env, tmp_path, told):
    async def run(*argv: str, **options: object) -> ProcessResult:
        options = {
            "timeout": math.inf,
            "cwd": str(tmp_path),
            "env": marked_env,
            "on_output": told,
            **options,
        }
        return await run_process(argv, **options)

    return run


@pytest.fixture
def sh(run):
    async def sh(script: str, **options: object) -> ProcessResult:
        return await run("sh", "-c", script, **options)

    return sh


@pytest.fixture
def py(run):
    async def py(script: str, **options: object) -> ProcessResult:
        return await run(sys.executable, "-I", "-S", "-c", textwrap.dedent(script), **options)

    return py


# --- results


async def test_command_returns_its_exit_code_and_both_streams(sh, told):
    """Output is kept by stream, and told as it is kept; together: stdout, then stderr."""
    result = await sh("echo error >&2; echo out; exit 3")

    assert attrs.evolve(result, duration=0) == ProcessResult(
        exit_code=3,
        stdout=b"out\n",
        stderr=b"error\n",
        aggregated=b"out\nerror\n",
        duration=0,
        timed_out=False,
        truncated=False,
    )
    assert result.duration > 0
    assert (told.of(OUT), told.of(ERR)) == (b"out\n", b"error\n")


async def test_command_ended_by_a_signal_has_the_exit_code_that_shells_give(sh):
    """128 and the number of the signal; what it wrote before is kept."""
    result = await sh("echo before; kill -9 $$")

    assert (result.exit_code, result.stdout, result.timed_out) == (137, b"before\n", False)


async def test_command_finds_exactly_the_environment_it_was_given(run, marked_env):
    """The environment is replaced, not extended; any text goes through unchanged."""
    variables = {**marked_env, "ODD": "a=b\nc \udcff", "EMPTY": ""}

    result = await run("env", "-0", env=variables)

    entries = dict(entry.split(b"=", 1) for entry in result.stdout.split(b"\0") if entry)
    assert entries == {os.fsencode(k): os.fsencode(v) for k, v in variables.items()}


async def test_command_gets_its_words_unchanged(py, run):
    """Empty words, new lines, quotes and what is no UTF-8 arrive as they were."""
    words = ["", "a b", "line\nline", "'\"$HOME", "\udcff", "ü"]

    result = await run("printf", "%s\\0", *words)

    assert result.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in words]


async def test_command_starts_with_a_clean_slate(run, tmp_path):
    """Own session, no standard input, no foreign file descriptors, usual signals, its cwd."""
    code = """
        import os, signal
        print(os.getsid(0) == os.getpid(), os.read(0, 1), sorted(os.listdir("/proc/self/fd"))[:-1])
        print(os.getcwd(), signal.pthread_sigmask(signal.SIG_BLOCK, []))
    """
    result = await run(sys.executable, "-I", "-S", "-c", textwrap.dedent(code))
    status = await run("cat", "/proc/self/status")

    assert result.stdout.decode() == f"True b'' ['0', '1', '2']\n{tmp_path} set()\n"
    masks = dict(line.split(":\t") for line in status.stdout.decode().splitlines() if "Sig" in line)
    assert int(masks["SigIgn"], 16) == 0
    assert int(masks["SigBlk"], 16) == 0


async def test_relative_program_is_looked_up_in_the_working_directory_of_the_command(run, tmp_path):
    """Not in that of our process."""
    program = tmp_path / "greet"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)

    assert (await run("./greet")).stdout == b"hello\n"


# --- output


async def test_first_output_is_told_while_the_command_still_runs(sh, told, tmp_path):
    """Nothing is held back until the end, and nothing of it is lost in the end."""
    results = []

    async with trio.open_nursery() as nursery:

        async def go() -> None:
            script = "echo line 1; while [ ! -e go ]; do sleep 0.01; done; echo line 2"
            results.append(await sh(script))

        nursery.start_soon(go)
        await told.wait_for(b"line 1\n")
        assert told.of(OUT) == b"line 1\n"
        (tmp_path / "go").touch()

    assert results[0].stdout == told.of(OUT) == b"line 1\nline 2\n"


async def test_output_is_told_in_order_of_arrival(sh, told, tmp_path):
    """Also between the streams, when the command leaves time between them."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            sh,
            "echo 1; until [ -e a ]; do sleep 0.01; done; "
            "echo 2 >&2; until [ -e b ]; do sleep 0.01; done; echo 3",
        )
        await told.wait_for(b"1\n")
        (tmp_path / "a").touch()
        await told.wait_for(b"2\n")
        (tmp_path / "b").touch()

    assert told.pieces == [(OUT, b"1\n"), (ERR, b"2\n"), (OUT, b"3\n")]


async def test_big_output_is_told_whole_and_kept_by_its_ends(py, told):
    """10 MB: every byte is told, one MiB is kept, and a line says what is missing."""
    result = await py(
        """
        import sys
        sys.stdout.write("first\\n" + "x" * 10_000_000 + "\\nlast")
        """
    )

    total = 10_000_000 + len("first\n\nlast")
    kept = 1024 * 1024
    assert len(told.of(OUT)) == total
    assert result.truncated
    assert result.stdout.startswith(b"first\nxxx")
    assert result.stdout.endswith(b"xxx\nlast")
    assert f"\n[... {total - kept} bytes omitted ...]\n".encode() in result.stdout
    assert result.aggregated == result.stdout
    assert max(len(piece) for _, piece in told.pieces) <= 8192


async def test_output_is_no_longer_told_after_the_limit_of_pieces_but_still_kept(
    sh, told, monkeypatch
):
    """A flood of events helps nobody; the bytes are there in the end."""
    monkeypatch.setattr(process, "_MAX_PIECES", 3)

    result = await sh("head -c 100000 /dev/zero; echo end >&2")

    assert len(told.pieces) == 3
    assert len(result.stdout) == 100_000
    assert result.stderr == b"end\n"


async def test_output_that_is_no_text_comes_through_unchanged(run, tmp_path):
    """Bytes stay bytes here; what to make of them is the reader's business."""
    data = bytes(range(256)) * 10
    (tmp_path / "binary").write_bytes(data)

    assert (await run("cat", "binary")).stdout == data


async def test_output_of_both_streams_shares_one_limit(sh):
    """Stderr gets two thirds at most when both are long."""
    result = await sh("head -c 3000 /dev/zero; head -c 3000 /dev/zero >&2", output_limit_bytes=900)

    assert result.aggregated.count(b"\0") == 900
    assert b"[... 2700 bytes omitted ...]" in result.aggregated
    assert b"[... 2400 bytes omitted ...]" in result.aggregated


# --- what is left behind


async def test_output_is_kept_when_something_left_behind_holds_the_pipe(sh, marked_env):
    """The command's end is the end; the drain is short, and what came is there."""
    began = trio.current_time()
    result = await sh("echo kept; sleep 1000 & exit 0")

    assert (result.exit_code, result.stdout) == (0, b"kept\n")
    assert 0.15 < trio.current_time() - began < 2
    assert marked_processes(marked_env[MARK]) == []


async def test_late_output_of_something_left_behind_is_kept(sh):
    """It comes within the drain."""
    result = await sh("(sleep 0.05; echo late) & echo early")

    assert result.stdout == b"early\nlate\n"


@pytest.mark.slow
async def test_endless_output_of_something_left_behind_ends_with_the_drain(sh):
    """Reading as fast as somebody writes must come to an end."""
    with trio.fail_after(5):
        result = await sh("yes & exit 0")

    assert result.stdout.startswith(b"y\ny\n")


@pytest.mark.parametrize(
    "leaving",
    [
        "setsid sleep 1000 &",
        "setsid sleep 1000 >/dev/null 2>&1 &",
        "(setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 &) &",
        "sh -c \"trap '' TERM HUP; while :; do sleep 1; done\" >/dev/null 2>&1 &",
        "setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" >/dev/null 2>&1 &",
        "(sleep 1000 & kill -STOP $!) >/dev/null 2>&1",
    ],
    ids=["setsid", "quiet", "double-fork", "stubborn", "stubborn-setsid", "stopped"],
)
async def test_nothing_a_command_leaves_behind_survives_it(sh, marked_env, leaving):
    """Whether it left the group, lost its parent, ignores SIGTERM or is stopped."""
    result = await sh(f"{leaving}\necho done")

    assert (result.exit_code, result.stdout) == (0, b"done\n")
    assert marked_processes(marked_env[MARK]) == []


@pytest.mark.slow
async def test_command_that_forks_all_the_time_is_ended(py, marked_env, told):
    """New processes are found as long as there are any, in the group and out of it."""
    with trio.fail_after(60):
        result = await py(
            """
            import os, time
            for number in range(8):
                if not os.fork():
                    if number % 2:
                        os.setsid()
                    while True:  # each generation forks the next and ends
                        if os.fork():
                            os._exit(0)
                        time.sleep(0.001)
            print("forked", flush=True)
            time.sleep(1000)
            """,
            timeout=0.5,
        )

    assert result.timed_out
    assert marked_processes(marked_env[MARK]) == []


# --- time


@pytest.mark.slow
async def test_command_that_runs_out_of_time_keeps_its_output(sh):
    """Its exit code is 124, and what it says on SIGTERM counts, too."""
    result = await sh(
        "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done", timeout=0.3
    )

    assert (result.exit_code, result.timed_out) == (124, True)
    assert result.stdout == b"hello\nbye\n"
    assert 0.3 <= result.duration < 2


@pytest.mark.slow
async def test_command_that_ignores_sigterm_is_killed_after_a_quarter_of_a_second(sh):
    """Patience is bounded."""
    began = trio.current_time()
    result = await sh("trap '' TERM; echo on; while :; do sleep 1; done", timeout=0.1)

    assert (result.exit_code, result.stdout) == (124, b"on\n")
    assert 0.35 <= trio.current_time() - began < 5


async def test_command_without_time_is_ended_at_once(sh):
    """A timeout of zero is a timeout, not "none"."""
    assert (await sh("sleep 1000", timeout=0)).timed_out


# --- cancellation


async def test_cancelled_command_is_gone_when_the_cancellation_goes_on(sh, told, marked_env):
    """With everything it started; its output until then is the caller's to keep."""
    output = ProcessOutput()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: sh("setsid sleep 1000 & sleep 1000 & echo on; wait", output=output)
        )
        await told.wait_for(b"on\n")
        began = trio.current_time()
        nursery.cancel_scope.cancel()

    assert trio.current_time() - began < 1  # without SIGTERM it would sleep on
    assert marked_processes(marked_env[MARK]) == []
    assert output.stdout == b"on\n"


@pytest.mark.slow
async def test_cancelled_command_that_ignores_sigterm_is_killed(sh, told, marked_env):
    """Within the quarter of a second and the blink that SIGKILL takes."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sh, "trap '' TERM; echo on; while :; do sleep 1; done")
        await told.wait_for(b"on\n")
        began = trio.current_time()
        nursery.cancel_scope.cancel()

    assert 0.25 <= trio.current_time() - began < 1.25  # as promised
    assert marked_processes(marked_env[MARK]) == []


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope just before the n-th step of the task that entered it."""

    scope: trio.CancelScope
    task: trio.lowlevel.Task
    left: int

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if not self.left:
                self.scope.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])
async def test_cancellation_at_any_step_leaves_nothing(marked_env, shared):
    """From before the launcher starts to the last clean-up: done, or gone."""

    async def attempt(step: int) -> bool:
        with trio.CancelScope() as scope:
            canceller = CancelAtStep(scope, trio.lowlevel.current_task(), step)
            trio.lowlevel.add_instrument(canceller)
            try:
                result = await run_process(
                    ["sh", "-c", "echo out; setsid sleep 1000 >/dev/null 2>&1 &"],
                    cwd="/",
                    env=marked_env,
                    timeout=5,
                    on_output=lambda _stream, _piece: None,
                )
            finally:
                trio.lowlevel.remove_instrument(canceller)
            assert result.stdout == b"out\n"
        assert marked_processes(marked_env[MARK]) == []
        return canceller.left <= 0

    step = 1
    if shared:
        async with open_launcher():
            while await attempt(step):
                step += 1
    else:
        while await attempt(step):
            step += 1

    assert step > 5


# --- failures


@pytest.mark.parametrize(
    ("argv", "cwd", "stage", "code", "text"),
    [
        (["no-such-thing"], "/", "exec", errno.ENOENT, "command not found: 'no-such-thing'"),
        (["/etc/passwd"], "/", "exec", errno.EACCES, "no permission to run '/etc/passwd'"),
        (["ls"], "/nowhere", "cwd", errno.ENOENT, "working directory '/nowhere' does not exist"),
        (
            ["ls"],
            "/etc/passwd",
            "cwd",
            errno.ENOTDIR,
            "working directory '/etc/passwd' is not a directory",
        ),
        (
            ["ls", "a\0b"],
            "/",
            "words",
            0,
            "'ls' cannot run: a word or variable has a forbidden character",
        ),
        (
            ["ls", "\ud800"],
            "/",
            "words",
            0,
            "'ls' cannot run: a word or variable has a forbidden character",
        ),
        (
            ["ls", "x" * 3_000_000],
            "/",
            "exec",
            errno.E2BIG,
            "'ls' did not start (exec): Argument list too long",
        ),
        ([""], "/", "exec", errno.ENOENT, "command not found: ''"),
    ],
    ids=["missing", "permission", "no cwd", "file as cwd", "nul", "surrogate", "long", "empty"],
)
async def test_command_that_cannot_start_says_why(  # noqa: PLR0917 -- one row of a table
    run, argv, cwd, stage, code, text
):
    """A typed error with the stage, the number and a clear text; nothing runs."""
    with pytest.raises(SpawnError) as caught:
        await run(*argv, cwd=cwd)

    assert (caught.value.stage, caught.value.code) == (stage, code)
    assert str(caught.value) == text


@pytest.mark.parametrize("env", [{"": "x"}, {"a=b": "x"}, {"a": "\0"}])
async def test_environment_that_no_process_can_have_is_refused(run, env):
    """Rather than passed on as something else."""
    with pytest.raises(SpawnError, match="forbidden character"):
        await run("true", env=env)


async def test_command_without_words_is_a_mistake_of_the_caller(run):
    """It has no program to blame."""
    with pytest.raises(ValueError, match="at least one word"):
        await run()


async def test_error_of_the_output_callback_ends_the_command(run, marked_env):
    """It is the caller's crash, and goes to the caller."""

    def crash(_stream: ExecOutputStream, _piece: bytes) -> None:
        raise LookupError("on purpose")

    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="on purpose")):
        await run("sh", "-c", "echo on; sleep 1000", on_output=crash)

    assert marked_processes(marked_env[MARK]) == []


async def test_no_free_file_descriptors_is_a_failed_start(run, monkeypatch):
    """And what was opened until then is closed again, as the fixture checks."""
    real = os.pipe
    calls = []

    def pipe() -> tuple[int, int]:
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.EMFILE, "too many")
        return real()

    monkeypatch.setattr(os, "pipe", pipe)

    with pytest.raises(SpawnError) as caught:
        await run("true")

    assert str(caught.value) == "'true' did not start (pipe): Too many open files"


async def test_program_without_an_interpreter_to_run_the_launcher_says_so(run, monkeypatch):
    """As in a program that embeds Python."""
    monkeypatch.setattr(sys, "executable", None)

    with pytest.raises(SpawnError) as caught:
        await run("true")

    assert (caught.value.stage, caught.value.code) == ("launcher", errno.ENOENT)


async def test_launcher_that_cannot_run_is_a_failed_start(run, monkeypatch):
    """Its error number is the reason."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with pytest.raises(SpawnError) as caught:
        await run("true")

    assert (caught.value.stage, caught.value.code) == ("launcher", errno.ENOENT)


# --- launcher and keeper


async def test_commands_share_a_launcher_while_one_is_held_open(marked_env):
    """Blocks nest and overlap; the last one to close ends it, and the next starts anew."""
    own = os.getpid()
    seen = []

    async def run_one() -> None:
        await run_process(["true"], cwd="/", env=marked_env, timeout=9, on_output=lambda *_: None)
        seen.append(children(own))

    async with open_launcher():
        assert children(own) == []
        async with open_launcher():
            await run_one()
        await run_one()
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(run_one)
    assert children(own) == []
    await run_one()

    first, *others = seen[:-1]
    assert len(first) == 1
    assert all(other == first for other in others)
    assert seen[-1] == []


async def test_launcher_that_was_killed_is_replaced(sh):
    """Nobody notices."""
    await sh("true")
    (before,) = children(os.getpid())
    kill(before)
    await wait_gone(before)

    result = await sh("echo on")

    assert result.stdout == b"on\n"
    assert children(os.getpid()) != [before]


async def test_running_command_does_not_need_the_launcher(sh, told, tmp_path):
    """Its keeper stands on its own."""
    results = []

    async with trio.open_nursery() as nursery:

        async def go() -> None:
            results.append(await sh("echo on; until [ -e go ]; do sleep 0.01; done; echo off"))

        nursery.start_soon(go)
        await told.wait_for(b"on\n")
        kill(children(os.getpid())[0])
        (tmp_path / "go").touch()

    assert (results[0].exit_code, results[0].stdout) == (0, b"on\noff\n")


async def test_command_whose_keeper_is_killed_goes_with_it(sh, told, marked_env):
    """It counts as killed itself."""
    results = []

    async with trio.open_nursery() as nursery:

        async def go() -> None:
            results.append(await sh("sleep 1000 & echo on; wait"))

        nursery.start_soon(go)
        await told.wait_for(b"on\n")
        (launcher,) = children(os.getpid())
        kill(children(launcher)[0])

    assert (results[0].exit_code, results[0].stdout) == (137, b"on\n")


async def test_launcher_that_dies_with_a_request_in_hand_fails_the_start(sh):
    """The command is not started twice, so it is not tried again; the next one runs."""
    await sh("true")
    (launcher,) = children(os.getpid())
    os.kill(launcher, signal.SIGSTOP)

    async with trio.open_nursery() as nursery:

        async def go() -> None:
            with pytest.raises(SpawnError, match="the process that starts commands ended"):
                await sh("true")

        nursery.start_soon(go)
        await trio.testing.wait_all_tasks_blocked()
        kill(launcher)

    assert (await sh("true")).exit_code == 0


async def test_launcher_that_does_not_end_is_killed(marked_env, monkeypatch):
    """Nobody waits for it longer than a moment."""
    monkeypatch.setattr(launcher_link, "_CLEAN_UP", 0.05)

    async with open_launcher():
        await run_process(["true"], cwd="/", env=marked_env, timeout=9, on_output=lambda *_: None)
        os.kill(children(os.getpid())[0], signal.SIGSTOP)

    assert children(os.getpid()) == []


async def test_cancellation_does_not_wait_for_ever_for_a_keeper(sh, told, monkeypatch, caplog):
    """What cannot be ended in time is left to the keeper, and said so."""
    monkeypatch.setattr(keeper_link, "STOP", 0.3)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sh, "echo on; sleep 1000")
        await told.wait_for(b"on\n")
        (launcher,) = children(os.getpid())
        (keeper,) = children(launcher)
        os.kill(keeper, signal.SIGSTOP)
        nursery.cancel_scope.cancel()

    (record,) = caplog.records
    assert "outlives SIGKILL; left to its keeper" in record.getMessage()
    os.kill(keeper, signal.SIGCONT)
    with trio.fail_after(5):
        await wait_gone(keeper)


@pytest.mark.slow
@pytest.mark.parametrize("forked", [False, True], ids=["alone", "with a forked copy"])
async def test_nothing_outlives_our_process_when_that_is_killed(marked_env, forked):
    """
    Not even what left its group and its parent, after SIGKILL and without a farewell.

    Nor when a copy of our process, forked without exec, still holds its sockets.
    """
    script = """
        import os, sys, time, trio
        from actors.tools.process import run_process

        told = b""

        def tell(stream, piece):
            global told
            told += piece
            if told.count(b"\\n") < 3:
                return
            copy = os.fork() if len(sys.argv) > 1 else os.getpid()
            if not copy:
                time.sleep(1000)
            os.write(1, told + b"%d\\n" % copy)

        async def main():
            command = "setsid sh -c 'echo $$; exec sleep 1000' & (sleep 1000 & echo $!) & echo $$; wait"
            await run_process(
                ["sh", "-c", command], cwd="/", env=dict(os.environ), timeout=1000, on_output=tell
            )

        trio.run(main)
    """
    root = str(Path(process.__file__).parents[2])
    env = {**marked_env, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    async with trio.open_nursery() as nursery:
        words = [sys.executable, "-c", textwrap.dedent(script), *(["fork"] if forked else [])]
        start = partial(trio.run_process, words, env=env, stdout=subprocess.PIPE, check=False)
        owner = await nursery.start(start)
        output = b""
        while output.count(b"\n") < 4:
            piece = await owner.stdout.receive_some()
            assert piece, "it ended early"
            output += piece
        *pids, copy = [int(line) for line in output.split()]
        assert all(map(is_alive, pids))

        owner.kill()
        with trio.fail_after(5):
            for pid in pids:
                await wait_gone(pid)
        if forked:
            kill(copy)

    with trio.fail_after(5):
        for line in marked_processes(marked_env[MARK]):  # launcher and keeper, on their way out
            await wait_gone(int(line.split()[0]))
