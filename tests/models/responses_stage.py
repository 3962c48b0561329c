"""A provider with a server that plays what a test wants."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

from actors.models import ProviderInfo, ResponsesProvider
from tests.interop.mock_responses import MockResponses, open_mock_responses
from tests.interop.scripted_replies import Reply


@asynccontextmanager
async def serving(
    *replies: Reply, **changes: Any
) -> AsyncGenerator[tuple[ResponsesProvider, MockResponses]]:
    async with open_mock_responses(replies) as server:
        info = ProviderInfo(
            **{"id": "mock", "name": "Mock", "base_url": server.base_url, **changes}
        )
        async with ResponsesProvider(
            info=info, environ={"MOCK_KEY": "k3y"}, version="9"
        ) as provider:
            yield provider, server


def provider_for(url: str) -> ResponsesProvider:
    return ResponsesProvider(info=ProviderInfo(id="mock", name="Mock", base_url=url))


async def received_request(stream: trio.SocketStream) -> bool:
    """Read one whole request; False when there is none any more."""
    received = b""
    while not received.endswith(b"}"):
        chunk = await stream.receive_some()
        if not chunk:
            return False
        received += chunk
    return True


@asynccontextmanager
async def open_listener(seen: Any, reply: bytes) -> AsyncGenerator[str]:
    """Answer each request with the same bytes on a connection that stays open; no bytes close it."""

    async def serve(stream: trio.SocketStream) -> None:
        seen(stream)
        async with stream:
            while await received_request(stream):
                await stream.send_all(reply)
                if not reply:
                    return

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, serve, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()
