"""
The program that forks worker processes, run as a script beside the pool.

It has one OS thread and no event loop.  It imports all that a worker needs, and then waits
on a socket at standard input.  There it reads how it is to begin: a length in four bytes,
and an object with the ``path`` of modules and the ``recipe`` of a server.  After that each
request is the number of a worker in four bytes, with two sockets as file descriptors: the
worker's *control* socket, and its *life*, on which we say ``started PID`` with a pidfd
beside it or ``failed ERRNO``, later ``exit CODE`` (negative for a signal), and close it.
What serves requests is `fork_nursery`; it keeps one spare process, which needs no more than
its number to be a worker, so that one is ready in milliseconds.

Nobody outlives the pool.  When the socket ends or the pool's process does, which is watched
for by itself because a copy of the socket may be anywhere, all workers and the spare get
SIGKILL, those that were stopped as well, and we end at once.  They get SIGKILL from the
kernel when *we* end in whatever way, and workers see the end of their control socket when
the pool does.

A worker has a session of its own, so that nothing typed at a terminal reaches it; it ignores
the signals that are meant for the program as a whole, as we do: the pool says when to end.
What a killed worker leaves (the launcher of its commands, keepers) becomes our child and is
collected here; it ends by itself, having watched its owner.

Nothing is imported here before the path of modules is known but the standard library.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

__all__ = ["main"]

_PR_SET_CHILD_SUBREAPER: Final = 36

_QUIET: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals meant for the program as a whole; see above."""

_LENGTH_BYTES: Final = 4


def main() -> NoReturn:
    """Fork workers until the pool ends."""
    door = socket.socket(fileno=os.dup(0))
    _settle()
    prctl = _load_prctl()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    owner = _open_owner(int(sys.argv[1]))
    start = _read_start(door)
    if start is None:
        os._exit(0)
    sys.path[:] = start["path"]
    # Only now: these are not found before.
    from actors.server.serving import relieve_collector  # noqa: PLC0415
    from actors.workers.process.fork_nursery import Nursery  # noqa: PLC0415
    from actors.workers.process.forked_child import Origin, take_name  # noqa: PLC0415
    from actors.workers.process.preloading import preload  # noqa: PLC0415

    take_name("treadle-fork")
    work = preload(start["recipe"])
    gc.collect()
    relieve_collector()  # and what is shared with workers stays shared
    Nursery(door, owner, Origin(os.getpid(), prctl, _QUIET, work)).run()


def _settle() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)  # what is printed goes where logs go
    except OSError:  # the pool has no standard error
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    os.close(nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for quiet in _QUIET:
        signal.signal(quiet, signal.SIG_IGN)


def _load_prctl() -> Callable[[int, int], object]:
    import ctypes  # noqa: PLC0415 -- 3 ms, beside the socket that waits already

    function = ctypes.CDLL(None).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


def _open_owner(pid: int) -> int:
    """Open a file descriptor that is readable when our owner is dead."""
    try:
        owner = os.pidfd_open(pid)
    except ProcessLookupError:
        os._exit(0)
    if os.getppid() != pid:
        os._exit(0)  # it died before we looked, and the number is somebody else's
    return owner


def _read_start(door: socket.socket) -> dict[str, Any] | None:
    head = _read_exactly(door, _LENGTH_BYTES)
    body = head and _read_exactly(door, int.from_bytes(head, "big"))
    return json.loads(body) if body else None


def _read_exactly(door: socket.socket, size_bytes: int) -> bytes | None:
    parts: list[bytes] = []
    while size_bytes:
        part = door.recv(size_bytes)
        if not part:
            return None
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    main()
