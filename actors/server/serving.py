"""From what was said at the start to a server that answers, in whatever process."""

import gc
import importlib
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import attrs
import trio

from actors.config import (
    Config,
    ConfigError,
    ConfigLayer,
    LayerKind,
    choose_provider,
    load_config,
    open_catalog,
)
from actors.models import ModelProvider, ResponsesProvider
from actors.rollout import Durability
from actors.runtime import World
from actors.supervisor import open_supervisor
from messages.settings import SourceKind
from messages.value import Json

from .app import AppServer, open_app_server
from .greeting import ORIGINATOR_VARIABLE
from .ground import ServerSetup
from .rpc_limits import Limits

__all__ = [
    "NEEDED_BY_ALL",
    "Prepared",
    "ServeRecipe",
    "check_recipe",
    "import_early",
    "open_prepared",
    "open_serving",
    "prepare",
    "relieve_collector",
]

NEEDED_BY_ALL: Final = ("uuid_utils", "watchfiles")
"""What every first thread needs, else loaded while clients wait: 8 ms, and in an OS thread
beside the next threads, which then wait up to 5 ms at a time for the interpreter."""

_LAST_WORDS: Final = 0.5
"""Seconds for closing the provider's connections when the server ends."""


_THRESHOLDS: Final = (5_000, 20, 50)
"""Of the cycle collector; Python's own are 700, 10 and 10."""


