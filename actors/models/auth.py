"""The user's login: who reads it, renews it, makes it and ends it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.runtime import World

from .auth_credentials import (
    Account,
    AuthMode,
    Credentials,
    CredentialStore,
    fits_header,
)
from .auth_errors import (
    CredentialsError,
    CredentialStoreUnsupported,
    RefreshFailure,
    RefreshTokenFailed,
    TokenRefreshFailed,
)
from .auth_file import AUTH_FILE, AuthFile
from .auth_refresh import ask_new_tokens, refresh_url
from .auth_stored import NewTokens, StoredAuth
from .errors import ModelError
from .responses import open_client

if TYPE_CHECKING:
    import httpx2  # noqa: TC004 -- loaded when it is first needed

__all__ = ["AuthManager", "stored_auth_mode"]

_log = logging.getLogger("actors")

_KEY_VARIABLE: Final = "CODEX_API_KEY"
_REFRESH_AFTER: Final = 8 * 24 * 3600.0
# For the answer to a request for new tokens, and for storing them.
_ANSWER_PATIENCE: Final = 15.0
_STORE_PATIENCE: Final = 5.0
# Between two attempts to renew tokens that are still good.
_PAUSE: Final = 60.0
# How long Codex may take to write its file, which it does in place.
_WRITE_PATIENCE: Final = 0.1


@attrs.frozen
class _Failure:
    """The latest renewal that failed; ``number`` counts them, ``refresh_token`` was used."""

    number: int
    refresh_token: str = attrs.field(repr=False)
    error: ModelError


@attrs.frozen
class _Unsaved:
    """Tokens that are not stored yet, and the refresh token that the file still has."""

    filed: str = attrs.field(repr=False)
    stored: StoredAuth


def _supported(_manager: object, _field: object, store: CredentialStore) -> None:
    if store is not CredentialStore.FILE:
        raise CredentialStoreUnsupported(store)


@attrs.define(eq=False, kw_only=True)
class AuthManager:
    """
    Gives model requests their credentials, and keeps them fresh.

    ``CODEX_API_KEY`` in the environment goes before the file ``auth.json`` of the
    home folder, which Codex can read and write too.  The file is looked at for
    each request, so that a login, a logout or a renewal by another process counts
    at once; nothing has to be reloaded.  All threads of a program share one
    manager.

    A refresh token is good for one use.  So whoever renews tokens holds a lock of
    this manager and one that all processes share, and looks at the file again
    first: of many that need new tokens one asks for them, and the others find them
    there.  When asking fails, those that waited fail with it; a refresh token that
    the service refused is not sent again.

    No secret is in a repr, in the log, or in the text of an error.

    Attributes:
        home: Where ``auth.json`` is.
        store: Where credentials are kept; of Codex's stores only the file.

    Raises:
        CredentialStoreUnsupported: *store* is another one.

    Source:
        Codex, ``AuthManager``, which reads the file once, has no lock, and takes a
        file that it cannot read for a logout.
    """

    home: Path
    store: CredentialStore = attrs.field(default=CredentialStore.FILE, validator=_supported)
    _environ: Mapping[str, str] = attrs.field(alias="environ", repr=False)
    _world: World = attrs.field(alias="world", repr=False)
    _open_client: Callable[[], httpx2.AsyncClient] = attrs.field(
        default=open_client, alias="open_client", repr=False
    )

    _file: AuthFile = attrs.field(init=False, repr=False)
    # Held by whoever changes the file; the lock of the file is taken inside.
    _changing: trio.Lock = attrs.field(factory=trio.Lock, init=False, repr=False)
    _failures: int = attrs.field(default=0, init=False, repr=False)
    _failure: _Failure | None = attrs.field(default=None, init=False, repr=False)
    _unsaved: _Unsaved | None = attrs.field(default=None, init=False, repr=False)
    _not_before: float = attrs.field(default=0.0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._file = AuthFile(self.home / AUTH_FILE)

    async def credentials(self) -> Credentials | None:
        """
        Get what to send with the next request; None when nobody is logged in.

        Tokens that are more than eight days old are renewed first; when that fails,
        the old ones may still do, so they are given.

        Raises:
            CredentialsError: There is a login that cannot be used.

        Cancellation:
            A renewal that has begun is finished first, within twenty seconds.
        """
        key = self._key()
        if key is not None:
            return key
        stored = await self._read()
        if stored is not None and self._is_due(stored):
            stored = await self._renewed_or_stale(stored)
        return None if stored is None else stored.credentials

    async def recover(self, failed: Credentials) -> Credentials | None:
        """
        Get other credentials, because the service refused *failed*.

        They are those of the file when it holds others by now, and renewed ones
        otherwise.

        Returns:
            None when there are none: keys are not renewed, and nobody is logged in
            any more.

        Raises:
            RefreshTokenFailed: The login is at its end.
            TokenRefreshFailed: It did not work this time.
            CredentialsError: The file cannot be used.

        Cancellation:
            As `credentials`.

        Source:
            Codex, ``UnauthorizedRecovery``, which keeps to the account it began with.
            Ours goes over to another one that the user has logged in with meanwhile.
        """
        if failed.mode is not AuthMode.CHATGPT:
            return None
        renewed = await self._renew(lambda stored: stored.credentials.token == failed.token)
        return None if renewed is None else renewed.credentials

    async def account(self) -> Account | None:
        """
        Say who is logged in, without renewing anything; None for nobody.

        Raises:
            CredentialsError: There is a login that cannot be used.
        """
        if self._key() is not None:
            return Account(mode=AuthMode.API_KEY)
        stored = await self._read()
        return None if stored is None else stored.account

    async def login_with_api_key(self, key: str) -> None:
        """
        Store *key*, in the place of whatever login there is.

        Raises:
            CredentialsError: It is no key, or it could not be stored.

        Cancellation:
            Either it is stored or nothing is changed.
        """
        key = key.strip()
        if not fits_header(key):
            raise CredentialsError(self._file.path, "expected an API key: one word, without spaces")
        async with self._alone():
            try:
                await trio.to_thread.run_sync(self._file.write, StoredAuth.of_key(key))
            except OSError as exc:
                raise self._not_written(exc) from exc

    async def logout(self) -> bool:
        """
        Forget the login; return whether there was one.

        A key in the environment stays.

        Raises:
            CredentialsError: It is still there.

        Cancellation:
            Either it is forgotten or nothing is changed.
        """
        # Without the folder there is nothing to lock, and none should be made.
        if not await trio.to_thread.run_sync(self.home.is_dir):
            return False
        async with self._alone():
            self._unsaved = None
            try:
                return await trio.to_thread.run_sync(self._file.remove)
            except OSError as exc:
                raise self._not_written(exc) from exc

    def _key(self) -> Credentials | None:
        return _key_of(self._environ)

    async def _read(self) -> StoredAuth | None:
        """Read the file, and prefer tokens that could not be written into it."""
        try:
            stored = await trio.to_thread.run_sync(self._file.read)
        except CredentialsError:  # perhaps half written
            await trio.sleep(_WRITE_PATIENCE)
            stored = await trio.to_thread.run_sync(self._file.read)
        unsaved = self._unsaved
        if unsaved is None:
            return stored
        if stored is not None and stored.refresh_token == unsaved.filed:
            return unsaved.stored
        self._unsaved = None  # the user logged in or out meanwhile
        return stored

    def _is_due(self, stored: StoredAuth) -> bool:
        if stored.credentials.mode is not AuthMode.CHATGPT:
            return False
        if trio.current_time() < self._not_before:
            return False
        age = self._world.now() - stored.last_refresh
        return age > _REFRESH_AFTER or self._unsaved is not None

    async def _renewed_or_stale(self, stale: StoredAuth) -> StoredAuth | None:
        try:
            return await self._renew(self._is_due)
        except ModelError as error:
            # Before the pause that the failure begins: those that waited come here too.
            self._not_before = trio.current_time() + _PAUSE
            _log.warning("the login was not renewed, and is used as it is: %s", error)
            return stale

    async def _renew(self, is_old: Callable[[StoredAuth], bool]) -> StoredAuth | None:
        """Renew the tokens, unless they are not old any more once it is our turn."""
        seen = self._failures
        async with self._changing, self._file.locked():
            stored = await self._read()
            if self._unsaved is not None:
                await self._save(self._unsaved)
            if stored is None or not is_old(stored):
                return stored
            self._check_failure(stored.refresh_token, seen)
            return await self._spend(stored)

    def _check_failure(self, token: str, seen: int) -> None:
        """Fail as the latest renewal did, if we waited for it or the service would repeat it."""
        if not token:
            raise RefreshTokenFailed(RefreshFailure.OTHER)
        last = self._failure
        if last is None or last.refresh_token != token:
            return
        if last.number > seen or isinstance(last.error, RefreshTokenFailed):
            raise copy(last.error)

    async def _spend(self, stored: StoredAuth) -> StoredAuth:
        """Renew the tokens, and remember a failure."""
        try:
            # Shielded: once the token is spent, what it was spent for must be kept.
            with trio.move_on_after(_ANSWER_PATIENCE + _STORE_PATIENCE, shield=True):
                return await self._exchange(stored)
            raise CredentialsError(self._file.path, "they cannot be written: the disk is too slow")
        except ModelError as error:
            self._failures += 1
            self._failure = _Failure(self._failures, stored.refresh_token, copy(error))
            raise

    async def _exchange(self, stored: StoredAuth) -> StoredAuth:
        tokens = await self._ask(stored.refresh_token)
        try:
            latest = await self._read()
        except CredentialsError:
            latest = stored  # we hold better ones than whatever is there
        if latest is None:
            raise CredentialsError(self._file.path, "Token data is not available; log in again")
        if latest.refresh_token != stored.refresh_token:
            return latest  # somebody who knows nothing of the lock, such as Codex
        renewed = latest.renewed(self._file.path, tokens, self._world.now())
        filed = self._unsaved.filed if self._unsaved else stored.refresh_token
        self._unsaved = _Unsaved(filed, renewed)
        await self._save(self._unsaved)
        return renewed

    async def _ask(self, refresh_token: str) -> NewTokens:
        url = refresh_url(self._environ)
        with trio.move_on_after(_ANSWER_PATIENCE):
            async with await trio.to_thread.run_sync(self._open_client) as client:
                return await ask_new_tokens(client, url, refresh_token)
        raise TokenRefreshFailed(f"no answer within {_ANSWER_PATIENCE:g} s ({url})")

    async def _save(self, unsaved: _Unsaved) -> None:
        """Write tokens, which are used either way; a failure is told and tried again later."""
        try:
            await trio.to_thread.run_sync(self._file.write, unsaved.stored)
        except OSError as exc:
            self._not_before = trio.current_time() + _PAUSE
            _log.warning("%s", self._not_written(exc))
        else:
            self._unsaved = None

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        async with self._changing, self._file.locked():
            yield

    def _not_written(self, error: OSError) -> CredentialsError:
        problem = f"they cannot be written: {error.strerror or error}"
        return CredentialsError(self._file.path, problem)


def stored_auth_mode(home: Path, environ: Mapping[str, str]) -> AuthMode | None:
    """
    Tell how the user is logged in, before there is a manager; None for not at all.

    Blocks shortly.

    Raises:
        CredentialsError: There is a login that cannot be used.
    """
    file = AuthFile(home / AUTH_FILE)
    stored = None if (key := _key_of(environ)) else file.read()
    credentials = key or (stored and stored.credentials)
    return credentials.mode if credentials else None


def _key_of(environ: Mapping[str, str]) -> Credentials | None:
    key = environ.get(_KEY_VARIABLE, "").strip()
    return Credentials(token=key, mode=AuthMode.API_KEY) if key else None
