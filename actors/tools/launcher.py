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
command it gets a control socket, and either the write ends of two output pipes or
one terminal, as file descriptors, and forks a *keeper*.  The keeper is the subreaper
of its command: whatever that starts, however it detaches, ends up as its descendant.
The launcher is a subreaper as well: what a killed keeper leaves is killed at once.
When the control socket reaches its end, because we say stop or because we died,
the keeper ends everything below it: SIGTERM, patience, SIGKILL until nobody is left.
Our death is watched for by itself, too: a process that was forked from ours without
exec holds a copy of the socket.

On the control socket the keeper reads one request: a length in four bytes, then
``cwd, patience, number of arguments, arguments..., environment...`` as bytes divided
by NUL, which none of them can contain.  It answers in lines: ``started PID`` or
``failed ERRNO STAGE``, later ``exit CODE`` (negative for a signal), and closes the
socket when nobody is left below it.

What it cannot reach: a process that runs as another user (``sudo``), one in
uninterruptible sleep, and one that was started on request by somebody else
(``systemd-run``, ``docker``).  Outside Linux there is no subreaper; there it ends
the process group only.

Nothing here imports the rest of the package, nor what takes long to import, such as
pathlib: starting up takes about 15 ms, once.
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
    from collections.abc import Callable, Sequence
    from typing import Final, NoReturn

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

_KILL_AGAIN: Final = 0.005
"""Seconds between two rounds of SIGKILL, for what was forked meanwhile."""

_AT_ONCE: Final = 64
"""Children collected, or rounds of SIGKILL, before the keeper looks at the time again."""

_GIVE_UP: Final = 10.0
"""Seconds of SIGKILL after which a survivor cannot be helped."""

_QUIET: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""
Signals meant for the program as a whole.

