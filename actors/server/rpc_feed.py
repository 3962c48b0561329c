"""What a connection is told of something that goes on, for example of a thread."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol, TypeAlias, assert_never

import attrs
import trio

from actors.runtime import ChannelClosed, Lagged, Subscription

from .rpc_errors import ConnectionGone
from .rpc_questions import Asked, Question
from .rpc_text import OutgoingNotification

__all__ = ["Feed", "Listening", "Outgoing"]

Outgoing: TypeAlias = OutgoingNotification | Question
"""What goes to all who follow something, in this order for each of them."""


class Listening(Asked, Protocol):
    """Who can follow something: what is needed of a connection."""

    async def send_notification(self, notification: OutgoingNotification) -> None:
        """Queue a notification; raises `ConnectionGone`."""
        ...

    def fell_behind(self, missed: int) -> None:
        """End: so many messages cannot be had any more."""
        ...


@attrs.define(eq=False)
class Feed:
    """
    Carries what is published to one connection, at the pace of that connection.

    The ring it reads from bounds how far the connection may be behind.  A connection
    that is further behind is closed: it would not know what it has missed.

    Made by `Connection.follow`.
    """

    _connection: Listening
    _source: Subscription[Outgoing]
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _holds: int = attrs.field(default=0, init=False)
    _released: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    @contextmanager
    def hold(self) -> Generator[None]:
        """
        Hold everything back inside of this.

        For answers that must come before what they cause: hold, do, answer, release.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._released.unpark_all()

    def stop(self) -> None:
        """Carry nothing more; what is queued already is sent."""
        self._scope.cancel()

    def close(self) -> None:
        """Give up the source without having carried anything."""
        self._source.close()

    async def run(self) -> None:
        """Carry until the source ends, the connection ends, or it is told to stop."""
        with self._scope, self._source:
            try:
                await self._begin()
                while True:
                    for message in await self._source.receive_many():
                        await self._carry(message)
            except (ChannelClosed, ConnectionGone):
                return

    async def _begin(self) -> None:
        """Say what comes before everything: nothing."""

    async def _wait_released(self) -> None:
        while self._holds:
            await self._released.park()

    async def _carry(self, message: Outgoing | Lagged) -> None:
        # After it was received: a hold that began meanwhile holds for this message.
        await self._wait_released()
        match message:
            case OutgoingNotification():
                await self._connection.send_notification(message)
            case Question():
                await message.send_to(self._connection)
            case Lagged(missed=missed):
                self._connection.fell_behind(missed)
                raise ConnectionGone(self._connection.name)
            case _:
                assert_never(message)
