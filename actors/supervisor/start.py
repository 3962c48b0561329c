"""What a thread is to be, before it is started."""

import logging
from pathlib import Path

import attrs

from actors.config import ThreadConfig
from actors.rollout import InitialHistory, PersistMode, ResumedHistory, new_rollout_path
from actors.thread import ThreadBlueprint, ThreadServices, settings_from_config
from actors.tools import usable_dynamic_tools, validate_dynamic_tools
from messages.ids import ThreadId
from messages.settings import DynamicToolSpec, SessionSource

from .members import Tie
from .values import ThreadOrigin

__all__ = ["ThreadStart", "blueprint_of"]

_log = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class ThreadStart:
    """
    A thread to start.

    Attributes:
        dynamic_tools: Of the client that starts it; empty for those of the history.
        source: Noted in a new rollout; None for the supervisor's own.
        tie: To its parent, used once; None for a root thread.
        thread_id: Which id a thread without a past gets; None for a new one.
    """

    config: ThreadConfig
    history: InitialHistory
    origin: ThreadOrigin
    dynamic_tools: tuple[DynamicToolSpec, ...] = ()
    mode: PersistMode = PersistMode.LIMITED
    source: SessionSource | None = None
    tie: Tie | None = None
    thread_id: ThreadId | None = None


def blueprint_of(
    start: ThreadStart, services: ThreadServices, home: Path, source: SessionSource
) -> ThreadBlueprint:
    """
    Work out what makes this thread, with a new id unless it is resumed or was given one.

    Args:
        home: Where its rollout will be.
        source: For a thread that says nothing of its own.

    Raises:
        DynamicToolInvalid: A tool of the client's is not possible.
    """
    config, history, world = start.config, start.history, services.world
    recorded = history.base_instructions
    if isinstance(history, ResumedHistory):
        thread_id, path = history.thread_id, history.path
    else:
        thread_id = start.thread_id or ThreadId(world.new_id())
        path = new_rollout_path(home, world.now(), thread_id)
    tools = _checked(services, start.dynamic_tools) or _usable(services, history.dynamic_tools)
    return ThreadBlueprint(
        thread_id=thread_id,
        config=config,
        settings=settings_from_config(
            config,
            provider=services.provider,
            source=start.source or source,
            recorded_instructions=recorded.text if recorded else None,
        ),
        mode=start.mode,
        dynamic_tools=tools,
        rollout_path=None if config.ephemeral else path,
    )


def _checked(
    services: ThreadServices, tools: tuple[DynamicToolSpec, ...]
) -> tuple[DynamicToolSpec, ...]:
    if tools:
        validate_dynamic_tools(tools, services.tools.reserved_names)
    return tools


def _usable(
    services: ThreadServices, recorded: tuple[DynamicToolSpec, ...]
) -> tuple[DynamicToolSpec, ...]:
    """Leave out recorded tools that cannot be used here, such as another ``shell``."""
    if not recorded:
        return ()
    usable, problems = usable_dynamic_tools(recorded, services.tools.reserved_names)
    for problem in problems:
        _log.warning("a recorded tool is left out: %s", problem)
    return usable
