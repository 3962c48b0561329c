"""What the command line says to a pool and about one, as values; imports nothing of the runtime."""

from typing import Annotated

import attrs
from cyclopts import Parameter

from .app_server_options import AppServerOptions
from .options import HomeOptions

__all__ = ["PoolOptions", "PoolRequest", "PsOptions", "PsRequest"]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class PoolOptions(AppServerOptions):
    """How many workers there are, where clients come from, and what threads are started with."""

    listen: Annotated[
        str,
        Parameter(
            name="--listen",
            help="Where clients come from: unix://PATH, ws://IP:PORT; else pool.sock of the home.",
        ),
    ] = ""
    workers: Annotated[
        str | None,  # not int: the parser's complaint about a word is not as clear as ours
        Parameter(name="--workers", help="How many worker processes, from 1 to 64; else 2."),
    ] = None
    grace: Annotated[
        str | None,  # as above
        Parameter(
            name="--grace",
            help="Seconds that turns get to end when the pool ends or is restarted; else 30.",
        ),
    ] = None


@attrs.frozen(kw_only=True)
class PoolRequest:
    """
    Serve clients from several processes.

    Attributes:
        workers: How many.
        grace: Seconds that running turns get.
    """

    options: PoolOptions
    workers: int
    grace: float


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class PsOptions(HomeOptions):
    """Which pool is looked at, and how."""

    connect: Annotated[
        str | None,
        Parameter(
            name="--connect",
            help="Where the pool is: unix://PATH or ws://IP:PORT; else pool.sock in the home.",
        ),
    ] = None
    token_file: Annotated[
        str | None,
        Parameter(name="--token-file", help="File with the token for a ws:// address."),
    ] = None
    watch: Annotated[
        bool,
        Parameter(name="--watch", negative=(), help="Look again each second, until Ctrl-C."),
    ] = False
    json: Annotated[
        bool,
        Parameter(name="--json", negative=(), help="One JSON object, on one line, for each look."),
    ] = False


@attrs.frozen(kw_only=True)
class PsRequest:
    """Show the workers, threads and clients of a pool."""

    options: PsOptions
