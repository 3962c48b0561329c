"""A spare as its parent holds it: a child that needs only a number to be a worker."""

import os
import signal
import socket
from collections.abc import Iterable
from typing import Self

import attrs

from .forked_child import NUMBER_BYTES, REHEARSED, Origin, be_spare

__all__ = ["Spare"]


@attrs.define(eq=False)
class Spare:
    """
    A child that has not been given a number; see `forked_child`.

    Attributes:
        pid: Its process id; its own until the parent has collected it.
    """

    pid: int
    _link: socket.socket

    @classmethod
    def fork(cls, origin: Origin, theirs: Iterable[socket.socket]) -> Self:
        """
        Make one.

        Args:
            origin: What it has from us.
            theirs: Sockets that are not for it.

        Raises:
            OSError: The system makes no process, or no sockets.
        """
        ours, its = socket.socketpair()
        try:
            with its:
                pid = os.fork()
                if not pid:
                    # Objects of which nobody may close the number, as in `Nursery`.
                    for other in (ours, *theirs):
                        os.close(other.detach())
                    be_spare(origin, its)
        except OSError:
            ours.close()
            raise
        return cls(pid, ours)

    def become(self, number: int, control: socket.socket) -> bool:
        """
        Make it the worker of this number, and let go of it.

        Never waits.  False when it is of no use: it died, was stopped, or has not rehearsed
        to the end, which may be because something that it reads does not answer.  It gets
        SIGKILL then; the caller collects it, and has not done so yet.
        """
        with self._link:
            try:
                if self._is_ready():
                    data = number.to_bytes(NUMBER_BYTES, "big")
                    socket.send_fds(self._link, [data], [control.fileno()])
                    return True
            except OSError:
                pass  # it has said nothing yet, or died just now
        os.kill(self.pid, signal.SIGKILL)
        return False

    def _is_ready(self) -> bool:
        how = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self.pid, how) is not None:
            return False
        return self._link.recv(len(REHEARSED), socket.MSG_DONTWAIT) == REHEARSED

    def dismiss(self) -> None:
        """Let go of one that is dead."""
        self._link.close()
