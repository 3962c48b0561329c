"""What ``auth.json`` says: read, changed and written as Codex does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self, cast

import attrs
import orjson

from messages.value import Json

from .auth_claims import ClaimsInvalid, IdClaims, read_claims
from .auth_credentials import Account, AuthMode, Credentials, fits_header
from .auth_errors import CredentialsError
from .error_texts import text_member

__all__ = ["NewTokens", "StoredAuth", "decode_auth", "encode_auth"]

_KEY: Final = "OPENAI_API_KEY"
_MODE: Final = "auth_mode"
_TOKENS: Final = "tokens"
_LAST_REFRESH: Final = "last_refresh"


@attrs.frozen(kw_only=True)
class NewTokens:
    """Tokens that the service gave; None for those that stay as they are."""

    id_token: str | None = attrs.field(default=None, repr=False)
    access_token: str | None = attrs.field(default=None, repr=False)
    refresh_token: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class StoredAuth:
    """
    The credentials of one ``auth.json``.

    Attributes:
        credentials: What requests are sent with.
        refresh_token: Good for one renewal; empty for keys and where there is none.
        last_refresh: When the tokens were renewed, in seconds since the Unix epoch;
            0 for keys.
        claims: Of the id token; without any where it cannot be read.
        members: The whole file, also what we know nothing of.
    """

    credentials: Credentials
    refresh_token: str = attrs.field(default="", repr=False)
    last_refresh: float = 0.0
    claims: IdClaims = attrs.field(factory=IdClaims, repr=False)
    members: Mapping[str, Json] = attrs.field(repr=False)

    @classmethod
    def of_key(cls, key: str) -> Self:
        """Make what a login with an API key stores: the key, and nothing else."""
        members: dict[str, Json] = {_MODE: AuthMode.API_KEY.value, _KEY: key}
        return cls(credentials=Credentials(token=key, mode=AuthMode.API_KEY), members=members)

    @property
    def account(self) -> Account:
        """Who this is, for people."""
        return Account(
            mode=self.credentials.mode,
            email=self.claims.email,
            plan_type=self.claims.plan_type,
            account_id=self.credentials.account_id,
        )

    def renewed(self, path: Path, new: NewTokens, now: float) -> StoredAuth:
        """
        Take over what was renewed; everything else stays.

        Raises:
            CredentialsError: What came cannot be used.
        """
        fresh = attrs.asdict(new, filter=lambda _, value: value is not None)
        tokens = self.members.get(_TOKENS)
        old = cast("dict[str, Json]", tokens) if isinstance(tokens, dict) else {}
        members = {**self.members, _TOKENS: {**old, **fresh}, _LAST_REFRESH: _time_text(now)}
        return _of_tokens(path, members)


def decode_auth(path: Path, data: bytes) -> StoredAuth | None:
    """
    Read the content of the file *path*.

    Returns:
        None when it says that nobody is logged in.

    Raises:
        CredentialsError: It cannot be used.

    Source:
        Codex, ``AuthDotJson``; an explicit mode goes before a key, a key before
        tokens.
    """
    try:
        decoded: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        decoded = None  # its text is not quoted: it may hold a token
    if not isinstance(decoded, dict):
        raise CredentialsError(path, "it holds no JSON object; log out and log in again")
    members = cast("dict[str, Json]", decoded)  # keys of JSON are strings
    match _mode(path, members):
        case AuthMode.API_KEY:
            return _of_key(path, members)
        case AuthMode.CHATGPT:
            return _of_tokens(path, members)
        case None:
            return None


def encode_auth(stored: StoredAuth) -> bytes:
    """Write the content of the file, for Codex as well."""
    return orjson.dumps(stored.members, option=orjson.OPT_INDENT_2)


def _mode(path: Path, members: dict[str, Json]) -> AuthMode | None:
    explicit = members.get(_MODE)
    if explicit is not None:
        try:
            return AuthMode(explicit)
        except ValueError:
            known = ", ".join(repr(mode.value) for mode in AuthMode)
            raise CredentialsError(
                path, f"its auth_mode is not supported, only {known}; log out and log in again"
            ) from None
    if members.get(_KEY) is not None:
        return AuthMode.API_KEY
    return AuthMode.CHATGPT if members.get(_TOKENS) is not None else None


def _of_key(path: Path, members: dict[str, Json]) -> StoredAuth:
    key = (text_member(members, _KEY) or "").strip()
    if not key:
        raise CredentialsError(path, "API key auth is missing a key; log in again")
    credentials = Credentials(token=_sendable(path, "API key", key), mode=AuthMode.API_KEY)
    return StoredAuth(credentials=credentials, members=members)


def _of_tokens(path: Path, members: dict[str, Json]) -> StoredAuth:
    tokens = members.get(_TOKENS)
    last_refresh = _read_time(text_member(members, _LAST_REFRESH))
    access_token = (text_member(tokens, "access_token") or "").strip()
    if not access_token or last_refresh is None:
        raise CredentialsError(path, "Token data is not available; log out and log in again")
    claims = _claims(text_member(tokens, "id_token") or "")
    account_id = text_member(tokens, "account_id") or claims.account_id
    if account_id:
        _sendable(path, "account id", account_id)
    return StoredAuth(
        credentials=Credentials(
            token=_sendable(path, "access token", access_token),
            mode=AuthMode.CHATGPT,
            account_id=account_id or None,
        ),
        refresh_token=(text_member(tokens, "refresh_token") or "").strip(),
        last_refresh=last_refresh,
        claims=claims,
        members=members,
    )


def _sendable(path: Path, what: str, value: str) -> str:
    if not fits_header(value):
        raise CredentialsError(
            path, f"the {what} has a character that headers cannot have; log in again"
        )
    return value


def _claims(id_token: str) -> IdClaims:
    try:
        return read_claims(id_token)
    except ClaimsInvalid:
        return IdClaims()


def _read_time(text: str | None) -> float | None:
    try:
        time = datetime.fromisoformat(text or "")
        return time.timestamp() if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
