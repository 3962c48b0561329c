"""All methods: what does them, and in which order requests of one client are done."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from ..ground import Ground
from ..rpc_connection import ClientRequest
from . import (
    account,
    catalogue,
    command_exec,
    config_writes,
    configuration,
    core_events,
    file_search,
    listing,
    mcp,
    metadata,
    reading,
    reviews,
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
        "thread/metadata/update": metadata.metadata_update,
        "thread/rollback": upkeep.rollback,
        "thread/revert": upkeep.revert,
        "thread/compact/start": upkeep.compact,
        "thread/backgroundTerminals/clean": upkeep.clean_terminals,
        "turn/start": turns.start,
        "turn/steer": turns.steer,
        "turn/interrupt": turns.interrupt,
        "review/start": reviews.review,
        "treadle/submit": core_events.submit,
        "treadle/steer": core_events.steer,
        "treadle/approval/revoke": core_events.revoke,
        "treadle/close": core_events.close,
        "command/exec": command_exec.command_exec,
        "model/list": catalogue.models,
        "collaborationMode/list": catalogue.modes,
        "experimentalFeature/list": catalogue.features,
        "app/list": catalogue.apps,
        "skills/list": skills.skills_list,
        "skills/config/write": skills.skills_config_write,
        "config/mcpServer/reload": mcp.reload_mcp,
        "mcpServerStatus/list": mcp.mcp_servers,
        "fuzzyFileSearch": file_search.search,
        "fuzzyFileSearch/sessionStart": file_search.session_start,
        "fuzzyFileSearch/sessionUpdate": file_search.session_update,
        "fuzzyFileSearch/sessionStop": file_search.session_stop,
        "mock/experimentalMethod": catalogue.echo,
        "feedback/upload": catalogue.feedback,
        "config/read": configuration.config_read,
        "config/value/write": config_writes.value_write,
        "config/batchWrite": config_writes.batch_write,
        "configRequirements/read": configuration.requirements_read,
        "account/read": account.account_read,
        "account/login/start": account.login_start,
        "account/login/cancel": account.login_cancel,
        "account/logout": account.logout,
        "account/rateLimits/read": account.rate_limits_read,
    }
)

UNSUPPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mcpServer/oauth/login": "give the server a token with bearer_token_env_var",
        "treadle/pool/read": "it is no pool; 'treadle pool' starts one",
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
        # Interrupts and answers go past work that waits for room.
        "treadle/submit",
        "treadle/steer",
        "treadle/approval/revoke",
    }
)
"""Methods about one thread that wait for no other; all others keep their order."""
