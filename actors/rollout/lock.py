"""The lock that makes a rollout's writer the only one."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import RolloutLocked

__all__ = ["find_holder", "lock_file"]

_LOCKS = Path("/proc/locks")


def lock_file(fd: int, path: Path) -> int:
    """
    Lock an open file for writing, without waiting; return *fd*.

    The lock belongs to the open file, so that a second opener of the same
    process is refused as well, and it is free as soon as its holder has closed
    the file or died.  Children that are started with exec do not inherit it.
    When this raises, *fd* is closed.

    Args:
        fd: The open file.
        path: Its name, for the error.

    Raises:
        RolloutLocked: Somebody else holds the lock.
        OSError: The file system has no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = find_holder(fd)
        os.close(fd)
        raise RolloutLocked(path, holder, same_process=holder == os.getpid()) from None
    except OSError:
        os.close(fd)
        raise
    return fd


def find_holder(fd: int, locks: Path = _LOCKS) -> int | None:
    """
    Tell which process holds the lock of an open file.

    None if the system does not tell: it keeps no list of locks, the holder
    lives in another process namespace, or has just let go.
    """
    status = os.fstat(fd)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    try:
        text = locks.read_text("ascii", "replace")
    except OSError:
        return None
    return next(_holders(text, f"{device}:{status.st_ino}"), None)


def _holders(text: str, file: str) -> Iterator[int]:
    # 1: FLOCK  ADVISORY  WRITE 11294 fe:00:2146340 0 EOF
    for line in text.splitlines():
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[5:6] == [file] and fields[4] != "0":
            yield int(fields[4])
