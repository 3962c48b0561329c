"""Loads the ``mcp`` package, when the first server is needed."""

import importlib
import sys
from functools import cache
from importlib import metadata

import trio

from .errors import McpStartError

__all__ = ["load_sdk", "own_version"]

_MODULES = ("mcp", "mcp.client.subscriptions")


async def load_sdk() -> None:
    """
    Load the package, in an OS thread: it takes more than half a second.

    Raises:
        McpStartError: It is not installed.

    Cancellation:
        The loading goes on, and is done when it is needed again.
    """
    if all(name in sys.modules for name in _MODULES):
        await trio.lowlevel.checkpoint()
        return
    try:
        await trio.to_thread.run_sync(_import, abandon_on_cancel=True)
    except ImportError as error:
        raise McpStartError(
            "the Python package `mcp` is missing; install `treadle[mcp]`"
        ) from error


@cache
def own_version() -> str:
    """Look up what servers are told of us; reads a file once, when the package is loaded."""
    try:
        return metadata.version("treadle")
    except metadata.PackageNotFoundError:
        return "0"


def _import() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    own_version()
