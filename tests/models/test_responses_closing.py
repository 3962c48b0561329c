"""Streams of the Responses API that are left, cancelled or closed: no connection is kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from actors.models import Completed, Created, ItemAdded, ResponsesProvider, StreamDisconnected
from tests.interop.mock_responses import Outcome
from tests.interop.scripted_replies import EventStream, Pause, Silence, answer, text_message
from tests.models.asking import ask, request_of
from tests.waiting import PATIENCE

from .responses_stage import serving


async def test_cancellation_in_the_middle_closes_the_connection() -> None:
    """The server sees it at once, and the provider goes on working."""
    never = trio.Event()
    start = answer(text_message("a", "b")).steps[:3]

    async with serving(EventStream(steps=(*start, Pause(never))), answer()) as (provider, server):
        with trio.fail_after(PATIENCE):
            with trio.CancelScope() as scope:
                async with provider.stream(request_of("hi")) as stream:
                    async for event in stream:
                        if isinstance(event, ItemAdded):
                            scope.cancel()
            outcome = await server.requests[0].wait_ended()
            again = await ask(provider, request_of("hi"))

    assert scope.cancelled_caught
    assert outcome is Outcome.CLIENT_LEFT
    assert isinstance(again[-1], Completed)


async def test_cancellation_before_the_answer_closes_the_connection() -> None:
    """Also while nothing has come yet."""
    async with serving(Silence()) as (provider, server), trio.open_nursery() as nursery:
        with trio.fail_after(PATIENCE):
            nursery.start_soon(ask, provider, request_of("hi"))
            (request,) = await server.wait_requests(1)
            nursery.cancel_scope.cancel()

    assert request.outcome is Outcome.CLIENT_LEFT


async def test_leaving_early_closes_the_connection() -> None:
    """A reader need not read to the end; leaving the block is enough."""
    never = trio.Event()
    steps = (*answer(text_message("a")).steps[:3], Pause(never))

    async with serving(EventStream(steps=steps), answer()) as (provider, server):
        with trio.fail_after(PATIENCE):
            async with provider.stream(request_of("hi")) as stream:
                assert await anext(stream) == Created()
            assert await server.requests[0].wait_ended() is Outcome.CLIENT_LEFT
            await ask(provider, request_of("hi"))


async def test_error_of_the_reader_passes_through() -> None:
    """It is not replaced by anything the clean-up does."""
    never = trio.Event()
    steps = (*answer(text_message("a")).steps[:3], Pause(never))

    async with serving(EventStream(steps=steps)) as (provider, _):
        with pytest.raises(LookupError):
            async with provider.stream(request_of("hi")) as stream:
                await anext(stream)
                raise LookupError


@pytest.mark.slow
async def test_many_streams_are_open_at_once() -> None:
    """More than the hundred that HTTP clients usually allow."""
    go = trio.Event()
    count = 120
    start, *rest = answer(text_message("hi")).steps
    results: list[Sequence[object]] = []

    async def ask_and_keep(provider: ResponsesProvider) -> None:
        results.append(await ask(provider, request_of("hi")))

    replies = [EventStream(steps=(start, Pause(go), *rest)) for _ in range(count)]
    async with serving(*replies) as (provider, server), trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask_and_keep, provider)
        with trio.fail_after(20):
            await server.wait_requests(count)
        go.set()

    assert len(results) == count
    assert all(isinstance(result[-1], Completed) for result in results)


async def test_many_streams_can_be_cancelled_at_once() -> None:
    """The server sees each of them go, and the provider goes on working."""
    count = 40
    never = trio.Event()
    start = answer(text_message("a", "b")).steps[:4]
    replies = [EventStream(steps=(*start, Pause(never))) for _ in range(count)]

    async with serving(*replies, answer()) as (provider, server):
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(count):
                    nursery.start_soon(ask, provider, request_of("hi"))
                await server.wait_requests(count)
                nursery.cancel_scope.cancel()
            outcomes = [await request.wait_ended() for request in server.requests]
            await ask(provider, request_of("hi"))

    assert outcomes == [Outcome.CLIENT_LEFT] * count


async def test_closing_breaks_off_what_is_open() -> None:
    """The reader gets an error like any other, and the server sees it go."""
    never = trio.Event()
    start = answer(text_message("a")).steps[:3]

    async with serving(EventStream(steps=(*start, Pause(never)))) as (provider, server):
        with trio.fail_after(PATIENCE), pytest.raises(StreamDisconnected):
            async with provider.stream(request_of("hi")) as events:
                assert await anext(events) == Created()
                await provider.aclose()
                async for _ in events:
                    pass
        assert await server.requests[0].wait_ended() is Outcome.CLIENT_LEFT


async def test_closed_provider_refuses_and_closes_twice() -> None:
    """What was open broke off; nothing new starts."""
    async with serving(answer()) as (provider, _):
        await ask(provider, request_of("hi"))
        await provider.aclose()
        await provider.aclose()

        with pytest.raises(trio.ClosedResourceError, match="provider 'mock' is closed"):
            await ask(provider, request_of("hi"))
