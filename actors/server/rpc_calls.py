"""The requests of one client that are worked on: a bounded number, some of them in order."""

import logging
from collections import deque
from collections.abc import Hashable
from typing import Any, Final

import attrs
import trio

from messages.errors import EncodeError
from messages.rpc.envelope import RpcError

from .rpc_errors import ConnectionGone, RpcFailure
from .rpc_handler import HandlerOf, RequestOf
from .rpc_text import write_error

__all__ = ["Calls", "Lane", "internal_failure", "refuse"]

_log = logging.getLogger("actors")

Lane = deque[RequestOf[Any]]
"""Requests that wait until the one before them with the same key is answered."""

_FAILED: Final = "internal error while handling {}; the server's log has more"


def internal_failure(method: str) -> RpcFailure:
    """What a client hears when a handler crashed; what crashed is in our log only."""
    return RpcFailure.internal(_FAILED.format(method))


async def refuse(request: RequestOf[Any], failure: RpcFailure) -> None:
    """
    Answer with an error, if it is not answered.

    Raises:
        ConnectionGone: Nobody is there to hear it.
    """
    if request.answered:
        _log.error("%s failed after its answer: %s", request.method, failure)
        return
    await request.connection.put(_written(request, failure.error))
    request.answered = True


def _written(request: RequestOf[Any], error: RpcError) -> bytes:
    try:
        return write_error(request.id, error)
    except EncodeError as exc:
        # For example the name of a file that is no text.  The code and most of the message
        # are better than none.
        _log.warning("the error of %s cannot be written as it is: %s", request.method, exc)
        text = error.message.encode(errors="replace").decode()
        return write_error(request.id, RpcError(code=error.code, message=text))


@attrs.define(eq=False)
class Calls:
    """
    Runs the requests of one connection.

    One task each, or one for all with the same key that came while it ran.

    Attributes:
        limit: Requests at once, those that wait for their turn included.
    """

    limit: int
    _handler: HandlerOf[Any]
    _nursery: trio.Nursery
    _in_flight: int = attrs.field(default=0, init=False)
    # Invariant: a key is in here while a task works on requests of that key.
    _lanes: dict[Hashable, Lane] = attrs.field(factory=dict[Hashable, Lane], init=False)

    @property
    def in_flight(self) -> int:
        """Requests that are not answered."""
        return self._in_flight

    @property
    def full(self) -> bool:
        """Whether no more can be started."""
        return self._in_flight >= self.limit

    def start(self, request: RequestOf[Any]) -> None:
        """Begin to work on a request, or let it wait for those it must not overtake."""
        key = self._handler.ordered_by(request)
        self._in_flight += 1
        if key is None:
            self._nursery.start_soon(self._run, request, name=request.method)
        elif key in self._lanes:
            self._lanes[key].append(request)
        else:
            self._lanes[key] = Lane()
            self._nursery.start_soon(self._run_lane, key, request, name=request.method)

    async def _run_lane(self, key: Hashable, request: RequestOf[Any]) -> None:
        lane = self._lanes[key]
        await self._run(request)
        while lane:
            await self._run(lane.popleft())
        # No checkpoint between the last look and this, so nothing gets lost in the lane.
        del self._lanes[key]

    async def _run(self, request: RequestOf[Any]) -> None:
        try:
            await self._answer(request)
        except ConnectionGone:
            _log.debug("nobody is left to hear of %s", request.method)
        finally:
            self._in_flight -= 1

    async def _answer(self, request: RequestOf[Any]) -> None:
        try:
            result = await self._handler.handle(request.connection, request)
            if not request.answered:
                await request.respond(result)
        except ConnectionGone:
            raise
        except RpcFailure as failure:
            await refuse(request, failure)
        except Exception:  # noqa: BLE001 -- logged, and answered
            _log.exception("%s crashed", request.method)
            await refuse(request, internal_failure(request.method))
