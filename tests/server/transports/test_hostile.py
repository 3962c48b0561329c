"""Clients that mean no good: they hurt themselves, and nobody else."""

import json
import random
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.waiting import until

from ..rpc_stage import INITIALIZE, answered, echo, overloaded, request
from .clients import (
    Server,
    frame,
    read_close,
    read_frame,
    serving,
    shake_hands,
    tcp,
    unix,
    upgrade,
)

MIB = 1024 * 1024


@asynccontextmanager
async def attacked(tmp_path: Path, **limits: float) -> AsyncGenerator[tuple[Server, Path]]:
    """A server that serves others in the end as well as in the beginning."""
    path = tmp_path / "s"
    async with serving(f"unix://{path}", **limits) as server:
        async with unix(path) as good:
            await good.initialize()
            yield server, path
            await good.say(echo(1))
            assert await good.hear() == answered(1)
        await until(lambda: len(server.connections) == 0)


def lines(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True])
async def test_each_of_ten_thousand_requests_at_once_is_answered_once(
    held: bool, tmp_path: Path
) -> None:
    """Those beyond the bound with the overload error, when the handler is slow."""
    count = 10_000
    method = "wait" if held else "echo"
    said = lines(*(request(number, method) for number in range(count)))
    async with attacked(tmp_path) as (server, path), unix(path) as client:
        await client.initialize()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.say, said)
            heard = [await client.hear() for _ in range(count - 128)]
            server.handler.release.set()
            heard += [await client.hear() for _ in range(128)]

        heard.sort(key=lambda message: message["id"])
        if held:
            assert heard[:128] == [answered(number) for number in range(128)]
            assert heard[128:] == [overloaded(number) for number in range(128, count)]
        else:
            assert heard == [answered(number) for number in range(count)]


async def test_client_that_never_reads_is_closed_and_costs_a_bounded_amount(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mock_clock: MockClock
) -> None:
    """What it makes us say stays within the bounds, and it is gone when patience is over."""
    most = 0
    async with attacked(tmp_path, patience=5, outbound=8) as (server, path), unix(path) as bad:

        async def flood() -> None:
            nonlocal most
            with suppress(trio.BrokenResourceError):
                for number in range(100_000):
                    await bad.say(echo(number, text="x" * 10_000))
                    queued = server.connections.statistics().connections
                    most = max([most, *(connection.outbox.queued for connection in queued)])

        await bad.say(INITIALIZE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            await wait_all_tasks_blocked()
            mock_clock.jump(4.9)
            await wait_all_tasks_blocked()
            assert len(server.connections) == 2
            mock_clock.jump(0.2)
        mock_clock.rate = 1
        await until(lambda: len(server.connections) == 1)
    assert 0 < most <= 8
    assert "took nothing for 5 s" in caplog.text


async def test_client_that_never_reads_its_pongs_holds_up_itself(tmp_path: Path) -> None:
    """The pongs wait in its own socket, and its pings in theirs."""
    async with serving() as server, tcp(server) as bad:
        await shake_hands(bad)

        async def ping() -> None:
            while True:
                await bad.send_all(frame(b"x" * 125, 9) * 500)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ping)
            await wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        async with tcp(server) as good:
            await shake_hands(good)
            await good.send_all(frame(b"hi", 9))
            assert await read_frame(good) == (10, b"hi")


@pytest.mark.slow
@pytest.mark.parametrize("ended", [False, True])
async def test_line_of_more_than_64_mib_is_told_and_ends_its_connection(
    ended: bool, tmp_path: Path
) -> None:
    """Even while the client still sends; at once, not at the end of the line."""
    async with attacked(tmp_path) as (_, path), unix(path) as bad, trio.open_nursery() as nursery:

        async def send() -> None:
            piece = b"x" * MIB
            with suppress(trio.BrokenResourceError):
                for _ in range(65):
                    await bad.say(piece)
                if ended:
                    await bad.say(b"\n")

        nursery.start_soon(send)
        heard = await bad.hear()

        text = "connection closed: a message is longer than 67108864 bytes"
        assert heard["params"]["message"] == text
        with suppress(trio.BrokenResourceError):
            assert await bad.hear() is None


@pytest.mark.slow
async def test_frame_of_more_than_64_mib_is_told_by_its_close_code() -> None:
    """What its head promises is not believed, but counted."""
    async with serving() as server, tcp(server) as bad, trio.open_nursery() as nursery:
        await shake_hands(bad)

        async def send() -> None:
            with suppress(trio.BrokenResourceError):
                await bad.send_all(frame(b"x" * MIB, size=2**62))
                for _ in range(65):
                    await bad.send_all(b"x" * MIB)

        nursery.start_soon(send)

        assert await read_close(bad) == (1009, "a message is longer than 67108864 bytes")


