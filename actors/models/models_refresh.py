"""How the list of models is brought up to date: cache file, server, one fetch at a time."""

from __future__ import annotations

import logging
import math
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, Protocol, assert_never

import attrs
import trio

from actors.runtime import World

from .auth_credentials import Account, AuthMode
from .errors import ModelError
from .known_models import KnownModels
from .models_cache import (
    CACHE_NAME,
    TTL,
    CachedModels,
    is_fresh,
    read_cache,
    write_cache,
)
from .models_fetch import FetchedModels, ModelsFetch
from .provider import ProviderInfo
from .request_body import takes_login
from .responses import CHATGPT_BASE_URL, OPENAI_BASE_URL

__all__ = ["AccountSource", "ModelsRefresh", "RefreshStrategy"]

_logger = logging.getLogger("actors")

# A fetch that failed is not repeated for every response that names a new etag.
_PAUSE: Final = 60.0
# A list that the server confirmed is not written anew for every response.
_RENEW_AFTER: Final = 60.0
_LINE: Final = 200


class RefreshStrategy(Enum):
    """
    Where a list of models may come from, beside what is known already.

    A list that is fresh is good enough for all but ONLINE.
    """

    ONLINE = "online"
    """The server."""

    OFFLINE = "offline"
    """The cache file."""

    ONLINE_IF_UNCACHED = "online_if_uncached"
    """The cache file, or else the server."""


class AccountSource(Protocol):
    """Says who is logged in; see `AuthManager`."""

    async def account(self) -> Account | None:
        """
        Say who is logged in, without renewing anything; None for nobody.

        Raises:
            ModelError: It cannot be told.
        """
        ...


