"""The catalog of a provider's models as it stands now, and how it is kept up to date."""

from __future__ import annotations

import logging
import types
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Self

import attrs
import trio

from actors.runtime import World
from actors.runtime.running_child import open_bare_nursery

from .catalog import ModelInfo
from .known_models import KnownModels
from .model_list import ModelPreset, default_preset
from .models_cache import whole_version
from .models_fetch import ModelsFetch
from .models_refresh import AccountSource, ModelsRefresh, RefreshStrategy
from .provider import ProviderInfo

__all__ = ["ModelCatalog", "ModelCatalogStatistics"]

_logger = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class ModelCatalogStatistics:
    """
    How a catalog stands.

    Attributes:
        models: Listed now.
        told: Of these, by the server or the cache file.
        etag: The server's name for its list; None when it gave none.
        fetched_at:
            When the server last confirmed the list, in seconds since the Unix
            epoch; None when it never did.
        fetches: Made since the start, whether they succeeded or not.
    """

    models: int
    told: int
    etag: str | None
    fetched_at: float | None
    fetches: int


@attrs.define(eq=False, init=False)
class ModelCatalog:
    """
    Knows which models a provider has, and what they can do.

    One for each supervisor and provider.  What is needed at once (`model_info`,
    `presets`, `default`) never waits and comes from what is known by then: our
    own list at first, later what the cache file and the server told.

    Used with ``async with``, it also follows the etags that responses name: in
    a task of its own, so that neither a stream nor a thread's start waits for
    it.  There the cache file is read in the beginning, too.  Outside of the
    block `heard_etag` does nothing.

    A failure to read, write or fetch is logged, and what was known stays.  At
    most one fetch is made at a time; who asks meanwhile shares its outcome.

    Args:
        home: Where the cache file is.
        provider:
            Whose models.  OpenAI's own service (``requires_openai_auth``) is
            asked for ChatGPT accounts only, as it has no such list for API keys.
        fetch: Asks the provider; None for one that cannot be asked.
        world: For the wall clock.
        version: Ours; lists are kept for one version only.
        remote: False to know our own list only: no file, no network.
        accounts: Says whether there is a ChatGPT account; None for keys only.

    Source:
        Codex, ``ModelsManager``; there the list is OpenAI's whatever the
        provider, streams wait for a refresh, and a list without an etag is
        fetched again for every response.
    """

    _provider: ProviderInfo
    _remote: bool
    _refresh: ModelsRefresh
    # The etag heard last and not looked at yet: newer ones take its place, so
    # this is all there is to queue.
    _heard: str
    _hearing: trio.Event
    _running: bool
    _block: AbstractAsyncContextManager[None] | None

    def __init__(
        self,
        *,
        home: Path,
        provider: ProviderInfo,
        fetch: ModelsFetch | None,
        world: World,
        version: str,
        remote: bool,
        accounts: AccountSource | None = None,
    ) -> None:
        self._provider = provider
        self._remote = remote
        self._refresh = ModelsRefresh(
            home=home,
            provider=provider,
            fetch=fetch,
            world=world,
            version=whole_version(version),
            remote=remote,
            accounts=accounts,
            known=KnownModels(provider=provider),
        )
        self._heard = ""
        self._hearing = trio.Event()
        self._running = False
        self._block = None

    # What is known ------------------------------------------------------

    def model_info(self, model: str) -> ModelInfo:
        """Say what *model* can do, by the longest name that it begins with; never waits."""
        return self._refresh.known.model_info(model)

    @property
    def presets(self) -> tuple[ModelPreset, ...]:
        """The list as it is known now, best first; hidden models are in it."""
        return self._refresh.known.presets(chatgpt=self._refresh.chatgpt)

    @property
    def default(self) -> str:
        """The model to ask when nobody chose one, as far as is known now."""
        preset = default_preset(self.presets)
        return self._provider.default_model if preset is None else preset.model

    async def list_models(self, strategy: RefreshStrategy) -> tuple[ModelPreset, ...]:
        """
        List the models, best first; hidden ones too.

        Takes a fetch at most, which has its own limit.

        Cancellation:
            A fetch is dropped; who shared it makes another one.
        """
        await self._refresh.refresh(strategy)
        return self.presets

    async def default_model(self, strategy: RefreshStrategy) -> str:
        """
        Say which model to ask when nobody chose one.

        Cancellation:
            As `list_models`.
        """
        await self._refresh.refresh(strategy)
        return self.default

    def statistics(self) -> ModelCatalogStatistics:
        """Return how the catalog stands."""
        known = self._refresh.known
        return ModelCatalogStatistics(
            models=len(known.listed),
            told=len(known.told),
            etag=known.etag,
            fetched_at=known.fetched_at,
            fetches=self._refresh.fetches,
        )

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<ModelCatalog of {self._provider.id!r}: {now.models} models, {now.told} told, "
            f"{now.fetches} fetches>"
        )

    # The block ----------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("this catalog was entered before; make a new one")
        self._block = self._run()
        await self._block.__aenter__()
        return self

    # Not async: what waits is the block, which is a nursery.
    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> Awaitable[bool | None]:
        if self._block is None:
            raise RuntimeError("this catalog was never entered; use `async with`")
        return self._block.__aexit__(exc_type, exc, traceback)

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[None, None]:
        async with open_bare_nursery() as nursery:
            if self._remote:
                self._running = True
                nursery.start_soon(self._follow_etags, name="models: etags")
            try:
                yield
            finally:
                self._running = False
                nursery.cancel_scope.cancel()

    def heard_etag(self, etag: str) -> None:
        """
        Note what a response calls the server's list of models; never waits.

        When that is not the list known here, it is fetched in the background.
        """
        if self._running and etag:
            self._heard = etag
            self._hearing.set()

    async def _follow_etags(self) -> None:
        await self._carefully(self._refresh.refresh(RefreshStrategy.OFFLINE))
        while True:
            await self._hearing.wait()
            self._hearing = trio.Event()
            await self._carefully(self._refresh.follow(self._heard))

    async def _carefully(self, work: Awaitable[None]) -> None:
        """Do what is optional: not even a mistake of ours in it may end a supervisor."""
        try:
            await work
        except Exception:
            _logger.exception("the list of models of %r is not refreshed", self._provider.id)
