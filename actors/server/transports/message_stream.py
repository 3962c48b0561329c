"""What a connection needs of whatever carries its messages."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Protocol

import attrs

__all__ = ["CloseCode", "Farewell", "MessageStream"]


class CloseCode(IntEnum):
    """
    Why a connection ends, for programs.

    Source:
        RFC 6455, 7.4.1, and the registry of close codes for ``TRY_AGAIN_LATER``.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013


@attrs.frozen(kw_only=True)
class Farewell:
    """
    What a client is told when its connection ends.

    Attributes:
        code: Why, as a close code of WebSocket.
        reason: Why, for people; empty when there is nothing to say.
        message: The same as a message, for streams without close codes; empty for nothing.
    """

    code: int = CloseCode.NORMAL
    reason: str = ""
    message: bytes = b""


class MessageStream(Protocol):
    """
    Whole messages in both directions.

    One task receives and one sends, at the same time.  After an error or a cancelled
    call only `aclose` makes sense.
    """

    @property
    def peer(self) -> str:
        """Who is at the other end, for logs."""
        ...

    async def receive(self) -> bytes | str | None:
        """
        Wait for the next message; None when no more will come.

        Raises:
            MessageTooLong: It is longer than is taken.
            FrameError: The client broke the rules of the transport.
            trio.BrokenResourceError: The client is gone.
        """
        ...

    async def send(self, messages: Sequence[bytes], progress: Callable[[], None]) -> None:
        """
        Send messages in this order, each as one.

        Args:
            messages: None of them with an end of line in it.
            progress: Called whenever the client has taken something of it.

        Raises:
            trio.BrokenResourceError: The client is gone.

        Cancellation:
            The client may have got a part, in the middle of a message.
        """
        ...

    async def aclose(self, farewell: Farewell) -> None:
        """
        Say farewell where that is possible, and close.

        Cancellation:
            Closed all the same, at once.
        """
        ...
