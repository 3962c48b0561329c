"""What a thread is built from: the shared services, and what makes this thread this one."""

from pathlib import Path
from typing import Protocol

import attrs

from actors.config import ThreadConfig
from actors.models import ModelProvider
from actors.rollout import Journal, PersistMode, SessionIndex
from actors.runtime import World
from actors.skills import SkillsCache
from actors.tools import ToolServices
from actors.watcher import Watcher
from messages.ids import ThreadId
from messages.settings import DynamicToolSpec, SessionSource

from .handle import Thread
from .settings import SessionSettings

__all__ = ["ChildThreads", "ThreadBlueprint", "ThreadServices"]


class ChildThreads(Protocol):
    """Starts and ends threads that work for another one; the supervisor does it."""

    async def start_child(
        self, parent_id: ThreadId, config: ThreadConfig, *, source: SessionSource
    ) -> Thread:
        """
        Start a thread that ends, at the latest, with its parent.

        Raises:
            AgentError: It could not be started.
        """
        ...

    async def close_child(self, thread_id: ThreadId) -> None:
        """End it; nothing happens when it has ended."""
        ...


@attrs.frozen(kw_only=True)
class ThreadServices:
    """
    Shared by all threads of a supervisor; none of it is closed by a thread.

    Attributes:
        tools: What the tools of all threads share, and who builds those of one.
        skills: Finds skills, and remembers them until they change.
        watcher: Says when they do.
        children: Starts threads for reviews; None where nobody does.
        interrupt_patience:
            Seconds that tools get to stop before the turn is reported as
            interrupted without them (P15).
    """

    world: World
    journal: Journal
    index: SessionIndex
    provider: ModelProvider
    tools: ToolServices
    skills: SkillsCache
    watcher: Watcher
    children: ChildThreads | None = None
    interrupt_patience: float = 1.25


@attrs.frozen(kw_only=True)
class ThreadBlueprint:
    """
    What makes one thread; the same for all its lives.

    Attributes:
        config: As the client asked for it.
        settings: What follows from it; a rollout's own base instructions go before the
            model's, behind the configuration's.
        dynamic_tools: The client's own; each can be used.
        rollout_path: Where the rollout is or will be; None for an ephemeral thread,
            which is not recorded and so cannot come back after a crash.
    """

    thread_id: ThreadId
    config: ThreadConfig
    settings: SessionSettings
    mode: PersistMode
    dynamic_tools: tuple[DynamicToolSpec, ...] = ()
    rollout_path: Path | None = None
