"""The file that credentials are kept in, and the lock that its writers share."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from actors.runtime import part_path, replace_file

from .auth_errors import CredentialsError
from .auth_stored import StoredAuth, decode_auth, encode_auth

__all__ = ["AUTH_FILE", "AuthFile"]

AUTH_FILE: Final = "auth.json"

_log = logging.getLogger("actors")

_LIMIT_BYTES: Final = 1024 * 1024
_MODE: Final = 0o600
# Longer than a renewal may take, see auth.py.
_LOCK_PATIENCE: Final = 30.0
_POLL: Final = 0.05
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@attrs.frozen
class AuthFile:
    """
    One ``auth.json``.

    `read`, `write` and `remove` block: they are for OS threads.

    Attributes:
        path: Where it is.  May be a symbolic link; what it points to is replaced.
    """

    path: Path

    def read(self) -> StoredAuth | None:
        """
        Read it; None when there is none, or when it says that nobody is logged in.

        Raises:
            CredentialsError: It cannot be read or used.
        """
        try:
            data = _read(self.path)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise CredentialsError(self.path, f"it cannot be read: {exc.strerror or exc}") from exc
        return decode_auth(self.path, data)

    def write(self, stored: StoredAuth) -> None:
        """
        Put *stored* in its place, for its owner only; readers see the old file or the new.

        For the holder of the lock.  Returns once it is on the disk: a refresh
        token that is lost with the power is a login that is lost.

        Raises:
            OSError: It could not be written; the old file is as it was.
        """
        replace_file(self.path, encode_auth(stored), _MODE)

    def remove(self) -> bool:
        """
        Remove it, and what it points to; return whether there was anything.

        Raises:
            OSError: It is still there.
        """
        path = Path(os.path.realpath(self.path))
        found = False
        for file in (part_path(self.path), path, self.path):
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
                found = True
        return found

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """
        Hold the lock that keeps other writers out, also those of other processes.

        Codex knows nothing of it.  Free as soon as its holder has died.

        Raises:
            CredentialsError: It cannot be had: the folder cannot be written to,
                or somebody holds it too long.
        """
        fd = await trio.to_thread.run_sync(self._open_lock)
        try:
            await self._wait_locked(fd)
            yield
        finally:
            os.close(fd)

    def _open_lock(self) -> int:
        path = Path(os.path.realpath(self.path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            return os.open(path.with_name(f"{path.name}.lock"), flags, _MODE)
        except OSError as exc:
            raise CredentialsError(
                self.path, f"its folder cannot be written to: {exc.strerror or exc}"
            ) from exc

    async def _wait_locked(self, fd: int) -> None:
        # Not a waiting lock in an OS thread: nobody could cancel that.
        with trio.move_on_after(_LOCK_PATIENCE):
            while not self._try_lock(fd):  # noqa: ASYNC110 -- nobody tells that it is free
                await trio.sleep(_POLL)
            return
        raise CredentialsError(
            self.path, f"another process has held its lock for {_LOCK_PATIENCE:g} s; end that one"
        )

    def _try_lock(self, fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as exc:
            if exc.errno not in _NO_LOCKS:
                problem = f"its lock cannot be had: {exc.strerror or exc}"
                raise CredentialsError(self.path, problem) from exc
            _log.warning("no locks where %s is: other processes are not kept out", self.path)
        return True


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if status.st_size > _LIMIT_BYTES:
            raise OSError(errno.EFBIG, f"it is longer than {_LIMIT_BYTES} bytes")
        return os.read(fd, _LIMIT_BYTES)
    finally:
        os.close(fd)
