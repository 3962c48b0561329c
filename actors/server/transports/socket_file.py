"""The file of a Unix socket: taken when nobody listens there, and removed in the end."""

import fcntl
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import trio

from ..rpc_errors import AddressInUse, ListenError

__all__ = ["peer_of", "socket_file"]

_MODE: Final = 0o600
_BACKLOG: Final = 1024
_TRIES: Final = 100
_PAUSE: Final = 0.02
"""Between two tries to be alone in the folder: others are there for milliseconds."""

_CONNECT: Final = 1.0
"""Seconds after which somebody listens who does not even accept."""

_CREDENTIALS: Final = struct.Struct("3i")
"""``struct ucred``: process, user, group."""


@attrs.frozen
class _Taken:
    socket: socket.socket
    device: int
    inode: int


def peer_of(connected: trio.SocketStream) -> tuple[int, int]:
    """Return the process and the user at the other end, as they were when it connected."""
    raw = connected.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(raw)
    return process, user


@asynccontextmanager
async def socket_file(path: Path) -> AsyncGenerator[socket.socket]:
    """
    Listen at a path.

    The socket can be used by its owner only, from its first moment.  A file that a
    dead process left there is replaced, in a way that two who start at the same time
    cannot both do.  In the end the file is removed, if it is still ours.

    Raises:
        AddressInUse: Somebody listens there.
        ListenError: It cannot be done, or there is a file that is no socket.
    """
    taken = await _take(path)
    try:
        yield taken.socket
    finally:
        taken.socket.close()
        # Two or three system calls, which do not wait for anything.
        _remove(path, taken)


async def _take(path: Path) -> _Taken:
    for _ in range(_TRIES):
        taken = await trio.to_thread.run_sync(_try_to_take, path)
        if taken is not None:
            return taken
        await trio.sleep(_PAUSE)
    raise ListenError(f"unix://{path}", "another process keeps its folder locked; try again later")


def _try_to_take(path: Path) -> _Taken | None:
    """Take it; None when somebody else is doing so in this folder right now."""
    try:
        with _alone_in(path.parent) as alone:
            if not alone:
                return None
            _clear(path)
            return _listen(path)
    except OSError as exc:
        if isinstance(exc, ListenError):
            raise
        raise ListenError(f"unix://{path}", f"{exc.strerror or exc}") from exc


@contextmanager
def _alone_in(folder: Path) -> Generator[bool]:
    # A lock on the folder leaves no file behind, and is gone with its process.
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(fd)


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"unix://{path}", "there is a file that is no socket; remove it yourself")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # nobody listens
            return
        except (BlockingIOError, TimeoutError):
            pass  # its queue is full: somebody listens
    raise AddressInUse(f"unix://{path}", "another process listens there; stop it or take another")


def _listen(path: Path) -> _Taken:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        # Until it listens, nobody can connect, whatever its mode is.
        path.chmod(_MODE)
        found = path.lstat()
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return _Taken(sock, found.st_dev, found.st_ino)


def _remove(path: Path, taken: _Taken) -> None:
    with suppress(OSError):
        found = path.lstat()
        if (found.st_dev, found.st_ino) == (taken.device, taken.inode):
            path.unlink()
