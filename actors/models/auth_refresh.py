"""Asks the service for fresh tokens."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import orjson
import trio

from messages.value import Json

from .auth_credentials import hide
from .auth_errors import RefreshFailure, RefreshTokenFailed, TokenRefreshFailed
from .auth_stored import NewTokens
from .error_texts import error_member, status_line, text_member
from .errors import ModelError

if TYPE_CHECKING:
    import httpx2

__all__ = ["ask_new_tokens", "read_refusal", "refresh_url"]

_URL: Final = "https://auth.openai.com/oauth/token"
_URL_VARIABLE: Final = "CODEX_REFRESH_TOKEN_URL_OVERRIDE"
# Whom the tokens were given to: they are Codex's, whose home we share.
_CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
_SCOPE: Final = "openid profile email"
_LIMIT_BYTES: Final = 1024 * 1024
_SHOWN_CHARACTERS: Final = 1_000


def refresh_url(environ: Mapping[str, str]) -> str:
    """Say where tokens are renewed; ``CODEX_REFRESH_TOKEN_URL_OVERRIDE`` moves it."""
    return environ.get(_URL_VARIABLE, "").strip() or _URL


async def ask_new_tokens(client: httpx2.AsyncClient, url: str, refresh_token: str) -> NewTokens:
    """
    Spend *refresh_token*.

    Raises:
        RefreshTokenFailed: The service renews nothing any more.
        TokenRefreshFailed: It did not work this time.

    Cancellation:
        The token may be spent and what it was spent for lost: shield it.
    """
    import httpx2  # noqa: PLC0415 -- loaded by the client

    body = {
        "client_id": _CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "scope": _SCOPE,
    }
    try:
        async with client.stream("POST", url, json=body, follow_redirects=False) as response:
            text = (await _read_start(response)).decode(errors="replace")
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as exc:
        # Not from exc: the request hangs on it, and the token on the request.
        problem = hide(str(exc) or type(exc).__name__, refresh_token)
        raise TokenRefreshFailed(f"{problem} ({url})") from None
    if not response.is_success:
        raise read_refusal(response.status_code, hide(text, refresh_token))
    return _read_tokens(text)


def read_refusal(status: int, body: str) -> ModelError:
    """
    Say which error a refused renewal is.

    Args:
        status: Other than success.
        body: As text, without secrets.

    Source:
        Codex, ``classify_refresh_token_failure``.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        code = (_code(body) or "").lower()
        known = code in {reason.value for reason in RefreshFailure}
        return RefreshTokenFailed(RefreshFailure(code) if known else RefreshFailure.OTHER)
    message = text_member(error_member(body), "message") or body
    shown = message.strip()[:_SHOWN_CHARACTERS] or "Unknown error"
    return TokenRefreshFailed(f"{status_line(status)}: {shown}")


def _code(body: str) -> str | None:
    error = error_member(body)
    if isinstance(error, str):
        return error
    return text_member(error, "code") or text_member(_decoded(body), "code")


def _read_tokens(text: str) -> NewTokens:
    decoded = _decoded(text)
    if not isinstance(decoded, dict):
        raise TokenRefreshFailed("the answer is no JSON object")
    members = cast("dict[str, Json]", decoded)  # keys of JSON are strings
    return NewTokens(
        id_token=_token(members, "id_token"),
        access_token=_token(members, "access_token"),
        refresh_token=_token(members, "refresh_token"),
    )


def _token(members: dict[str, Json], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise TokenRefreshFailed(f"the {name} of the answer is no text")
    return (value or "").strip() or None


def _decoded(text: str) -> Json:
    try:
        decoded: Json = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return decoded


async def _read_start(response: httpx2.Response) -> bytes:
    data = bytearray()
    # Cancelled rather than left: the generators below would mind being dropped.
    with trio.CancelScope() as scope:
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > _LIMIT_BYTES:
                scope.cancel()
    if len(data) > _LIMIT_BYTES:
        raise ValueError(f"the answer is longer than {_LIMIT_BYTES} bytes")
    return bytes(data)
