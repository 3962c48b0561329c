"""A nursery whose tasks end with its block."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

__all__ = ["open_ending_nursery"]


@asynccontextmanager
async def open_ending_nursery() -> AsyncGenerator[trio.Nursery]:
    """Open a nursery whose tasks end with the block; an error of the block stays as it is."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as exc:  # noqa: BLE001 -- raised again below, not in a group
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
