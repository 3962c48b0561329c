"""What the command line says to a server, as values; imports nothing of the runtime."""

from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import DurabilityOption, ScenarioOption, SettingsOptions

__all__ = ["AppServerOptions", "AppServerRequest"]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class AppServerOptions(SettingsOptions):
    """Where clients come from, and what their threads are started with."""

    listen: Annotated[
        str,
        Parameter(
            name="--listen",
            help="Where clients come from: stdio://, unix://PATH or ws://IP:PORT.",
        ),
    ] = "stdio://"
    token_file: Annotated[
        str | None,
        Parameter(
            name="--token-file",
            help="File with the token that clients of a ws:// address must send.",
        ),
    ] = None
    scenario: ScenarioOption = None
    durability: DurabilityOption = "write"


@attrs.frozen(kw_only=True)
class AppServerRequest:
    """Serve clients of the app-server protocol."""

    options: AppServerOptions
