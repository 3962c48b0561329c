"""The check that every test leaves nothing behind."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import leaks

ROOT = Path(__file__).parents[1]

SLEEP = (sys.executable, "-c", "import sys, time; print(flush=True); time.sleep(100)")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "PATIENCE", 0.0)


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    """A child that runs."""
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.usefixtures("impatient")
def test_a_descriptor_is_found_with_what_it_is_open_on(tmp_path: Path) -> None:
    """Until it is closed."""
    before = leaks.look()
    fd = os.open(tmp_path, os.O_RDONLY)

    assert leaks.left_since(before) == [f"file descriptor {fd}: {tmp_path}"]

    os.close(fd)
    assert leaks.left_since(before) == []


@pytest.mark.usefixtures("impatient")
def test_the_descriptor_of_the_look_itself_hides_nothing() -> None:
    """The first descriptor behind a look has the number that the look had."""
    before = leaks.look()

    reader, writer = os.pipe()

    assert len(leaks.left_since(before)) == 2
    os.close(reader)
    os.close(writer)


@pytest.mark.usefixtures("impatient")
def test_a_child_is_found_with_its_command() -> None:
    """While it runs, and as long as nobody has waited for it."""
    before = leaks.look()
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        (pipe, child) = leaks.left_since(before)
        process.kill()
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        *_, ended = leaks.left_since(before)

    assert pipe.startswith("file descriptor ")
    assert child == f"process {process.pid}: {' '.join(SLEEP)}"
    assert ended.startswith(f"process {process.pid}: ")
    assert ended.endswith(" (ended, and nobody waited for it)")
    assert leaks.left_since(before) == []


@pytest.mark.usefixtures("impatient")
def test_a_process_that_has_lost_its_parent_is_found_by_its_mark() -> None:
    """Wherever it hangs in the tree."""
    before = leaks.look()
    script = 'sleep 100 >/dev/null 2>&1 & echo "$!"'
    orphan = int(subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE).stdout)

    left = leaks.left_since(before)
    os.kill(orphan, 9)

    assert left == [f"process {orphan}: sleep 100"]


@pytest.mark.usefixtures("impatient")
def test_processes_of_others_are_left_alone() -> None:
    """Without our mark and not below us, they have nothing to do with us."""
    before = leaks.look()
    script = 'sleep 100 >/dev/null 2>&1 & echo "$!"'
    ran = subprocess.run(
        ["sh", "-c", script], stdout=subprocess.PIPE, env={**os.environ, leaks.MARK: "1"}
    )

    left = leaks.left_since(before)
    os.kill(int(ran.stdout), 9)

    assert left == []


@pytest.mark.usefixtures("impatient")
def test_children_of_what_was_there_before_are_its_own_affair() -> None:
    """A server of a module may have workers."""
    script = 'read line; sleep 100 >/dev/null 2>&1 & echo "$!"; read line; kill "$!"'
    with subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        before = leaks.look()

        server.stdin.write(b"\n")
        worker = int(server.stdout.readline())

        assert Path(f"/proc/{worker}").exists()
        assert leaks.left_since(before) == []
        server.stdin.write(b"\n")


@pytest.mark.usefixtures("impatient")
def test_what_is_expected_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, sleeping: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A descriptor only as long as it is open on the same."""
    monkeypatch.setattr(leaks, "_expected", leaks._Expected())
    now = leaks.look()
    before = leaks.Snapshot(now.fds, now.pids - {sleeping.pid})
    leaks.expect(pids=[sleeping.pid])
    with leaks.expecting():
        fd = os.open(tmp_path, os.O_RDONLY)

    assert leaks.left_since(before) == []

    os.close(fd)
    assert os.open("/", os.O_RDONLY) == fd
    assert leaks.left_since(before) == [f"file descriptor {fd}: /"]
    os.close(fd)


@pytest.mark.usefixtures("impatient")
def test_garbage_is_collected_before_it_is_judged(tmp_path: Path) -> None:
    """A cycle would have gone by itself."""

    class Holder:
        def __init__(self) -> None:
            self.me = self
            self.fd = os.open(tmp_path, os.O_RDONLY)

        def __del__(self) -> None:
            os.close(self.fd)

    gc.disable()
    try:
        before = leaks.look()
        Holder()

        assert leaks.look().fds != before.fds
        assert leaks.left_since(before) == []
    finally:
        gc.enable()


def test_what_is_about_to_end_has_a_moment() -> None:
    """The system, too, needs time to clear away."""
    before = leaks.look()
    subprocess.run(["sh", "-c", "sleep 0.05 >/dev/null 2>&1 &"], check=True)

    assert leaks.left_since(before) == []


TESTS = """
import os, subprocess, sys
import pytest, trio
from tests import leaks

leaks.PATIENCE = 0.1

def test_good():
    pass

def test_opens():
    os.open("/", os.O_RDONLY)

async def test_starts():
    await trio.lowlevel.open_process(["sleep", "100"])

def test_starts_and_forgets():
    subprocess.run(["sh", "-c", "sleep 100 >/dev/null 2>&1 &"])

@pytest.mark.leaves("it is to")
def test_is_allowed_to():
    os.open("/", os.O_RDONLY)
"""


@pytest.mark.slow
def test_a_test_that_leaves_something_behind_fails(tmp_path: Path) -> None:
    """With what it is, whether the test is synchronous or not; the others pass."""
    (tmp_path / "test_these.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    summary = [line for line in ran.stdout.splitlines() if line.startswith("ERROR ")]
    pids = {  # told twice where pytest does not shorten its summary
        line.split()[1].rstrip(":")
        for line in ran.stdout.splitlines()
        if "sleep 100" in line and line.strip().startswith("process")
    }
    for pid in pids:
        os.kill(int(pid), 9)

    assert [line.split(" - ")[0].partition("::")[2] for line in summary] == [
        "test_opens",
        "test_starts",
        "test_starts_and_forgets",
    ]
    assert "5 passed, 3 errors" in ran.stdout
    assert len(pids) == 2
