"""Lists of models as servers write them, servers that have one, and catalogs of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from actors.models import (
    Account,
    AuthMode,
    FetchedModels,
    ListedModel,
    ModelCatalog,
    ModelError,
    ModelsFetch,
    ProviderInfo,
    read_models,
)
from actors.models.models_cache import CACHE_NAME, CachedModels, read_cache, write_cache
from actors.models.presets import bundled_models
from actors.runtime import World
from messages.settings import TruncationMode, TruncationPolicy

__all__ = [
    "NOON",
    "OPENAI",
    "OTHER",
    "OWN",
    "TEN_BYTES",
    "Accounts",
    "Quiet",
    "Server",
    "catalog_of",
    "entry",
    "listed",
    "moving",
    "read",
    "slugs",
    "still",
    "write",
]

NOON = 1_770_897_600.0
"""2026-02-12T12:00:00Z."""

OPENAI = ProviderInfo(id="openai", name="OpenAI", requires_openai_auth=True)
OTHER = ProviderInfo(id="other", name="Other", base_url="http://other/v1")

TEN_BYTES = TruncationPolicy(mode=TruncationMode.BYTES, limit=10)


def entry(slug: str, **changes: Any) -> dict[str, Any]:
    """An entry with every member that Codex requires."""
    return {
        "slug": slug,
        "display_name": slug.upper(),
        "description": f"about {slug}",
        "default_reasoning_level": "high",
        "supported_reasoning_levels": [{"effort": "high", "description": "deep"}],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 1,
        "upgrade": None,
        "base_instructions": f"be {slug}",
        "supports_reasoning_summaries": True,
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "bytes", "limit": 10},
        "supports_parallel_tool_calls": True,
        "context_window": 1000,
        "experimental_supported_tools": [],
        **changes,
    }


def listed(*entries: dict[str, Any]) -> tuple[ListedModel, ...]:
    models = read_models({"models": list(entries)})
    assert models is not None
    return models


def slugs(models: Any) -> list[str]:
    return [getattr(model, "model", None) or model.slug for model in models]


@attrs.define
class Server:
    """What a catalog fetches from: answers, and the etags that it was asked with."""

    answer: Callable[[str | None], FetchedModels | Exception]
    asked: list[str | None] = attrs.field(factory=list, init=False)
    hold: trio.Event | None = None

    async def __call__(self, etag: str | None, /) -> FetchedModels:
        self.asked.append(etag)
        await trio.lowlevel.checkpoint()
        if self.hold is not None:
            await self.hold.wait()
        answer = self.answer(etag)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @classmethod
    def of(
        cls, *entries: dict[str, Any], etag: str | None = None, hold: trio.Event | None = None
    ) -> Server:
        return cls(lambda _: FetchedModels(models=listed(*entries), etag=etag), hold=hold)

    @classmethod
    def failing(cls, error: ModelError) -> Server:
        return cls(lambda _: error)


OWN = slugs(bundled_models(OPENAI))


def catalog_of(
    home: Path, server: ModelsFetch | None, provider: ProviderInfo = OTHER, **values: Any
) -> ModelCatalog:
    given: dict[str, Any] = {"version": "0.1.0", "remote": True, "world": still(), **values}
    return ModelCatalog(home=home, provider=provider, fetch=server, **given)


def still() -> World:
    """A world in which it is always noon."""
    return attrs.evolve(moving(), now=lambda: NOON)


def moving() -> World:
    """A world whose clock is that of the test; at first it shows noon."""
    return World.deterministic(1, NOON)


def write(home: Path, *entries: dict[str, Any], **changes: Any) -> None:
    values: dict[str, Any] = {
        "fetched_at": NOON,
        "etag": "cached",
        "client_version": "0.1.0",
        "base_url": OTHER.base_url,
        **changes,
    }
    write_cache(home / CACHE_NAME, CachedModels(models=listed(*entries), **values), suffix="0")


def read(home: Path) -> CachedModels:
    cached = read_cache(home / CACHE_NAME)
    assert cached is not None
    return cached


@attrs.define
class Accounts:
    """Whoever is logged in now."""

    mode: AuthMode | None = None
    error: Exception | None = None

    async def account(self) -> Account | None:
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        return None if self.mode is None else Account(mode=self.mode)


@attrs.define
class Quiet:
    """Waits until the catalog in its block has nothing to do any more."""

    catalog: ModelCatalog

    async def hear(self, *etags: str) -> None:
        for etag in etags:
            self.catalog.heard_etag(etag)
            await self.settle()

    async def settle(self) -> None:
        # Work in OS threads does not count as a task that runs, so more than
        # one look is needed; the files are tiny.
        for _ in range(5):
            await wait_all_tasks_blocked()
            await trio.to_thread.run_sync(lambda: None)
            await _threads_done()
        await wait_all_tasks_blocked()


async def _threads_done() -> None:
    limiter = trio.to_thread.current_default_thread_limiter()
    while limiter.borrowed_tokens:
        await trio.lowlevel.checkpoint()
