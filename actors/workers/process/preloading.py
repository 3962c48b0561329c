"""
What is made once, in the process that forks, so that no worker has to make it again.

Nothing here may start an OS thread or an event loop, or draw a random number or an id: all
workers would have the same.  A rehearsal may draw some, as it is in a process of its own;
of what it makes a worker keeps nothing but the memory that was touched.
"""

import os
from contextlib import suppress
from functools import partial
from typing import Any, Final, get_args

from actors.config import ConfigError
from actors.models import ResponsesProvider, ScenarioError
from actors.models.responses import open_client
from actors.server.serving import NEEDED_BY_ALL, Prepared, ServeRecipe, import_early, prepare
from messages.codec.assembly import line_reader, the_codec, the_records
from messages.control import PoolCommand, WorkerMessage
from messages.events import EventMsg
from messages.items import ResponseItem
from messages.rpc.notifications import METHOD
from messages.rpc.requests import CLIENT_REQUESTS

from .forked_child import Work
from .worker_main import rehearse, work

__all__ = ["preload"]

_TURNS: Final = ("actors.skills.skill_file",)
"""What turns need: every worker will have some."""

_MCP: Final = ("mcp", "mcp.client.subscriptions")
"""The same for workers with MCP servers: 40 MB."""


def preload(raw_recipe: object) -> Work:
    """Import and build everything; return what a worker does."""
    recipe = ServeRecipe.from_json(raw_recipe)
    import_early((*NEEDED_BY_ALL, *_TURNS))
    _warm_codec()
    # A recipe that is wrong is each worker's to tell: it may be mended until then.
    with suppress(ConfigError, ScenarioError):
        _warm_parts(prepare(recipe, dict(os.environ)))
    return Work(run=partial(work, recipe), rehearse=partial(rehearse, recipe))


def _warm_parts(prepared: Prepared) -> None:
    """Load what this very configuration needs, and throw away what was made of it."""
    if isinstance(prepared.provider, ResponsesProvider):
        open_client()
    if prepared.config.mcp_servers:
        import_early(_MCP)


def _warm_codec() -> None:
    """Make the readers and writers of all that is said."""
    codec = the_codec()
    the_records()
    line_reader()
    for kind in CLIENT_REQUESTS.values():
        if kind.params is not None:
            codec.reader(kind.params)
    unions: tuple[Any, ...] = (PoolCommand, WorkerMessage, EventMsg, ResponseItem)
    for union in unions:
        codec.reader(union)
        for cls in get_args(union):
            _ = codec.writers[cls]
    for cls in METHOD:
        _ = codec.writers[cls]