Launcher and keepers ignore them: they end when their owner does, or says so, and
the owner may want to finish its commands in order first.
"""

# What Python ignores on its own account, or a shell in what it starts in the background;
# commands expect it to be as usual.
_RESTORED: Final = (*_QUIET, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)

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
    prctl = _load_prctl()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake = _watch_children()
    owner = _open_owner(int(sys.argv[1]))
    poll = _poll(door.fileno(), owner, wake)
    keepers: set[int] = set()
    pause: float | None = None
    while True:
        ready = _ready(poll, pause)
        if wake in ready:
            _drain(wake)
        pause = _KILL_AGAIN if _bury(keepers) else None
        if owner in ready or (door.fileno() in ready and not _serve(door, owner, keepers, prctl)):
            os._exit(0)


def _serve(
    door: socket.socket, owner: int, keepers: set[int], prctl: Callable[[int, int], object]
) -> bool:
    """Take one request; False when there will be no more."""
    descriptors = _receive_descriptors(door)
    if descriptors is None:
        return False
    if len(descriptors) > 1:  # the control socket alone runs nothing
        keepers.add(_fork_keeper(door, owner, descriptors, prctl))
    for descriptor in descriptors:
        os.close(descriptor)
    return True


def _bury(keepers: set[int]) -> bool:
    """
    Collect dead children, and kill those that are no keepers: theirs was killed.

    Returns:
        Whether there may be more to do, though nobody wakes us for it.
    """
    collected = 0
    with contextlib.suppress(ChildProcessError):
        while collected < _AT_ONCE and (pid := os.waitpid(-1, os.WNOHANG)[0]):
            collected += 1
            keepers.discard(pid)
    orphans = [pid for pid in _children() if pid not in keepers]
    for pid in orphans:
        _send(os.kill, pid, signal.SIGKILL)
    return bool(orphans) or collected == _AT_ONCE


def _open_owner(pid: int) -> int:
    """Open a file descriptor that is readable when our owner is dead; -1 where there is none."""
    if sys.platform != "linux":
        return -1
    try:
        owner = os.pidfd_open(pid)
    except ProcessLookupError:
        os._exit(0)
    except OSError:  # an old kernel; the socket has to do
        return -1
    if os.getppid() != pid:
        os._exit(0)  # it died before we looked, and the number is somebody else's
    return owner


def _poll(*descriptors: int) -> select.poll:
    poll = select.poll()
    for descriptor in descriptors:
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    return poll


def _ready(poll: select.poll, pause: float | None = None) -> list[int]:
    """Wait for file descriptors, or *pause* seconds."""
    return [number for number, _ in poll.poll(None if pause is None else pause * 1000)]


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
    door: socket.socket,
    owner: int,
    descriptors: Sequence[int],
    prctl: Callable[[int, int], object],
) -> int:
    """Fork one, and give back its process id; 0 when there was no room for it."""
    control, *outputs = descriptors
    try:
        forked = os.fork()
    except OSError as error:
        _tell(control, f"failed {error.errno} fork")
        return 0
    if forked:
        return forked
    try:
        door.close()
        _Keeper(owner, control, outputs, prctl).keep()
    finally:
        os._exit(0)


def _tell(control: int, line: str) -> None:
    # Fails when the owner is gone; what is left to do is the same.
    with contextlib.suppress(OSError):
        os.write(control, line.encode() + b"\n")


class _Keeper:
    """Starts one command, reports its end, and leaves nobody behind."""

    def __init__(
        self,
        owner: int,
        control: int,
        outputs: Sequence[int],
        prctl: Callable[[int, int], object],
    ) -> None:
        self._owner = owner
        self._control = control
        # Stdout and stderr, or a terminal, which is standard input as well.
        self._outputs: Sequence[int] = outputs
        self._on_terminal = len(outputs) == 1
        self._prctl = prctl
        self._command = 0
        self._ended = False
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
            # Our copies would keep the pipes from ending with the command.  Ours of a
            # terminal stays while the command lives: it may close its own, and open
            # /dev/tty again.
            if not self._on_terminal:
                self._close_outputs()
            self._wait(wake)

    def _close_outputs(self) -> None:
        for output in self._outputs:
            os.close(output)
        self._outputs = ()

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
            self._enter_session()
            # Should the keeper itself be killed, the command at least goes with it.
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
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

    def _enter_session(self) -> None:
        """Lead a session of our own, with the outputs in their places."""
        if self._on_terminal:
            os.login_tty(self._outputs[0])  # setsid, controlling terminal, 0, 1 and 2
            return
        os.setsid()
        for number, output in enumerate(self._outputs, 1):
            os.dup2(output, number)

    def _wait(self, wake: int) -> None:
        """Report the command's end; return when nobody is left, or nobody can be reached."""
        poll = _poll(self._control, self._owner, wake)
        pause: float | None = None
        kill_from = 0.0
        while self._reap():
            ready = _ready(poll, pause)
            if wake in ready:
                _drain(wake)
            now = time.monotonic()
            if self._control in ready or self._owner in ready:
                poll = _poll(wake)
                self._ask_to_end()
                kill_from = now + self._patience
                pause = self._patience
            elif pause is not None and now >= kill_from:
                if now >= kill_from + _GIVE_UP:
                    return
                self._kill()
                pause = _KILL_AGAIN
            elif pause is not None:
                pause = kill_from - now

    def _reap(self) -> bool:
        """
        Collect dead children; False when no child is left, dead or alive.

        A bounded number, because children may die as fast as we collect them.
        """
        try:
            for _ in range(_AT_ONCE):
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                if pid == self._command:
                    self._ended = True
                    self._close_outputs()
                    _tell(self._control, f"exit {os.waitstatus_to_exitcode(status)}")
        except ChildProcessError:
            return False
        return True

    def _ask_to_end(self) -> None:
        """Send SIGTERM to everybody below us: the process group in one go, others one by one."""
        self._signal_group(signal.SIGTERM)
        for pid, group in _descendants(os.getpid()):
            if self._ended or group != self._command:
                _send(os.kill, pid, signal.SIGTERM)

    def _kill(self) -> None:
        """
        Send SIGKILL to the process group and to our own children, round by round.

        Children of who was killed become ours and get theirs in the next round.  Going by
        our children alone makes a round so short that even a process which keeps forking
        and ending does not get away.
        """
        self._signal_group(signal.SIGKILL)
        for _ in range(_AT_ONCE):
            for pid in _children():
                _send(os.kill, pid, signal.SIGKILL)
            if not self._reap():
                return

    def _signal_group(self, number: signal.Signals) -> None:
        """Signal the process group; the kernel lets nobody fork past that."""
        # Only until the command is collected: its number may be somebody else's afterwards.
        if not self._ended:
            _send(os.killpg, self._command, number)


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


def _children() -> list[int]:
    """List our own children, dead ones included."""
    try:
        with open("/proc/thread-self/children", "rb") as file:  # noqa: PTH123 -- see above
            return [int(pid) for pid in file.read().split()]
    except OSError:  # a kernel without this file
        return [pid for pid, _ in _descendants(os.getpid())]


def _descendants(ancestor: int) -> list[tuple[int, int]]:
    """Find every living process below *ancestor*, as pid and process group."""
    children: dict[int, list[tuple[int, int]]] = {}
    with contextlib.suppress(OSError):  # no /proc: the group is all we can reach
        for name in os.listdir("/proc"):  # noqa: PTH208 -- see above
            if name.isdigit():
                _note_parent(int(name), children)
    # Parents come before their children in the list, which grows while it is read.
    family = list(children.get(ancestor, ()))
    for pid, _ in family:
        family.extend(children.get(pid, ()))
    return family


def _note_parent(pid: int, children: dict[int, list[tuple[int, int]]]) -> None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 -- see above
            stat = file.read()
    except OSError:
        return  # ended meanwhile
    # The name in parentheses may hold anything, parentheses and spaces included.
    state, parent, group = stat[stat.rindex(b")") + 2 :].split(b" ", 3)[:3]
    if state != b"Z":
        children.setdefault(int(parent), []).append((pid, int(group)))


if __name__ == "__main__":
    sys.exit(main())
