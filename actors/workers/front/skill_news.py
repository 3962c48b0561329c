"""News of skills for one client, which several workers may have at the same time."""

import math
from typing import Final

import attrs
import trio

from actors.server.rpc_connection import Connection
from actors.server.rpc_errors import ConnectionGone

__all__ = ["SkillNews"]

_PERIOD: Final = 2.5
"""Seconds in which all workers have seen a change of files: those that poll look every two."""


@attrs.define(eq=False)
class SkillNews:
    """
    Tells one client that skills changed, however many workers say so.

    A change of files is seen by each worker that uses skills from there, a change of
    settings only by the worker that made it; neither says what it is.  So the first word is
    passed on at once, and all that come within the next seconds as one at their end: that
    may tell a client the same twice, but never of a change before it was made.
    """

    _connection: Connection
    _nursery: trio.Nursery
    _quiet_until: float = attrs.field(default=-math.inf, init=False)
    # Whether one waits for the end of that time.
    _waits: bool = attrs.field(default=False, init=False)

    async def take(self, line: bytes) -> None:
        """
        Take a worker's word.

        Raises:
            ConnectionGone: The client has ended.
        """
        if trio.current_time() >= self._quiet_until:
            await self._tell(line)
        elif not self._waits:
            self._waits = True
            self._nursery.start_soon(self._tell_later, line, name="news of skills")

    async def _tell(self, line: bytes) -> None:
        self._quiet_until = trio.current_time() + _PERIOD
        await self._connection.put(line)

    async def _tell_later(self, line: bytes) -> None:
        await trio.sleep_until(self._quiet_until)
        self._waits = False
        try:
            await self._tell(line)
        except ConnectionGone:
            return  # nobody is left who would want to know
