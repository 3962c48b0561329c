"""
The program that starts commands: one small process beside ours, run as a script.

Why commands are not started from our own process:

- Nobody must outlive us, not even after SIGKILL.  A parent-death signal
  (``PR_SET_PDEATHSIG``) reaches only the direct child, not what a shell started
  in turn; and Linux delivers it when the *OS thread* that forked ends, while trio
  starts processes from worker threads that end after ten idle seconds.
- Only the parent, or a "child subreaper", sees processes that left the group with
  ``setsid`` or a double fork.  That flag is for a whole process: set on ours it
  would hand us the orphans of every other library in the program.
- Running code between fork and exec is safe in a process with one OS thread only.

So this process, the launcher, has one OS thread and waits on a socket.  For each
command it gets three file descriptors (a control socket, and the write ends of
the two output pipes) and forks a *keeper*.  The keeper is the subreaper of its
command: whatever that starts, however it detaches, ends up as its descendant.
When the control socket reaches its end, because we say stop or because we died,
the keeper ends everything below it: SIGTERM, patience, SIGKILL until nobody is left.

On the control socket the keeper reads one request: a length in four bytes, then
``cwd, patience, number of arguments, arguments..., environment...`` as bytes divided
by NUL, which none of them can contain.  It answers in lines: ``started PID`` or
``failed ERRNO STAGE``, later ``exit CODE`` (negative for a signal), and closes the
socket when nobody is left below it.

What it cannot reach: a process that runs as another user (``sudo``), one in
uninterruptible sleep, and one that was started on request by somebody else
(``systemd-run``, ``docker``).  Outside Linux there is no subreaper; there it ends
the process group only.

Nothing here imports the rest of the package: starting up takes about 15 ms, once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time

# What type checkers know without importing typing, which takes 4 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Final, NoReturn

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

_KILL_AGAIN: Final = 0.005
"""Seconds between two rounds of SIGKILL, for what was forked meanwhile."""

_GIVE_UP: Final = 10.0
"""Seconds of SIGKILL after which a survivor cannot be helped."""

_QUIET: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""
Signals meant for the program as a whole.

Launcher and keepers ignore them: they end when their owner does, or says so, and
the owner may want to finish its commands in order first.
"""

# What Python ignores on its own account, and commands expect to be as usual.
_RESTORED: Final = (*_QUIET, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)

_REQUEST_LENGTH_BYTES: Final = 4


def main() -> NoReturn:
    """Serve requests from the socket on standard input until it is closed."""
    # The socket moves away from the numbers that commands use for themselves.
    door = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.chdir("/")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for quiet in _QUIET:
        signal.signal(quiet, signal.SIG_IGN)
    # Ended keepers vanish by themselves: their owner learns it from the socket.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    prctl = _load_prctl()
    while True:
        descriptors = _receive_descriptors(door)
        if descriptors is None:
            os._exit(0)
        if len(descriptors) == 3:  # noqa: PLR2004 -- control, stdout, stderr
            _fork_keeper(door, descriptors, prctl)
        for descriptor in descriptors:
            os.close(descriptor)


def _load_prctl() -> Callable[[int, int], object]:
    try:
        import ctypes  # noqa: PLC0415 -- missing in some small builds of Python

        function = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda _option, _value: None
    return lambda option, value: function(option, value, 0, 0, 0)


def _receive_descriptors(door: socket.socket) -> list[int] | None:
    flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    data, descriptors, _, _ = socket.recv_fds(door, 1, 3, flags)
    if not data:
        return None
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return descriptors


def _fork_keeper(
    door: socket.socket, descriptors: Sequence[int], prctl: Callable[[int, int], object]
) -> None:
    control, stdout, stderr = descriptors
    try:
        forked = os.fork()
    except OSError as error:
        _tell(control, f"failed {error.errno} fork")
        return
    if forked:
        return
    try:
        door.close()
        _Keeper(control, stdout, stderr, prctl).keep()
    finally:
        os._exit(0)


def _tell(control: int, line: str) -> None:
    # Fails when the owner is gone; what is left to do is the same.
    with contextlib.suppress(OSError):
        os.write(control, line.encode() + b"\n")


