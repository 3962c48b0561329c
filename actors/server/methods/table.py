"""All methods: what does them, and in which order requests of one client are done."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from ..ground import Ground
from ..rpc_handler import ClientRequest
from . import (
    account,
    catalogue,
    command_exec,
    configuration,
    listing,
    reading,
    skills,
    threads,
    turns,
    upkeep,
)

__all__ = ["BESIDE", "METHODS", "UNSUPPORTED", "Method"]

Method: TypeAlias = Callable[[Ground, ClientRequest], Awaitable[object]]
"""Does what is asked: returns the result, or answers itself."""

METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "thread/start": threads.start,
        "thread/resume": threads.resume,
        "thread/fork": threads.fork,
        "thread/read": reading.read,
        "thread/list": listing.thread_list,
        "thread/loaded/list": listing.loaded_list,
        "thread/turns/list": listing.turns_list,
        "thread/items/list": listing.items_list,
        "thread/archive": upkeep.archive,
        "thread/unarchive": upkeep.unarchive,
        "thread/delete": upkeep.delete,
        "thread/unsubscribe": upkeep.unsubscribe,
        "thread/name/set": upkeep.set_name,
        "thread/rollback": upkeep.rollback,
        "thread/revert": upkeep.revert,
        "thread/compact/start": upkeep.compact,
        "thread/backgroundTerminals/clean": upkeep.clean_terminals,
        "turn/start": turns.start,
        "turn/steer": turns.steer,
        "turn/interrupt": turns.interrupt,
        "review/start": turns.review,
        "command/exec": command_exec.command_exec,
        "model/list": catalogue.models,
        "collaborationMode/list": catalogue.modes,
        "experimentalFeature/list": catalogue.features,
        "app/list": catalogue.apps,
        "skills/list": skills.skills_list,
        "config/mcpServer/reload": catalogue.reload_mcp,
        "mcpServerStatus/list": catalogue.mcp_servers,
        "mock/experimentalMethod": catalogue.echo,
        "config/read": configuration.config_read,
        "configRequirements/read": configuration.requirements_read,
        "account/read": account.account_read,
        "account/rateLimits/read": account.rate_limits_read,
    }
)

_LOGIN: Final = (
    "log in with 'treadle login --with-api-key', log out with 'treadle logout'; "
    "what is kept then counts for the next model request"
)
_FILE: Final = "edit config.toml; the next thread reads it"
_SEARCH: Final = "there is no search for files here; search in the client"

UNSUPPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account/login/start": _LOGIN,
        "account/login/cancel": _LOGIN,
        "account/logout": _LOGIN,
        "config/value/write": _FILE,
        "config/batchWrite": _FILE,
        "skills/config/write": "switch a skill off with [[skills.config]] in config.toml",
        "mcpServer/oauth/login": "give the server a token with bearer_token_env_var",
        "fuzzyFileSearch": _SEARCH,
        "fuzzyFileSearch/sessionStart": _SEARCH,
        "fuzzyFileSearch/sessionUpdate": _SEARCH,
        "fuzzyFileSearch/sessionStop": _SEARCH,
        "feedback/upload": "nothing is sent to anybody",
        "thread/metadata/update": "what is kept of git is what it was when the thread began",
    }
)
"""Methods that clients may know and that are not there, and what to do instead."""

BESIDE: Final = frozenset(
    {
        "thread/read",
        "thread/turns/list",
        "thread/items/list",
        # Must reach a turn whatever else is asked of its thread.
        "turn/interrupt",
    }
)
"""Methods about one thread that wait for no other; all others keep their order."""
