"""Who is asked when a server asks something: the thread whose call is in flight."""

import contextlib
from collections.abc import Generator
from typing import Final

import attrs
import trio

from messages.events import ElicitationRequest

from ..tool import ToolContext

__all__ = ["Elicitations"]

_OPEN_AT_MOST: Final = 16
"""Questions of one server that may be open at once; more are declined unasked."""


@attrs.define(eq=False)
class _Call:
    """A call in flight, and the scopes of the questions that it asks."""

    context: ToolContext
    server_name: str
    questions: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope], init=False)


@attrs.define(eq=False)
class Elicitations:
    """
    The calls in flight to one server, oldest first, and what it asks meanwhile.

    The protocol of today does not say for which call a server asks; with several, the
    oldest one's thread is asked.  A question ends with its call, at the latest with the
    call's time limit.
    """

    _calls: list[_Call] = attrs.field(factory=list[_Call], init=False)
    _open: int = attrs.field(default=0, init=False)

    @contextlib.contextmanager
    def during(self, context: ToolContext, server_name: str) -> Generator[None]:
        """Let questions go to this thread while the block runs."""
        call = _Call(context, server_name)
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.remove(call)
            for question in call.questions:
                question.cancel()

    async def ask(self, question_id: str | int, message: str) -> str:
        """
        Ask a person.

        Returns:
            ``accept``, ``decline`` or ``cancel``.  Nobody is there to ask: ``decline``.

        Cancellation:
            The question is withdrawn.
        """
        if not self._calls or self._open >= _OPEN_AT_MOST:
            await trio.lowlevel.checkpoint()
            return "decline"
        call = self._calls[0]
        request = ElicitationRequest(server_name=call.server_name, id=question_id, message=message)
        question = trio.CancelScope()
        call.questions.add(question)
        self._open += 1
        try:
            with question:
                return (await call.context.ask_elicitation(request)).value
        finally:
            self._open -= 1
            call.questions.discard(question)
        return "cancel"
