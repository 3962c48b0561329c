"""What we ask clients: one question to any number of them, and the first answer wins."""

import logging
from collections.abc import Callable, Hashable
from typing import Protocol, TypeAlias

import attrs
import trio

from messages.rpc.envelope import ErrorResponse, Response
from messages.value import Json

from .rpc_errors import ConnectionGone, RequestWithdrawn
from .rpc_text import write_request

__all__ = ["Answer", "Asked", "Question", "Questions"]

_log = logging.getLogger("actors")

Answer: TypeAlias = Response | ErrorResponse
"""What a client says to a question: a result, or an error."""


class Asked(Protocol):
    """Whom a question can be put to: what is needed of a connection."""

    @property
    def name(self) -> str:
        """For logs."""
        ...

    async def put(self, message: bytes) -> None:
        """Queue a message; raises `ConnectionGone`."""
        ...


@attrs.define(eq=False, repr=False)
class Question:
    """
    One request of ours to clients, until it is answered or withdrawn.

    Attributes:
        id: Unique in this process; counts from 0.
        method: What is asked.
        scope: What it belongs to, for example a thread; see `Questions.pending`.
    """

    id: int
    method: str
    scope: Hashable
    _text: bytes
    _forget: Callable[[int], None]
    # Whether it is over when nobody is left who was asked.
    _personal: bool = False

    # Those who may answer, in the order in which they were asked.
    _asked: dict[Asked, None] = attrs.field(factory=dict[Asked, None], init=False)
    _answer: Answer | None = attrs.field(default=None, init=False)
    _failure: Exception | None = attrs.field(default=None, init=False)
    _over: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def is_pending(self) -> bool:
        """Whether nobody has answered it, and it was not withdrawn."""
        return not self._over.is_set()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The connections that were asked and are still there."""
        return tuple(self._asked)

    async def send_to(self, connection: Asked) -> None:
        """
        Ask one more connection; nothing when it was asked before, or the answer is there.

        Returns when the question is queued; see `Outbox.put`.

        Raises:
            ConnectionGone: The connection has ended; the others are still asked.

        Cancellation:
            The connection was not asked.
        """
        if not self.is_pending or connection in self._asked:
            await trio.lowlevel.checkpoint()
            return
        # Before it is queued: the answer may come before this task runs again.
        self._asked[connection] = None
        try:
            await connection.put(self._text)
        except BaseException:
            self._asked.pop(connection, None)
            raise

    async def repeat_to(self, connection: Asked) -> None:
        """
        Ask a connection once more that was asked before, in the same words.

        Raises:
            ConnectionGone: The connection has ended.
        """
        if self.is_pending and connection in self._asked:
            await connection.put(self._text)

    async def wait_answer(self) -> Answer:
        """
        Wait for the first answer of whoever was asked, now or later.

        Raises:
            RequestWithdrawn: It was taken back.
            ConnectionGone: It was for one connection only, and that has ended.

        Cancellation:
            Changes nothing; `withdraw` what nobody waits for any more.
        """
        await self._over.wait()
        if self._failure is not None:
            raise self._failure
        assert self._answer is not None
        return self._answer

    def withdraw(self) -> None:
        """Take it back: later answers are ignored.  Nothing when it is over."""
        self._end(failure=RequestWithdrawn(self.id, self.method))

    def answer(self, connection: Asked, answer: Answer) -> bool:
        """Take what a connection says, if it was asked and is the first; say whether so."""
        if connection not in self._asked or not self.is_pending:
            return False
        self._end(answer=answer)
        return True

    def lose(self, connection: Asked) -> None:
        """Let a connection that has ended answer nothing more."""
        if connection not in self._asked:
            return
        del self._asked[connection]
        if self._personal and not self._asked:
            self._end(failure=ConnectionGone(connection.name))

    def _end(self, *, answer: Answer | None = None, failure: Exception | None = None) -> None:
        if self.is_pending:
            self._answer, self._failure = answer, failure
            self._over.set()
            self._forget(self.id)

    def __repr__(self) -> str:
        state = "pending" if self.is_pending else "over"
        return f"<Question {self.id} {self.method!r}: {len(self._asked)} asked, {state}>"


@attrs.define(eq=False)
class Questions:
    """
    All questions of a process that wait for an answer.

    There are as many as tasks wait for them; each of those withdraws its own.
    """

    _next_id: int = attrs.field(default=0, init=False)
    # In the order in which they were opened.
    _pending: dict[int, Question] = attrs.field(factory=dict[int, Question], init=False)

    def open(
        self, method: str, params: Json, *, scope: Hashable = None, personal: bool = False
    ) -> Question:
        """
        Write a new question, which nobody is asked yet.

        Whoever opens it withdraws it in the end; that does nothing to an answered one.

        Args:
            method: What is asked.
            params: As `write_response` takes them.
            scope: What it belongs to.
            personal: Whether it is over when nobody is left who was asked.

        Raises:
            EncodeError: The params have no form in JSON.
        """
        text = write_request(self._next_id, method, params)
        question = Question(self._next_id, method, scope, text, self._drop, personal)
        self._next_id += 1
        self._pending[question.id] = question
        return question

    def pending(self, scope: Hashable) -> tuple[Question, ...]:
        """The questions of a scope, oldest first, for a client that joins late."""
        return tuple(question for question in self._pending.values() if question.scope == scope)

    def answer(self, connection: Asked, answer: Answer) -> None:
        """Take what a client says; what it was not asked, or says too late, is ignored."""
        # "7" is not 7: our ids are integers.
        question = self._pending.get(answer.id) if isinstance(answer.id, int) else None
        if question is None or not question.answer(connection, answer):
            _log.debug("%s answered %.32r, which it is not asked", connection.name, answer.id)

    def lose(self, connection: Asked) -> None:
        """Let a connection that has ended answer nothing more; the others are still asked."""
        for question in tuple(self._pending.values()):
            question.lose(connection)

    def __len__(self) -> int:
        """How many wait for an answer."""
        return len(self._pending)

    def _drop(self, question_id: int) -> None:
        self._pending.pop(question_id, None)
