"""
The program that keeps what does not exist from being created inside a sandbox.

Bubblewrap can make a file or folder read-only only where there is one.  So this
program, run around it, puts an empty folder where nothing is, and takes it away when
the command has ended.  Of a symbolic link bubblewrap protects where it leads to, but
not the link; this program puts it back if the command has replaced it.

Commands may share a place.  Each holds a shared lock on the empty folder, and whoever
gets the exclusive one is the last and removes it.  Were it removed earlier, Linux
would take it out of the other sandboxes, and with it the protection.  If the program is
killed its folder stays; it is known by its sticky bit, and the next one removes it.

Nobody of the sandbox may be left when the folder goes.  Bubblewrap ends with the
command, and its last processes a moment later, so this program adopts orphans
(``PR_SET_CHILD_SUBREAPER``) and waits until it has no children.  Signals that ask the
program as a whole to end are ignored for that long; they end bubblewrap, and all in it.

Arguments: how many words follow about what is held, these, and the command.  Three
words are about one path: ``absent PATH ''`` or ``link PATH TARGET``.  The exit code is
the command's, 128 and the signal's number if one ended it, or 126 when a path cannot be
held; then nothing was run.

It is read as text and run by ``python -c``, so nothing here imports the rest of the package.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["is_ours", "main"]

_PR_SET_CHILD_SUBREAPER: Final = 36

_CANNOT_HOLD: Final = 126

_MODE: Final = stat.S_ISVTX | 0o755

_TRIES: Final = 500
_PAUSE: Final = 0.01
"""Together 5 s, while which others are sure to finish removing a folder."""

_NOBODY_CAN: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}
)
"""Errors of creating a folder that the command would get as well."""

_IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

# What Python ignores on its own account, and commands expect to be as usual.
_RESTORED: Final = (*_IGNORED, signal.SIGPIPE, signal.SIGXFSZ)


def main(words: Sequence[str]) -> int:
    """Run the command of the arguments, and return the exit code."""
    count = int(words[0])
    held, command = words[1 : count + 1], words[count + 1 :]
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    links: list[tuple[str, str]] = []
    try:
        with contextlib.ExitStack() as stack:
            for kind, path, target in zip(held[::3], held[1::3], held[2::3], strict=True):
                if kind == "link":
                    links.append((path, target))
                else:
                    stack.enter_context(_kept_absent(path))
            code = _run(command)
            for path, target in links:
                _put_back(path, target)
    except OSError as error:
        where = error.filename or command[0]
        print(f"sandbox: {where}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        return _CANNOT_HOLD
    return code


def is_ours(status: os.stat_result) -> bool:
    """Whether it is a folder like those that are put where nothing is."""
    return stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) & stat.S_ISVTX != 0


@contextlib.contextmanager
def _kept_absent(path: str) -> Generator[None]:
    fd = _hold(path)
    try:
        yield
    finally:
        if fd is not None:
            _release(fd, path)


def _hold(path: str) -> int | None:
    """Put an empty folder there and share the lock on it; None where nobody can create it."""
    for _ in range(_TRIES):
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, _MODE)  # noqa: PTH102 -- pathlib takes long to import
        except OSError as error:
            if error.errno in _NOBODY_CAN:
                return None
            raise
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            if _share(fd) and _is_at(fd, path):
                return fd
            os.close(fd)
        time.sleep(_PAUSE)
    raise OSError(errno.EBUSY, "somebody else holds it", path)


def _share(fd: int) -> bool:
    # Without waiting: a command can lock what it sees, too, and never let go.
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    return False


def _release(fd: int, path: str) -> None:
    with contextlib.suppress(OSError):  # others hold it, or it is gone, or no longer empty
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_ours(os.fstat(fd)) and _is_at(fd, path):
            os.rmdir(path)  # noqa: PTH106 -- as above
    os.close(fd)


def _is_at(fd: int, path: str) -> bool:
    ours, there = os.fstat(fd), os.lstat(path)
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _run(command: Sequence[str]) -> int:
    """Run the command; return when nobody is left of it."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pid = os.posix_spawn(command[0], list(command), os.environ, setsigdef=_RESTORED)
    code = 0
    with contextlib.suppress(ChildProcessError):
        while True:
            ended, status = os.waitpid(-1, 0)
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _put_back(path: str, target: str) -> None:
    """Make it the link again that it was."""
    with contextlib.suppress(OSError):
        if os.readlink(path) == target:  # noqa: PTH115 -- as above
            return
    aside = f"{path}.replaced-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)  # noqa: PTH104 -- as above
    os.symlink(target, path)  # noqa: PTH211 -- as above
    print(  # noqa: T201 -- the command's own output is the only way to tell
        f"sandbox: {path} is protected; it was put back, and what took its place is {aside}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
