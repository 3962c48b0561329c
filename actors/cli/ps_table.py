"""A pool as tables for a person: its workers, and its threads."""

from collections.abc import Sequence
from typing import Final

from messages.rpc.pool import (
    PoolReadResponse,
    PoolThread,
    PoolThreadStatus,
    PoolWorker,
    PoolWorkerState,
)

from .columns import Row, laid_out
from .pieces import Look, Piece

__all__ = ["pool_tables", "span"]

_WORKERS: Final = ("WORKER", "PID", "STATE", "THREADS", "TURNS", "MEMORY", "RESTARTS", "UP FOR")
_THREADS: Final = ("THREAD", "WORKER", "STATE", "CLIENTS", "CHANGED", "MODEL", "FOLDER", "NAME")
_WORKER, _STATE, _CLIENTS, _CHANGED, _MODEL, _FOLDER, _NAME = range(1, 8)

_LESS_OF_WORKERS: Final = (7, 6, 5, 4, 3, 2, 1)
_LESS_OF_THREADS: Final = (_MODEL, _CLIENTS, _CHANGED, _WORKER, _FOLDER, _NAME, _STATE)
"""Columns that a terminal without room for them does without, the first one first."""

_CELL: Final = 12
"""Columns of the terminal that a cell which may be cut keeps."""

_LOOKS: Final = {
    PoolWorkerState.UP: Look.PLAIN,
    PoolWorkerState.STARTING: Look.WARN,
    PoolWorkerState.LEAVING: Look.FAINT,
    PoolWorkerState.STOPPING: Look.FAINT,
    PoolWorkerState.LOST: Look.BAD,
    PoolThreadStatus.IDLE: Look.PLAIN,
    PoolThreadStatus.RUNNING: Look.GOOD,
    PoolThreadStatus.MOVING: Look.WARN,
    PoolThreadStatus.HELD: Look.BAD,
}

_UNITS: Final = (
    (86400 * 2, 86400, "days"),
    (3600 * 2, 3600, "h"),
    (60 * 2, 60, "min"),
    (0, 1, "s"),
)
_SIZES: Final = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"), (1, "B"))


def pool_tables(
    pool: PoolReadResponse, *, url: str, now: float, width: int | None
) -> tuple[Piece, ...]:
    """
    Lay a pool out: a line about it, its workers, and its threads if there are any.

    Args:
        pool: As it told of itself.
        url: Where it is.
        now: Seconds since the Unix epoch.
        width: Columns of the terminal; None for a pipe.
    """
    workers = [_worker(worker, now) for worker in pool.workers]
    pieces = [_headline(pool, url), Piece("\n")]
    pieces += _table(_WORKERS, workers, width, less=_LESS_OF_WORKERS)
    if pool.threads:
        pieces.append(Piece("\n"))
        pieces += _threads(pool.threads, now, width)
    return tuple(pieces)


def _headline(pool: PoolReadResponse, url: str) -> Piece:
    turns = sum(thread.turn_id is not None for thread in pool.threads)
    counts = (
        _counted(max(len(pool.clients) - 1, 0), "other client"),  # one of them asks
        _counted(len(pool.threads), "thread"),
        _counted(turns, "turn"),
    )
    ending = ", shutting down" if pool.draining else ""
    look = Look.WARN if pool.draining else Look.FAINT
    return Piece(f"pool at {url} (pid {pool.pid}): {', '.join(counts)}{ending}\n", look)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _worker(worker: PoolWorker, now: float) -> Row:
    started = worker.started_at
    cells = (
        _or_dash(worker.number),
        _or_dash(worker.pid),
        worker.state.value,
        str(worker.threads),
        str(worker.turns),
        "-" if worker.memory_bytes is None else _size(worker.memory_bytes),
        str(worker.restarts),
        "-" if started is None else span(now - started),
    )
    return Row(cells, _LOOKS[worker.state])


def _threads(threads: Sequence[PoolThread], now: float, width: int | None) -> tuple[Piece, ...]:
    rows = [_thread(thread, now) for thread in threads]
    elastic = (_NAME, _FOLDER, _MODEL)
    return _table(_THREADS, rows, width, less=_LESS_OF_THREADS, elastic=elastic, tails=(_FOLDER,))


def _table(
    headings: Sequence[str],
    rows: Sequence[Row],
    width: int | None,
    *,
    less: Sequence[int],
    elastic: Sequence[int] = (),
    tails: Sequence[int] = (),
) -> tuple[Piece, ...]:
    """Lay out as many columns as there is room for; see `laid_out`."""
    columns = zip(headings, *(row.cells for row in rows), strict=True)
    least = [max(map(len, column)) for column in columns]
    for column in elastic:
        least[column] = min(least[column], _CELL)
    shown = list(range(len(headings)))
    dropped = iter(less)
    while width is not None and sum(least[at] + 2 for at in shown) - 2 > width:
        leaves = next(dropped, None)
        if leaves is None:
            break
        shown.remove(leaves)
    return laid_out(
        [headings[at] for at in shown],
        [Row(tuple(row.cells[at] for at in shown), row.look) for row in rows],
        elastic=[shown.index(at) for at in elastic if at in shown],
        width=width,
        tails=[shown.index(at) for at in tails if at in shown],
    )


def _thread(thread: PoolThread, now: float) -> Row:
    changed = thread.updated_at
    cells = (
        thread.id,
        _or_dash(thread.worker),
        thread.status.value,
        str(thread.clients),
        "-" if changed is None else span(now - changed),
        thread.model or "-",
        thread.cwd or "-",
        thread.name or "",
    )
    return Row(cells, _LOOKS[thread.status])


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def span(seconds: float) -> str:
    """Say how long something is, in the largest unit of which there are two."""
    whole = max(round(seconds), 0)
    for least, unit, word in _UNITS:
        if whole >= least:
            return f"{whole // unit} {word}"
    raise AssertionError("the last unit takes all")


def _size(count: int) -> str:
    for unit, word in _SIZES:
        if count >= unit:
            return f"{count / unit:.0f} {word}"
    return "0 B"
