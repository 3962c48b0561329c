"""Writing without blocking the trio thread."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from actors.cli import output as module
from actors.cli.output import STDERR, STDOUT, Output, OutputFailed, open_output


@contextmanager
def stdout_to(fd: int) -> Iterator[None]:
    """Let our standard output be another file for a while."""
    before = os.dup(STDOUT)
    os.dup2(fd, STDOUT)
    try:
        yield
    finally:
        os.dup2(before, STDOUT)
        os.close(before)


@contextmanager
def stdout_pipe() -> Iterator[int]:
    """Let our standard output be a pipe; gives its other end."""
    reader, writer = os.pipe()
    with stdout_to(writer):
        os.close(writer)
        yield reader


async def test_what_is_put_in_is_written_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    """Over both streams, and completely before the block ends."""
    async with open_output() as output:
        for number in range(100):
            output.put(STDOUT, f"{number}\n".encode())
        output.put(STDERR, b"done\n")
        output.put(STDOUT, b"")

    captured = capfd.readouterr()
    assert captured.out.split() == [str(number) for number in range(100)]
    assert captured.err == "done\n"


async def test_a_full_pipe_does_not_hold_up_who_puts_in() -> None:
    """Until the limit; then `room` waits for the reader."""
    with stdout_pipe() as reader:
        async with open_output() as output:
            output.put(STDOUT, b"x" * (module.LIMIT_BYTES - 1))
            await output.room()
            output.put(STDOUT, b"x")
            with trio.move_on_after(0.01) as scope:
                await output.room()
            assert scope.cancelled_caught

            async with trio.open_nursery() as nursery:
                nursery.start_soon(output.room)
                await trio.to_thread.run_sync(read_bytes, reader, module.LIMIT_BYTES)
        os.close(reader)


def read_bytes(fd: int, count: int) -> None:
    while count > 0:
        count -= len(os.read(fd, 1 << 16))


async def test_a_pipe_that_others_made_non_blocking_is_written_completely() -> None:
    """Its mode belongs to everybody who has it."""
    with stdout_pipe() as reader:
        os.set_blocking(STDOUT, False)
        async with open_output() as output:
            output.put(STDOUT, b"x" * 500_000)
            await trio.to_thread.run_sync(read_bytes, reader, 500_000)
        os.close(reader)


async def test_a_reader_that_has_gone_is_a_hangup() -> None:
    """Who waits hears of it, whoever comes later too, and what comes is dropped."""
    output = Output()
    with stdout_pipe() as reader:
        os.close(reader)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(output.write_all)
            output.put(STDOUT, b"x")
            with pytest.raises(OutputFailed) as caught:
                await output.flush()
            await output.failed.wait()
            output.put(STDOUT, b"y")
            with pytest.raises(OutputFailed):
                await output.room()
            nursery.cancel_scope.cancel()

    assert caught.value.is_hangup
    assert str(caught.value) == "cannot write to standard output: Broken pipe"


async def test_a_full_disk_is_no_hangup() -> None:
    """The user is told."""
    with pytest.RaisesGroup(pytest.RaisesExc(OutputFailed, match="No space left")) as caught:
        full = os.open("/dev/full", os.O_WRONLY)
        with stdout_to(full):
            os.close(full)
            async with open_output() as output:
                output.put(STDOUT, b"x")

    (error,) = caught.value.exceptions
    assert isinstance(error, OutputFailed)
    assert error.cause.errno == errno.ENOSPC
    assert not error.is_hangup


async def test_output_that_nobody_takes_is_given_up_when_the_block_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a moment for the last words."""
    monkeypatch.setattr(module, "_LAST_WORDS", 0.01)
    with stdout_pipe() as reader:
        with pytest.RaisesGroup(ValueError):
            async with open_output() as output:
                output.put(STDOUT, b"x" * 1_000_000)
                raise ValueError
        os.close(reader)  # which ends the write that was left behind


async def test_standard_error_that_fails_is_ignored(tmp_path: Path) -> None:
    """There is nobody left to tell."""
    before = os.dup(STDERR)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, STDERR)
    try:
        async with open_output() as output:
            output.put(STDERR, b"x")
            await output.flush()
            output.check()
    finally:
        os.dup2(before, STDERR)
        os.close(before)
        os.close(full)
