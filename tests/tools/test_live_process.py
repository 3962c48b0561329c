"""Processes that we talk to: a terminal or a pipe, and nothing of them is left."""

import contextlib
import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.tools import SpawnError, keeper_link, open_launcher
from actors.tools.live_process import LiveProcess, open_live_process
from tests.waiting import PATIENCE

from .processes import MARK, children, is_alive, kill, marked_processes, wait_gone

pytestmark = pytest.mark.usefixtures("nothing_left")

BOTH = pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])


@pytest.fixture
async def launcher() -> AsyncIterator[None]:
    """One launcher for all processes of a test, as in a long-running program."""
    async with open_launcher():
        yield


@pytest.fixture
def start(launcher, marked_env, tmp_path):
    def start(*argv: str, tty: bool = True, **options: object):
        options = {"cwd": str(tmp_path), "env": marked_env, **options}
        return open_live_process(argv, tty=tty, **options)

    return start


@pytest.fixture
def sh(start):
    return lambda script, **options: start("sh", "-c", script, **options)


@pytest.fixture
def py(start):
    def py(script: str, **options: object):
        return start(sys.executable, "-I", "-S", "-c", textwrap.dedent(script), **options)

    return py


async def read_until(process: LiveProcess, text: bytes) -> bytes:
    """Read until this came, or the end."""
    output = b""
    with trio.fail_after(10):
        while text not in output and (piece := await process.receive()):
            output += piece
    assert text in output, output
    return output


async def read_all(process: LiveProcess) -> bytes:
    output = b""
    with trio.fail_after(10):
        while piece := await process.receive():
            output += piece
    return output


# --- what it finds


async def test_process_with_a_terminal_leads_a_session_on_it(py):
    """All three standard streams are the terminal, which is its controlling one, 80 by 24."""
    script = """
        import os
        print([os.ttyname(number) for number in range(3)] == [os.ttyname(0)] * 3)
        print(os.getsid(0) == os.getpid() == os.tcgetpgrp(0), os.get_terminal_size())
        os.write(os.open("/dev/tty", os.O_RDWR), b"the same\\n")
        print(sorted(os.listdir("/proc/self/fd"))[:-1])
    """
    async with py(script) as process:
        output = await read_all(process)
        code = await process.wait()

    assert (code, output.decode().splitlines()) == (
        0,
        [
            "True",
            "True os.terminal_size(columns=80, lines=24)",
            "the same",
            "['0', '1', '2', '3']",
        ],
    )


async def test_process_with_a_pipe_has_no_input_and_one_stream(sh):
    """What it writes to both streams comes in its order."""
    async with sh("cat; for n in 1 2 3; do echo out; echo err >&2; done; exit 3", tty=False) as it:
        output = await read_all(it)
        code = await it.wait()

    assert (code, output) == (3, b"out\nerr\n" * 3)


@BOTH
async def test_process_starts_with_the_usual_signals_and_exactly_its_variables(
    start, marked_env, tty
):
    """Nothing of what the launcher ignores, nothing of our own."""
    async with start("cat", "/proc/self/status", tty=tty) as process:
        status = (await read_all(process)).decode()
    async with start("env", "-0", tty=tty) as process:
        entries = set((await read_all(process)).split(b"\0")) - {b""}

    masks = dict(line.split(":\t") for line in status.splitlines() if "Sig" in line)
    assert int(masks["SigIgn"], 16) == 0
    assert int(masks["SigBlk"], 16) == 0
    assert entries == {f"{name}={value}".encode() for name, value in marked_env.items()}


@BOTH
async def test_process_that_cannot_start_says_why(start, tty):
    """As commands do that run to their end."""
    with pytest.raises(SpawnError, match="command not found: 'no-such-thing'"):
        async with start("no-such-thing", tty=tty):
            pytest.fail("it started")
    with pytest.raises(SpawnError, match="working directory '/nowhere' does not exist"):
        async with start("true", tty=tty, cwd="/nowhere"):
            pytest.fail("it started")
    with pytest.raises(ValueError, match="at least one word"):
        async with start(tty=tty):
            pytest.fail("it started")


async def test_no_free_terminals_is_a_failed_start(start, monkeypatch):
    """And the control socket is closed again, as the fixture checks."""

    def openpty():
        raise OSError(errno.ENOSPC, "none left")

    monkeypatch.setattr(os, "openpty", openpty)

    with pytest.raises(SpawnError, match=r"'true' did not start \(pipe\)"):
        async with start("true"):
            pytest.fail("it started")


# --- talking


async def test_what_is_typed_arrives_and_control_characters_do_their_work(start):
    """A line is read, an interrupt interrupts the process in front, an end of input ends it."""
    async with start("sh", "-c", "read line; echo got $line; cat; echo after; sleep 1000") as it:
        await it.write(b"hello\n")
        await read_until(it, b"got hello")
        await it.write(b"echoed\n\x04")
        await read_until(it, b"after")
        code = await interrupted(it)

    assert code == 130


