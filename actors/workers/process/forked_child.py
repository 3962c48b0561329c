"""
What a child of the fork server does: it leaves behind what is its parent's, and works.

A *spare* is born before it is needed.  It rehearses, which copies the pages of memory that a
worker writes to, says so, and waits for its number and its control socket.
"""

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

import attrs

__all__ = ["NUMBER_BYTES", "REHEARSED", "Origin", "Work", "be_spare", "be_worker", "take_name"]

_PR_SET_PDEATHSIG: Final = 1

_STDERR: Final = 2

NUMBER_BYTES: Final = 4
"""Length of a worker's number where one is sent."""

REHEARSED: Final = b"."
"""What a spare says when it is as far as it can be."""


@attrs.frozen
class Work:
    """
    What a worker does.

    Attributes:
        run: Does it, with the control socket and the number; gives the exit code.
        rehearse: Begins and ends it without a pool, and leaves nothing of that but memory.
    """

    run: Callable[[socket.socket, int], int]
    rehearse: Callable[[], None]


@attrs.frozen
class Origin:
    """
    What every child has from its parent.

    Attributes:
        parent: The process id of it.
        prctl: The system's, with an option and a value.
        quiet: Signals meant for the program as a whole, which do nothing to a child.
        work: What it is born for.
    """

    parent: int
    prctl: Callable[[int, int], object]
    quiet: tuple[signal.Signals, ...]
    work: Work


def be_worker(origin: Origin, number: int, control: socket.socket) -> NoReturn:
    """Work until the end, with a number that is known from the start."""

    def live() -> int:
        _stand_alone(origin, control)
        take_name(f"treadle-w{number}")
        return origin.work.run(control, number)

    _live(origin, live)


def be_spare(origin: Origin, link: socket.socket) -> NoReturn:
    """Get ready to work, and wait for a number on *link*; its end is ours."""

    def live() -> int:
        _stand_alone(origin, link)
        take_name("treadle-warming")
        origin.work.rehearse()
        link.sendall(REHEARSED)
        take_name("treadle-spare")
        needed = _wait_needed(link)
        if needed is None:
            return 0
        number, control = needed
        take_name(f"treadle-w{number}")
        return origin.work.run(control, number)

    _live(origin, live)


def _wait_needed(link: socket.socket) -> tuple[int, socket.socket] | None:
    with link:
        data, descriptors, _, _ = socket.recv_fds(link, NUMBER_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    if len(data) < NUMBER_BYTES or not descriptors:
        return None
    return int.from_bytes(data, "big"), socket.socket(fileno=descriptors[0])


def take_name(name: str) -> None:
    """Show what this process is in lists of processes."""
    with suppress(OSError), open("/proc/self/comm", "w") as comm:  # noqa: PTH123
        comm.write(name)


def _live(origin: Origin, live: Callable[[], int]) -> NoReturn:
    status = 1
    try:
        origin.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Else it ended before the kernel was asked.
        if os.getppid() == origin.parent:
            status = live()
    except Exception:  # noqa: BLE001 -- this is where the process ends
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _stand_alone(origin: Origin, kept: socket.socket) -> None:
    """Leave everything behind that was the parent's."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for quiet in origin.quiet:
        # Not SIG_IGN, which programs that the worker starts would inherit.
        signal.signal(quiet, lambda _signal, _frame: None)
    _close_others(kept.fileno())


def _close_others(kept: int) -> None:
    """Close what is not ours: the pool's socket, lives and controls of other workers."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 -- names are enough
        number = int(name)
        if number > _STDERR and number != kept:
            with suppress(OSError):  # that of the listing itself
                os.close(number)
