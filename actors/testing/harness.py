"""A supervisor in a home of its own that is gone afterwards."""

import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import trio

from actors.models import ModelProvider, ScriptedProvider, parse_scenario
from actors.rollout import Durability, Files
from actors.runtime import Lagged, World
from actors.supervisor import Supervisor, open_supervisor
from actors.thread import Thread
from actors.tools import Tool, ToolParts, builtin_tools
from actors.watcher import ChangeSource, SilentSource
from messages.events import Event, EventMsg
from messages.settings import SessionSource, SourceKind

__all__ = ["collect_until", "open_test_supervisor"]

_REMOVAL_PATIENCE: Final = 10.0

_START: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z, in seconds since the Unix epoch."""


@asynccontextmanager
async def open_test_supervisor(
    *,
    provider: ModelProvider | None = None,
    scenario: str | None = None,
    home: Path | None = None,
    world: World | None = None,
    session_source: SessionSource = SourceKind.EXEC,
    durability: Durability = Durability.WRITE,
    make_tools: Callable[[ToolParts], Sequence[Tool]] = builtin_tools,
    files: Files | None = None,
    watch_source: ChangeSource | None = None,
) -> AsyncGenerator[Supervisor]:
    """
    Run a supervisor that captures ops, with ids and a clock that repeat.

    Args:
        provider: Who plays the model; else *scenario*, else the built-in one.
        scenario: A scenario in TOML.
        home: Where rollouts go; None for a new temporary folder, removed at the end
            of the block.
        world: None for a deterministic one, which begins on the first of 2026.
        watch_source: Where changes of skills come from; None for nowhere.

    Source:
        Codex, ``with_models_provider_for_tests``; no switch of the process is
        turned here, only this supervisor is for tests.
    """
    if provider is None:
        provider = _scripted(scenario)
    temporary = None if home else Path(tempfile.gettempdir(), f"treadle-test-{uuid4()}")
    try:
        async with open_supervisor(
            home=home or temporary or Path(),
            provider=provider,
            session_source=session_source,
            durability=durability,
            capture_ops=True,
            make_tools=make_tools,
            world=world or World.deterministic(seed=0, start=_START),
            files=files,
            watch_source=watch_source or SilentSource(),
        ) as supervisor:
            yield supervisor
    finally:
        if temporary is not None:
            with trio.move_on_after(_REMOVAL_PATIENCE, shield=True):
                await trio.to_thread.run_sync(_remove, temporary)


async def collect_until(
    thread: Thread, last: type[EventMsg] | tuple[type[EventMsg], ...]
) -> list[Event]:
    """
    Read a thread's events up to and with the first of class *last*.

    Raises:
        AssertionError: Events were lost before they were read.
        ChannelClosed: The thread ended first.
    """
    events: list[Event] = []
    while True:
        event = await thread.next_event()
        assert not isinstance(event, Lagged), f"{event.missed} events were lost"
        events.append(event)
        if isinstance(event.msg, last):
            return events


def _scripted(scenario: str | None) -> ScriptedProvider:
    if scenario is None:
        return ScriptedProvider()
    return ScriptedProvider(parse_scenario(scenario, syntax="toml"))


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