async def interrupted(it: LiveProcess) -> int:
    """
    Type an interrupt, and again until the process ends.

    A shell that is just starting its next program loses one.
    """
    with trio.fail_after(PATIENCE):
        while True:
            await it.write(b"\x03")
            with trio.move_on_after(0.2):
                return await it.wait()


async def test_interrupt_reaches_the_process_in_front_only(start):
    """A shell with jobs survives it."""
    async with start("bash", "--norc", "--noprofile", "-i") as process:
        await process.write(b"sh -c 'echo in front; exec sleep 1000'; echo status $?\n")
        await read_until(process, b"\nin front")
        await process.write(b"\x03")
        await read_until(process, b"^C")
        await process.write(b"echo alive $((6 * 7))\n")
        await read_until(process, b"alive 42")
        await process.write(b"exit 5\n")
        code = await process.wait()

    assert code == 5


async def test_other_tasks_type_while_its_own_reads(start):
    """Each line whole, since writers wait for each other."""
    lines = [bytes([letter]) * 200 + b"\n" for letter in b"abcdefgh"]
    async with start("sh", "-c", "stty -echo; echo ready; exec cat") as process:
        await read_until(process, b"ready")
        async with trio.open_nursery() as nursery:
            for line in lines:
                nursery.start_soon(process.write, line)
            output = b""
            while output.count(b"\n") < len(lines):
                output += await process.receive()
        await process.write(b"\x04")
        await read_all(process)

    assert sorted(output.split(b"\r\n")[:-1]) == [line.strip() for line in lines]


async def test_typing_into_what_reads_nothing_waits_and_can_be_cancelled(start):
    """The terminal takes what it has room for; the process is not harmed."""
    async with start("sh", "-c", "stty raw -echo; echo ready; sleep 1000") as process:
        await read_until(process, b"ready")
        with trio.move_on_after(0.1) as patience:
            await process.write(b"x" * 1_000_000)
        assert patience.cancelled_caught
        assert is_alive(process.pid)


async def test_process_without_a_terminal_takes_no_input(sh):
    """It is a mistake of the caller, and said so."""
    async with sh("sleep 1000", tty=False) as process:
        with pytest.raises(trio.ClosedResourceError, match="has no input"):
            await process.write(b"x")


async def test_output_after_the_terminal_was_closed_and_opened_again_is_read(sh):
    """The end of the output is the end of the process, not a pause."""
    script = "exec </dev/null >/dev/null 2>&1; sleep 0.05; echo late >/dev/tty"
    async with sh(script) as process:
        output = await read_all(process)
        code = await process.wait()

    assert (code, output) == (0, b"late\r\n")


@pytest.mark.slow
async def test_short_output_is_never_lost(sh):
    """However soon the process ends after it."""
    for _ in range(50):
        async with sh("echo out") as process:
            assert await read_all(process) == b"out\r\n"


@pytest.mark.slow
async def test_flood_through_a_terminal_comes_whole(py):
    """5 MB, as fast as they come."""
    script = """
        import os, tty
        tty.setraw(1)
        for _ in range(5000):
            os.write(1, b"x" * 1000)
    """
    size = 0
    async with py(script) as process:
        with trio.fail_after(20):
            while piece := await process.receive():
                size += len(piece)

    assert size == 5_000_000


# --- nothing is left


LEAVING = {
    "child": "sleep 1000 &",
    "setsid": "setsid sleep 1000 &",
    "quiet": "setsid sleep 1000 >/dev/null 2>&1 </dev/null &",
    "stubborn": "(trap '' TERM HUP INT; while :; do sleep 1; done) &",
    "stubborn-setsid": "setsid sh -c \"trap '' TERM HUP; while :; do sleep 1; done\" &",
    "stopped": "setsid sleep 1000 & kill -STOP $!;",
}


@BOTH
@pytest.mark.slow
@pytest.mark.parametrize("leaving", LEAVING.values(), ids=LEAVING)
async def test_nothing_that_a_process_leaves_behind_survives_its_block(
    sh, marked_env, leaving, tty
):
    """Although it holds the terminal or the pipe, left the session, or heeds no signal."""
    async with sh(f"{leaving} echo done; sleep 0.02; exit 4", tty=tty) as process:
        await read_until(process, b"done")
        with trio.fail_after(PATIENCE):
            code = await process.wait()

    assert code == 4
    assert marked_processes(marked_env[MARK]) == []


@BOTH
@pytest.mark.slow
async def test_process_that_ignores_all_signals_it_can_is_killed(sh, marked_env, tty):
    """After a quarter of a second, when its block is left."""
    async with sh("trap '' TERM HUP INT QUIT; echo on; while :; do sleep 1; done", tty=tty) as it:
        await read_until(it, b"on")
        began = trio.current_time()

    assert trio.current_time() - began >= 0.25
    assert marked_processes(marked_env[MARK]) == []


