"""Opening a supervisor: its journal, its children, its home."""

import os
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import trio

from actors.models import ModelCatalog, ModelProvider, ResponsesProvider, ScriptedProvider
from actors.rollout import (
    Durability,
    Files,
    SessionIndex,
    open_journal,
    sessions_folder,
)
from actors.runtime import (
    DynamicSupervisor,
    World,
)
from actors.skills import SkillsCache
from actors.thread import (
    ThreadServices,
)
from actors.tools import (
    RulesSource,
    SandboxProbe,
    Tool,
    ToolParts,
    ToolServices,
    builtin_tools,
    open_launcher,
    open_mcp_pool,
)
from actors.watcher import ChangeSource, open_watcher
from messages.settings import SessionSource, SourceKind

from .agents import Agents
from .errors import HomeError
from .registry import Supervisor

__all__ = [
    "open_supervisor",
]


@asynccontextmanager
async def open_supervisor(
    *,
    home: str | Path,
    provider: ModelProvider | None = None,
    session_source: SessionSource = SourceKind.EXEC,
    durability: Durability = Durability.WRITE,
    capture_ops: bool = False,
    make_tools: Callable[[ToolParts], Sequence[Tool]] = builtin_tools,
    world: World | None = None,
    files: Files | None = None,
    catalog: ModelCatalog | None = None,
    watch_interval: float = 10.0,
    watch_source: ChangeSource | None = None,
) -> AsyncGenerator[Supervisor]:
    """
    Run a supervisor for as long as the block lasts.

    At the end of the block all threads are told to end and get five seconds; when
    the block raises or is cancelled they are cancelled.  Either way their rollouts
    are written first.

    Args:
        home: Where rollouts are kept; made when the first one is written.
        provider: Who answers model requests, closed by whoever made it; None for
            the scripted model, which needs no key and no network.
        session_source: Noted in new rollouts.
        durability: When a record counts as written.
        capture_ops: Whether to keep every op for `Supervisor.captured_ops`.
        make_tools: Builds the tools of one thread.  To add one to ours:
            ``lambda parts: (*builtin_tools(parts), MyTool())``.
        world: Clock, ids and randomness; the real ones by default.
        files: The file system of the journal; the real one by default.
        catalog: Which models the provider has; by default those that we know of.
        watch_interval: Seconds between two announcements that skills changed.
        watch_source: Where changes of skills come from; the files themselves by default.

    Raises:
        HomeError: *home* is something other than a folder.
    """
    home = Path(home).absolute()  # noqa: ASYNC240 -- looks at the working directory only
    world = world or World.system()
    environ = dict(os.environ)
    agents = Agents()
    provider = provider or ScriptedProvider()
    catalog = catalog or _own_catalog(home, provider, world)
    if isinstance(provider, ResponsesProvider):
        provider.find_info = catalog.model_info
        provider.on_models_etag = catalog.heard_etag
    skills = SkillsCache()
    # A few looks at folders: not worth an OS thread, with which a worker would start later.
    _check_home(home)
    with _bare_errors():
        async with (
            open_launcher(),
            open_journal(world=world, durability=durability, files=files) as journal,
            open_mcp_pool(environ=environ, world=world) as mcp,
            open_watcher(
                on_change=skills.invalidate,
                interval=watch_interval,
                source=watch_source,
                world=world,
            ) as watcher,
            catalog,
            trio.open_nursery() as nursery,
        ):
            services = ThreadServices(
                world=world,
                journal=journal,
                index=SessionIndex(home, world),
                provider=provider,
                tools=ToolServices(
                    environ=environ,
                    sandbox=SandboxProbe(environ),
                    rules=RulesSource(home),
                    mcp=mcp,
                    agents=agents,
                    make_tools=make_tools,
                ),
                skills=skills,
                watcher=watcher,
                children=agents,
            )
            children = DynamicSupervisor("threads", jitter=world.random)
            supervisor = Supervisor(
                home,
                session_source,
                services,
                children,
                [] if capture_ops else None,
                catalog,
                agents,
            )
            children.on_exit = supervisor.on_exit
            children.on_restarting = supervisor.on_restarting
            children.on_gave_up = supervisor.on_gave_up
            nursery.start_soon(supervisor.relay_changes, watcher.subscribe())
            try:
                async with children:
                    yield supervisor
            finally:
                supervisor.close()
                nursery.cancel_scope.cancel()


def _own_catalog(home: Path, provider: ModelProvider, world: World) -> ModelCatalog:
    """Make a catalog that knows our own list and asks nobody."""
    return ModelCatalog(
        home=home, provider=provider.info, fetch=None, world=world, version="0", remote=False
    )


_NURSERY: Final = "Exceptions from Trio nursery"
"""What trio calls the groups that it makes; those of the caller stay as they are."""


@contextmanager
def _bare_errors() -> Generator[None]:
    """
    Let a lone error of the block out as it is, not in a group.

    The caller wrote no nursery and should not have to know of ours.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error = _lone(group)
        if error is None:
            raise
        raise error from error.__cause__


def _lone(error: BaseException) -> BaseException | None:
    """Find what nurseries wrapped; None when it is more than one error."""
    # By its attributes: isinstance would make a group of unknown errors of it.
    inner: list[BaseException] = list(getattr(error, "exceptions", ()))
    if not inner or getattr(error, "message", None) != _NURSERY:
        return error
    return None if len(inner) > 1 else _lone(inner[0])


def _check_home(home: Path) -> None:
    """Check what can be checked without making anything."""
    for folder in (home, sessions_folder(home)):
        try:
            _check_folder(home, folder)
        except OSError as error:
            raise HomeError(home, error.strerror or str(error)) from error


def _check_folder(home: Path, folder: Path) -> None:
    # What does not exist yet is made below the nearest folder that does.
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise HomeError(home, f"{str(nearest)!r} is not a folder")
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        raise HomeError(home, f"permission denied for {str(nearest)!r}")
