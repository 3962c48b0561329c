"""The first request of every connection."""

import attrs

from .value import RpcParams, RpcValue

__all__ = ["ClientInfo", "InitializeCapabilities", "InitializeParams", "InitializeResponse"]


@attrs.frozen(kw_only=True)
class ClientInfo(RpcParams):
    """Which program it is; title is for people."""

    name: str
    version: str
    title: str | None = None


@attrs.frozen(kw_only=True)
class InitializeCapabilities(RpcParams):
    """
    What a client can do.

    Attributes:
        experimental_api: Whether it knows what it does when it asks for what may change.
        opt_out_notification_methods: Notifications that it does not want to hear, by name.
        treadle_events:
            Whether it wants the events of threads as they are, ``codex/event/...``, in
            place of items, and answers what is asked by ops; for Treadle's own clients.
    """

    experimental_api: bool = False
    opt_out_notification_methods: tuple[str, ...] | None = None
    treadle_events: bool = False


@attrs.frozen(kw_only=True)
class InitializeParams(RpcParams):
    """Introduce a client."""

    client_info: ClientInfo
    capabilities: InitializeCapabilities | None = None


@attrs.frozen(kw_only=True)
class InitializeResponse(RpcValue):
    """
    Introduce the server.

    Attributes:
        user_agent: As the model's provider sees it.
        codex_home: Folder of the configuration and of all threads.
        platform_family: ``unix`` or ``windows``.
        platform_os: Such as ``linux``.
    """

    user_agent: str
    codex_home: str
    platform_family: str
    platform_os: str
