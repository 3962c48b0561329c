"""How many descriptors a program that serves may open."""

import resource
from typing import Final

__all__ = ["raise_descriptor_limit"]

_ENOUGH: Final = 65536
"""More clients than one machine serves.  Not without end: programs that models run inherit
it, and some try to close each number that there may be."""


def raise_descriptor_limit() -> None:
    """
    Let this process, and those that it starts, open as many files as they may ask for.

    What is usual, 1024, is not much: each client of a pool takes one descriptor, and one
    more for each worker.  It is that low only for programs that use ``select``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
