"""The provider for any endpoint that speaks the OpenAI Responses API over HTTP."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import attrs
import trio

from .auth_credentials import AuthMode, Credentials, CredentialsSource, hide
from .catalog import ModelInfo, find_model_info
from .classify import error_from_refusal
from .errors import ConnectionFailed, ResponseStreamFailed, StreamDisconnected, UnexpectedStatus
from .event_reader import IDLE, EventReader
from .headers import read_rate_limits, read_request_id
from .merged_chunks import merge_chunks
from .provider import (
    ModelRequest,
    ProviderInfo,
    RateLimits,
    ResponseEvent,
    ServerReasoningIncluded,
)
from .request_body import encode_body, provider_headers, request_headers, takes_login

if TYPE_CHECKING:
    import httpx2  # noqa: TC004 -- loaded when it is first needed

__all__ = [
    "CHATGPT_BASE_URL",
    "OPENAI_BASE_URL",
    "ResponsesProvider",
    "open_client",
    "service_url",
]

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
"""Where keys are good, for a provider that has no address of its own."""

CHATGPT_BASE_URL: Final = "https://chatgpt.com/backend-api/codex"
"""The same for the login of a ChatGPT plan."""

_CONNECT_PATIENCE: Final = 15.0
_ERROR_BODY_LIMIT_BYTES: Final = 64 * 1024
_ERROR_BODY_PATIENCE: Final = 10.0
_KEPT_CONNECTIONS: Final = 64
_KEPT_FOR: Final = 60.0
_SECRET_HEADER: Final = re.compile(r"auth|key|token|cookie", re.IGNORECASE)
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
    client = httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=_CONNECT_PATIENCE),
        limits=httpx2.Limits(
            max_connections=None,
            max_keepalive_connections=_KEPT_CONNECTIONS,
            keepalive_expiry=_KEPT_FOR,
        ),
    )
    merge_chunks(client)
    return client


def service_url(info: ProviderInfo, credentials: Credentials | None) -> str:
    """Say below which address a provider is, for who asks; without a slash at its end."""
    if info.base_url is not None:
        return info.base_url
    chatgpt = credentials is not None and credentials.mode is AuthMode.CHATGPT
    return CHATGPT_BASE_URL if chatgpt else OPENAI_BASE_URL


def _no_variables() -> Mapping[str, str]:
    return {}


@attrs.define(eq=False, kw_only=True)
class ResponsesProvider(trio.abc.AsyncResource):
    """
    Asks an endpoint that speaks the Responses API with server-sent events.

    One client, made at the first request, serves all threads and keeps
    connections between requests.  Close the provider when it is not needed any
    more, with ``async with`` or `aclose`.

    A provider with ``requires_openai_auth`` and without a key of its own is asked
    with the user's login.  When that is refused (status 401), the request is made
    once more if there are other credentials by then; else the refusal surfaces.

    Attributes:
        info: Where the endpoint is, and how patient to be with it.
        auth: The user's login, which the caller keeps; None for keys only.
        find_info: Says what a model can do; the catalog of the house by default.
        on_models_etag:
            Called with the version of the list of models, whenever a response
            tells it.  Must not wait or raise.

    Source:
        Codex, ``ModelClient``, which makes a client and a connection for each
        request.  Failures surface when they are known; nothing else is tried twice.
    """

    info: ProviderInfo
    _environ: Mapping[str, str] = attrs.field(factory=_no_variables, alias="environ", repr=False)
    _originator: str = attrs.field(default="treadle", alias="originator")
    _version: str = attrs.field(default="0", alias="version")
    auth: CredentialsSource | None = attrs.field(default=None, repr=False)
    on_models_etag: Callable[[str], None] | None = attrs.field(default=None, repr=False)
    find_info: Callable[[str], ModelInfo] = attrs.field(default=find_model_info, repr=False)
    _open_client: Callable[[], httpx2.AsyncClient] = attrs.field(
        default=open_client, alias="open_client", repr=False
    )

    _client: httpx2.AsyncClient | None = attrs.field(default=None, init=False, repr=False)
    _opening: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    def model_info(self, model: str) -> ModelInfo:
        """Look *model* up in the catalog."""
        return self.find_info(model)

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ResponseEvent]]:
        """
        Ask once; see `ModelProvider.stream`.

        Raises:
            trio.ClosedResourceError: The provider was closed.
            ModelError: See there.
        """
        reader = await self._open(request)
        try:
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

    async def _open(self, request: ModelRequest) -> EventReader:
        """Ask with the user's login, if that is wanted, and again if it was refused."""
        credentials = await self._credentials()
        body = encode_body(request, request.model_info or self.model_info(request.model))
        try:
            return await self._ask(request, credentials, body)
        except UnexpectedStatus as refused:
            if refused.status != HTTPStatus.UNAUTHORIZED:
                raise
            others = await self._other_credentials(credentials)
            if others is None:
                raise
        return await self._ask(request, others, body)

    async def _ask(
        self, request: ModelRequest, credentials: Credentials | None, body: bytes
    ) -> EventReader:
        headers = self._headers(request, credentials)
        client = await self._ready_client()
        response = await self._send(client, service_url(self.info, credentials), headers, body)
        events = deque(_header_events(response, request))
        reader = EventReader(response, self.info.stream_idle_timeout, events)
        try:
            await _check(response, reader, _secrets(headers))
            self._note_etag(response)
        except BaseException:
            await reader.aclose()
            raise
        return reader

    async def _credentials(self) -> Credentials | None:
        if self.auth is None or not takes_login(self.info):
            return None
        return await self.auth.credentials()

    async def _other_credentials(self, refused: Credentials | None) -> Credentials | None:
        if self.auth is None or refused is None:
            return None
        return await self.auth.recover(refused)

    def _headers(self, request: ModelRequest, credentials: Credentials | None) -> Mapping[str, str]:
        shared = provider_headers(
            self.info,
            self._environ,
            originator=self._originator,
            version=self._version,
            credentials=credentials,
        )
        return {**shared, **request_headers(request)}

    def _note_etag(self, response: httpx2.Response) -> None:
        etag = response.headers.get("x-models-etag")
        if etag and self.on_models_etag is not None:
            self.on_models_etag(etag)

    async def _ready_client(self) -> httpx2.AsyncClient:
        async with self._opening:
            if self._closed:
                raise trio.ClosedResourceError(f"provider {self.info.id!r} is closed")
            if self._client is None:
                self._client = await trio.to_thread.run_sync(self._open_client)
            return self._client

    async def _send(
        self, client: httpx2.AsyncClient, base_url: str, headers: Mapping[str, str], body: bytes
    ) -> httpx2.Response:
        import httpx2  # noqa: PLC0415 -- loaded by the client

        url = f"{base_url}/responses"
        params = dict(self.info.query_params) or None
        try:
            request = client.build_request(
                "POST", url, content=body, headers=dict(headers), params=params
            )
            with trio.move_on_after(self.info.stream_idle_timeout):
                return await client.send(request, stream=True, follow_redirects=False)
        except httpx2.LocalProtocolError:
            # Its text quotes the header, which may be the key.
            raise ConnectionFailed(
                f"a header for {url} has a character that headers cannot have", retryable=False
            ) from None
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


def _secrets(headers: Mapping[str, str]) -> list[str]:
    """Find the words of headers that nobody else may see, going by their names."""
    found = (value for name, value in headers.items() if _SECRET_HEADER.search(name))
    return [word for value in found for word in value.split()]


async def _check(response: httpx2.Response, reader: EventReader, secrets: list[str]) -> None:
    """
    Raise what the status and the type of the body mean; nothing for an event stream.

    A server that repeats one of the *secrets* it was sent is not quoted.
    """
    url = str(response.url.copy_with(query=None))
    if not response.is_success:
        body = await reader.read_start(_ERROR_BODY_LIMIT_BYTES, _ERROR_BODY_PATIENCE)
        text = hide(body.decode(errors="replace"), *secrets)
        raise error_from_refusal(response.status_code, text, response.headers, url=url)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _NO_STREAM:
        raise ResponseStreamFailed(
            f"expected a text/event-stream from {url}, got {kind}",
            read_request_id(response.headers),
        )
