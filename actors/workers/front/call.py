"""What an upstream carries, and how far it is: values for `upstream`."""

from collections.abc import Awaitable, Callable
from enum import Enum

import attrs
import trio

from actors.server.rpc_connection import ClientRequest
from actors.server.rpc_errors import RpcFailure

from .routing import Rule

__all__ = ["Call", "UpstreamState"]


class UpstreamState(Enum):
    """
    How far a client is with a worker.

    Attributes:
        CONNECTING: The worker is being told that there is a client.
        CONNECTED: What the client says arrives; the worker does not know yet who it is.
        READY: The worker has welcomed the client, too.
        ENDED: Nothing passes any more.
    """

    CONNECTING = "connecting"
    CONNECTED = "connected"
    READY = "ready"
    ENDED = "ended"


@attrs.define(eq=False)
class Call:
    """
    One request, while a worker works on it.

    Attributes:
        method: What is asked.
        rule: What to do about it when the worker dies; None for a request of the front.
        request: Whose it is and who gets the answer; None for a request of the front.
        succeeded: Told of an answer before the client is.
        before: Waited for between that and the client, while nothing else passes.
        answer: What came; None while nothing came, and for what was passed on.
        over: Set when it was answered, or never will be.
    """

    method: str
    rule: Rule | None = None
    request: ClientRequest | None = None
    succeeded: Callable[[bytes], None] | None = None
    before: Callable[[], Awaitable[None]] | None = None
    refused: RpcFailure | None = None
    answer: bytes | None = None
    over: trio.Event = attrs.field(factory=trio.Event)

    @property
    def is_done(self) -> bool:
        """Whether it was answered, by whomever."""
        answered = self.request is not None and self.request.answered
        return answered or self.answer is not None or self.refused is not None
