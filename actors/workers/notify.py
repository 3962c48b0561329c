"""Telling the service manager how we are: the protocol of systemd's ``sd_notify``."""

import logging
import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final

import attrs
import trio

__all__ = ["VARIABLES", "Notifier", "forget_manager"]

_log = logging.getLogger("actors")

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""What a manager says to us in the environment; means nothing to processes of ours."""

_WAITING: Final = 64
"""States that may wait for a manager that takes none; then the oldest are forgotten."""

_PERIOD: Final = 1.0
"""Seconds between two looks at the status."""

_SHORTEST: Final = 0.01
"""Seconds between two signs of life at least, whatever the manager wants."""

_STATUS_BYTES: Final = 1024
"""Of a status so much is told; it is one line on a screen."""

_MICRO: Final = 1_000_000


@attrs.define(eq=False)
class Notifier:
    """
    Tells a service manager that we are ready, reload or stop, and that we live.

    Without a manager, and when it cannot be reached, nothing happens: being heard is never
    a condition for going on.  Never waits.  A state that the manager does not take at once
    is told later, in order, by whatever is told next and by `watch`; a sign of life is not.

    Attributes:
        period:
            Seconds between two signs of life, half of what the manager wants; None when
            it wants none, or none from this process.

    Source:
        ``sd_notify(3)`` and ``sd_watchdog_enabled(3)``.  Sockets of VMs (``vsock:``) are
        not known here, and are taken as no manager, with a line in the log.
    """

    _address: str | None = None
    period: float | None = None
    _monotonic_ns: Callable[[], int] = time.monotonic_ns
    # Invariant: what is in here was not told, and is told before anything else.
    _waiting: deque[bytes] = attrs.field(factory=lambda: deque[bytes](maxlen=_WAITING), init=False)
    _status: str | None = attrs.field(default=None, init=False)
    _failed: bool = attrs.field(default=False, init=False)

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str],
        *,
        pid: int | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> "Notifier":
        """
        Read what the manager says.

        Args:
            environ: See `VARIABLES`; what makes no sense there counts as not said.
            pid: Of this process; None for the real one.
            monotonic_ns: The clock that the manager has, too: ``CLOCK_MONOTONIC``.
        """
        address = _address(environ.get("NOTIFY_SOCKET", ""))
        period = _period(environ, os.getpid() if pid is None else pid)
        return cls(address, None if address is None else period, monotonic_ns)

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager."""
        return self._address is not None

    def ready(self) -> None:
        """Say that clients are served, for the first time or after `reloading`."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that workers are being replaced; `ready` ends that."""
        now = self._monotonic_ns() // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, *, within: float) -> None:
        """
        Say that this is the beginning of the end.

        Args:
            within: Seconds until then; the manager waits so long, if it would not in any case.
        """
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(within * _MICRO)}")

    def status(self, text: str) -> None:
        """Say in one line how things are, unless that was said last."""
        line = " ".join(text.split()).encode()[:_STATUS_BYTES].decode(errors="ignore")
        if line != self._status and self._send(f"STATUS={line}".encode()):
            self._status = line

    def alive(self) -> None:
        """Say that we live; the manager ends who says so too seldom."""
        self._send(b"WATCHDOG=1")

    async def watch(self, status: Callable[[], str], healthy: Callable[[], bool]) -> None:
        """
        Tell the status, and as long as all is well that we live, until cancelled.

        Args:
            status: Must not wait.
            healthy: As *status*.
        """
        if not self.is_heard:
            await trio.sleep_forever()
        period = math.inf if self.period is None else max(self.period, _SHORTEST)
        due = trio.current_time() if self.period is not None else math.inf
        while True:
            self._send_waiting()
            self.status(status())
            now = trio.current_time()
            if now >= due and healthy():
                self.alive()
                due = now + period
            await trio.sleep_until(min(due, now + _PERIOD) if due > now else now + _SHORTEST)

    def _tell(self, *assignments: str) -> None:
        if self._address is not None:
            self._waiting.append("\n".join(assignments).encode())
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            message = self._waiting.popleft()
            if not self._try(message):
                self._waiting.appendleft(message)
                return

    def _send(self, message: bytes) -> bool:
        """Send what may as well be lost; never before what must not."""
        self._send_waiting()
        return not self._waiting and self._try(message)

    def _try(self, message: bytes) -> bool:
        """Send; False when it would have to wait, and may be tried again."""
        if self._address is None:
            return True
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sender:
                sender.sendto(message, self._address)
        except BlockingIOError:
            return False  # its queue is full
        except (OSError, ValueError) as exc:  # a null character in the path is a ValueError
            self._complain(exc)
        else:
            self._failed = False
        return True

    def _complain(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            _log.warning("the service manager cannot be told anything: %s", error)


def _address(said: str) -> str | None:
    if said[:1] == "@":
        return f"\0{said[1:]}"
    if said[:1] == "/":
        return said
    if said:
        _log.warning(
            "NOTIFY_SOCKET=%r is no Unix socket; no service manager is told anything", said
        )
    return None


def _period(environ: Mapping[str, str], pid: int) -> float | None:
    whose = environ.get("WATCHDOG_PID")
    if whose is not None and whose != str(pid):
        return None
    said = environ.get("WATCHDOG_USEC", "")
    if not (said.isascii() and said.isdecimal() and int(said) > 0):
        return None
    return int(said) / _MICRO / 2


def forget_manager(environ: MutableMapping[str, str]) -> None:
    """Take out of an environment what is meant for this process alone."""
    for name in VARIABLES:
        environ.pop(name, None)