@pytest.mark.parametrize("seed", range(20))
async def test_garbage_is_survived(seed: int, tmp_path: Path) -> None:
    """In lines, in frames, and before them."""
    noise = random.Random(seed).randbytes(20_000)
    async with attacked(tmp_path, farewell=0.01) as (_, path), unix(path) as bad:
        await bad.say(noise)
        await bad.say(b"\n" + lines(INITIALIZE))
        while (heard := await bad.hear()) is None or heard.get("id") != 0:
            pass
    async with serving(farewell=0.01) as server:
        for beginning in (b"", upgrade()):
            async with tcp(server) as bad_tcp:
                with suppress(trio.BrokenResourceError):
                    await bad_tcp.send_all(beginning + noise)
                    await bad_tcp.send_eof()
                    while await bad_tcp.receive_some():
                        pass
        await until(lambda: len(server.connections) == 0)


@pytest.mark.parametrize("cut", [1, 2, 5, 6, 7, 20, 50])
@pytest.mark.parametrize("reset", [False, True])
async def test_half_a_frame_is_no_message(cut: int, reset: bool) -> None:
    """However the client leaves in the middle of it."""
    async with serving() as server, tcp(server) as bad:
        await shake_hands(bad)
        await bad.send_all(frame(lines(INITIALIZE))[:cut])
        await until(lambda: len(server.connections) == 1)
        leave(bad, reset=reset)
        await until(lambda: server.handler.log == ["disconnected 0"])


def leave(stream: trio.SocketStream, *, reset: bool) -> None:
    if reset:
        linger = struct.pack("ii", 1, 0)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    stream.socket.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_client_that_leaves_in_the_middle_of_a_request_ends_it(reset: bool) -> None:
    """After its grace; what others asked goes on."""
    async with serving(grace=0.03) as server, tcp(server) as bad, tcp(server) as good:
        for stream, number in ((bad, 1), (good, 2)):
            await shake_hands(stream)
            await stream.send_all(frame(lines(INITIALIZE)) + frame(lines(request(number, "wait"))))
            await read_frame(stream)
        await until(lambda: len(server.handler.log) == 2)
        leave(bad, reset=reset)
        await until(lambda: len(server.connections) == 1)
        server.handler.release.set()

        _, payload = await read_frame(good) or (0, b"")

        assert json.loads(payload) == answered(2)
        assert server.handler.log == ["begin 1", "begin 2", "end 1", "disconnected 0", "end 2"]


async def test_hundreds_of_clients_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    """At any point of their life."""
    steps = (b"", b"G", b"GET / HT", b"{", lines(INITIALIZE), lines(INITIALIZE, request(1, "wait")))
    async with attacked(tmp_path, grace=0.0) as (server, path), trio.open_nursery() as nursery:

        async def come_and_go(step: bytes) -> None:
            # A queue of connections that is full is an error that trio's client does not see.
            async with few, await trio.open_unix_socket(path) as stream:
                with suppress(trio.BrokenResourceError):  # one too many
                    await stream.send_all(step)

        few = trio.CapacityLimiter(50)
        for number in range(240):
            nursery.start_soon(come_and_go, steps[number % len(steps)])
    assert server.connections.statistics().asked == 0
    # The rest was gone before it was looked at, how many depends on the machine.
    assert any(line.startswith("disconnected") for line in server.handler.log)


async def test_clients_beyond_the_bound_are_told_so(tmp_path: Path) -> None:
    """And served when another one has left."""
    async with attacked(tmp_path, connections=2) as (server, path):
        async with unix(path) as second:
            await second.initialize()
            async with unix(path) as third:
                await third.say(INITIALIZE)
                heard = await third.hear()
                assert heard["method"] == "warning"
                assert "there are 2 clients" in heard["params"]["message"]
                assert await third.hear() is None
        await until(lambda: len(server.connections) == 1)
        async with unix(path) as fourth:
            await fourth.initialize()


async def test_frames_without_content_cost_no_memory_that_grows() -> None:
    """A message of nothing but empty parts is an empty message, and no message of ours."""
    async with serving() as server, tcp(server) as bad:
        await shake_hands(bad)
        await bad.send_all(frame(b"", fin=False))
        for _ in range(20):
            await bad.send_all(frame(b"", 0, fin=False) * 1000)
        await bad.send_all(frame(b"", 0) + frame(lines(INITIALIZE)))

        _, payload = await read_frame(bad) or (0, b"")

        assert json.loads(payload)["id"] == 0


async def test_single_bytes_are_put_together(tmp_path: Path) -> None:
    """Slowly, and without a place for each."""
    async with attacked(tmp_path) as (_, path), unix(path) as slow:
        for index in range(len(lines(INITIALIZE))):
            await slow.say(lines(INITIALIZE)[index : index + 1])

        assert (await slow.hear())["id"] == 0