@BOTH
@pytest.mark.slow
async def test_process_that_forks_all_the_time_is_ended(py, marked_env, tty):
    """In its session and out of it; each generation forks the next and ends."""
    script = """
        import os, time
        for number in range(20):
            if not os.fork():
                if number % 2:
                    os.setsid()
                while True:
                    if os.fork():
                        os._exit(0)
                    time.sleep(0.001)
        print("forked", flush=True)
        time.sleep(1000)
    """
    with trio.fail_after(10):
        async with py(script, tty=tty) as process:
            await read_until(process, b"forked")

    assert marked_processes(marked_env[MARK]) == []


@BOTH
async def test_stopped_process_tells_its_last_words(sh, tty):
    """The output goes on while it is ended, and its end is awaited."""
    async with sh(
        "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.01; done", tty=tty
    ) as it:
        await read_until(it, b"on")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.stop)
            await read_until(it, b"bye")
        pid = it.pid
        assert not is_alive(pid)
        await it.stop()  # again, at once


@BOTH
async def test_process_that_kills_its_keeper_goes_with_it(sh, marked_env, tty):
    """It counts as killed itself; not even what left its session gets away by that."""
    script = "(setsid sh -c 'echo on; exec sleep 1000' &); sleep 1000"
    async with sh(script, tty=tty) as process:
        await read_until(process, b"on")
        (launcher,) = children(os.getpid())
        lines = marked_processes(marked_env[MARK])
        kill(children(launcher)[0])
        with trio.fail_after(PATIENCE):
            code = await process.wait()
        with trio.fail_after(PATIENCE):
            for line in lines:
                await wait_gone(int(line.split()[0]))

    assert code == 137
    assert len(lines) >= 2


@BOTH
async def test_running_process_does_not_need_the_launcher(sh, tty, tmp_path):
    """Its keeper stands on its own."""
    async with sh("echo on; until [ -e go ]; do sleep 0.01; done; echo off", tty=tty) as process:
        await read_until(process, b"on")
        kill(children(os.getpid())[0])
        (tmp_path / "go").touch()
        await read_until(process, b"off")
        assert await process.wait() == 0


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope just before the n-th step of the task that entered it."""

    def __init__(self, scope: trio.CancelScope, left: int) -> None:
        self.scope, self.left = scope, left
        self.task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if not self.left:
                self.scope.cancel()


@BOTH
@pytest.mark.slow
async def test_cancellation_at_any_step_leaves_nothing(sh, marked_env, tty):
    """From the first step to the last: it ran to its end, or it is gone."""
    step, done = 0, False
    while not done:
        step += 1
        with trio.CancelScope() as scope:
            canceller = CancelAtStep(scope, step)
            trio.lowlevel.add_instrument(canceller)
            try:
                async with sh("echo out; setsid sleep 1000 >/dev/null 2>&1 &", tty=tty) as process:
                    await process.receive()
                    await process.wait()
            finally:
                trio.lowlevel.remove_instrument(canceller)
        done = canceller.left > 0
        assert marked_processes(marked_env[MARK]) == []

    assert step > 5


@pytest.mark.slow
@BOTH
async def test_nothing_outlives_our_process_when_that_is_killed(marked_env, tty):
    """Not even what left its session and its parent, after SIGKILL and without a farewell."""
    script = f"""
        import os, trio
        from actors.tools.live_process import open_live_process

        async def main():
            command = "setsid sh -c 'echo $$; exec sleep 1000' & (sleep 1000 & echo $!) & echo $$; wait"
            async with open_live_process(
                ["sh", "-c", command], cwd="/", env=dict(os.environ), tty={tty}
            ) as process:
                output = b""
                while output.count(b"\\n") < 3:
                    output += await process.receive()
                os.write(1, output)
                await trio.sleep_forever()

        trio.run(main)
    """
    root = str(Path(keeper_link.__file__).parents[2])
    env = {**marked_env, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    async with trio.open_nursery() as nursery:
        words = [sys.executable, "-c", textwrap.dedent(script)]
        run = partial(trio.run_process, words, env=env, stdout=subprocess.PIPE, check=False)
        owner = await nursery.start(run)
        output = b""
        while output.count(b"\n") < 3:
            piece = await owner.stdout.receive_some()
            assert piece, "it ended early"
            output += piece
        pids = [int(line) for line in output.split()]
        assert all(map(is_alive, pids))

        owner.kill()
        with trio.fail_after(PATIENCE):
            for pid in pids:
                await wait_gone(pid)

    with trio.fail_after(PATIENCE):
        for line in marked_processes(marked_env[MARK]):  # launcher and keeper, on their way out
            with contextlib.suppress(ProcessLookupError):
                await wait_gone(int(line.split()[0]))
