"""Pipes and sockets that others use, too: nothing of them changes, and no OS thread waits."""

import fcntl
import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.server.transports.own_descriptors import OwnDescriptors, open_own_descriptors

ROOT = Path(__file__).parents[3]
MEGABYTE = bytes(range(256)) * 4096
PATIENCE = 20

Fds = tuple[int, int, int, int]
"""Where the server reads and writes, and where its client does."""


def pipes() -> Fds:
    (server_in, client_out), (client_in, server_out) = os.pipe(), os.pipe()
    return server_in, server_out, client_in, client_out


def socket_pair() -> Fds:
    ours, theirs = (each.detach() for each in socket.socketpair())
    return ours, os.dup(ours), theirs, os.dup(theirs)


each_kind = pytest.mark.parametrize("kind", [pipes, socket_pair])


@attrs.frozen
class Ends:
    """
    What is tested, and the client at its other end.

    Attributes:
        server_in: The descriptor that was given to read from; it stays open.
        server_out: The one to write to.
        stream: Made of both.
        hears: What the client reads from.
        says: What it writes to.
    """

    server_in: int
    server_out: int
    stream: OwnDescriptors
    hears: trio.lowlevel.FdStream
    says: trio.lowlevel.FdStream

    async def client_leaves(self) -> None:
        await self.hears.aclose()
        await self.says.aclose()

    async def send_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[await self.stream.send_some(rest) :]

    async def receive_all(self) -> bytes:
        """Read to the end."""
        data = bytearray()
        while chunk := await self.stream.receive_some():
            data += chunk
        return bytes(data)


@asynccontextmanager
async def both_ends(kind: Callable[[], Fds]) -> AsyncGenerator[Ends]:
    server_in, server_out, client_in, client_out = kind()
    stream = open_own_descriptors(server_in, server_out)
    assert stream is not None
    hears, says = trio.lowlevel.FdStream(client_in), trio.lowlevel.FdStream(client_out)
    ends = Ends(server_in, server_out, stream, hears, says)
    try:
        with trio.fail_after(PATIENCE):
            yield ends
            await ends.client_leaves()
    finally:
        stream.close()
        for fd in (server_in, server_out):
            os.close(fd)  # still open


@contextmanager
def closing_all(*fds: int) -> Iterator[None]:
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


def blocks(fd: int) -> bool:
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK


async def blocked(work: Callable[[], Any], nursery: trio.Nursery) -> list[BaseException | None]:
    """Let a task wait; return where it puts how that ended."""
    ended: list[BaseException | None] = []

    async def wait() -> None:
        try:
            await work()
        except (trio.ClosedResourceError, trio.BrokenResourceError) as exc:
            ended.append(exc)
        else:
            ended.append(None)

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    assert ended == []
    return ended


