"""What can go wrong between this program and a server elsewhere, one class per fact."""

import trio

from actors.supervisor import ThreadNotFound
from messages.rpc.envelope import RpcError
from messages.value import Json

__all__ = [
    "CannotConnect",
    "ClientError",
    "ConnectionLost",
    "NotOverTheWire",
    "RpcCallError",
    "ThreadNotFollowed",
    "TokenRejected",
]


class ClientError(Exception):
    """Base of every error of this room."""


class CannotConnect(ClientError, OSError):  # noqa: N818 -- a condition
    """
    There is no connection to a server; nothing was asked of it.

    Attributes:
        server: Where it was looked for.
        problem: Why not, and the way out.
    """

    def __init__(self, server: str, problem: str) -> None:
        super().__init__(server, problem)
        self.server = server
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot connect to {self.server}: {self.problem}"


class TokenRejected(CannotConnect):
    """The server wants a token, and another one than it was given."""


class ConnectionLost(ClientError, trio.BrokenResourceError):  # noqa: N818 -- a condition
    """
    The connection has ended; nothing more can be asked or heard over it.

    The threads of the server may go on; connect again to find them.

    Attributes:
        server: Which server.
        problem: Why it ended.
        fate: What became of the request that was in flight; empty when there was none.
    """

    def __init__(self, server: str, problem: str, fate: str = "") -> None:
        super().__init__(server, problem, fate)
        self.server = server
        self.problem = problem
        self.fate = fate

    def __str__(self) -> str:
        fate = f"; {self.fate}" if self.fate else ""
        return f"the connection to {self.server} is lost: {self.problem}{fate}"

    def again(self) -> "ConnectionLost":
        """Say the same to somebody else, with a traceback of its own."""
        return ConnectionLost(self.server, self.problem)

    def about(self, method: str, *, sent: bool) -> "ConnectionLost":
        """Say the same of one request."""
        fate = (
            f"{method} was sent and may have been carried out" if sent else f"{method} was not sent"
        )
        return ConnectionLost(self.server, self.problem, fate)


class RpcCallError(ClientError):
    """
    The server refused a request.

    Attributes:
        method: What was asked.
        code: One of the codes of the protocol.
        message: What is wrong, for people.
        data: More for programs; None for nothing.
    """

    def __init__(self, method: str, code: int, message: str, data: Json = None) -> None:
        super().__init__(method, code, message, data)
        self.method = method
        self.code = code
        self.message = message
        self.data = data

    @classmethod
    def of(cls, method: str, error: RpcError) -> "RpcCallError":
        """Make one of what the server said."""
        return cls(method, error.code, error.message, error.data)

    def __str__(self) -> str:
        return f"{self.method}: {self.message} ({self.code})"


class NotOverTheWire(ClientError, NotImplementedError):  # noqa: N818 -- a condition
    """
    Something that a supervisor in this process does cannot be asked of one elsewhere.

    Nothing was sent.

    Attributes:
        what: What was asked for.
        way_out: What to do instead.
    """

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what, way_out)
        self.what = what
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.what} cannot be had over a connection; {self.way_out}"


class ThreadNotFollowed(ThreadNotFound):
    """
    The thread is live in the server, and this client does not hear of it.

    Attributes:
        thread_id: Which one was asked for.
    """

    def __str__(self) -> str:
        return (
            f"thread {self.thread_id} was opened by another client; "
            "await follow_thread() to hear of it"
        )
