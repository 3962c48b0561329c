"""
Treadle: threads of AI-agent conversations as supervised actors on trio.

Open a supervisor, start a thread, submit ops, read events::

    async with open_supervisor(home="~/.treadle") as supervisor:
        new = await supervisor.start_thread(ThreadConfig(cwd="/srv/project"))
        await new.thread.submit(UserInput(items=(TextInput(text="hello"),)))
        async for event in new.thread.events():
            ...

The threads of a server are used in the same way: ``connect("unix:///run/treadle.sock")``
in place of `open_supervisor`.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ._sibling import check_sibling

check_sibling()
# Errors reach clients as events; whoever wants the log as well configures it.
logging.getLogger("actors").addHandler(logging.NullHandler())

from .config import ThreadConfig
from .models import ModelProvider, ModelRequest, ProviderInfo, ResponsesProvider, ScriptedProvider
from .rollout import (
    Durability,
    ForkedHistory,
    InitialHistory,
    NewHistory,
    ResumedHistory,
    load_rollout,
)
from .runtime import Lagged, Subscription, World
from .supervisor import (
    CloseReport,
    NewThread,
    Supervisor,
    ThreadCreated,
    ThreadOrigin,
    open_supervisor,
)
from .thread import SessionSettings, Thread, ThreadState

if TYPE_CHECKING:
    from .client import (
        ConnectionLost,
        RemoteSupervisor,
        RemoteThread,
        ThreadHandle,
        ThreadManager,
        connect,
        connect_process,
    )
    from .workers import Pool, open_pool

__all__ = [
    "CloseReport",
    "ConnectionLost",
    "Durability",
    "ForkedHistory",
    "InitialHistory",
    "Lagged",
    "ModelProvider",
    "ModelRequest",
    "NewHistory",
    "NewThread",
    "Pool",
    "ProviderInfo",
    "RemoteSupervisor",
    "RemoteThread",
    "ResponsesProvider",
    "ResumedHistory",
    "ScriptedProvider",
    "SessionSettings",
    "Subscription",
    "Supervisor",
    "Thread",
    "ThreadConfig",
    "ThreadCreated",
    "ThreadHandle",
    "ThreadManager",
    "ThreadOrigin",
    "ThreadState",
    "World",
    "connect",
    "connect_process",
    "load_rollout",
    "open_pool",
    "open_supervisor",
]

_LATER: Final = {
    "ConnectionLost": ".client",
    "Pool": ".workers",
    "RemoteSupervisor": ".client",
    "RemoteThread": ".client",
    "ThreadHandle": ".client",
    "ThreadManager": ".client",
    "connect": ".client",
    "connect_process": ".client",
    "open_pool": ".workers",
}
"""What is imported when it is first used: most programs use no server, which knows a lot."""


def __getattr__(name: str) -> object:
    """Import what most programs do not use."""
    room = _LATER.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(room, __name__), name)
    globals()[name] = value
    return value
