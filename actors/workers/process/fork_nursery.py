"""
The loop of the fork server: it forks workers, says how they ended, and leaves none behind.

There is one *spare*, which has all but its number: a request takes it, and it is ready at
once.  The next one is born when nothing has happened for a while, so that it takes no time
from workers that come up.  A request that finds none, or one of no use, is served by a fork.
Nobody outside can tell the two.  A spare is only born after a request, so that one that dies
each time does not make us fork for ever.
"""

import os
import select
import signal
import socket
from contextlib import suppress
from typing import Final, NoReturn

import attrs

from .forked_child import NUMBER_BYTES, Origin, be_worker
from .spare import Spare

__all__ = ["Nursery"]

_LULL_MS: Final = 50
"""Milliseconds without an event after which a spare is born; a worker comes up in fewer."""

_SOCKETS: Final = 2
"""That come with a request: control and life."""


@attrs.define(eq=False)
class Nursery:
    """Forks workers, says how they ended, and leaves none behind."""

    _door: socket.socket
    # Readable when our owner is dead.
    _owner: int
    _origin: Origin
    # By process id.
    _lives: dict[int, socket.socket] = attrs.field(factory=dict[int, socket.socket], init=False)
    # Not collected yet, so that its process id is its own.
    _spare: Spare | None = attrs.field(default=None, init=False)
    _wants_spare: bool = attrs.field(default=True, init=False)

    def run(self) -> NoReturn:
        """Serve until there will be no more requests, or our owner is dead."""
        wake = _watch_children()
        poll = select.poll()
        for descriptor in (self._door.fileno(), self._owner, wake):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll(_LULL_MS if self._wants_spare else None)}
            if not ready:
                self._fork_spare()
            if wake in ready:
                with suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._bury()
            if self._owner in ready or (self._door.fileno() in ready and not self._serve()):
                self._end()

    def _serve(self) -> bool:
        """Take one request; False when there will be no more."""
        data, descriptors, _, _ = socket.recv_fds(
            self._door, NUMBER_BYTES, _SOCKETS, socket.MSG_CMSG_CLOEXEC
        )
        if len(data) < NUMBER_BYTES or len(descriptors) != _SOCKETS:
            return False
        control, life = (socket.socket(fileno=number) for number in descriptors)
        number = int.from_bytes(data, "big")
        with control:
            pid = self._use_spare(number, control) or self._fork(number, control, life)
        if pid:
            self._tell_started(pid, life)
        self._wants_spare = True
        return True

    def _use_spare(self, number: int, control: socket.socket) -> int:
        """Return the process id of the spare, which is a worker now; 0 when it is not."""
        # Whatever becomes of it, it is a spare no more.
        spare, self._spare = self._spare, None
        return spare.pid if spare is not None and spare.become(number, control) else 0

    def _fork(self, number: int, control: socket.socket, life: socket.socket) -> int:
        """Return the process id of a new worker; 0 when there is none, which is told."""
        try:
            pid = os.fork()
        except OSError as error:
            with life, suppress(OSError):
                life.sendall(b"failed %d\n" % (error.errno or 0))
            return 0
        if not pid:
            # Objects of which nobody may close the number, which will be somebody else's.
            for other in (self._door, life, *self._lives.values()):
                os.close(other.detach())
            be_worker(self._origin, number, control)
        return pid

    def _fork_spare(self) -> None:
        self._wants_spare = False
        with suppress(OSError):  # workers are forked when they are needed
            self._spare = Spare.fork(self._origin, (self._door, *self._lives.values()))

    def _tell_started(self, pid: int, life: socket.socket) -> None:
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
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if self._spare is not None and self._spare.pid == ended[0]:
                    self._spare.dismiss()
                    self._spare = None
                life = self._lives.pop(ended[0], None)
                if life is None:
                    continue  # the spare, or somebody whom a worker left
                with life, suppress(OSError):
                    life.sendall(b"exit %d\n" % os.waitstatus_to_exitcode(ended[1]))

    def _end(self) -> NoReturn:
        spares = () if self._spare is None else (self._spare.pid,)
        for pid in (*self._lives, *spares):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _watch_children() -> int:
    """Make the end of a child readable on the returned file descriptor."""
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    return wake