@each_kind
async def test_a_megabyte_goes_both_ways_without_an_os_thread(
    kind: Callable[[], Fds], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says more than the other takes waits; nothing is lost, and all is in order."""

    def no_os_thread(*_: object, **__: object) -> None:
        raise AssertionError("an OS thread was wanted")

    monkeypatch.setattr(trio.to_thread, "run_sync", no_os_thread)
    async with both_ends(kind) as ends, trio.open_nursery() as nursery:
        ended = await blocked(lambda: ends.send_all(MEGABYTE), nursery)
        heard = bytearray()
        while len(heard) < len(MEGABYTE):
            heard += await ends.hears.receive_some()
        await wait_all_tasks_blocked()

        async def say() -> None:
            await ends.says.send_all(MEGABYTE)
            await ends.client_leaves()

        nursery.start_soon(say)
        received = await ends.receive_all()

    assert ended == [None]
    assert heard == MEGABYTE
    assert received == MEGABYTE


@each_kind
async def test_the_descriptors_stay_as_they_were(kind: Callable[[], Fds]) -> None:
    """Blocking, before, while and after they are used: the open file is somebody else's, too."""
    async with both_ends(kind) as ends:
        fds = ends.server_in, ends.server_out
        async with trio.open_nursery() as nursery:
            before = [blocks(fd) for fd in fds]
            await blocked(ends.stream.receive_some, nursery)
            await blocked(lambda: ends.send_all(MEGABYTE), nursery)
            during = [blocks(fd) for fd in fds]
            nursery.cancel_scope.cancel()
        await ends.says.send_all(b"for somebody else")
        rest = os.read(ends.server_in, 100)
        ends.stream.close()
        after = [blocks(fd) for fd in fds]

    assert before == during == after == [True, True]
    assert rest == b"for somebody else"


@each_kind
async def test_the_end_is_what_was_said_before_and_then_nothing(kind: Callable[[], Fds]) -> None:
    """As often as it is asked for."""
    async with both_ends(kind) as ends:
        await ends.says.send_all(b"the last words")
        await ends.client_leaves()

        assert await ends.receive_all() == b"the last words"
        assert await ends.stream.receive_some() == b""


@each_kind
async def test_who_waits_hears_the_end(kind: Callable[[], Fds]) -> None:
    """Nothing more may ever come."""
    async with both_ends(kind) as ends, trio.open_nursery() as nursery:
        ended = await blocked(ends.receive_all, nursery)
        await ends.client_leaves()
        await wait_all_tasks_blocked()

        assert ended == [None]


@each_kind
async def test_a_client_that_left_without_reading_is_at_its_end(kind: Callable[[], Fds]) -> None:
    """A socket says that it was reset; it is the same to us."""
    async with both_ends(kind) as ends:
        await ends.send_all(b"never read")
        await ends.client_leaves()

        assert await ends.receive_all() == b""


@each_kind
async def test_nobody_reads_what_is_written_when_the_client_has_left(
    kind: Callable[[], Fds],
) -> None:
    """Be it that we begin to write, or that we wait for room."""
    async with both_ends(kind) as ends, trio.open_nursery() as nursery:
        ended = await blocked(lambda: ends.send_all(MEGABYTE), nursery)
        await ends.client_leaves()
        await wait_all_tasks_blocked()
        [broken] = ended
        with pytest.raises(trio.BrokenResourceError, match="standard output: "):
            await ends.stream.send_some(memoryview(b"x"))

    assert isinstance(broken, trio.BrokenResourceError)


@each_kind
async def test_who_waits_is_told_when_it_is_closed(kind: Callable[[], Fds]) -> None:
    """For something to read or for room; closing again does nothing, and so does all else."""
    async with both_ends(kind) as ends, trio.open_nursery() as nursery:
        reading = await blocked(ends.stream.receive_some, nursery)
        writing = await blocked(lambda: ends.send_all(MEGABYTE), nursery)
        ends.stream.close()
        ends.stream.close()
        await wait_all_tasks_blocked()

        assert [type(exc) for exc in (*reading, *writing)] == [trio.ClosedResourceError] * 2
        with pytest.raises(trio.ClosedResourceError):
            await ends.stream.receive_some()
        with pytest.raises(trio.ClosedResourceError):
            await ends.stream.send_some(memoryview(b"x"))


@each_kind
async def test_cancelled_it_has_taken_nothing(kind: Callable[[], Fds]) -> None:
    """What is said afterwards is there for the next who reads, and for others."""
    async with both_ends(kind) as ends:
        async with trio.open_nursery() as nursery:
            await blocked(ends.stream.receive_some, nursery)
            nursery.cancel_scope.cancel()
        await ends.says.send_all(b"one")
        first = await ends.stream.receive_some()
        await ends.says.send_all(b"two")
        with trio.CancelScope() as scope:
            scope.cancel()
            await ends.stream.receive_some()
        second = await ends.stream.receive_some()

    assert scope.cancelled_caught
    assert (first, second) == (b"one", b"two")


async def test_pipes_and_sockets_may_be_mixed() -> None:
    """Somebody reads from a pipe and answers to a socket."""
    reader, writer = os.pipe()
    ours, theirs = socket.socketpair()
    with ours, theirs, closing_all(reader, writer):
        stream = open_own_descriptors(reader, ours.fileno())
        assert stream is not None
        with closing(stream):
            os.write(writer, b"welcome")
            heard = await stream.receive_some()
            await stream.send_some(memoryview(b"thanks"))
            await stream.linger()

        assert (heard, theirs.recv(100)) == (b"welcome", b"thanks")


def test_files_and_terminals_are_not_for_it(tmp_path: Path) -> None:
    """Neither can be waited for, or be opened for ourselves; and nothing stays open."""
    main, terminal = pty.openpty()
    reader, writer = os.pipe()
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDWR)
    with closing_all(main, terminal, reader, writer, file, nothing):
        for fd in (terminal, file, nothing):
            assert open_own_descriptors(fd, fd) is None
            assert open_own_descriptors(reader, fd) is None
            assert open_own_descriptors(fd, writer) is None


