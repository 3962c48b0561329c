"""What is asked over one connection: by us, and by the server."""

from collections.abc import Callable

import attrs

from actors.runtime import Reply
from actors.server.rpc_text import write_error, write_response
from messages.rpc.envelope import RequestId, RpcError
from messages.value import Json

__all__ = ["Call", "ServerRequest"]


@attrs.define(eq=False)
class Call:
    """
    One request, until it is answered.

    Attributes:
        method: What is asked.
        urgent: Whether it is one of those that must not wait.
        sent: Whether it was handed to the system.
    """

    id: int
    method: str
    urgent: bool = False
    sent: bool = attrs.field(default=False, init=False)
    _reply: Reply[Json] = attrs.field(factory=Reply[Json], init=False)
    _on_failure: Callable[[Exception], None] | None = attrs.field(default=None, init=False)

    async def wait(self) -> Json:
        """
        Wait for the answer.

        Raises:
            RpcCallError: The request was refused.
            ConnectionLost: There will be no answer.
        """
        return await self._reply.wait()

    def on_failure(self, tell: Callable[[Exception], None]) -> None:
        """Have *tell* called with what `wait` would raise; it must not wait."""
        self._on_failure = tell

    def answer(self, result: Json) -> None:
        """Give the answer."""
        self._reply.answer(result)

    def fail(self, error: Exception) -> None:
        """Say that there is none."""
        self._reply.fail(error)
        if self._on_failure is not None:
            self._on_failure(error)


@attrs.frozen(eq=False)
class ServerRequest:
    """
    Something that the server asks; answer it once, or refuse.

    Attributes:
        id: The server's own.
        method: What is asked.
        params: As they came.
    """

    id: RequestId
    method: str
    params: Json
    _say: Callable[[bytes], None] = attrs.field(repr=False)

    def respond(self, result: Json) -> None:
        """Answer; *result* is JSON, or values of `messages`.  Nothing when the server is gone."""
        self._say(write_response(self.id, result))

    def refuse(self, code: int, message: str) -> None:
        """Answer with an error.  Nothing when the server is gone."""
        self._say(write_error(self.id, RpcError(code=code, message=message)))
