"""Processes and threads: what it costs that they are there."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from . import codex_mcp
from .codex_rows import Found, Measure, Row
from .codex_sides import Server, Side

__all__ = ["MEASURES"]

_MCP_TABLE: Final = """
[mcp_servers.small]
command = "{python}"
args = ["-S", "-E", "{script}"]
"""
_MCP_SCRIPT: Final = str(Path(codex_mcp.__file__))


def _start(side: Side, scale: float) -> Found:
    """Start it some times; the first time only warms the home."""
    seen = [_started(side) for _ in range(1 + max(2, int(5 * scale)))][1:]
    taken, resident, anonymous = map(statistics.median, zip(*seen, strict=True))
    return {
        "process start to initialize": taken * 1e3,
        "resident memory after initialize": resident / 1e3,
        "anonymous memory after initialize": anonymous / 1e3,
    }


def _started(side: Side) -> tuple[float, float, float]:
    with side.serve() as server:
        return server.started_in, server.memory(), server.memory("Anonymous")


def _threads(side: Side, scale: float) -> Found:
    count = max(5, int(49 * scale))
    found = {"thread/start, sequential": _thread_start(side, count)}
    side.configure(snapshot=True)
    found["thread/start, as configured by default"] = _thread_start(side, count)
    side.configure()
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(side.project))
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "a")):
        subprocess.run([*git, *words], check=True)
    try:
        found["thread/start, in a repository"] = _thread_start(side, count)
    finally:
        subprocess.run(["rm", "-r", "-f", str(side.project / ".git")], check=True)
    return found


def _thread_start(side: Side, count: int) -> float:
    """Return the milliseconds of one, without the first."""
    with side.serve() as server:
        server.start_thread()
        began = time.perf_counter()
        for _ in range(count):
            server.start_thread()
        return (time.perf_counter() - began) / count * 1e3


def _memory(side: Side, scale: float) -> Found:
    return {name: value for count in (50, 200) for name, value in _weigh(side, count, scale)}


def _weigh(side: Side, count: int, scale: float) -> Iterator[tuple[str, float]]:
    some = max(5, int(count * scale))
    with side.serve() as server:
        # What the first thread and the first turn load is no thread's.
        server.run_turn(server.start_thread())
        server.run_turn(server.start_thread())
        before = _settled(server)
        threads = [server.start_thread() for _ in range(some)]
        yield f"memory of a live thread, {count}", (_settled(server) - before) / some
        for thread in threads:
            server.run_turn(thread)
        yield f"memory of a thread after a turn, {count}", (_settled(server) - before) / some


def _settled(server: Server) -> float:
    """Return the memory when what goes on behind the last answer is done."""
    time.sleep(0.3)
    return server.memory()


def _shutdown(side: Side, scale: float) -> Found:
    found: dict[str, float] = {}
    for count in (0, 200):
        with side.serve() as server:
            for _ in range(int(count * scale)):
                server.start_thread()
            found[f"shutdown with {count} threads"] = server.close() * 1e3
    return found


def _mcp(side: Side, scale: float) -> Found:
    count = max(3, int(20 * scale))
    side.configure(tables=_MCP_TABLE.format(python=sys.executable, script=_MCP_SCRIPT))
    try:
        with side.serve() as server:
            for thread in [server.start_thread() for _ in range(count)]:
                server.run_turn(thread)
            return {
                "20 threads with an MCP server: its processes": server.children(_MCP_SCRIPT),
                "20 threads with an MCP server: memory of all": server.memory("Pss") / 1e3,
            }
    finally:
        side.configure()


MEASURES: Final = (
    Measure(
        "start",
        (
            Row(name="process start to initialize", unit="ms"),
            Row(name="resident memory after initialize", unit="MB"),
            Row(name="anonymous memory after initialize", unit="MB"),
        ),
        _start,
    ),
    Measure(
        "threads",
        (
            Row(name="thread/start, as configured by default", unit="ms", aim=8),
            Row(name="thread/start, sequential", unit="ms"),
            Row(name="thread/start, in a repository", unit="ms"),
        ),
        _threads,
    ),
    Measure(
        "memory",
        tuple(
            Row(name=f"memory of a {what}, {count}", unit="kB", aim=8)
            for count in (50, 200)
            for what in ("live thread", "thread after a turn")
        ),
        _memory,
    ),
    Measure(
        "mcp",
        (
            Row(name="20 threads with an MCP server: its processes", unit=""),
            Row(name="20 threads with an MCP server: memory of all", unit="MB"),
        ),
        _mcp,
    ),
    Measure(
        "shutdown",
        tuple(Row(name=f"shutdown with {count} threads", unit="ms") for count in (0, 200)),
        _shutdown,
    ),
)
