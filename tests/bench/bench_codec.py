"""
What the codec costs, as ratios to orjson on plain dicts, measured side by side.

Run with ``python -m tests.bench.bench_codec``. Each round runs both sides in turn; a
row is the median of the rounds' ratios of CPU time.
"""

import functools
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import orjson

from messages.codec import decode_line, encode, encode_line
from messages.content import InputText
from messages.events import ExecCommandEnd, ExecCommandStatus, UnknownCommand
from messages.ids import CallId, TurnId
from messages.items import Message
from messages.rollout import RolloutItem
from messages.value import Seconds

__all__ = ["Row", "rows"]

TIMESTAMP = "2026-02-11T09:30:00.000Z"
ROUNDS = 7
MEGABYTE = 1_000_000


@attrs.frozen(kw_only=True)
class Row:
    """
    One measured operation.

    Attributes:
        name: What was measured.
        ours: Microseconds of our side, or its MB/s.
        theirs: The same of the reference.
        ratio: Our time by the reference's time.
        target: The ratio to stay under.
        unit: Of ours and theirs.
    """

    name: str
    ours: float
    theirs: float
    ratio: float
    target: float
    unit: str = "us"

    def __str__(self) -> str:
        verdict = "ok" if self.ratio <= self.target else "over"
        return (
            f"{self.name:<42} {self.ours:9.2f} {self.theirs:9.2f} {self.unit:<5}"
            f"{self.ratio:6.2f} x (target {self.target:.1f}) {verdict}"
        )


def small_item() -> Message:
    """A message that makes a line of about 250 bytes."""
    return Message(role="user", content=(InputText(text="word " * 24),))


def big_item() -> ExecCommandEnd:
    """A finished command with 4 KB of coloured output."""
    output = "".join(f"\x1b[32mok\x1b[0m test_{n:03} passed in 0.01s\n" for n in range(98))
    return ExecCommandEnd(
        call_id=CallId("call_2"),
        turn_id=TurnId("0195a0c0-1111-7111-8111-111111111111"),
        command=("bash", "-lc", "pytest"),
        cwd="/home/user/project",
        parsed_cmd=(UnknownCommand(cmd="pytest"),),
        stdout="",
        stderr="",
        aggregated_output=output,
        exit_code=0,
        duration=Seconds(1.25),
        formatted_output="",
        status=ExecCommandStatus.COMPLETED,
    )


def rows(*, rounds: int = ROUNDS, megabytes: int = 50, times: int = 20_000) -> Iterator[Row]:
    """Measure everything, row by row; each line is written and read so many times a round."""
    for name, item, encode_target, decode_target in (
        ("small", small_item(), 5.0, 3.5),
        ("4 KB", big_item(), 1.5, 1.6),
    ):
        yield from _lines(
            name,
            item,
            rounds,
            times,
            encode_target=encode_target,
            decode_target=decode_target,
        )
    yield from _replays(megabytes, rounds)


def _lines(
    name: str,
    item: RolloutItem,
    rounds: int,
    times: int,
    *,
    encode_target: float,
    decode_target: float,
) -> Iterator[Row]:
    line = encode_line(item, timestamp=TIMESTAMP, seq=1)
    foreign = _foreign(line)
    doc = orjson.loads(line)
    loads, dumps = orjson.loads, orjson.dumps
    for operation, ours, theirs, target in (
        (
            "encode a payload",
            functools.partial(encode, item),
            functools.partial(dumps, doc["payload"]),
            encode_target,
        ),
        (
            "encode a line with checksum",
            functools.partial(encode_line, item, timestamp=TIMESTAMP, seq=1),
            functools.partial(dumps, doc),
            encode_target,
        ),
        (
            "decode a line",
            functools.partial(decode_line, foreign),
            functools.partial(loads, foreign),
            decode_target,
        ),
        (
            "decode a line with checksum",
            functools.partial(decode_line, line),
            functools.partial(loads, line),
            decode_target,
        ),
    ):
        yield _row(
            f"{operation}, {name}", _repeated(ours, times), _repeated(theirs, times), rounds, target
        )


def _replays(megabytes: int, rounds: int) -> Iterator[Row]:
    lines = list(_log(megabytes * MEGABYTE))
    with tempfile.TemporaryDirectory() as folder:
        ours, foreign = Path(folder, "ours.jsonl"), Path(folder, "foreign.jsonl")
        ours.write_bytes(b"".join(lines))
        foreign.write_bytes(b"".join(map(_foreign, lines)))
        for name, log, keep, target in (
            ("replay, not kept", foreign, False, 2.3),
            ("replay, not kept, with checksums", ours, False, 2.3),
            ("replay, all kept, collector off", foreign, True, 3.0),
        ):
            size = log.stat().st_size / MEGABYTE
            row = _row(
                f"{name}, {size:.0f} MB",
                _replayed(decode_line, log, keep=keep),
                _replayed(orjson.loads, log, keep=keep),
                rounds,
                target,
            )
            yield attrs.evolve(
                row, ours=size / row.ours * 1e6, theirs=size / row.theirs * 1e6, unit="MB/s"
            )


def _log(size_bytes: int) -> Iterator[bytes]:
    """Nine small records for each big one."""
    items: list[RolloutItem] = [*[small_item()] * 9, big_item()]
    written = seq = 0
    while written < size_bytes:
        line = encode_line(items[seq % 10], timestamp=TIMESTAMP, seq=seq)
        written += len(line)
        seq += 1
        yield line


def _foreign(line: bytes) -> bytes:
    """The line as a program writes it that knows neither crc nor seq."""
    doc = orjson.loads(line)
    del doc["crc"], doc["seq"]
    return orjson.dumps(doc) + b"\n"


def _replayed(read: Callable[[bytes], object], log: Path, *, keep: bool) -> Callable[[], float]:
    def run() -> float:
        kept: list[object] = []
        gc.collect()
        if keep:
            gc.disable()
        start = time.process_time()
        with log.open("rb") as lines:
            if keep:
                kept.extend(map(read, lines))
            else:
                for line in lines:
                    read(line)
        took = time.process_time() - start
        if keep:
            kept.clear()
            gc.enable()
        return took

    return run


def _repeated(operation: Callable[[], object], times: int) -> Callable[[], float]:
    def run() -> float:
        start = time.process_time()
        for _ in range(times):
            operation()
        return (time.process_time() - start) / times

    return run


def _row(
    name: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int, target: float
) -> Row:
    ours()  # makes the functions, warms the caches
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return Row(
        name=name,
        ours=statistics.median(pair[0] for pair in pairs) * 1e6,
        theirs=statistics.median(pair[1] for pair in pairs) * 1e6,
        ratio=statistics.median(pair[0] / pair[1] for pair in pairs),
        target=target,
    )


if __name__ == "__main__":
    for each in rows():
        print(each)
