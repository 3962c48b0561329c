"""What tests ask about the process that a fork server keeps in reserve."""

from pathlib import Path

import trio

from actors.workers.process.fork_link import ForkServer
from tests.tools.processes import children

__all__ = ["name_of", "named_child", "wait_spare"]


def name_of(pid: int) -> str:
    """Return the name of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def named_child(parent: int, name: str) -> int:
    """Wait until a process has a child of this name."""
    while True:
        for pid in children(parent):
            if name_of(pid) == name:
                return pid
        await trio.sleep(0.005)  # other processes tell us nothing, so they are looked for


async def wait_spare(forks: ForkServer) -> int:
    """Wait until there is a spare that needs no more than its number."""
    assert forks.pid is not None
    return await named_child(forks.pid, "treadle-spare")