async def test_a_named_pipe_that_nobody_reads_is_not_for_it(tmp_path: Path) -> None:
    """It cannot be opened once more; who writes to it the other way hears why."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    server_in, client_out = os.pipe()
    with closing_all(writer, server_in, client_out):
        with closing_all(reader):
            stream = open_own_descriptors(server_in, writer)
            assert stream is not None
            stream.close()

        assert open_own_descriptors(server_in, writer) is None


# As a program

SCENARIO = """
name = "echo"
[[reply]]
times = "always"
[[reply.steps]]
say = "I heard: {user}"
"""


@attrs.define(eq=False)
class Client:
    """A client of the program: says lines, and waits for those it is told."""

    ends: tuple[trio.lowlevel.FdStream, trio.lowlevel.FdStream]
    _rest: bytearray = attrs.field(factory=bytearray)

    async def say(self, number: int, method: str, **params: Any) -> None:
        line = json.dumps({"method": method, "id": number, "params": params}, ensure_ascii=False)
        await self.ends[1].send_all(line.encode() + b"\n")

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        while not wanted(message := await self._next()):
            pass
        return message

    async def ask(self, number: int, method: str, **params: Any) -> Any:
        """Say it while reading what is told meanwhile."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: self.say(number, method, **params))
            answer = await self.until(lambda message: message.get("id") == number)
        return answer["result"]

    async def leave(self) -> None:
        for end in self.ends:
            await end.aclose()

    @asynccontextmanager
    async def leaving(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):  # closes without waiting
                await self.leave()

    async def _next(self) -> Any:
        while b"\n" not in self._rest:
            chunk = await self.ends[0].receive_some()
            assert chunk, "the server went away"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


@contextmanager
def app_server(folder: Path, stdin: int, stdout: int) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the program; what it says beside the protocol is in the file ``stderr``."""
    scenario, log = folder / "echo.toml", folder / "stderr"
    scenario.write_text(SCENARIO)
    words = ("app-server", "--scenario", str(scenario), "-c", 'model="scripted"')
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "actors.cli", *words],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TREADLE_HOME": str(folder / "home")},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
            print(log.read_text())


@pytest.mark.slow
@each_kind
async def test_a_fresh_server_is_talked_to_through_them(
    kind: Callable[[], Fds], tmp_path: Path
) -> None:
    """A megabyte to it and back; it ends with its client, and the descriptors are as before."""
    text = "\u00e4" * 500_000
    server_in, server_out, client_in, client_out = kind()
    client = Client((trio.lowlevel.FdStream(client_in), trio.lowlevel.FdStream(client_out)))
    with closing_all(server_in, server_out), trio.fail_after(60):
        with app_server(tmp_path, server_in, server_out) as server:
            async with client.leaving():
                await client.ask(0, "initialize", clientInfo={"name": "test", "version": "1"})
                thread = (await client.ask(1, "thread/start"))["thread"]["id"]
                words = [{"type": "text", "text": text}]
                await client.ask(2, "turn/start", threadId=thread, input=words)
                said = await client.until(
                    lambda message: (
                        message.get("method") == "item/completed"
                        and message["params"]["item"]["type"] == "agentMessage"
                    )
                )
                while_it_runs = [blocks(fd) for fd in (server_in, server_out)]
                await client.leave()
                code = await trio.to_thread.run_sync(server.wait, abandon_on_cancel=True)
        afterwards = [blocks(fd) for fd in (server_in, server_out)]

    assert said["params"]["item"]["text"] == f"I heard: {text}"
    assert while_it_runs == afterwards == [True, True]
    assert (code, (tmp_path / "stderr").read_bytes()) == (0, b"")
