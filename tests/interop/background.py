"""A nursery for what runs beside a block and ends with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

__all__ = ["open_background"]


@asynccontextmanager
async def open_background() -> AsyncGenerator[trio.Nursery]:
    """
    Open a nursery that is cancelled when the block ends.

    What the block raises leaves as it is, not wrapped in a group, so that a
    failed assertion reads like one and ``pytest.raises`` can match.

    Raises:
        BaseExceptionGroup: A background task crashed; the block was cancelled.
    """
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 -- raised again below, outside the nursery
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
