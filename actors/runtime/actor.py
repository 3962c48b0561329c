"""An actor: a task with private state, and the ways to reach it."""

import heapq
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import attrs
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .errors import MailboxClosed, MailboxFull, ReplyLost
from .mailbox import Mailbox, MailboxStatistics

__all__ = ["Actor", "ActorRef", "ActorStatistics", "Reply"]

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
A = TypeVar("A")

_logger = logging.getLogger("actors")


@attrs.define(eq=False, repr=False)
class Reply(Generic[A]):
    """
    Where the answer to one question goes, once.

    Made by `ActorRef.ask`; travels in the question.  The actor may answer at
    once or keep it for later.

    Attributes:
        answered: Whether `answer` or `fail` was called.
    """

    answered: bool = attrs.field(default=False, init=False)
    # The answer; Any because there is none at first, and None is an answer.
    _value: Any = attrs.field(default=None, init=False)
    _error: Exception | None = attrs.field(default=None, init=False)
    # The one who asked, while it sleeps.
    _task: Task | None = attrs.field(default=None, init=False)

    @enable_ki_protection
    def answer(self, value: A) -> None:
        """
        Give the answer.

        If the one who asked was cancelled meanwhile, nobody reads it.

        Raises:
            RuntimeError: It was answered before.
        """
        self._settle()
        self._value = value

    @enable_ki_protection
    def fail(self, error: Exception) -> None:
        """
        Raise *error* where the question was asked.

        Raises:
            RuntimeError: It was answered before.
        """
        self._settle()
        self._error = error

    @enable_ki_protection
    async def wait(self) -> A:
        """
        Wait for the answer, and return it or raise its error; for `ActorRef.ask`.

        Cancellation:
            Nobody reads the answer then.
        """
        if not self.answered:
            self._task = current_task()
            await wait_task_rescheduled(self._abort)
        if self._error is not None:
            raise self._error
        answer: A = self._value
        return answer

    def _settle(self) -> None:
        if self.answered:
            raise RuntimeError("this question was answered before; a reply is for one answer")
        self.answered = True
        if self._task is not None:
            reschedule(self._task)

    def _abort(self, _: RaiseCancelT) -> Abort:
        self._task = None
        return Abort.SUCCEEDED

    def __repr__(self) -> str:
        return f"<Reply: {'answered' if self.answered else 'open'}>"


@attrs.define(eq=False, repr=False)
class ActorRef(Generic[M_contra]):
    """
    Where to send messages to one actor.

    Once the actor has ended, everything raises `MailboxClosed`.  A ref does
    not lead to the actor that replaces a crashed one.
    """

    _mailbox: Mailbox[M_contra]
    # Replies that somebody waits for.  Bounded by the number of tasks that ask.
    _asked: set[Reply[Any]]

    @property
    def address(self) -> str:
        """Who is addressed."""
        return self._mailbox.address

    async def tell(self, message: M_contra) -> None:
        """
        Send *message*; wait for room if there is none.

        Raises:
            MailboxClosed: The actor has ended or ends; nothing was sent.

        Cancellation:
            Nothing was sent.
        """
        await self._mailbox.send(message)

    def tell_nowait(self, message: M_contra) -> None:
        """
        Send *message*.

        Raises:
            MailboxFull: There is no room; nothing was sent.
            MailboxClosed: The actor has ended; nothing was sent.
        """
        self._mailbox.send_nowait(message)

    def tell_control(self, message: M_contra) -> None:
        """
        Send *message*, to be handled before all that was told without this.

        Raises:
            MailboxFull: There is no room for control messages; nothing was sent.
            MailboxClosed: The actor has ended; nothing was sent.
        """
        self._mailbox.send_control_nowait(message)

    async def ask(self, question: Callable[[Reply[A]], M_contra]) -> A:
        """
        Send a question; return the answer.

        Waits for room as `tell` does.

        Args:
            question:
                Makes the message from the reply that it carries, for example
                ``lambda reply: CountThreads(reply)``.

        Raises:
            MailboxClosed: The actor has ended or ends; nothing was sent.
            ReplyLost: It ended before it answered.
            Exception: What it gave to `Reply.fail`.

        Cancellation:
            The question may have been sent, and acted upon; the answer is lost.
        """
        reply: Reply[A] = Reply()
        message = question(reply)
        self._asked.add(reply)
        try:
            # No checkpoint of its own while there is room: the wait for the
            # answer is one.
            try:
                self._mailbox.send_nowait(message)
            except MailboxFull:
                await self._mailbox.send(message)
            return await reply.wait()
        finally:
            self._asked.discard(reply)

    def __repr__(self) -> str:
        return f"<ActorRef {self.address!r}>"


