"""Long conversations and many of them: resume, fork, read and list."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from messages.ids import ThreadId
from messages.settings import SourceKind

from .bench_resume import write_rollout
from .codex_rows import Found, Measure, Row
from .codex_sides import Server, Side

__all__ = ["MEASURES"]

_SIZES: Final = (1, 10, 50)
_THREADS: Final = 1000
_FORKED: Final = 50
_BEGIN: Final = 1_770_802_200.0
_MEGABYTE: Final = 1e6


def _id(number: int) -> ThreadId:
    """Make the id of a thread that began so many seconds after the first."""
    stamp = int(_BEGIN + number) * 1000
    return ThreadId(str(UUID(int=stamp << 80 | 0x7111_8111_0000_0000_0000 | number)))


def _write(side: Side, number: int, megabytes: float) -> Path:
    """Write a rollout in a form that both read."""
    return write_rollout(
        side.home,
        megabytes,
        thread=_id(number),
        began=_BEGIN + number,
        source=SourceKind.CLI,
        model_provider="mock",
        cwd=str(side.project),
    )


def _long(side: Side, scale: float) -> Found:
    found: dict[str, float] = {}
    for number, size in enumerate(_SIZES):
        _write(side, number, size * scale)
        # A process for each: what it has read must not help with the next.
        with side.serve() as server:
            server.run_turn(server.start_thread())
            found |= _go_on(side, server, _id(number), size)
        with side.serve() as server:
            server.run_turn(server.start_thread())
            fork = server.client.ask("thread/fork", {"threadId": str(_id(number))})
            found[f"fork of {size} MB that nobody read before"] = fork.seconds * 1e3
    return found


def _go_on(side: Side, server: Server, thread: ThreadId, size: int) -> Iterator[Any]:
    client, named = server.client, {"threadId": str(thread)}
    yield f"resume of {size} MB", client.ask("thread/resume", named).seconds * 1e3
    read = client.ask("thread/read", {**named, "includeTurns": True})
    yield f"thread/read of {size} MB with turns", read.seconds * 1e3
    yield f"next turn on {size} MB", server.run_turn(thread) * 1e3
    before = side.written()
    fork = client.ask("thread/fork", named)
    assert fork.result["thread"]["turns"]
    yield f"fork of {size} MB", fork.seconds * 1e3
    yield f"fork of {size} MB: bytes written", (side.written() - before) / _MEGABYTE


def _list(side: Side, scale: float) -> Found:
    count = max(60, int(_THREADS * scale))
    for number in range(count):
        _write(side, number, 0)
    with side.serve() as server:
        # What is made when it is needed first is in none of the rows.
        pages = [server.client.ask("thread/list", {}) for _ in range(6)][1:]
        assert pages[0].result["data"], f"{side.name} finds no thread"
        first = statistics.median(page.seconds for page in pages)
        began, listed = time.perf_counter(), _all_pages(server)
        taken = time.perf_counter() - began
    assert listed == count, f"{side.name} lists {listed} of {count} threads"
    return {
        "list of 1,000 threads: first page": first * 1e3,
        "list of 1,000 threads: all pages": taken * 1e3,
    }


def _all_pages(server: Server) -> int:
    listed, cursor = 0, None
    while True:
        page = server.client.request("thread/list", {"cursor": cursor})
        listed += len(page["data"])
        cursor = page["nextCursor"]
        if cursor is None:
            return listed


def _long_rows() -> Iterator[Row]:
    for size in _SIZES:
        last = size == _FORKED
        yield Row(name=f"resume of {size} MB", unit="ms", aim=4 if last else None)
        yield Row(name=f"fork of {size} MB", unit="ms", aim=10 if last else None)
        yield Row(name=f"fork of {size} MB: bytes written", unit="MB")
        yield Row(name=f"fork of {size} MB that nobody read before", unit="ms")
        yield Row(name=f"next turn on {size} MB", unit="ms")
        yield Row(name=f"thread/read of {size} MB with turns", unit="ms")


MEASURES: Final = (
    Measure("long", tuple(_long_rows()), _long),
    Measure(
        "list",
        tuple(
            Row(name=f"list of 1,000 threads: {what}", unit="ms", aim=2)
            for what in ("first page", "all pages")
        ),
        _list,
    ),
)
