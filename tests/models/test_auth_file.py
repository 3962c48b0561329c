"""The file of the login: real files, modes and locks."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.models import CredentialsError
from actors.models import auth_file as module
from actors.models.auth_file import AuthFile
from actors.models.auth_stored import StoredAuth
from tests.models.logins import chatgpt, write_login
from tests.waiting import PATIENCE

KEY = StoredAuth.of_key("sk-1")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def file(tmp_path: Path) -> AuthFile:
    return AuthFile(tmp_path / "auth.json")


def test_missing_file_is_no_login(file: AuthFile) -> None:
    """Nothing is made by looking."""
    assert file.read() is None
    assert not file.remove()
    assert list(file.path.parent.iterdir()) == []


def test_what_codex_wrote_is_read(file: AuthFile) -> None:
    """Its time stamps have nine places."""
    write_login(file.path.parent)

    stored = file.read()

    assert stored is not None
    assert stored.credentials == chatgpt()
    assert stored.last_refresh == pytest.approx(1_767_225_600.123456)


def test_file_is_for_its_owner_only_whatever_it_was_before(file: AuthFile) -> None:
    """Also where the umask allows more, and nothing else is left."""
    file.path.write_text("{}")
    file.path.chmod(0o644)
    old = os.umask(0)
    try:
        file.write(KEY)
    finally:
        os.umask(old)

    assert file.read() == KEY
    assert mode_of(file.path) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["auth.json"]


def test_file_is_replaced_as_a_whole(file: AuthFile) -> None:
    """Whoever has the old one open reads that to its end."""
    write_login(file.path.parent)
    with file.path.open("rb") as old:
        file.write(KEY)

        assert b"access-token-1" in old.read()


def test_failed_write_leaves_the_old_file_and_no_other(
    file: AuthFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in a forgotten file would be worse than none."""
    file.write(KEY)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.write(StoredAuth.of_key("sk-2"))

    assert file.read() == KEY
    assert [path.name for path in file.path.parent.iterdir()] == ["auth.json"]


def test_leftover_of_a_writer_that_died_is_in_nobodys_way(file: AuthFile) -> None:
    """It is taken away by the next writer, and by a logout."""
    leftover = file.path.with_name("auth.json.new")
    leftover.write_text("secret")
    file.write(KEY)
    assert not leftover.exists()

    leftover.write_text("secret")
    assert file.remove()
    assert list(file.path.parent.iterdir()) == []


def test_link_stays_a_link_and_is_removed_with_its_target(tmp_path: Path) -> None:
    """People keep their settings elsewhere; a logout must not leave the secret there."""
    real, home = tmp_path / "real", tmp_path / "home"
    real.mkdir()
    home.mkdir()
    (home / "auth.json").symlink_to(real / "auth.json")
    file = AuthFile(home / "auth.json")

    file.write(KEY)

    assert file.path.is_symlink()
    assert AuthFile(real / "auth.json").read() == KEY
    assert file.remove()
    assert list(real.iterdir()) == list(home.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "pipe", "huge", "loop"])
def test_file_that_cannot_be_read_is_no_logout(file: AuthFile, kind: str) -> None:
    """It says what is wrong, and reading a pipe does not wait for a writer."""
    match kind:
        case "folder":
            file.path.mkdir()
        case "pipe":
            os.mkfifo(file.path)
        case "huge":
            file.path.write_bytes(b" " * (1024 * 1024 + 1))
        case _:
            file.path.symlink_to(file.path)

    with pytest.raises(CredentialsError, match="it cannot be read: "):
        file.read()


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> trio.Event:
    """Set as soon as somebody has found the lock taken."""
    found, try_lock = trio.Event(), AuthFile._try_lock

    def trying(file: AuthFile, fd: int) -> bool:
        if try_lock(file, fd):
            return True
        found.set()
        return False

    monkeypatch.setattr(AuthFile, "_try_lock", trying)
    return found


async def test_lock_keeps_the_next_writer_waiting(file: AuthFile, refused: trio.Event) -> None:
    """Also one of the same process, and until the first is done."""
    order: list[str] = []

    async def second() -> None:
        async with file.locked():
            order.append("second")

    async with trio.open_nursery() as nursery, file.locked():
        nursery.start_soon(second)
        await refused.wait()
        order.append("first")

    assert order == ["first", "second"]
    assert mode_of(file.path.with_name("auth.json.lock")) == 0o600


async def test_lock_that_is_never_given_back_is_told(
    file: AuthFile, autojump_clock: MockClock
) -> None:
    """A process that was stopped in the middle must not stop all others for ever."""
    async with file.locked():
        started = trio.current_time()
        with pytest.raises(CredentialsError, match="another process has held its lock for 30 s"):
            async with file.locked():
                pass

    assert trio.current_time() - started == pytest.approx(30, abs=0.1)


async def test_waiting_for_the_lock_can_be_cancelled(file: AuthFile, refused: trio.Event) -> None:
    """At once, and nothing stays open."""
    async with file.locked():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def cancel() -> None:
                    await refused.wait()
                    scope.cancel()

                nursery.start_soon(cancel)
                async with file.locked():
                    pass

    assert scope.cancelled_caught


async def test_folder_that_cannot_be_written_to_is_told_before_anything_is_spent(
    tmp_path: Path,
) -> None:
    """A refresh token whose successor cannot be kept must not be used."""
    (tmp_path / "home").write_text("")

    with pytest.raises(CredentialsError, match="its folder cannot be written to: "):
        async with AuthFile(tmp_path / "home" / "auth.json").locked():
            pass


@pytest.mark.parametrize(("error", "goes_on"), [(errno.ENOLCK, True), (errno.EIO, False)])
async def test_file_system_without_locks_is_used_without(
    file: AuthFile,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: int,
    goes_on: bool,
) -> None:
    """With a warning; any other trouble with the lock is an error."""

    def refuse(fd: int, how: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    if goes_on:
        async with file.locked():
            pass
        assert "other processes are not kept out" in caplog.text
    else:
        with pytest.raises(CredentialsError, match="its lock cannot be had"):
            async with file.locked():
                pass


_HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


async def test_lock_of_a_process_that_died_is_free(file: AuthFile) -> None:
    """The system gives it back."""
    lock = file.path.with_name("auth.json.lock")
    command = [sys.executable, "-S", "-E", "-c", _HOLDER, str(lock)]
    holder = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    await holder.stdout.receive_some()
    with trio.move_on_after(0.06) as scope:
        async with file.locked():
            pass
    assert scope.cancelled_caught

    holder.kill()
    with trio.fail_after(PATIENCE):
        async with file.locked():
            pass
    await holder.wait()
    assert holder.stdin is not None
    await holder.stdin.aclose()
    await holder.stdout.aclose()
