"""One client at standard input and output."""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from ..rpc_connections import Connections
from .lines import LineStream
from .os_pipe import OsPipe
from .own_descriptors import open_own_descriptors

__all__ = ["own_stdio", "serve_stdio"]

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


async def serve_stdio(connections: Connections, in_fd: int, out_fd: int) -> None:
    """
    Serve the client at these descriptors, until it says no more or takes no more.

    See `own_stdio` for those of the process.

    Cancellation:
        The connection ends like any other; the descriptors stay open.
    """
    limit = connections.limits.message_bytes
    await connections.serve(
        LineStream.over(
            open_own_descriptors(in_fd, out_fd) or OsPipe(in_fd, out_fd),
            "standard input",
            limit_bytes=limit,
        )
    )


@contextmanager
def own_stdio() -> Generator[tuple[int, int]]:
    """
    Have standard input and output for the protocol alone.

    What anybody else in this process or its children writes to standard output inside
    of this goes to standard error, and what they read from standard input is nothing.

    Yields:
        Descriptors of what really is standard input and output.
    """
    with ExitStack() as stack:
        in_fd = _kept(stack, _STDIN)
        out_fd = _kept(stack, _STDOUT)
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.dup2(nothing, _STDIN)
            os.dup2(_STDERR if _is_open(_STDERR) else nothing, _STDOUT)
        finally:
            os.close(nothing)
        yield in_fd, out_fd


def _kept(stack: ExitStack, fd: int) -> int:
    """Duplicate a descriptor, and put it back in the end; children do not inherit the duplicate."""
    duplicate = os.dup(fd)
    stack.callback(os.close, duplicate)
    stack.callback(os.dup2, duplicate, fd)
    return duplicate


def _is_open(fd: int) -> bool:
    with suppress(OSError):
        os.fstat(fd)
        return True
    return False