class _Keeper:
    """Starts one command, reports its end, and leaves nobody behind."""

    def __init__(
        self, control: int, stdout: int, stderr: int, prctl: Callable[[int, int], object]
    ) -> None:
        self._control = control
        self._outputs = (stdout, stderr)
        self._prctl = prctl
        self._command = 0
        self._patience = 0.0

    def keep(self) -> None:
        wake = _watch_children()
        self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
        request = _read_request(self._control)
        if request is None:
            return  # called off before it began
        cwd, patience, count, *words = request
        self._patience = float(patience)
        if self._start(cwd, words[: int(count)], words[int(count) :]):
            # Our copies would keep the pipes from ending with the command.
            for output in self._outputs:
                os.close(output)
            self._wait(wake)

    def _start(self, cwd: bytes, argv: list[bytes], environment: list[bytes]) -> bool:
        # Closed by a successful exec; carries the reason of a failed one.
        problems, problem = os.pipe()
        try:
            self._command = os.fork()
        except OSError as error:
            _tell(self._control, f"failed {error.errno} fork")
            return False
        if not self._command:
            self._become(cwd, argv, environment, problem)
        os.close(problem)
        reason = os.read(problems, 100)
        os.close(problems)
        _tell(self._control, f"failed {reason.decode()}" if reason else f"started {self._command}")
        return not reason

    def _become(
        self, cwd: bytes, argv: list[bytes], environment: list[bytes], problem: int
    ) -> NoReturn:
        """Turn this fresh process into the command."""
        stage = "setup"
        try:
            os.setsid()
            # Should the keeper itself be killed, the command at least goes with it.
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            for number, output in enumerate(self._outputs, 1):
                os.dup2(output, number)
            for restored in _RESTORED:
                signal.signal(restored, signal.SIG_DFL)
            stage = "cwd"
            os.chdir(cwd)
            stage = "exec"
            variables = dict(entry.split(b"=", 1) for entry in environment)
            os.execvpe(argv[0], argv, variables)  # noqa: S606 -- starting it is the point
        except OSError as error:
            os.write(problem, f"{error.errno} {stage}".encode())
        except ValueError:  # Python's own refusal of an empty program name
            os.write(problem, f"{errno.ENOENT} {stage}".encode())
        finally:
            os._exit(127)

    def _wait(self, wake: int) -> None:
        """Report the command's end; return when nobody is left, or nobody can be reached."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wake, select.POLLIN)
        pause: float | None = None
        kill_from = 0.0
        while self._reap():
            ready = [number for number, _ in poll.poll(None if pause is None else pause * 1000)]
            if wake in ready:
                _drain(wake)
            now = time.monotonic()
            if self._control in ready:
                poll.unregister(self._control)
                self._signal(signal.SIGTERM)
                kill_from = now + self._patience
                pause = self._patience
            elif pause is not None and now >= kill_from:
                if now >= kill_from + _GIVE_UP:
                    return
                self._signal(signal.SIGKILL)
                pause = _KILL_AGAIN
            elif pause is not None:
                pause = kill_from - now

    def _reap(self) -> bool:
        """Collect the dead; False when no child is left, dead or alive."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return True
                if pid == self._command:
                    _tell(self._control, f"exit {os.waitstatus_to_exitcode(status)}")
        except ChildProcessError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        """Signal everybody below us, the process group in one go."""
        try:
            family = list(_descendants(os.getpid()))
        except OSError:
            family = [(self._command, self._command)]  # no /proc: the group is all we know
        # One call for the group, because the kernel lets nobody fork past it.  Only while
        # the group has a member, for its number may be somebody else's afterwards.
        if any(group == self._command for _, group in family):
            _send(os.killpg, self._command, number)
        for pid, group in family:
            if group != self._command:
                _send(os.kill, pid, number)


def _watch_children() -> int:
    """Make the end of a child readable on the returned file descriptor."""
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    return wake


def _send(how: Callable[[int, int], None], whom: int, number: signal.Signals) -> None:
    # Fails when it is gone meanwhile, or not ours to signal.
    with contextlib.suppress(OSError):
        how(whom, number)


def _drain(wake: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(wake, 4096):
            pass


def _read_request(control: int) -> list[bytes] | None:
    header = _read_exactly(control, _REQUEST_LENGTH_BYTES)
    body = header and _read_exactly(control, int.from_bytes(header, "big"))
    return body.split(b"\0") if body else None


def _read_exactly(control: int, size_bytes: int) -> bytes | None:
    parts: list[bytes] = []
    while size_bytes:
        part = os.read(control, size_bytes)
        if not part:
            return None
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def _descendants(ancestor: int) -> Iterator[tuple[int, int]]:
    """Find every living process below *ancestor*, as pid and process group."""
    children: dict[int, list[tuple[int, int]]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 -- as below
        if name.isdigit():
            _note_parent(int(name), children)
    # Parents come before their children in the list, which grows while it is read.
    family = list(children.get(ancestor, ()))
    for pid, group in family:
        family.extend(children.get(pid, ()))
        yield pid, group


def _note_parent(pid: int, children: dict[int, list[tuple[int, int]]]) -> None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 -- pathlib costs 5 ms
            stat = file.read()
    except OSError:
        return  # ended meanwhile
    # The name in parentheses may hold anything, parentheses and spaces included.
    state, parent, group = stat[stat.rindex(b")") + 2 :].split(b" ", 3)[:3]
    if state != b"Z":
        children.setdefault(int(parent), []).append((pid, int(group)))


if __name__ == "__main__":
    sys.exit(main())
