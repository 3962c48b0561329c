"""What starts commands, and what keeps them: nothing outlives us, whoever of them dies."""

import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from actors.tools import SpawnError, keeper_link, launcher_link, open_launcher, process, run_process
from tests.waiting import PATIENCE

from .processes import MARK, children, is_alive, kill, marked_processes, wait_gone

pytestmark = pytest.mark.usefixtures("nothing_left")


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
    with trio.fail_after(PATIENCE):
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
        with trio.fail_after(PATIENCE):
            for pid in pids:
                await wait_gone(pid)
        if forked:
            kill(copy)

    with trio.fail_after(PATIENCE):
        for line in marked_processes(marked_env[MARK]):  # launcher and keeper, on their way out
            await wait_gone(int(line.split()[0]))