@attrs.frozen(kw_only=True)
class ActorStatistics:
    """
    One look at an actor.

    Attributes:
        mailbox: What waits to be handled.
        timers: Messages it told itself for later.
        open_questions: Tasks that wait for an answer.
    """

    mailbox: MailboxStatistics
    timers: int
    open_questions: int


@attrs.define(eq=False, repr=False)
class Actor(ABC, Generic[M]):
    """
    A task that owns some state, and handles one message at a time.

    Subclass it, with the state as private attributes, and run it as a child of
    a supervisor.  An exception out of `handle` is a crash and ends it; a
    restart makes a new one.

    Attributes:
        address: Its name, for errors, logs and the repr.
        capacity:
            Room in the work lane of its mailbox, in messages.  An actor that
            many tasks ask at once wants as much room as there are such tasks:
            those that have to wait for room cost twice as much.
    """

    address: str = attrs.field(kw_only=True)
    capacity: int = attrs.field(default=64, kw_only=True)

    _mailbox: Mailbox[M] = attrs.field(
        default=attrs.Factory(
            lambda self: Mailbox(self.address, capacity=self.capacity), takes_self=True
        ),
        init=False,
    )
    _asked: set[Reply[Any]] = attrs.field(factory=set[Reply[Any]], init=False)
    # A heap of (due time, number, message); the number keeps equal times in
    # order.  Bounded by the actor's own code.
    _timers: list[tuple[float, int, M]] = attrs.field(
        factory=list[tuple[float, int, M]], init=False
    )
    _timer_numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    @abstractmethod
    async def handle(self, message: M) -> None:
        """
        Act on one message.

        Cancellation:
            The actor is being cancelled; the message counts as handled.
        """

    @property
    def ref(self) -> ActorRef[M]:
        """Where to send messages to this actor."""
        return ActorRef(self._mailbox, self._asked)

    async def run(
        self, *, task_status: "trio.TaskStatus[ActorRef[M]]" = trio.TASK_STATUS_IGNORED
    ) -> None:
        """
        Say ``started(ref)``, and handle messages until told to stop.

        However it ends, questions it has not answered end with `ReplyLost`,
        and other messages still waiting are dropped.

        Cancellation:
            Ends it, in the midst of a message or between two.
        """
        task_status.started(self.ref)
        try:
            while True:
                try:
                    if self._timers:
                        message = await self._next()
                    else:
                        message = await self._mailbox.receive()
                except MailboxClosed:
                    return  # told to stop
                await self.handle(message)
        finally:
            self._end()

    def stop(self) -> None:
        """
        Tell it to end after the message in hand; for `ChildSpec.stop`.

        Messages still waiting are dropped.
        """
        self._drop(self._mailbox.close())

    def tell_self_later(self, delay: float, message: M) -> None:
        """
        Have *message* handled after *delay* seconds.

        When it is due it goes before everything in the mailbox; several go in
        the order in which they are due.  It cannot be taken back: let `handle`
        see whether it still means anything.
        """
        due = trio.current_time() + delay
        heapq.heappush(self._timers, (due, next(self._timer_numbers), message))

    async def _next(self) -> M:
        due = self._timers[0][0]
        if due > trio.current_time():
            with trio.move_on_at(due):
                return await self._mailbox.receive()
        if self._mailbox.closed:
            raise MailboxClosed(self.address)
        await trio.lowlevel.checkpoint()
        return heapq.heappop(self._timers)[2]

    def _end(self) -> None:
        self._drop(self._mailbox.close())
        for reply in tuple(self._asked):
            if not reply.answered:
                reply.fail(ReplyLost(self.address))

    def _drop(self, messages: tuple[M, ...]) -> None:
        if messages:
            _logger.warning("%r ended with %d messages unhandled", self.address, len(messages))

    def statistics(self) -> ActorStatistics:
        """Return what it still has to do."""
        return ActorStatistics(
            mailbox=self._mailbox.statistics(),
            timers=len(self._timers),
            open_questions=len(self._asked),
        )

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<{type(self).__name__} {self.address!r}: {now.mailbox.work} work, "
            f"{now.mailbox.control} control, {now.timers} timers, "
            f"{now.open_questions} open questions, {'ended' if now.mailbox.closed else 'open'}>"
        )
