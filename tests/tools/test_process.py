"""Commands run to their end: what comes of them, what they say, and how long they may take."""

import errno
import math
import os
import signal
import sys
import textwrap

import attrs
import pytest
import trio
import trio.testing

from actors.tools import ProcessResult, SpawnError, process, run_process
from messages.events import ExecOutputStream

from .process_stage import ERR, OUT
from .processes import MARK, marked_processes

pytestmark = pytest.mark.usefixtures("nothing_left")


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


async def test_command_ignores_no_signal_that_our_starter_lets_us_ignore(
    marked_env, tmp_path, told
):
    """A shell starts what it runs in the background with SIGINT and SIGQUIT ignored, nohup SIGHUP."""
    quiet = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in quiet}
    try:
        result = await run_process(
            ("grep", "SigIgn", "/proc/self/status"),
            timeout=math.inf,
            cwd=str(tmp_path),
            env=marked_env,
            on_output=told,
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    assert int(result.stdout.split()[1], 16) == 0


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


# --- time


@pytest.mark.slow
async def test_command_that_runs_out_of_time_keeps_its_output(sh):
    """Its exit code is 124, and what it says on SIGTERM counts, too."""
    result = await sh(
        "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done", timeout=0.3
    )

    assert (result.exit_code, result.timed_out) == (124, True)
    assert result.stdout == b"hello\nbye\n"
    assert result.duration >= 0.3


@pytest.mark.slow
async def test_command_that_ignores_sigterm_is_killed_after_a_quarter_of_a_second(sh):
    """Patience is bounded."""
    began = trio.current_time()
    result = await sh("trap '' TERM; echo on; while :; do sleep 1; done", timeout=0.1)

    assert (result.exit_code, result.stdout) == (124, b"on\n")
    assert trio.current_time() - began >= 0.35


async def test_command_without_time_is_ended_at_once(sh):
    """A timeout of zero is a timeout, not "none"."""
    assert (await sh("sleep 1000", timeout=0)).timed_out


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
