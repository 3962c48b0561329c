"""What can go wrong between us and a client, one class per fact."""

import trio

from messages.rpc.envelope import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    OVERLOADED,
    RpcError,
)
from messages.value import Json

__all__ = [
    "AddressInUse",
    "BadListenAddress",
    "BadToken",
    "ConnectionGone",
    "FrameError",
    "ListenError",
    "MessageTooLong",
    "NotAMessage",
    "RequestWithdrawn",
    "RpcFailure",
    "ServerError",
]


class ServerError(Exception):
    """Base of every error of this room."""


class RpcFailure(ServerError):  # noqa: N818 -- an answer, not a failure of ours
    """
    A request is refused; the client gets code, message and data as they are.

    Attributes:
        code: One of the codes of the protocol.
        message: What is wrong and the way out, for people; some clients look at it.
        data: More for programs; None for nothing.
    """

    def __init__(self, code: int, message: str, data: Json = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    @property
    def error(self) -> RpcError:
        """The same as a value."""
        return RpcError(code=self.code, message=self.message, data=self.data)

    @classmethod
    def invalid(cls, message: str, data: Json = None) -> "RpcFailure":
        """Make one for what the client did wrong."""
        return cls(INVALID_REQUEST, message, data)

    @classmethod
    def internal(cls, message: str, data: Json = None) -> "RpcFailure":
        """Make one for what failed on our side."""
        return cls(INTERNAL_ERROR, message, data)

    @classmethod
    def unsupported(cls, message: str, data: Json = None) -> "RpcFailure":
        """Make one for a known method that cannot be served here."""
        return cls(METHOD_NOT_FOUND, message, data)

    @classmethod
    def overloaded(cls) -> "RpcFailure":
        """Make the one for a request that was not even queued; clients know its text."""
        return cls(OVERLOADED, "Server overloaded; retry later.")


class NotAMessage(ServerError, ValueError):  # noqa: N818 -- never leaves this room
    """
    A line or frame is no message of the protocol; it was skipped.

    Attributes:
        problem: What is wrong with it, without its content.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class MessageTooLong(ServerError, ValueError):  # noqa: N818 -- a condition of the stream
    """
    A client's message is longer than we take; nothing more is read from that client.

    Attributes:
        limit_bytes: Longest message we take.
    """

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"a message is longer than {self.limit_bytes} bytes"


class FrameError(ServerError, ValueError):
    """
    A client broke the rules of WebSocket frames; nothing more is read from it.

    Attributes:
        code: The close code that says so.
        problem: Which rule.
    """

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(code, problem)
        self.code = code
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem} (close code {self.code})"


class ConnectionGone(ServerError, trio.BrokenResourceError):  # noqa: N818 -- a condition
    """
    The connection has ended or is ending; what was to be sent was not queued.

    Attributes:
        connection: Which, for example ``"connection 3 (websocket 127.0.0.1:50312)"``.
    """

    def __init__(self, connection: str) -> None:
        super().__init__(connection)
        self.connection = connection

    def __str__(self) -> str:
        return f"{self.connection} has ended; nothing more can be sent to it"


class RequestWithdrawn(ServerError):  # noqa: N818 -- a condition the caller handles
    """
    We took back a request before any client answered it; later answers are ignored.

    Attributes:
        request_id: Its id.
        method: What was asked.
    """

    def __init__(self, request_id: int, method: str) -> None:
        super().__init__(request_id, method)
        self.request_id = request_id
        self.method = method

    def __str__(self) -> str:
        return f"request {self.request_id} ({self.method}) was withdrawn before an answer came"


class ListenError(ServerError):
    """
    We cannot listen where we were told to; nothing was opened, nothing was changed.

    Attributes:
        listen: Where.
        problem: Why not, and the way out.
    """

    def __init__(self, listen: str, problem: str) -> None:
        super().__init__(listen, problem)
        self.listen = listen
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot listen on {self.listen!r}: {self.problem}"


class BadListenAddress(ListenError, ValueError):  # noqa: N818 -- a kind of ListenError
    """Where to listen is not said in a form we know."""

    def __str__(self) -> str:
        return self.problem  # names the address, in words that clients of Codex know


class AddressInUse(ListenError, OSError):  # noqa: N818 -- a kind of ListenError
    """Somebody else listens there."""


class BadToken(ServerError, ValueError):  # noqa: N818 -- a condition
    """
    What was given as the token of clients cannot be one.

    Attributes:
        source: Where it came from: a file or an environment variable.
        problem: What is wrong, never the token itself.
    """

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(source, problem)
        self.source = source
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}"
