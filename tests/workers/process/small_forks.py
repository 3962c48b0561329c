"""
A fork server whose workers do next to nothing, at the socket that is its standard input.

The first argument is the process id of its owner, the second one what a rehearsal does.  A
worker says who it is and what numbers it draws, and stays until its control socket ends.
"""

import ctypes
import os
import random
import signal
import socket
import sys
import time
import uuid

from actors.runtime import World
from actors.workers.process.fork_nursery import Nursery
from actors.workers.process.forked_child import Origin, Work

__all__ = ["main"]


def _run(control: socket.socket, number: int) -> int:
    world = World.system()
    drawn = (random.random(), world.random.random(), world.new_id(), uuid.uuid4())
    control.sendall(f"{number} {os.getpid()} {' '.join(map(str, drawn))}\n".encode())
    control.recv(1)
    return 0


def _rehearse(how: str) -> None:
    World.system().new_id()
    random.random()
    if how == "hang":
        time.sleep(1000)
    if how == "fail":
        sys.stderr = None  # this is expected
        raise LookupError


def main() -> None:
    """Fork until the socket ends."""
    owner, how = sys.argv[1:]
    function = ctypes.CDLL(None).prctl
    quiet = (signal.SIGINT, signal.SIGTERM)
    for each in quiet:
        signal.signal(each, signal.SIG_IGN)
    origin = Origin(
        os.getpid(),
        lambda option, value: function(option, value, 0, 0, 0),
        quiet,
        Work(run=_run, rehearse=lambda: _rehearse(how)),
    )
    door = socket.socket(fileno=os.dup(0))
    Nursery(door, os.pidfd_open(int(owner)), origin).run()


if __name__ == "__main__":
    main()
