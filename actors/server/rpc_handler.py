"""What stands behind the connections: who reads, gates and answers what clients ask."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeVar

import attrs

from messages.rpc.envelope import RequestId
from messages.value import Json

from .rpc_text import write_response

__all__ = ["HandlerOf", "RequestOf", "Told", "Welcome"]


class Told(Protocol):
    """What a request needs to know of the connection that it came by."""

    async def put(self, message: bytes) -> None:
        """Queue a message; raises `ConnectionGone`."""
        ...


C = TypeVar("C", bound=Told)


@attrs.frozen(kw_only=True)
class Welcome:
    """
    The answer to ``initialize``, and what holds for that connection from then on.

    Attributes:
        result: What the client gets.
        experimental: Whether it may use what is experimental.
        opted_out: Names of notifications that it does not want, exactly as they are.
        core_events: Whether it follows threads by their events; see `CoreEvents`.
    """

    result: Json
    experimental: bool = False
    opted_out: frozenset[str] = frozenset()
    core_events: bool = False


@attrs.define(eq=False)
class RequestOf(Generic[C]):
    """
    One request of one client, while it is worked on.

    Attributes:
        id: The client's own; another client may use the same.
        method: What is asked.
        params: As `Handler.read` gave them.
        connection: Whose it is.
        answered: Whether its answer is queued.
    """

    id: RequestId
    method: str
    params: Any = attrs.field(repr=False)
    connection: C = attrs.field(repr=False)
    answered: bool = attrs.field(default=False, init=False)

    async def respond(self, result: Json) -> None:
        """
        Answer now, and go on: for what has to be said after the answer.

        What the handler returns then is not looked at.  See `write_response` for *result*.

        Raises:
            ConnectionGone: Nobody is there to hear it.
            EncodeError: The result has no form in JSON.
            RuntimeError: It was answered before.

        Cancellation:
            It was not answered.
        """
        if self.answered:
            raise RuntimeError(f"{self.method} is answered twice")
        await self.connection.put(write_response(self.id, result))
        self.answered = True


class HandlerOf(Protocol[C]):
    """
    Answers requests.  A request passes `read`, then the handshake, then the gate, then `handle`.

    What raises anything but `RpcFailure` or `ConnectionGone` is logged with its traceback,
    and answered as an internal error.
    """

    def read(self, method: str, params: Json) -> object:
        """
        Make typed params of what came; None came for none and for null.

        Also called before ``initialize``, and for it.

        Raises:
            RpcFailure: There is no such method, or these are not its params.
        """
        ...

    async def initialize(self, connection: C, request: RequestOf[C]) -> Welcome:
        """
        Welcome a connection; at most once successful for each.

        Nothing else is read from that client meanwhile.

        Raises:
            RpcFailure: It cannot be welcomed like that; it may try again.
        """
        ...

    def experimental_reason(self, method: str, params: Any) -> str | None:
        """Say what of a request is experimental, None for nothing; see `Connection`."""
        ...

    def ordered_by(self, request: RequestOf[C]) -> Hashable | None:
        """
        Say with what a request must keep its order.

        Requests of one connection with the same key are handled one after another, in
        the order in which they came; None is for those that go beside all others.
        """
        ...

    async def handle(self, connection: C, request: RequestOf[C]) -> object:
        """
        Do what is asked, and return the result; see `write_response`.

        Called for initialized connections only.  Cancelled when the connection has
        ended and its grace is over.

        Raises:
            RpcFailure: It is refused.
        """
        ...

    def disconnected(self, connection: C) -> None:
        """Forget a connection; called once for each, after its last request has ended."""
        ...
