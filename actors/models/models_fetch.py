"""Asking a provider over HTTP which models it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import attrs
import orjson
import trio

from messages.value import Json

from .auth_credentials import Credentials, CredentialsSource, hide
from .classify import error_from_refusal
from .errors import ConnectionFailed, InvalidRequest, UnexpectedStatus
from .model_list import ListedModel
from .model_wire import read_models
from .models_cache import whole_version
from .provider import ProviderInfo
from .request_body import provider_headers, takes_login
from .responses import open_client, service_url

if TYPE_CHECKING:
    import httpx2  # noqa: TC004 -- loaded when it is first needed

__all__ = ["FetchedModels", "ModelsFetch", "http_models_fetch"]

_PATIENCE: Final = 5.0
_CLOSE_PATIENCE: Final = 1.0
# A list of a dozen models with their instructions has a quarter of a mebibyte.
_SIZE_LIMIT_BYTES: Final = 16 * 1024 * 1024


@attrs.frozen(kw_only=True)
class FetchedModels:
    """
    What a provider answered.

    Attributes:
        models: In its order; None when nothing changed since the etag it was asked with.
        etag: Its name for this state of the list; None if it gave none.
    """

    models: tuple[ListedModel, ...] | None
    etag: str | None


class ModelsFetch(Protocol):
    """Asks a provider which models it has."""

    async def __call__(self, etag: str | None, /) -> FetchedModels:
        """
        Ask once.

        Args:
            etag: Of the list that is already known; None when none is.

        Raises:
            ModelError: There was no answer in time, or none that can be used.

        Cancellation:
            At any await; nothing was changed.
        """
        ...


def http_models_fetch(
    info: ProviderInfo,
    *,
    environ: Mapping[str, str],
    version: str,
    originator: str = "treadle",
    auth: CredentialsSource | None = None,
    open_client: Callable[[], httpx2.AsyncClient] = open_client,
) -> ModelsFetch:
    """
    Make a fetch of ``<base_url>/models``.

    It asks as `ResponsesProvider` does: the same headers and keys, and once more
    with other credentials when the login is refused.  The server gets five
    seconds, from the connection to the last byte.

    Args:
        info: Whom to ask, and with which query parameters.
        environ: Where keys are.
        version: Ours; the server may list other models for other versions.
        originator: Who asks.
        auth: The user's login; None for keys only.
        open_client: Called for each fetch, which closes what it got: there are few.

    Source:
        Codex, ``ModelsClient::list_models``; it does not ask whether anything
        changed, and knows no list but OpenAI's.
    """
    return _HttpFetch(info, environ, version, originator, auth, open_client)


@attrs.frozen
class _HttpFetch:
    _info: ProviderInfo
    _environ: Mapping[str, str] = attrs.field(repr=False)
    _version: str
    _originator: str
    _auth: CredentialsSource | None = attrs.field(repr=False)
    _open_client: Callable[[], httpx2.AsyncClient] = attrs.field(repr=False)

    async def __call__(self, etag: str | None, /) -> FetchedModels:
        auth = self._auth if takes_login(self._info) else None
        # Outside of the five seconds: renewing a login has its own limits.
        credentials = None if auth is None else await auth.credentials()
        try:
            return await self._ask(credentials, etag)
        except UnexpectedStatus as refused:
            if refused.status != HTTPStatus.UNAUTHORIZED or auth is None or credentials is None:
                raise
            others = await auth.recover(credentials)
            if others is None:
                raise
        return await self._ask(others, etag)

    async def _ask(self, credentials: Credentials | None, etag: str | None) -> FetchedModels:
        shared = provider_headers(
            self._info,
            self._environ,
            originator=self._originator,
            version=self._version,
            credentials=credentials,
        )
        url = f"{service_url(self._info, credentials)}/models"
        client = await trio.to_thread.run_sync(self._open_client)
        try:
            with trio.move_on_after(_PATIENCE):
                return await self._exchange(client, url, _for_json(shared, etag))
            raise ConnectionFailed(f"no list of models within {_PATIENCE:g} s ({url})")
        finally:
            with trio.move_on_after(_CLOSE_PATIENCE, shield=True):
                await client.aclose()

    async def _exchange(
        self, client: httpx2.AsyncClient, url: str, headers: Mapping[str, str]
    ) -> FetchedModels:
        import httpx2  # noqa: PLC0415 -- loaded by the client

        params = {**self._info.query_params, "client_version": whole_version(self._version)}
        try:
            request = client.build_request("GET", url, headers=dict(headers), params=params)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                body = await _read(response)
            finally:
                with trio.move_on_after(_CLOSE_PATIENCE, shield=True):
                    await response.aclose()
        except httpx2.LocalProtocolError:
            # Its text quotes the header, which may be the key.
            raise ConnectionFailed(
                f"a header for {url} has a character that headers cannot have", retryable=False
            ) from None
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, ValueError) as exc:
            raise ConnectionFailed(f"{exc} ({url})", retryable=False) from exc
        except httpx2.HTTPError as exc:
            raise ConnectionFailed(f"{str(exc) or type(exc).__name__} ({url})") from exc
        _check(response, body, url, headers.get("Authorization", ""))
        return self._answer(response, body, url)

    def _answer(self, response: httpx2.Response, body: bytes | None, url: str) -> FetchedModels:
        etag = response.headers.get("etag") or None
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return FetchedModels(models=None, etag=etag)
        if body is None:
            raise InvalidRequest(
                f"the list of models has more than {_SIZE_LIMIT_BYTES} bytes ({url})"
            )
        # OpenAI lists by id whatever it sells; only its other form is for us.
        models = read_models(_json(body), plain=not self._info.requires_openai_auth)
        if models is None:
            raise InvalidRequest(f"the answer is no list of models ({url})")
        return FetchedModels(models=models, etag=etag)


def _check(response: httpx2.Response, body: bytes | None, url: str, key: str) -> None:
    """Raise what the status means; a server that repeats *key*, our header, is not quoted."""
    if response.is_success or response.status_code == HTTPStatus.NOT_MODIFIED:
        return
    text = hide((body or b"").decode(errors="replace"), *key.split())
    raise error_from_refusal(response.status_code, text, response.headers, url=url)


def _for_json(headers: Mapping[str, str], etag: str | None) -> dict[str, str]:
    """Make the headers of a model request those of a question for JSON."""
    kept = {
        name: value
        for name, value in headers.items()
        if name.lower() not in {"accept", "content-type", "if-none-match"}
    }
    # The etag comes from a file that anybody may have written.
    fit = etag is not None and etag.isascii() and etag.isprintable()
    asked = {"If-None-Match": etag} if fit and etag else {}
    return {**kept, "Accept": "application/json", **asked}


async def _read(response: httpx2.Response) -> bytes | None:
    """Read the whole body; None if it is too long."""
    parts: list[bytes] = []
    size = 0
    # The layers of httpx2 are async generators, which must be run to their end
    # in this task; a read that is cancelled does that.
    with trio.CancelScope() as scope:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > _SIZE_LIMIT_BYTES:
                scope.cancel()
            else:
                parts.append(chunk)
    return b"".join(parts) if size <= _SIZE_LIMIT_BYTES else None


def _json(body: bytes) -> Json:
    try:
        value: Json = orjson.loads(body)
    except ValueError:
        return None
    return value
