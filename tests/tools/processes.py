"""What tests ask about real processes."""

import os
import signal
from pathlib import Path

import trio

MARK = "TREADLE_TEST_MARK"


def open_descriptors() -> int:
    """Count our own file descriptors."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def marked_processes(mark: str) -> list[str]:
    """List the processes that were started with this mark, wherever they hang in the tree."""
    wanted = f"{MARK}={mark}".encode()
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            try:
                # Zombies have an empty environment.
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()!r}")
            except OSError:
                continue
    return found


async def wait_gone(pid: int) -> None:
    """Wait until a process that is not our child is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(handle)
    finally:
        os.close(handle)


def is_alive(pid: int) -> bool:
    """Whether a process exists, zombies excluded."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """List the direct children of a process."""
    text = "".join((task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir())
    return [int(word) for word in text.split()]


def kill(pid: int) -> None:
    """Kill without asking."""
    os.kill(pid, signal.SIGKILL)
