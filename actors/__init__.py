"""
Treadle: threads of AI-agent conversations as supervised actors on trio.

Open a supervisor, start a thread, submit ops, read events::

    async with open_supervisor(home="~/.treadle") as supervisor:
        new = await supervisor.start_thread(ThreadConfig(cwd="/srv/project"))
        await new.thread.submit(UserInput(items=(TextInput(text="hello"),)))
        async for event in new.thread.events():
            ...
"""

import logging

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

__all__ = [
    "CloseReport",
    "Durability",
    "ForkedHistory",
    "InitialHistory",
    "Lagged",
    "ModelProvider",
    "ModelRequest",
    "NewHistory",
    "NewThread",
    "ProviderInfo",
    "ResponsesProvider",
    "ResumedHistory",
    "ScriptedProvider",
    "SessionSettings",
    "Subscription",
    "Supervisor",
    "Thread",
    "ThreadConfig",
    "ThreadCreated",
    "ThreadOrigin",
    "ThreadState",
    "World",
    "load_rollout",
    "open_supervisor",
]
