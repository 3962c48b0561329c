"""What the command line says to a server, as values; imports nothing of the runtime."""

from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from .options import SettingsOptions

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
    scenario: Annotated[
        str | None,
        Parameter(name="--scenario", help="TOML or YAML file that the scripted model plays."),
    ] = None
    durability: Annotated[
        Literal["write", "fsync"],
        Parameter(
            name="--durability",
            help="Records survive a crash of the program (write) or of the machine (fsync).",
        ),
    ] = "write"


@attrs.frozen(kw_only=True)
class AppServerRequest:
    """Serve clients of the app-server protocol."""

    options: AppServerOptions