def relieve_collector() -> None:
    """
    Let the cycle collector of this process look at less, and more seldom; before it serves.

    Modules and what they have made stay to the end: to look among all of it for cycles would
    stop the server for a tenth of a second.  Threads make few cycles and keep much, so that
    looking after each 700 objects would take an eighth of the time in which one is started.
    """
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@attrs.frozen(kw_only=True)
class ServeRecipe:
    """
    What a server is made of: a value that can be handed to another process.

    The files of the configuration are not in it; they are read when a server starts.

    Attributes:
        home: Where everything is kept; absolute.
        cwd: Where clients work that do not say; absolute.
        overrides: Settings that go before those of the files, in tables; may hold secrets.
        overrides_source: How complaints call the place of those; None says nothing of it.
        overrides_folder: Where relative paths in them begin; None for *cwd*.
        warnings: What clients should know of how the server was started.
        scenario: File that the scripted model plays; None for the configured provider.
        durability: When a record counts as written.
        originator: Noted in new threads; None for the name of the first client.
    """

    home: str
    cwd: str
    overrides: Mapping[str, Json] = attrs.field(factory=dict[str, Json], repr=False)
    overrides_source: str | None = None
    overrides_folder: str | None = None
    warnings: tuple[str, ...] = ()
    scenario: str | None = None
    durability: Durability = Durability.WRITE
    originator: str | None = None

    def to_json(self) -> Mapping[str, Json]:
        """Write it as JSON, but for dates among the overrides, which become text."""
        return attrs.asdict(self, recurse=False) | {"durability": self.durability.value}

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read what `to_json` wrote."""
        changed = {"durability": Durability(raw["durability"]), "warnings": (*raw["warnings"],)}
        return cls(**(raw | changed))

    @property
    def layer(self) -> ConfigLayer:
        """The settings that go before those of the files."""
        return ConfigLayer(
            raw=self.overrides,
            source=self.overrides_source,
            folder=Path(self.overrides_folder or self.cwd),
            strict=True,
        )


@attrs.frozen(kw_only=True)
class Prepared:
    """What a server needs; whoever prepared it closes the provider."""

    config: Config
    provider: ModelProvider
    setup: ServerSetup
    environ: Mapping[str, str] = attrs.field(repr=False)
    durability: Durability


async def check_recipe(recipe: ServeRecipe, environ: Mapping[str, str] | None = None) -> None:
    """
    Find out whether a server can be made of this, and make none.

    Raises:
        ConfigError, ScenarioError: Something is not as it should be.
    """
    prepared = await trio.to_thread.run_sync(
        prepare, recipe, dict(os.environ if environ is None else environ)
    )
    await prepared.provider.aclose()


def import_early(names: Iterable[str]) -> None:
    """Load what is imported only where it is first needed; what is not installed is left out."""
    for name in names:
        with suppress(ImportError):  # whoever needs it says so
            importlib.import_module(name)


def _prepare_all(recipe: ServeRecipe, environ: Mapping[str, str]) -> Prepared:
    import_early(NEEDED_BY_ALL)
    return prepare(recipe, environ)


@asynccontextmanager
async def open_serving(
    recipe: ServeRecipe,
    environ: Mapping[str, str] | None = None,
    *,
    limits: Limits | None = None,
    world: World | None = None,
) -> AsyncGenerator[AppServer]:
    """
    Make a server, and keep it for as long as the block lasts.

    At the end of the block running turns are broken off, and what was recorded of them is
    kept; nobody is there any more to hear how they end.

    Args:
        recipe: What it is made of.
        environ: The environment of the process; its own by default.
        limits: The bounds of connections.
        world: Clock, ids and randomness; the real ones by default.

    Raises:
        ConfigError, ScenarioError, HomeError: Something is not as it should be.
    """
    environ = dict(os.environ if environ is None else environ)
    prepared = await trio.to_thread.run_sync(_prepare_all, recipe, environ)
    async with open_prepared(prepared, limits=limits, world=world) as app:
        yield app


@asynccontextmanager
async def open_prepared(
    prepared: Prepared, *, limits: Limits | None = None, world: World | None = None
) -> AsyncGenerator[AppServer]:
    """
    Keep a server whose parts are there; else as `open_serving`.

    At the end of the block the provider is closed as well.

    Raises:
        HomeError: The home is something other than a folder.
    """
    asks = isinstance(prepared.provider, ResponsesProvider)
    try:
        async with (
            open_supervisor(
                home=prepared.config.home,
                provider=prepared.provider,
                session_source=SourceKind.VSCODE,
                durability=prepared.durability,
                catalog=open_catalog(prepared.config, prepared.environ) if asks else None,
                world=world,
            ) as supervisor,
            open_app_server(supervisor, prepared.setup, limits=limits, world=world) as app,
        ):
            yield app
            await supervisor.close_all_threads(grace=0.0)
    finally:
        with trio.move_on_after(_LAST_WORDS, shield=True):
            await prepared.provider.aclose()


def prepare(recipe: ServeRecipe, environ: Mapping[str, str]) -> Prepared:
    """
    Read the configuration and make the provider; blocks while it reads files.

    Raises:
        ConfigError, ScenarioError: Something is not as it should be.
    """
    config = load_config(Path(recipe.home), cwd=recipe.cwd, overrides=recipe.layer)
    changed = dict(environ)
    if recipe.scenario is not None:
        changed["TREADLE_SCENARIO"] = recipe.scenario
    origin = config.origins.get("openai_base_url")
    if origin is not None and origin.kind is LayerKind.SESSION:
        # What is said for this server goes before what is said for everything.
        changed.pop("OPENAI_BASE_URL", None)
    provider, notice = choose_provider(config, changed)
    if isinstance(provider, ResponsesProvider) and (name := _originator(environ)):
        provider = attrs.evolve(provider, originator=name)
    warnings = (*recipe.warnings, *config.warnings)
    setup = ServerSetup(
        environ=environ,
        cwd=Path(config.cwd),
        provider_id=provider.info.id,
        requires_openai_auth=provider.info.requires_openai_auth,
        overrides=_overrides(config),
        warnings=warnings if notice is None else (*warnings, notice),
        originator=recipe.originator,
    )
    return Prepared(
        config=config,
        provider=provider,
        setup=setup,
        environ=changed,
        durability=recipe.durability,
    )


def _overrides(config: Config) -> ConfigLayer | None:
    """Find what goes before the files, for all threads."""
    said = (layer for layer in config.layers if layer.kind is LayerKind.SESSION)
    return next((layer for layer in said if layer.profile is None), None)


def _originator(environ: Mapping[str, str]) -> str:
    """
    Find out whose name the model's service is told; empty for the house's own.

    Source:
        Codex, where it is the name of the first client; ours does not change while it runs.
    """
    name = environ.get(ORIGINATOR_VARIABLE, "").strip()
    if not (name.isascii() and name.isprintable()):
        problem = f"expected the name of a program in ASCII, got {name!r}"
        raise ConfigError(None, ORIGINATOR_VARIABLE, problem)
    return name
