"""What a worker asks one client: put to it under an id of ours, and answered under the worker's."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import attrs
import trio

from actors.server.rpc_connection import Connection
from actors.server.rpc_errors import ConnectionGone, NotAMessage, RequestWithdrawn
from actors.server.rpc_questions import Answer, Question, Questions
from actors.server.rpc_text import write_error, write_response
from messages.ids import ThreadId
from messages.rpc.envelope import Response

from ..errors import WorkerLost

__all__ = ["Relay"]

_MOST: Final = 1024
"""Questions of one worker to one client; each waits for a tool call of a turn that runs."""


@attrs.define(eq=False)
class Relay:
    """
    The questions that one worker asks one client.

    Two workers may use the same id, so each question gets another one, unique among
    the questions of the front.  What the client answers goes back as it is.
    """

    _questions: Questions
    _connection: Connection
    _answer: Callable[[bytes], Awaitable[None]]
    # By the worker's id, until the worker says that it is settled.
    _asked: dict[int, tuple[ThreadId | None, Question]] = attrs.field(
        factory=dict[int, tuple[ThreadId | None, Question]], init=False
    )

    async def ask(self, message: dict[str, Any], nursery: trio.Nursery) -> None:
        """
        Put a question to the client; returns when it is queued.

        One that the client was asked already, and that waits still, is asked again as it was.

        Args:
            message: As the worker sent it.
            nursery: Where the answer is waited for.

        Raises:
            NotAMessage: It is no question, or one too many.
            ConnectionGone: The client has ended.
        """
        number, raw = message.get("id"), message.get("params")
        if not isinstance(number, int) or not isinstance(raw, dict):
            raise NotAMessage("a question without a number and params")
        params = cast("dict[str, Any]", raw)  # as orjson gives objects
        known = self._asked.get(number)
        if known is not None and known[1].is_pending:
            await known[1].repeat_to(self._connection)
            return
        if len(self._asked) >= _MOST:
            raise NotAMessage(f"more than {_MOST} questions to one client")
        question = self._questions.open(message["method"], params, personal=True)
        self._asked[number] = (params.get("threadId"), question)
        nursery.start_soon(self._pass_back, number, question, name=f"answer to {question!r}")
        await question.send_to(self._connection)

    async def _pass_back(self, number: int, question: Question) -> None:
        try:
            answer = await question.wait_answer()
            await self._answer(_written(number, answer))
        except (RequestWithdrawn, ConnectionGone, WorkerLost):
            return
        finally:
            question.withdraw()

    def settled(self, number: object) -> int | None:
        """Note that a question is settled; say how the client knows it, None for not at all."""
        if not isinstance(number, int):
            return None
        _, question = self._asked.pop(number, (None, None))
        if question is None:
            return None
        question.withdraw()
        return question.id

    def take_open(self) -> list[tuple[ThreadId | None, int]]:
        """Withdraw all questions; give the thread and the id of each that was not settled."""
        asked, self._asked = self._asked, {}
        for _, question in asked.values():
            question.withdraw()
        return [(thread_id, question.id) for thread_id, question in asked.values()]


def _written(number: int, answer: Answer) -> bytes:
    if isinstance(answer, Response):
        return write_response(number, answer.result)
    return write_error(number, answer.error)
