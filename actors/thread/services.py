"""What a thread is built from: the shared services, and what makes this thread this one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from actors.models import ModelProvider
from actors.rollout import Journal, PersistMode, SessionIndex
from actors.runtime import World
from actors.tools import Tool
from messages.ids import ThreadId
from messages.settings import DynamicToolSpec

from .settings import SessionSettings

__all__ = ["ThreadBlueprint", "ThreadServices"]


@attrs.frozen(kw_only=True)
class ThreadServices:
    """
    Shared by all threads of a supervisor; none of it is closed by a thread.

    Attributes:
        make_tools: Builds the tools of one thread; each thread has its own, for
            what the user allows in one thread is not allowed in another.
        interrupt_patience:
            Seconds that tools get to stop before the turn is reported as
            interrupted without them (P15).
    """

    world: World
    journal: Journal
    index: SessionIndex
    provider: ModelProvider
    make_tools: Callable[[], Sequence[Tool]]
    interrupt_patience: float = 1.25


@attrs.frozen(kw_only=True)
class ThreadBlueprint:
    """
    What makes one thread; the same for all its lives.

    Attributes:
        settings: As the client asked for them; a rollout's own base instructions
            go before the model's, behind those in here.
        dynamic_tools: The client's own; each can be used.
        rollout_path: Where the rollout is or will be; None for an ephemeral thread,
            which is not recorded and so cannot come back after a crash.
    """

    thread_id: ThreadId
    settings: SessionSettings
    mode: PersistMode
    originator: str
    cli_version: str
    dynamic_tools: tuple[DynamicToolSpec, ...] = ()
    rollout_path: Path | None = None