@attrs.define(eq=False, kw_only=True)
class ModelsRefresh:
    """
    Keeps what is known of a provider's models up to date; see `ModelCatalog`.

    At most one fetch is made at a time; who asks meanwhile shares its outcome.

    Attributes:
        known: Replaced as a whole, so that readers never see half of a list.
        chatgpt: Whether there was a ChatGPT account when last looked at.
        fetches: How many ended, whether they succeeded or not.
    """

    _home: Path = attrs.field(alias="home")
    _provider: ProviderInfo = attrs.field(alias="provider")
    _fetch: ModelsFetch | None = attrs.field(alias="fetch", repr=False)
    _world: World = attrs.field(alias="world", repr=False)
    _version: str = attrs.field(alias="version")
    _remote: bool = attrs.field(alias="remote")
    _accounts: AccountSource | None = attrs.field(alias="accounts", repr=False)

    known: KnownModels
    chatgpt: bool = attrs.field(default=False, init=False)
    fetches: int = attrs.field(default=0, init=False)

    # Held by who fetches or writes the file.
    _fetching: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    # An etag that led to a fetch, and until when it leads to no other: servers
    # may name another one with their list.
    _followed: tuple[str, float] | None = attrs.field(default=None, init=False)
    _quiet_until: float = attrs.field(default=-math.inf, init=False)

    async def refresh(self, strategy: RefreshStrategy) -> None:
        """
        Bring `known` up to date, as far as *strategy* goes and as it works out.

        Raises:
            Exception: A bug in the fetch; its failures are logged instead.
        """
        await trio.lowlevel.checkpoint()
        if not self._remote:
            return
        await self._look_for_account()
        match strategy:
            case RefreshStrategy.ONLINE:
                await self._fetch_shared()
            case RefreshStrategy.OFFLINE:
                await self._use_cache()
            case RefreshStrategy.ONLINE_IF_UNCACHED:
                if not await self._use_cache():
                    await self._fetch_shared()
            case _:
                assert_never(strategy)

    async def follow(self, etag: str) -> None:
        """
        Act on what a response calls the list: fetch another list, or confirm ours.

        Nothing is done for a while after a fetch that failed, and for an etag
        that led to a fetch before.

        Raises:
            Exception: As `refresh`.
        """
        async with self._fetching:
            # Looked at only now: a fetch that was under way may have brought it.
            if etag == self.known.etag:
                await self._renew()
            elif not self._was_followed(etag) and trio.current_time() >= self._quiet_until:
                await self._look_for_account()
                if self._asks:
                    await self._fetch_now(etag)

    async def _look_for_account(self) -> None:
        if self._accounts is None or not takes_login(self._provider):
            return
        try:
            account = await self._accounts.account()
        except ModelError as exc:
            _logger.warning("the list of models is that without a login: %s", _short(exc))
            account = None
        self.chatgpt = account is not None and account.mode is AuthMode.CHATGPT

    async def _use_cache(self) -> bool:
        """Take the list in the file, unless the one we have is fresh; False if neither is."""
        if self.known.is_fresh(self._world.now()):
            return True
        cached = await trio.to_thread.run_sync(read_cache, self._path)
        # A fetch may have ended while the file was read.
        if self.known.is_fresh(self._world.now()):
            return True
        if cached is None or not self._fits(cached):
            return False
        self.known = attrs.evolve(
            self.known, told=cached.models, etag=cached.etag, fetched_at=cached.fetched_at
        )
        return True

    def _fits(self, cached: CachedModels) -> bool:
        # Codex writes no address: its lists are always OpenAI's.
        openai = self._provider.requires_openai_auth
        ours = openai if cached.base_url is None else cached.base_url == self._base_url
        fresh = is_fresh(cached.fetched_at, self._world.now())
        return ours and fresh and cached.client_version == self._version

    async def _fetch_shared(self) -> None:
        if not self._asks:
            return
        before = self.fetches
        async with self._fetching:
            if self.fetches == before:  # else one ended while we waited
                await self._fetch_now(None)

    async def _fetch_now(self, heard: str | None) -> None:
        """
        Fetch the list and write it to the file; with the lock held.

        Args:
            heard: The etag that led to it; None if there was none.
        """
        assert self._fetch is not None, "see _asks"
        try:
            fetched = await self._fetch(self.known.etag)
        except Exception as exc:
            self.fetches += 1
            self._quiet_until = trio.current_time() + _PAUSE
            if not isinstance(exc, ModelError):
                raise
            _logger.warning(
                "the models of %r are not refreshed: %s", self._provider.id, _short(exc)
            )
            return
        self.fetches += 1
        if heard is not None:
            self._followed = heard, trio.current_time() + TTL
        self.known = self._updated(fetched, heard)
        await self._write()

    def _updated(self, fetched: FetchedModels, heard: str | None) -> KnownModels:
        known = self.known
        return attrs.evolve(
            known,
            told=known.told if fetched.models is None else fetched.models,
            # A list without an etag goes by the one that announced it, or keeps its
            # old one; with none at all each response would lead to a fetch.
            etag=fetched.etag or heard or known.etag,
            fetched_at=self._world.now(),
        )

    async def _renew(self) -> None:
        """Note that the server confirmed the list; with the lock held."""
        now, then = self._world.now(), self.known.fetched_at
        if then is None or abs(now - then) >= _RENEW_AFTER:
            self.known = attrs.evolve(self.known, fetched_at=now)
            await self._write()

    async def _write(self) -> None:
        known, suffix = self.known, self._world.new_id()
        assert known.fetched_at is not None, "it was just told"
        cached = CachedModels(
            fetched_at=known.fetched_at,
            etag=known.etag,
            client_version=self._version,
            base_url=self._base_url,
            models=known.told,
        )
        try:
            await trio.to_thread.run_sync(partial(write_cache, self._path, cached, suffix=suffix))
        except OSError as exc:
            _logger.warning("the cache of models is not written: %s", exc)

    def _was_followed(self, etag: str) -> bool:
        if self._followed is None:
            return False
        followed, until = self._followed
        return etag == followed and trio.current_time() < until

    @property
    def _asks(self) -> bool:
        """Whether the server may be asked."""
        allowed = self.chatgpt or not self._provider.requires_openai_auth
        return self._remote and self._fetch is not None and allowed

    @property
    def _base_url(self) -> str:
        own = CHATGPT_BASE_URL if self.chatgpt else OPENAI_BASE_URL
        return self._provider.base_url or own

    @property
    def _path(self) -> Path:
        return self._home / CACHE_NAME


def _short(error: ModelError) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."
