"""Whether commands can be put into a sandbox: tried once, and only when somebody asks."""

import os

import pytest
import trio

from actors.safety import Bubblewrap, NoSandbox, find_bubblewrap
from actors.tools import open_launcher, sandbox_probe
from actors.tools.sandbox_probe import SandboxProbe

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Put a program of ours into the place of bubblewrap; each run of it leaves a line."""
    program = tmp_path / "bwrap"

    def install(script: str) -> None:
        program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sandbox_probe, "find_bubblewrap", lambda _path: str(program))

    return install


@pytest.fixture
def runs(tmp_path):
    return lambda: (tmp_path / "runs").read_text().count("run\n")


async def test_probe_finds_what_works_on_this_machine(marked_env):
    """The real one, if there is one."""
    program = find_bubblewrap(os.environ["PATH"])
    tool = await SandboxProbe(marked_env).tool()

    match tool:
        case Bubblewrap():
            assert tool.program == program
        case NoSandbox():
            assert "bubblewrap" in tool.reason


async def test_without_bubblewrap_there_is_no_sandbox(tmp_path):
    """PATH has it nowhere; the reason names what is missing."""
    tool = await SandboxProbe({"PATH": str(tmp_path)}).tool()

    assert tool == NoSandbox("bubblewrap (bwrap) is not installed where PATH says")


async def test_bubblewrap_that_fails_is_no_sandbox_and_says_why(stub, marked_env):
    """In its own words, the first line of them."""
    stub("echo 'bwrap: No permissions to create new namespace' >&2; echo more >&2; exit 1")

    tool = await SandboxProbe(marked_env).tool()

    assert tool == NoSandbox(
        "bubblewrap cannot build a sandbox here (bwrap: No permissions to create new namespace)"
    )


async def test_bubblewrap_that_fails_silently_is_told_by_its_exit_code(stub, marked_env):
    """There is always a reason."""
    stub("exit 3")

    tool = await SandboxProbe(marked_env).tool()

    assert tool == NoSandbox("bubblewrap cannot build a sandbox here (exit code 3)")


async def test_bubblewrap_that_hangs_is_no_sandbox(stub, marked_env, monkeypatch):
    """A command must not wait for it forever."""
    monkeypatch.setattr(sandbox_probe, "_PATIENCE", 0.05)
    stub("exec sleep 1000")

    tool = await SandboxProbe(marked_env).tool()

    assert tool == NoSandbox("bubblewrap built no sandbox within 0 s")


async def test_bubblewrap_that_cannot_start_is_no_sandbox(tmp_path, marked_env, monkeypatch):
    """It may be gone since it was found."""
    monkeypatch.setattr(sandbox_probe, "find_bubblewrap", lambda _path: str(tmp_path / "gone"))

    tool = await SandboxProbe(marked_env).tool()

    assert tool == NoSandbox(f"bubblewrap does not run here: command not found: '{tmp_path}/gone'")


async def test_everybody_who_asks_waits_for_one_try(stub, runs, marked_env):
    """However many commands start at once."""
    stub("exit 0")
    probe = SandboxProbe(marked_env)
    found: list[object] = []

    async def ask() -> None:
        found.append(await probe.tool())

    async with open_launcher(), trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)

    assert [type(tool) for tool in found] == [Bubblewrap] * 10
    assert await probe.tool() is found[0]
    assert runs() == 1


async def test_try_that_is_broken_off_is_made_again_for_those_who_wait(
    stub, runs, marked_env, tmp_path
):
    """An interrupted turn takes no sandbox from the others."""
    os.mkfifo(tmp_path / "gate")
    stub(f"test -e {tmp_path}/go || exec cat {tmp_path}/gate")
    probe = SandboxProbe(marked_env)
    found: list[object] = []

    async def ask(task_status=trio.TASK_STATUS_IGNORED) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            found.append(await probe.tool())

    async with open_launcher(), trio.open_nursery() as nursery:
        scope = await nursery.start(ask)
        # Opening waits until the first try reads.
        end = await trio.to_thread.run_sync(os.open, tmp_path / "gate", os.O_WRONLY)
        nursery.start_soon(ask)
        (tmp_path / "go").touch()
        scope.cancel()
    os.close(end)

    assert [type(tool) for tool in found] == [Bubblewrap]
    assert runs() == 2


def test_probe_runs_nothing_before_somebody_asks(stub, tmp_path):
    """Building one is free: it is on the way of every start."""
    stub("exit 0")

    SandboxProbe({"SECRET": "1"})

    assert not (tmp_path / "runs").exists()
    assert "SECRET" not in repr(SandboxProbe({"SECRET": "1"}))
