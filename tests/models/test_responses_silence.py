"""When the Responses provider loses its patience, on the mock clock and without a socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import attrs
import httpx2
import pytest
import trio
from trio.testing import MockClock

from actors.models import (
    Completed,
    Created,
    ProviderInfo,
    ResponsesProvider,
    StreamDisconnected,
    TextDelta,
)
from actors.models.event_reader import EventReader
from actors.models.sse import SseParser
from tests.models.asking import ask, request_of

CREATED = b'data: {"type": "response.created", "response": {}}\n\n'
DELTA = b'data: {"type": "response.output_text.delta", "delta": "x"}\n\n'
DONE = b'data: {"type": "response.completed", "response": {"id": "r"}}\n\n'
IDLE = "stream disconnected before completion: idle timeout waiting for SSE"


@attrs.define(eq=False)
class Body(httpx2.AsyncByteStream):
    """A body that comes piece by piece from the test; says whether it was closed."""

    pieces: trio.MemoryReceiveChannel[bytes]
    closed: bool = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self.pieces:
            yield piece

    async def aclose(self) -> None:
        self.closed = True


@attrs.define(eq=False)
class Wire(httpx2.AsyncBaseTransport):
    """Answers every request with one body, after a delay."""

    body: Body
    delay: float = 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await trio.sleep(self.delay)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=self.body)


@asynccontextmanager
async def wired(
    delay: float = 0.0, idle: float = 300.0
) -> AsyncGenerator[tuple[ResponsesProvider, trio.MemorySendChannel[bytes], Body]]:
    send, receive = trio.open_memory_channel[bytes](100)  # more than any test sends
    body = Body(receive)
    info = ProviderInfo(
        id="m", name="M", base_url="http://mock", stream_idle_timeout_ms=int(idle * 1000)
    )
    async with ResponsesProvider(info=info) as provider, send, receive:
        # Put in place instead of being made, because the provider makes its client
        # in an OS thread, for which a jumping clock does not wait.
        provider._client = httpx2.AsyncClient(transport=Wire(body, delay), timeout=None)
        yield provider, send, body


async def test_silence_between_events_ends_at_its_limit(autojump_clock: MockClock) -> None:
    """After 300 s and not before; the body is closed."""
    async with wired() as (provider, send, body):
        send.send_nowait(CREATED)

        with pytest.raises(StreamDisconnected) as caught:
            await ask(provider, request_of("hi"))

    assert str(caught.value) == IDLE
    assert caught.value.retryable
    assert trio.current_time() == pytest.approx(300)
    assert body.closed


async def test_every_event_renews_the_patience(autojump_clock: MockClock) -> None:
    """A slow answer is none that fell silent."""
    async with wired(idle=10) as (provider, send, _):

        async def serve() -> None:
            for piece in (CREATED, DELTA, DELTA, DONE):
                await trio.sleep(9.9)
                send.send_nowait(piece)
            send.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            events = await ask(provider, request_of("hi"))

    assert events == [Created(), TextDelta("x"), TextDelta("x"), Completed("r", None)]
    assert trio.current_time() == pytest.approx(4 * 9.9)


async def test_comments_do_not_renew_the_patience(autojump_clock: MockClock) -> None:
    """A server that only says that it is alive is silent."""
    async with wired(idle=10) as (provider, send, _), trio.open_nursery() as nursery:

        async def serve() -> None:
            while True:
                send.send_nowait(b": alive\n\n")
                await trio.sleep(3)

        nursery.start_soon(serve)
        with pytest.raises(StreamDisconnected, match="idle timeout"):
            await ask(provider, request_of("hi"))
        nursery.cancel_scope.cancel()

    assert trio.current_time() == pytest.approx(10)


async def test_time_the_reader_takes_is_not_the_servers_silence(
    autojump_clock: MockClock,
) -> None:
    """Only waiting counts."""
    async with wired(idle=10) as (provider, send, _):
        send.send_nowait(CREATED)

        async with provider.stream(request_of("hi")) as events:
            assert await anext(events) == Created()
            await trio.sleep(1000)
            send.send_nowait(DONE)
            assert await anext(events) == Completed("r", None)


async def test_server_that_never_answers_is_silent_too(autojump_clock: MockClock) -> None:
    """The same limit holds until the headers come."""
    async with wired(delay=1000) as (provider, _, _body):
        with pytest.raises(StreamDisconnected) as caught:
            await ask(provider, request_of("hi"))

    assert str(caught.value) == IDLE
    assert trio.current_time() == pytest.approx(300)


async def test_connection_that_stays_open_behind_the_end_is_left_soon(
    autojump_clock: MockClock,
) -> None:
    """After a twentieth of a second, in which the end usually comes."""
    async with wired() as (provider, send, body):
        send.send_nowait(DONE)

        assert await ask(provider, request_of("hi")) == [Completed("r", None)]

    assert body.closed
    assert trio.current_time() == pytest.approx(0.05)


async def test_event_without_its_last_empty_line_counts(autojump_clock: MockClock) -> None:
    """When the body ends behind it."""
    async with wired() as (provider, send, _):
        send.send_nowait(DONE.rstrip())
        send.close()

        assert await ask(provider, request_of("hi")) == [Completed("r", None)]


async def test_event_beyond_all_measure_breaks_the_stream(autojump_clock: MockClock) -> None:
    """A runaway server does not fill the memory."""
    async with wired() as (provider, send, _):
        send.send_nowait(b"data: " + b"x" * 100)

        async with provider.stream(request_of("hi")) as events:
            assert isinstance(events, EventReader)
            events._parser = SseParser(100)
            with pytest.raises(StreamDisconnected, match="longer than 100 bytes"):
                await anext(events)


async def test_burst_of_events_lets_other_tasks_run() -> None:
    """Thousands of events in one piece do not hold up the others."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with wired() as (provider, send, _), trio.open_nursery() as nursery:
        send.send_nowait(DELTA * 1000 + DONE)
        send.close()
        async with provider.stream(request_of("hi")) as events:
            nursery.start_soon(count)
            number = len([event async for event in events])
            seen = turns
        nursery.cancel_scope.cancel()

    assert number == 1001
    assert seen >= 1000 // 64


async def test_cancelled_reader_closes_the_body_at_once(autojump_clock: MockClock) -> None:
    """No time passes, and nothing is left to the garbage collector."""
    async with wired() as (provider, send, body):
        send.send_nowait(CREATED)

        with trio.move_on_after(5) as scope:
            await ask(provider, request_of("hi"))

    assert scope.cancelled_caught
    assert body.closed
    assert trio.current_time() == pytest.approx(5)
