"""
What rollouts cost, as ratios to the raw operations of the system measured beside it.

``python -m tests.bench.bench_rollout [rounds] [megabytes]`` prints one row an
operation.  Reference and ours take turns within one process; a ratio is the
median of the ratios of the single rounds.
"""

import functools
import gc
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import orjson
import trio

from actors.rollout import (
    Durability,
    ForkedHistory,
    LoadedRollout,
    PersistMode,
    Recorder,
    load_rollout,
    open_journal,
)
from actors.runtime import World
from messages.codec import encode_line
from messages.content import InputText
from messages.events import ExecCommandEnd, ExecCommandStatus
from messages.ids import CallId, ThreadId, TurnId
from messages.items import Message
from messages.rollout import RolloutItem, SessionMeta
from messages.value import Seconds

__all__ = ["Row", "rows"]

TIMESTAMP = "2026-02-11T09:30:00.000Z"
MEGABYTE = 1_000_000
APPENDERS = 64
MESSAGE = Message(role="user", content=(InputText(text="what is in this repository? " * 4),))
COMMAND = ExecCommandEnd(
    call_id=CallId("call_1"),
    turn_id=TurnId("01a1fa57-f3a8-7fe2-baad-52cf57f91661"),
    command=("bash", "-lc", "ls"),
    cwd="/home/me/project",
    parsed_cmd=(),
    stdout="",
    stderr="",
    exit_code=0,
    duration=Seconds(0.25),
    formatted_output="",
    status=ExecCommandStatus.COMPLETED,
    aggregated_output="\x1b[32msome\x1b[0m output of a command\n" * 128,
)


@attrs.frozen(kw_only=True)
class Row:
    """
    One measured operation.

    Attributes:
        name: What was measured.
        unit: Of *ours* and *theirs*.
        ours: Median of our side.
        theirs: Median of the reference.
        ratio: Median of our time / the reference's time in each round.
        target: Highest good ratio; None if there is none.
    """

    name: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    target: float | None

    def __str__(self) -> str:
        target = "" if self.target is None else f" (target {self.target:.2f})"
        missed = " *" if self.target is not None and self.ratio > self.target else ""
        return (
            f"{self.name:<52} {self.ours:10.2f} {self.theirs:10.2f} {self.unit:<6}"
            f"{self.ratio:7.3f} x{target}{missed}"
        )


Measure = Callable[[Path], Awaitable[float]]


def paired(
    name: str,
    ours: Measure,
    theirs: Measure,
    *,
    rounds: int,
    target: float | None,
    unit: str,
    factor: float,
    inverse: bool = False,
) -> Row:
    """
    Run both in turns in fresh folders.

    Args:
        factor: From seconds to *unit*; with *inverse*, divided by the seconds.
    """
    pairs: list[tuple[float, float]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            pairs.append(
                (
                    trio.run(ours, make(Path(folder, "ours"))),
                    trio.run(theirs, make(Path(folder, "theirs"))),
                )
            )

    def shown(side: int) -> float:
        seconds = statistics.median(pair[side] for pair in pairs)
        return factor / seconds if inverse else factor * seconds

    return Row(
        name=name,
        unit=unit,
        ours=shown(0),
        theirs=shown(1),
        ratio=statistics.median(mine / other for mine, other in pairs),
        target=target,
    )


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def meta(number: int = 0) -> SessionMeta:
    return SessionMeta(
        id=ThreadId(f"01a1fa57-f3a8-7fe2-baad-{number:012x}"),
        timestamp=TIMESTAMP,
        cwd="/nowhere",
        originator="bench",
        cli_version="0",
    )


def raw_file(folder: Path, name: str = "raw") -> int:
    return os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)


# Appending ---------------------------------------------------------------


async def raw_append(folder: Path, count: int) -> float:
    fd = raw_file(folder)
    begin = time.perf_counter()
    for seq in range(count):
        os.write(fd, encode_line(MESSAGE, timestamp=TIMESTAMP, seq=seq))
        if not seq % 64:
            await trio.lowlevel.checkpoint()
    took = time.perf_counter() - begin
    os.close(fd)
    return took


async def our_append(folder: Path, count: int, *, flush: bool) -> float:
    async with open_journal(world=World.system()) as journal:
        recorder = journal.recorder(
            folder / "ours.jsonl", meta(), PersistMode.LIMITED, on_trouble=print
        )
        await recorder.persist()
        begin = time.perf_counter()
        for seq in range(count):
            recorder.record((MESSAGE,))
            if flush:
                await recorder.flush()
            if not seq % 64:
                await trio.lowlevel.checkpoint()
        await recorder.flush()
        return time.perf_counter() - begin


async def raw_durable(folder: Path, appenders: int, each: int, *, files: int) -> float:
    fds = [raw_file(folder, str(number)) for number in range(files)]

    def write_and_sync(fd: int, line: bytes) -> None:
        os.write(fd, line)
        os.fdatasync(fd)

    async def append(number: int) -> None:
        for seq in range(each):
            line = encode_line(MESSAGE, timestamp=TIMESTAMP, seq=seq)
            await trio.to_thread.run_sync(write_and_sync, fds[number % files], line)

    begin = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(appenders):
            nursery.start_soon(append, number)
    took = time.perf_counter() - begin
    for fd in fds:
        os.close(fd)
    return took


