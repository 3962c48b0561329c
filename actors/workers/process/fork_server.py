"""
The program that forks worker processes, run as a script beside the pool.

It has one OS thread and no event loop.  It imports all that a worker needs, and then waits
on a socket at standard input.  There it reads how it is to begin: a length in four bytes,
and an object with the ``path`` of modules and the ``recipe`` of a server.  After that each
request is the number of a worker in four bytes, with two sockets as file descriptors: the
worker's *control* socket, and its *life*, on which we say ``started PID`` with a pidfd
beside it or ``failed ERRNO``, later ``exit CODE`` (negative for a signal), and close it.

Nobody outlives the pool.  When the socket ends or the pool's process does, which is watched
for by itself because a copy of the socket may be anywhere, all workers get SIGKILL, those
that were stopped as well, and we end at once.  Workers get SIGKILL from the kernel when
*we* end in whatever way, and see the end of their control socket when the pool does.

A worker has a session of its own, so that nothing typed at a terminal reaches it; it ignores
the signals that are meant for the program as a whole, as we do: the pool says when to end.
What a killed worker leaves (the launcher of its commands, keepers) becomes our child and is
collected here; it ends by itself, having watched its owner.

Nothing is imported here before the path of modules is known but the standard library.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1
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
    from actors.workers.process.preloading import preload  # noqa: PLC0415

    work = preload(start["recipe"])
    gc.collect()
    gc.freeze()  # what is shared with workers stays shared
    _Nursery(door, owner, prctl, work).run()


class _Nursery:
    """Forks workers, says how they ended, and leaves none behind."""

    def __init__(
        self,
        door: socket.socket,
        owner: int,
        prctl: Callable[[int, int], object],
        work: Callable[[socket.socket, int], int],
    ) -> None:
        self._door = door
        self._owner = owner
        self._prctl = prctl
        self._work = work
        # By process id.
        self._lives: dict[int, socket.socket] = {}

    def run(self) -> NoReturn:
        wake = _watch_children()
        poll = select.poll()
        for descriptor in (self._door.fileno(), self._owner, wake):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll()}
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._bury()
            if self._owner in ready or (self._door.fileno() in ready and not self._serve()):
                self._end()

    def _serve(self) -> bool:
        """Take one request; False when there will be no more."""
        data, descriptors, _, _ = socket.recv_fds(
            self._door, _LENGTH_BYTES, 2, socket.MSG_CMSG_CLOEXEC
        )
        if len(data) < _LENGTH_BYTES or len(descriptors) != 2:  # noqa: PLR2004 -- see above
            return False
        control, life = (socket.socket(fileno=number) for number in descriptors)
        with control:
            self._fork(int.from_bytes(data, "big"), control, life)
        return True

    def _fork(self, number: int, control: socket.socket, life: socket.socket) -> None:
        ours = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            with life, contextlib.suppress(OSError):
                life.sendall(b"failed %d\n" % (error.errno or 0))
            return
        if not pid:
            # Objects of which nobody may close the number, which will be somebody else's.
            for other in (self._door, life, *self._lives.values()):
                os.close(other.detach())
            _be_worker(ours, number, control, self._prctl, self._work)
        self._lives[pid] = life
        pidfd = os.pidfd_open(pid)  # not collected yet, so the number is still its own
        try:
            socket.send_fds(life, [b"started %d\n" % pid], [pidfd])
        except OSError:
            os.kill(pid, signal.SIGKILL)  # nobody wants it any more
        finally:
            os.close(pidfd)

    def _bury(self) -> None:
        """Collect dead children, and say how workers ended."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                life = self._lives.pop(ended[0], None)
                if life is None:
                    continue  # somebody whom a worker left
                with life, contextlib.suppress(OSError):
                    life.sendall(b"exit %d\n" % os.waitstatus_to_exitcode(ended[1]))

    def _end(self) -> NoReturn:
        for pid in self._lives:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _be_worker(
    parent: int,
    number: int,
    control: socket.socket,
    prctl: Callable[[int, int], object],
    work: Callable[[socket.socket, int], int],
) -> NoReturn:
    status = 1
    try:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Else we ended before the kernel was asked.
        if os.getppid() == parent:
            _stand_alone(number, control)
            status = work(control, number)
    except Exception:  # noqa: BLE001 -- this is where the process ends
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _stand_alone(number: int, control: socket.socket) -> None:
    """Leave everything behind that was the parent's."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for quiet in _QUIET:
        # Not SIG_IGN, which programs that the worker starts would inherit.
        signal.signal(quiet, lambda _signal, _frame: None)
    _close_others(control.fileno())
    _take_name(f"treadle-w{number}")


def _close_others(kept: int) -> None:
    """Close what is not a worker's: the pool's socket, lives and controls of other workers."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 -- names are enough
        number = int(name)
        if number > 2 and number != kept:  # noqa: PLR2004 -- standard error
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(number)


def _take_name(name: str) -> None:
    """Show what this process is in lists of processes."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as comm:  # noqa: PTH123
        comm.write(name)


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
    _take_name("treadle-fork")


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


def _watch_children() -> int:
    """Make the end of a child readable on the returned file descriptor."""
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    return wake


if __name__ == "__main__":
    main()
