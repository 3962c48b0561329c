"""All clients of a process, whichever way they came."""

import logging
from collections.abc import Iterator

import attrs
import trio

from actors.runtime import World
from messages.value import Json

from .rpc_connection import Connection, ConnectionStatistics, Handler, farewell
from .rpc_limits import Limits
from .rpc_questions import Questions
from .rpc_text import OutgoingNotification, write_notification
from .transports.message_stream import CloseCode, MessageStream

__all__ = ["Connections", "ConnectionsStatistics"]

_log = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class ConnectionsStatistics:
    """
    One look at all clients.

    Attributes:
        connections: Of each that is there, oldest first.
        accepted: How many there were so far.
        refused: How many were too many.
        asked: Questions of ours that wait for an answer.
    """

    connections: tuple[ConnectionStatistics, ...]
    accepted: int
    refused: int
    asked: int


@attrs.define(eq=False)
class Connections:
    """
    The clients of one handler: numbers them, and says to all what all are to know.

    Any number of listeners may bring clients to it, see `open_listener`.

    Attributes:
        handler: Who answers them.
        world: For the time in notifications.
        limits: Their bounds.
        questions: What they are asked.
    """

    handler: Handler
    world: World
    limits: Limits = attrs.field(factory=Limits)
    questions: Questions = attrs.field(factory=Questions, init=False)

    _open: dict[int, Connection] = attrs.field(factory=dict[int, Connection], init=False)
    _accepted: int = attrs.field(default=0, init=False)
    _refused: int = attrs.field(default=0, init=False)

    def __iter__(self) -> Iterator[Connection]:
        """All that are there, oldest first, as they are now."""
        return iter(tuple(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def notification(self, method: str, params: Json) -> OutgoingNotification:
        """
        Write a notification of now; see `write_response` for *params*.

        Raises:
            EncodeError: The params have no form in JSON.
        """
        return write_notification(method, params, emitted_at_ms=int(self.world.now() * 1000))

    def broadcast(self, notification: OutgoingNotification) -> None:
        """Tell all initialized connections; see `Connection.post_notification`."""
        for connection in self:
            if connection.initialized:
                connection.post_notification(notification)

    async def serve(self, stream: MessageStream) -> None:
        """
        Serve one client to its end, or tell it that it is one too many.

        Returns when the connection is closed and forgotten.
        """
        if len(self._open) >= self.limits.connections:
            await self._turn_away(stream)
            return
        connection = Connection(
            self._accepted, self.limits, stream, self.handler, self.questions, self.world
        )
        self._accepted += 1
        self._open[connection.id] = connection
        _log.info("%s begins", connection.name)
        try:
            await connection.run()
        except Exception:  # noqa: BLE001 -- logged
            # A defect of ours; the other clients must not pay for it.
            _log.exception("%s crashed", connection.name)
        finally:
            del self._open[connection.id]
            _log.info("%s has ended", connection.name)

    async def _turn_away(self, stream: MessageStream) -> None:
        self._refused += 1
        reason = f"there are {self.limits.connections} clients, and no more may be"
        _log.warning("client %s is turned away: %s", stream.peer, reason)
        with trio.move_on_after(self.limits.farewell):
            await stream.aclose(farewell(CloseCode.TRY_AGAIN_LATER, reason, self.world))

    def statistics(self) -> ConnectionsStatistics:
        """Return who is there."""
        return ConnectionsStatistics(
            connections=tuple(connection.statistics() for connection in self),
            accepted=self._accepted,
            refused=self._refused,
            asked=len(self.questions),
        )
