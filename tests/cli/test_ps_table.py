"""A pool as tables."""

import re

import attrs
import pytest

from actors.cli.pieces import Look
from actors.cli.ps_table import pool_tables, span
from messages.rpc.pool import (
    PoolClient,
    PoolReadResponse,
    PoolThread,
    PoolThreadStatus,
    PoolWorker,
    PoolWorkerState,
)

NOW = 1_800_000_000.0
FIRST = "01a1fad3-e9a3-77df-86ee-000000000001"
SECOND = "01a1fad3-e9a3-77df-86ee-000000000002"

UP = PoolWorker(
    slot=1,
    state=PoolWorkerState.UP,
    number=3,
    pid=4242,
    threads=2,
    turns=1,
    memory_bytes=12 << 20,
    restarts=1,
    started_at=int(NOW) - 7300,
)
DOWN = PoolWorker(slot=2, state=PoolWorkerState.LOST, restarts=10)
BUSY = PoolThread(
    id=FIRST,
    status=PoolThreadStatus.RUNNING,
    worker=3,
    turn_id="t",
    clients=1,
    cwd="/srv/project",
    model="scripted",
    name="mine",
    updated_at=int(NOW) - 5,
)
HELD = PoolThread(id=SECOND, status=PoolThreadStatus.HELD)
ASKING = PoolClient(id=0, peer="unix socket", worker=3, in_flight=1)
OTHER = PoolClient(id=1, peer="unix socket", worker=3, in_flight=0)


def pool(*threads: PoolThread, draining: bool = False) -> PoolReadResponse:
    return PoolReadResponse(
        pid=99, draining=draining, workers=(UP, DOWN), threads=threads, clients=(ASKING, OTHER)
    )


def lines(shown: PoolReadResponse, width: int | None = None) -> list[str]:
    pieces = pool_tables(shown, url="unix:///h/pool.sock", now=NOW, width=width)
    assert all(piece.text.count("\n") == 1 and piece.text.endswith("\n") for piece in pieces)
    return "".join(piece.text for piece in pieces).splitlines()


def test_workers_and_threads_stand_in_two_tables() -> None:
    """What is not known is a dash."""
    assert lines(pool(BUSY, HELD)) == [
        "pool at unix:///h/pool.sock (pid 99): 1 other client, 2 threads, 1 turn",
        "",
        "WORKER  PID   STATE  THREADS  TURNS  MEMORY  RESTARTS  UP FOR",
        "3       4242  up     2        1      12 MB   1         2 h",
        "-       -     lost   0        0      -       10        -",
        "",
        "THREAD                                WORKER  STATE    CLIENTS  CHANGED  MODEL     FOLDER        NAME",
        f"{FIRST}  3       running  1        5 s      scripted  /srv/project  mine",
        f"{SECOND}  -       held     0        -        -         -",
    ]


def test_a_pool_without_threads_has_one_table() -> None:
    """And says when it ends."""
    shown = lines(pool(draining=True))

    assert shown[0].endswith("1 other client, 0 threads, 0 turns, shutting down")
    assert not any(line.startswith("THREAD") for line in shown)


def test_what_needs_a_look_stands_out() -> None:
    """A lost place, a thread that is held, and one that runs a turn."""
    pieces = pool_tables(pool(BUSY, HELD), url="u", now=NOW, width=None)

    looks = {piece.text.split()[0]: piece.look for piece in pieces if piece.text.strip()}

    assert looks["-"] is Look.BAD
    assert looks["3"] is Look.PLAIN
    assert looks[FIRST] is Look.GOOD
    assert looks[SECOND] is Look.BAD


def test_a_narrow_terminal_cuts_names_folders_and_models() -> None:
    """Ids stay whole."""
    thread = PoolThread(
        id=FIRST,
        status=PoolThreadStatus.IDLE,
        worker=3,
        cwd="/srv/" + "deep/" * 20 + "end",
        model="a-model-of-some-length",
        name="a name that goes on and on " * 4,
        updated_at=int(NOW),
    )

    shown = lines(pool(thread), width=120)

    assert FIRST in shown[-1]
    assert "deep/end" in shown[-1]
    assert max(map(len, shown[-2:])) <= 120


@pytest.mark.parametrize(
    ("width", "workers", "threads"),
    [
        (
            100,
            ["WORKER", "PID", "STATE", "THREADS", "TURNS", "MEMORY", "RESTARTS", "UP FOR"],
            ["THREAD", "WORKER", "STATE", "CLIENTS", "CHANGED", "FOLDER", "NAME"],
        ),
        (
            80,
            ["WORKER", "PID", "STATE", "THREADS", "TURNS", "MEMORY", "RESTARTS", "UP FOR"],
            ["THREAD", "STATE", "FOLDER", "NAME"],
        ),
        (40, ["WORKER", "PID", "STATE", "THREADS", "TURNS"], ["THREAD"]),
        (10, ["WORKER"], ["THREAD"]),
    ],
)
def test_a_terminal_without_room_shows_fewer_columns(
    width: int, workers: list[str], threads: list[str]
) -> None:
    """Lines that break are worse than columns that are missing; ids stay whole."""
    thread = attrs.evolve(BUSY, cwd="/srv/deep/deep/project", name="a name of some length")

    shown = lines(pool(thread), width=width)

    headings = [re.split(" {2,}", line) for line in shown if line[:6] in {"WORKER", "THREAD"}]
    assert headings == [workers, threads]
    assert all(len(line) <= max(width, len(FIRST)) for line in shown[2:])
    assert shown[-1].startswith(FIRST)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (86400 * 2 - 1, "47 h"),
        (86400 * 2, "2 days"),
    ],
)
def test_spans_are_told_in_the_largest_unit_of_which_there_are_two(
    seconds: float, words: str
) -> None:
    """Whatever the clocks of two processes say."""
    assert span(seconds) == words
