"""
Forks a worker, listens to what it reports, and kills it in the middle.

Run as ``python -m tests.kill.fork_server``: a warm process with one OS thread, whose
children are ready in milliseconds.  Each line on its standard input is a job, each
line on its standard output what became of it; see `run`.
"""

import contextlib
import gc
import importlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from actors import load_rollout
from actors.rollout import RolloutError
from messages.codec import encode_line

from .worker import work

__all__ = ["main", "run"]

PATIENCE = 20.0
"""Seconds without any report after which a worker hangs."""

LONGEST = 60.0
"""Seconds after which a worker that still reports runs in circles."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """
    Fork a worker and kill its process group.

    Args:
        job:
            ``spec`` is what the worker does; it is killed ``delay`` seconds after its
            report number ``after``, or lives as long as it likes if that is None.

    Returns:
        ``reports``, oldest first; ``status`` of its exit, negative for a signal; and
        ``hung``: whether it was killed for silence.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _be_worker(job["spec"], writing)
    os.close(writing)
    try:
        received, hung = _listen(reading, pid, job["after"], job["delay"])
    finally:
        os.close(reading)
    _, status = os.waitpid(pid, 0)
    lines = received.split(b"\n")[:-1]  # a last line that was cut off is no report
    return {
        "reports": [orjson.loads(line) for line in lines],
        "status": os.waitstatus_to_exitcode(status),
        "hung": hung,
    }


def _listen(reading: int, pid: int, after: int | None, delay: float) -> tuple[bytes, bool]:
    """Read reports to their end; kill in time, or when there is something wrong."""
    received = bytearray()
    aim = None
    end = time.monotonic() + LONGEST
    while True:
        now = time.monotonic()
        until = min(end, now + PATIENCE) if aim is None else aim
        ready, _, _ = select.select([reading], [], [], max(0.0, until - now))
        if ready:
            part = os.read(reading, 1 << 16)
            if not part:
                return bytes(received), False
            received += part
        if aim is None and after is not None and received.count(b"\n") >= after:
            aim = time.monotonic() + delay
        if not ready or time.monotonic() >= until:
            _kill_group(pid)
            return bytes(received + _rest(reading)), aim is None


def _rest(reading: int) -> bytes:
    """Read what a killed worker had reported; nobody else holds the pipe."""
    parts: list[bytes] = []
    while part := os.read(reading, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group yet, or has just ended
        os.kill(pid, signal.SIGKILL)


def _be_worker(spec: dict[str, Any], writing: int) -> None:
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        report = _reporter(writing)
        try:
            work(spec, report)
            status = 0
        except BaseException:  # noqa: BLE001 -- whatever it is, the test must hear of it
            report("crash", text=traceback.format_exc())
    finally:
        os._exit(status)


def _reporter(writing: int) -> Callable[..., None]:
    def report(what: str, **fields: Any) -> None:
        # One system call for a line: it is in the pipe, whatever happens next.
        os.write(writing, orjson.dumps({"what": what, **fields}) + b"\n")

    return report


def main() -> None:
    """Serve jobs until standard input ends."""
    warm = False
    for line in sys.stdin.buffer:
        job = orjson.loads(line)
        sys.stdout.buffer.write(orjson.dumps(run(job)) + b"\n")
        sys.stdout.buffer.flush()
        if not warm:
            _warm_up(Path(job["spec"]["home"]))
            warm = True


def _warm_up(home: Path) -> None:
    """
    Make what is made at first use, so that not every child makes it anew.

    That is the codec's functions, for the records that the first child wrote, and what
    makes ids.  No id is drawn here, or all children would draw the same ones.
    """
    importlib.import_module("uuid_utils")
    for path in sorted(home.rglob("*.jsonl")):
        with contextlib.suppress(RolloutError):  # killed before it had a line
            for item in load_rollout(path).items:
                encode_line(item, timestamp="", seq=0)
    gc.collect()
    gc.freeze()  # what is shared with the children stays shared


if __name__ == "__main__":
    main()
