"""One client at standard input and output."""

# ruff: noqa: ASYNC230 -- files of a test are read at once

import fcntl
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.server.transports import stdio
from actors.server.transports.os_pipe import OsPipe
from actors.server.transports.stdio import serve_stdio
from tests.waiting import PATIENCE

from ..rpc_stage import (
    INITIALIZE,
    WELCOME,
    StageHandler,
    answered,
    echo,
    stage_connections,
)

ROOT = Path(__file__).parents[3]


@attrs.define(eq=False)
class Ends:
    """The client's ends of two pipes, and whether the server has ended."""

    server_in: int
    say_to: int
    hear_from: int
    server_out: int
    handler: StageHandler
    done: trio.Event = attrs.field(factory=trio.Event)
    _rest: bytes = b""

    async def say(self, *messages: Any) -> None:
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            await trio.to_thread.run_sync(os.write, self.say_to, raw)

    async def hear(self) -> Any:
        while b"\n" not in self._rest:
            self._rest += await trio.to_thread.run_sync(os.read, self.hear_from, 65536)
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def close(self, fd: int) -> None:
        with suppress(OSError):
            os.close(fd)


@pytest.fixture(params=["without OS threads", "with OS threads"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve pipes as such, and as files and terminals are served."""
    if request.param == "with OS threads":
        monkeypatch.setattr(stdio, "open_own_descriptors", lambda *_: None)


@contextmanager
def pipes() -> Iterator[tuple[int, int, int, int]]:
    fds = (*os.pipe(), *os.pipe())
    try:
        yield fds
    finally:
        for fd in fds:
            with suppress(OSError):
                os.close(fd)


@asynccontextmanager
async def at_pipes(**limits: Any) -> AsyncGenerator[Ends]:
    handler = StageHandler()
    connections = stage_connections(handler, **limits)
    with pipes() as fds, trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            ends = Ends(*fds, handler)

            async def serve() -> None:
                await serve_stdio(connections, ends.server_in, ends.server_out)
                ends.done.set()

            nursery.start_soon(serve)
            yield ends
            nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("either_way")
async def test_client_asks_and_is_answered_and_the_end_of_input_ends_it() -> None:
    """At once when nothing runs."""
    text = "ä" * 500_000
    async with at_pipes() as ends, trio.open_nursery() as nursery:
        await ends.say(INITIALIZE)
        assert await ends.hear() == WELCOME
        nursery.start_soon(ends.say, echo(1, text=text))
        assert await ends.hear() == answered(1, text=text)

        ends.close(ends.say_to)

        await ends.done.wait()
        assert ends.handler.log[-1] == "disconnected 0"


@pytest.mark.usefixtures("either_way")
async def test_what_was_asked_before_the_end_of_input_is_answered() -> None:
    """As when a file is piped into it."""
    async with at_pipes() as ends:
        await ends.say(INITIALIZE, echo(1), json.dumps(echo(2)).encode())
        ends.close(ends.say_to)
        await ends.done.wait()

        assert [await ends.hear() for _ in range(3)] == [WELCOME, answered(1), answered(2)]


@pytest.mark.usefixtures("either_way")
async def test_broken_pipe_ends_it_quietly(caplog: pytest.LogCaptureFixture) -> None:
    """Though the input goes on."""
    async with at_pipes() as ends:
        await ends.say(INITIALIZE)
        await ends.hear()
        ends.close(ends.hear_from)
        await ends.say(echo(1))

        await ends.done.wait()
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


@pytest.mark.usefixtures("either_way")
async def test_descriptors_stay_as_they_were() -> None:
    """Blocking, because the shell may have the same; and open."""
    async with at_pipes() as ends:
        await ends.say(INITIALIZE)
        await ends.hear()
        for fd in (ends.server_in, ends.server_out):
            assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK

    async with at_pipes() as ends:
        ends.close(ends.say_to)
        await ends.done.wait()
        os.fstat(ends.server_in)
        os.fstat(ends.server_out)


@pytest.mark.usefixtures("either_way")
async def test_cancelled_server_leaves_the_input_to_others() -> None:
    """No OS thread of ours waits for it any more."""
    with pipes() as (server_in, say_to, _, server_out):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stdio, stage_connections(), server_in, server_out)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        for words in (b"for somebody else", b"and this, too"):
            os.write(say_to, words)
            with trio.fail_after(20):
                read = await trio.to_thread.run_sync(
                    os.read, server_in, 100, abandon_on_cancel=True
                )
            assert read == words


@pytest.mark.usefixtures("either_way")
async def test_client_that_takes_nothing_is_closed_when_patience_is_over() -> None:
    """The OS thread that writes to it ends, too."""
    text = "x" * 20_000
    async with at_pipes(outbound=4, patience=0.05) as ends:
        await ends.say(INITIALIZE)
        await ends.hear()
        for number in range(100):
            if ends.done.is_set():
                break
            await ends.say(echo(number, text=text))
            await trio.lowlevel.checkpoint()
        await ends.done.wait()


@pytest.mark.slow
async def test_slow_client_that_takes_a_little_now_and_then_is_not_closed(
    mock_clock: MockClock,
) -> None:
    """Patience begins anew whenever it takes something, within a message, too."""
    text = "x" * 600_000
    async with at_pipes(outbound=1, outbound_bytes=1, patience=0.1) as ends:
        await ends.say(INITIALIZE)
        await ends.hear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.say, echo(1, text=text), echo(2))
            taken = b""
            while taken.count(b"\n") < 2:
                await wait_all_tasks_blocked()
                mock_clock.jump(0.06)
                taken += await trio.to_thread.run_sync(os.read, ends.hear_from, 65536)
        first, second, _ = taken.split(b"\n")
        assert json.loads(first) == answered(1, text=text)
        assert json.loads(second) == answered(2)


async def test_file_and_null_device_can_be_read_as_pipes_can(tmp_path: Path) -> None:
    """What epoll does not take."""
    script, out = tmp_path / "in", tmp_path / "out"
    script.write_text(f"{json.dumps(INITIALIZE)}\n{json.dumps(echo(1))}\n")
    with script.open("rb") as read, out.open("wb") as written, trio.fail_after(PATIENCE):
        await serve_stdio(stage_connections(), read.fileno(), written.fileno())
    with (
        Path(os.devnull).open("rb") as nothing,
        out.open("ab") as written,
        trio.fail_after(PATIENCE),
    ):
        await serve_stdio(stage_connections(), nothing.fileno(), written.fileno())

    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines == [WELCOME, answered(1)]


async def test_terminal_can_be_read_and_its_hangup_is_an_end() -> None:
    """Somebody may type."""
    main, terminal = pty.openpty()
    done = trio.Event()

    async def serve() -> None:
        await serve_stdio(stage_connections(), terminal, terminal)
        done.set()

    try:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                os.write(main, json.dumps(INITIALIZE).encode() + b"\n")
                heard = b""
                while b"userAgent" not in heard:
                    heard += await trio.to_thread.run_sync(os.read, main, 4096)
                os.close(main)
                await done.wait()
    finally:
        os.close(terminal)


async def test_pipe_is_closed_for_good() -> None:
    """Nothing is read or written afterwards, and closing again does nothing."""
    with pipes() as (server_in, say_to, _, server_out):
        pipe = OsPipe(server_in, server_out)
        os.write(say_to, b"x")
        pipe.close()
        pipe.close()

        assert await pipe.receive_some() == b""
        with pytest.raises(trio.ClosedResourceError):
            await pipe.send_some(memoryview(b"x"))


# As a program


def program() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.server.transports.stdio_program"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_nothing_but_the_protocol_comes_out_of_the_program() -> None:
    """Strays go to standard error, children find an empty input, and the exit code is 0."""
    said = b"".join(
        json.dumps(message).encode() + b"\n" for message in (INITIALIZE, echo(1), "nonsense")
    )
    with program() as process:
        out, err = process.communicate(said, timeout=20)

    *lines, after = out.splitlines()
    assert [json.loads(line) for line in lines] == [WELCOME, answered(1)]
    assert after == b"after"
    assert err.splitlines() == [b"a stray print", b"a stray write", b"a stray child"]
    assert process.returncode == 0


@pytest.mark.slow
def test_program_ends_quietly_when_nobody_reads_it() -> None:
    """A broken pipe is no failure."""
    with program() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        process.stdin.flush()
        err = process.stderr.read()
        process.wait(timeout=20)

    assert err.splitlines() == [b"a stray print", b"a stray write", b"a stray child"]
    assert process.returncode == 0
