"""The provider for any endpoint that speaks the OpenAI Responses API over HTTP."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio

from .catalog import ModelInfo, find_model_info
from .classify import error_from_refusal
from .errors import ConnectionFailed, ResponseStreamFailed, StreamDisconnected
from .event_reader import IDLE, EventReader
from .headers import read_rate_limits, read_request_id
from .provider import (
    ModelRequest,
    ProviderInfo,
    RateLimits,
    ResponseEvent,
    ServerReasoningIncluded,
)
from .request_body import encode_body, provider_headers, request_headers

if TYPE_CHECKING:
    import httpx2  # noqa: TC004 -- loaded when it is first needed

__all__ = ["OPENAI_BASE_URL", "ResponsesProvider", "open_client"]

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"

_CONNECT_PATIENCE: Final = 15.0
_ERROR_BODY_LIMIT_BYTES: Final = 64 * 1024
_ERROR_BODY_PATIENCE: Final = 10.0
_KEPT_CONNECTIONS: Final = 64
_KEPT_FOR: Final = 60.0
# What web servers and proxies answer when the address is not an API's.
_NO_STREAM: Final = frozenset({"text/html", "application/json", "application/xml"})


def open_client() -> httpx2.AsyncClient:
    """
    Make the HTTP client of a provider; takes about 0.1 s for imports and certificates.

    As many connections as there are open streams; some of them are kept for the
    next requests.  Silence is watched by the provider, so only connecting has a
    limit here.
    """
    import httpx2  # noqa: PLC0415 -- 55 ms that an offline run does not need

    logger = logging.getLogger("httpx2")
    if logger.level == logging.NOTSET:  # it reports each request at INFO
        logger.setLevel(logging.WARNING)
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=_CONNECT_PATIENCE),
        limits=httpx2.Limits(
            max_connections=None,
            max_keepalive_connections=_KEPT_CONNECTIONS,
            keepalive_expiry=_KEPT_FOR,
        ),
    )


def _no_variables() -> Mapping[str, str]:
    return {}


@attrs.define(eq=False, kw_only=True)
class ResponsesProvider(trio.abc.AsyncResource):
    """
    Asks an endpoint that speaks the Responses API with server-sent events.

    One client, made at the first request, serves all threads and keeps
    connections between requests.  Close the provider when it is not needed any
    more, with ``async with`` or `aclose`.

    Attributes:
        info: Where the endpoint is, and how patient to be with it.

    Source:
        Codex, ``ModelClient``, which makes a client and a connection for each
        request.  Failures surface when they are known; nothing is tried twice.
    """

    info: ProviderInfo
    _environ: Mapping[str, str] = attrs.field(factory=_no_variables, alias="environ", repr=False)
    _originator: str = attrs.field(default="treadle", alias="originator")
    _version: str = attrs.field(default="0", alias="version")
    _open_client: Callable[[], httpx2.AsyncClient] = attrs.field(
        default=open_client, alias="open_client", repr=False
    )

    _client: httpx2.AsyncClient | None = attrs.field(default=None, init=False, repr=False)
    _opening: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    def model_info(self, model: str) -> ModelInfo:
        """Look *model* up in the catalog."""
        return find_model_info(model)

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ResponseEvent]]:
        """
        Ask once; see `ModelProvider.stream`.

        Raises:
            trio.ClosedResourceError: The provider was closed.
            ModelError: See there.
        """
        headers = {
            **provider_headers(
                self.info, self._environ, originator=self._originator, version=self._version
            ),
            **request_headers(request),
        }
        body = encode_body(request, self.model_info(request.model))
        client = await self._ready_client()
        response = await self._send(client, headers, body)
        reader = EventReader(
            response, self.info.stream_idle_timeout, deque(_header_events(response, request))
        )
        try:
            await _check(response, reader)
            yield reader
        finally:
            await reader.aclose()

    async def aclose(self) -> None:
        """Close all connections; streams in use break off.  Closing twice is fine."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        await trio.lowlevel.checkpoint()

    async def _ready_client(self) -> httpx2.AsyncClient:
        async with self._opening:
            if self._closed:
                raise trio.ClosedResourceError(f"provider {self.info.id!r} is closed")
            if self._client is None:
                self._client = await trio.to_thread.run_sync(self._open_client)
            return self._client

    async def _send(
        self, client: httpx2.AsyncClient, headers: Mapping[str, str], body: bytes
    ) -> httpx2.Response:
        import httpx2  # noqa: PLC0415 -- loaded by the client

        url = f"{self.info.base_url or OPENAI_BASE_URL}/responses"
        params = dict(self.info.query_params) or None
        try:
            request = client.build_request(
                "POST", url, content=body, headers=dict(headers), params=params
            )
            with trio.move_on_after(self.info.stream_idle_timeout):
                return await client.send(request, stream=True, follow_redirects=False)
        except httpx2.LocalProtocolError as exc:
            # Its text quotes the header, which may be the key.
            raise ConnectionFailed(
                f"a header for {url} has a character that headers cannot have", retryable=False
            ) from exc
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, ValueError) as exc:
            raise ConnectionFailed(f"{exc} ({url})", retryable=False) from exc
        except httpx2.HTTPError as exc:
            raise ConnectionFailed(f"{str(exc) or type(exc).__name__} ({url})") from exc
        raise StreamDisconnected(IDLE)


def _header_events(response: httpx2.Response, request: ModelRequest) -> list[ResponseEvent]:
    state = request.turn_state
    if state.value is None:
        state.value = response.headers.get("x-codex-turn-state")
    events: list[ResponseEvent] = [
        RateLimits(snapshot) for snapshot in read_rate_limits(response.headers)
    ]
    if "x-reasoning-included" in response.headers:
        events.append(ServerReasoningIncluded(included=True))
    return events


async def _check(response: httpx2.Response, reader: EventReader) -> None:
    """Raise what the status and the type of the body mean; nothing for an event stream."""
    url = str(response.url.copy_with(query=None))
    if not response.is_success:
        body = await reader.read_start(_ERROR_BODY_LIMIT_BYTES, _ERROR_BODY_PATIENCE)
        text = body.decode(errors="replace")
        raise error_from_refusal(response.status_code, text, response.headers, url=url)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _NO_STREAM:
        raise ResponseStreamFailed(
            f"expected a text/event-stream from {url}, got {kind}",
            read_request_id(response.headers),
        )
