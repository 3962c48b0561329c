"""The first request of every connection, and what it is answered with."""

import platform
import re
import sys
from typing import Final

from actors.config import own_version
from messages.rpc.handshake import ClientInfo, InitializeParams, InitializeResponse
from messages.rpc.notifications import METHOD, ConfigWarningNotification

from .core_feed import ITEM_METHODS, CreatedFeed
from .ground import Ground
from .rpc_connection import ClientRequest
from .rpc_errors import RpcFailure
from .rpc_handler import Welcome

__all__ = ["ORIGINATOR_VARIABLE", "check_client", "user_agent", "welcome"]

ORIGINATOR_VARIABLE: Final = "CODEX_INTERNAL_ORIGINATOR_OVERRIDE"

_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
"""What the value of a header may hold."""


def check_client(client: ClientInfo) -> None:
    """
    Check that a client's name can be sent to providers.

    Raises:
        RpcFailure: It cannot.
    """
    if not _HEADER_VALUE.fullmatch(client.name):
        raise RpcFailure.invalid(
            f"Invalid clientInfo.name: '{client.name}'. Must be a valid HTTP header value."
        )


def user_agent(originator: str, client: ClientInfo) -> str:
    """
    Name the server, the machine and the client.

    Source:
        Codex, ``get_codex_user_agent``; our version stands in the place of its own.
    """
    system = f"{platform.system()} {platform.release()}; {platform.machine()}"
    return f"{originator}/{own_version()} ({system}) unknown ({client.name}; {client.version})"


async def welcome(ground: Ground, request: ClientRequest) -> Welcome:
    """Introduce server and client to each other, and tell what is odd about the configuration."""
    params: InitializeParams = request.params
    agent = user_agent(ground.originator, params.client_info)
    capabilities = params.capabilities
    await request.respond(
        InitializeResponse(
            user_agent=agent,
            codex_home=str(ground.home),
            platform_family="windows" if sys.platform == "win32" else "unix",
            platform_os="macos" if sys.platform == "darwin" else sys.platform,
        )
    )
    opted_out = frozenset(
        () if capabilities is None else capabilities.opt_out_notification_methods or ()
    )
    core_events = capabilities is not None and capabilities.treadle_events
    if core_events:
        opted_out |= ITEM_METHODS
        created = ground.supervisor.subscribe_thread_created()
        write = ground.connections.notification
        request.connection.carry(CreatedFeed(request.connection, created, write))
    for warning in ground.setup.warnings:
        said = ConfigWarningNotification(summary=warning)
        if METHOD[type(said)] not in opted_out:
            written = ground.connections.notification(METHOD[type(said)], said)
            await request.connection.put(written.text)
    return Welcome(
        result=None,
        experimental=capabilities is not None and capabilities.experimental_api,
        opted_out=opted_out,
        core_events=core_events,
    )
