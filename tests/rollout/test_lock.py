"""One writer, also across processes."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.rollout import Files, RolloutLocked
from actors.rollout.lock import find_holder, lock_file

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that holds the lock until it is killed or the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rollout.jsonl"
    path.touch()
    return path


def test_second_opener_in_another_process_is_told_who_holds_it(path: Path) -> None:
    """The error names the holder's process id and the file; a dead holder's lock is free."""
    with other_process(path) as holder:
        with pytest.raises(RolloutLocked) as caught:
            Files().open(path)
        assert caught.value.holder == holder.pid
        assert not caught.value.same_process
        assert str(holder.pid) in str(caught.value)
        assert str(path) in str(caught.value)

        holder.kill()
        holder.wait()

        os.close(Files().open(path))


def test_second_opener_in_the_same_process_is_told_so(path: Path) -> None:
    """The lock belongs to the open file, not to the process."""
    fd = Files().open(path)
    try:
        with pytest.raises(RolloutLocked, match="of this process") as caught:
            Files().open(path)
        assert caught.value.holder == os.getpid()
        assert caught.value.same_process
    finally:
        os.close(fd)
    os.close(Files().open(path))


def test_children_do_not_inherit_the_lock(path: Path) -> None:
    """A command that outlives its thread must not keep the rollout locked."""
    fd = Files().open(path)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        os.close(fd)
        os.close(Files().open(path))
        child.kill()


def test_holder_is_unknown_when_the_system_does_not_list_it(path: Path, tmp_path: Path) -> None:
    """No list, no entry and an entry of another namespace all mean: not known."""
    fd = Files().open(path)
    try:
        assert find_holder(fd) == os.getpid()
        assert find_holder(fd, tmp_path / "missing") is None
        status = os.fstat(fd)
        file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        locks = tmp_path / "locks"
        locks.write_text(
            f"1: POSIX  ADVISORY  WRITE 11 {file} 0 EOF\n"
            "2: FLOCK\n"
            f"3: FLOCK  ADVISORY  WRITE 0 {file} 0 EOF\n"
            "4: FLOCK  ADVISORY  WRITE 12 00:00:1 0 EOF\n"
        )
        assert find_holder(fd, locks) is None
        locks.write_text(f"5: FLOCK  ADVISORY  WRITE 13 {file} 0 EOF\n")
        assert find_holder(fd, locks) == 13
    finally:
        os.close(fd)


def test_unknown_holder_is_another_process() -> None:
    """The text does not pretend to know."""
    error = RolloutLocked(Path("x"), None, same_process=False)
    assert "by another process;" in str(error)


def test_file_system_without_locks_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lock there is no single writer, so the file is not used and not left open."""

    def refuse(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    fd = os.open(path, os.O_RDWR)

    with pytest.raises(OSError, match="No locks available"):
        lock_file(fd, path)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    new = path.with_name("new.jsonl")
    with pytest.raises(OSError, match="No locks available"):
        Files().create(new)
    assert not new.exists()


def test_file_that_was_created_is_locked_before_anybody_else_has_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who opens a new file before its maker locked it wins; it counts as existing."""

    def taken(_fd: int, _how: int) -> None:
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", taken)
    with pytest.raises(FileExistsError):
        Files().create(path.with_name("new.jsonl"))


def test_file_that_moves_while_it_is_locked_counts_as_missing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opened a rollout that was archived in this instant must not write to it there."""
    flock = fcntl.flock

    def move_and_lock(fd: int, how: int) -> None:
        path.rename(path.with_name("archived.jsonl"))
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", move_and_lock)
    with pytest.raises(FileNotFoundError):
        Files().open(path)