async def raw_durable_alone(folder: Path, count: int) -> float:
    fd = raw_file(folder)
    begin = time.perf_counter()
    for seq in range(count):
        os.write(fd, encode_line(MESSAGE, timestamp=TIMESTAMP, seq=seq))
        os.fdatasync(fd)
    took = time.perf_counter() - begin
    os.close(fd)
    return took


async def our_durable(folder: Path, appenders: int, each: int, *, files: int) -> float:
    async def append(recorder: Recorder) -> None:
        for _ in range(each):
            recorder.record((MESSAGE,))
            await recorder.flush()

    async with open_journal(world=World.system(), durability=Durability.FSYNC) as journal:
        recorders = [
            journal.recorder(
                folder / f"{number}.jsonl", meta(number), PersistMode.LIMITED, on_trouble=print
            )
            for number in range(files)
        ]
        for recorder in recorders:
            await recorder.persist()
        begin = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(appenders):
                nursery.start_soon(append, recorders[number % files])
        return time.perf_counter() - begin


def appending(rounds: int) -> Iterator[Row]:
    """Rows of records on their way to the disk."""
    count = 20_000
    measure = functools.partial(paired, rounds=rounds, unit="us")
    raw = functools.partial(raw_append, count=count)
    for flush, name in ((False, "append"), (True, "append, each acknowledged")):
        yield measure(
            f"{name} : encode + os.write",
            functools.partial(our_append, count=count, flush=flush),
            raw,
            target=1.3 if not flush else None,
            factor=1e6 / count,
        )
    yield measure(
        "durable, 1 appender : write + fdatasync on the loop",
        functools.partial(our_durable, appenders=1, each=200, files=1),
        functools.partial(raw_durable_alone, count=200),
        target=2.0,
        factor=1e6 / 200,
    )
    for files in (1, APPENDERS):
        each = 20
        yield measure(
            f"durable, {APPENDERS} appenders, {files} files : to_thread each",
            functools.partial(our_durable, appenders=APPENDERS, each=each, files=files),
            functools.partial(raw_durable, appenders=APPENDERS, each=each, files=files),
            target=0.1 if files == 1 else None,
            factor=1e6 / APPENDERS / each,
        )


# Resuming and forking ------------------------------------------------------


def write_log(path: Path, size_bytes: int) -> None:
    """Write a rollout: nine small records for each big one."""
    items: list[RolloutItem] = [*[MESSAGE] * 9, COMMAND]
    with path.open("wb", buffering=MEGABYTE) as file:
        file.write(encode_line(meta(), timestamp=TIMESTAMP, seq=0))
        seq = 1
        while file.tell() < size_bytes:
            file.write(encode_line(items[seq % 10], timestamp=TIMESTAMP, seq=seq))
            seq += 1


async def raw_load(_folder: Path, log: Path) -> float:
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    with log.open("rb", buffering=MEGABYTE) as lines:
        kept = [orjson.loads(line) for line in lines]
    took = time.perf_counter() - begin
    del kept
    gc.enable()
    return took


async def our_load(_folder: Path, log: Path) -> float:
    gc.collect()
    begin = time.perf_counter()
    kept = load_rollout(log)
    took = time.perf_counter() - begin
    del kept
    return took


async def raw_copy(folder: Path, log: Path) -> float:
    begin = time.perf_counter()
    shutil.copyfile(log, folder / "copy.jsonl")
    return time.perf_counter() - begin


async def our_fork(folder: Path, source: LoadedRollout, mode: PersistMode) -> float:
    history = ForkedHistory(items=source.items, source=source)
    path = folder / "fork.jsonl"
    async with open_journal(world=World.system()) as journal:
        begin = time.perf_counter()
        await journal.fork(history, path, meta(1), mode, on_trouble=print)
        return time.perf_counter() - begin


def reading(rounds: int, megabytes: int) -> Iterator[Row]:
    """Rows of whole rollouts."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.jsonl")
        write_log(log, megabytes * MEGABYTE)
        yield paired(
            f"resume {megabytes} MB : orjson.loads of each line, kept",
            functools.partial(our_load, log=log),
            functools.partial(raw_load, log=log),
            rounds=rounds,
            target=3.0,
            unit="MB/s",
            factor=log.stat().st_size / MEGABYTE,
            inverse=True,
        )
        source = load_rollout(log)
        gc.freeze()  # what the forks read is no garbage
        for mode in reversed(PersistMode):
            yield paired(
                f"fork {megabytes} MB, {mode.value} : copy of the file",
                functools.partial(our_fork, source=source, mode=mode),
                functools.partial(raw_copy, log=log),
                rounds=rounds,
                target=None,
                unit="ms",
                factor=1e3,
            )
        gc.unfreeze()


def rows(rounds: int = 5, megabytes: int = 50) -> Iterator[Row]:
    """Measure everything."""
    yield from appending(rounds)
    yield from reading(rounds, megabytes)


if __name__ == "__main__":
    for each in rows(*map(int, sys.argv[1:])):
        print(each, flush=True)
