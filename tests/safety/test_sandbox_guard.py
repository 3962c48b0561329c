"""How the guard of a sandbox holds places, without a sandbox."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.safety import sandbox_guard

SOURCE = Path(sandbox_guard.__file__).read_text()
IMPATIENT = SOURCE.replace("_TRIES: Final = 500", "_TRIES: Final = 3")


def guard(
    *held: str, command: tuple[str, ...] = ("/bin/echo", "ran")
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPATIENT, str(len(held)), *held, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_place_is_held_while_the_command_runs_and_free_afterwards(tmp_path):
    """By a folder that is known again."""
    place = tmp_path / ".git"

    run = guard("absent", str(place), "", command=("/bin/ls", "-ld", str(place)))

    assert run.stdout.startswith("drwxr-xr-t")
    assert run.returncode == 0
    assert not place.exists()


ORPHAN = """
import os, sys, time
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    pass
for _ in range(20):
    if not os.path.exists(sys.argv[1]):
        print("gone")
    time.sleep(0.01)  # so long a guard that does not wait would have had to take it away
print("ended")
"""


@pytest.mark.slow
def test_place_is_held_until_the_last_process_has_ended(tmp_path):
    """Bubblewrap ends a moment before the last of those in the sandbox."""
    place = f"{tmp_path}/.git"

    run = guard("absent", place, "", command=(sys.executable, "-c", ORPHAN, place))

    assert run.stdout == "ended\n"
    assert not Path(place).exists()


def test_folder_left_by_a_killed_guard_is_taken_away(tmp_path):
    """Only when nothing is in it."""
    place = tmp_path / ".git"
    place.mkdir()
    place.chmod(0o1755)
    assert sandbox_guard.is_ours(place.stat())

    (place / "x").touch()
    assert guard("absent", str(place), "").stdout == "ran\n"
    assert place.exists()
    (place / "x").unlink()
    assert guard("absent", str(place), "").stdout == "ran\n"
    assert not place.exists()


def test_folder_of_somebody_else_is_kept(tmp_path):
    """Even an empty one that came meanwhile."""
    place = tmp_path / ".git"
    place.mkdir()
    assert not sandbox_guard.is_ours(place.stat())

    assert guard("absent", str(place), "").stdout == "ran\n"

    assert place.exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_nothing_runs_when_a_place_cannot_be_held(tmp_path, kind):
    """What lies there came after the sandbox was planned."""
    place = tmp_path / ".git"
    if kind == "file":
        place.touch()
    else:
        place.symlink_to(tmp_path if kind == "link" else "missing")

    run = guard("absent", str(tmp_path / ".codex"), "", "absent", str(place), "")

    assert (run.returncode, run.stdout) == (126, "")
    assert run.stderr.startswith(f"sandbox: {place}: ")
    assert not (tmp_path / ".codex").exists()


def test_nothing_runs_when_somebody_never_lets_go(tmp_path):
    """A command can lock what it sees; that keeps others from running, not from safety."""
    place = tmp_path / ".git"
    place.mkdir()
    fd = os.open(place, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)

    run = guard("absent", str(place), "")

    os.close(fd)
    assert (run.returncode, run.stdout) == (126, "")
    assert "somebody else holds it" in run.stderr


def test_place_where_nobody_can_create_anything_needs_no_holding(tmp_path):
    """The command could not, either."""
    assert guard("absent", f"{tmp_path}/missing/.git", "").stdout == "ran\n"
    (tmp_path / "file").touch()
    assert guard("absent", f"{tmp_path}/file/.git", "").stdout == "ran\n"


def test_link_that_is_as_it_was_is_left_alone(tmp_path):
    """And one that is gone comes back, whatever was put in its place."""
    link = tmp_path / ".codex"
    link.symlink_to("--")

    assert guard("link", str(link), "--").stderr == ""
    run = guard("link", str(link), "--", command=("/bin/rm", str(link)))

    assert link.readlink() == Path("--")
    assert "it was put back" in run.stderr


def test_program_that_cannot_be_started_is_told(tmp_path):
    """The guard itself is not at fault."""
    run = guard("absent", f"{tmp_path}/.git", "", command=("/no/such/bwrap",))

    assert run.returncode == 126
    assert run.stderr == "sandbox: /no/such/bwrap: No such file or directory\n"
    assert not (tmp_path / ".git").exists()
