"""One loaded thread and those who follow it: its events on their way to clients."""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, TypeVar

import attrs
import trio

from actors.runtime import ChannelClosed, EventChannel, Lagged, MailboxFull, Subscription
from actors.thread import Thread, ThreadClosed
from messages.events import Event, ThreadNameUpdated, TurnAborted, TurnComplete, UserMessage
from messages.ids import ThreadId
from messages.ops import Op
from messages.rpc.envelope import Response
from messages.rpc.notifications import (
    METHOD,
    ServerNotification,
    ServerRequestResolvedNotification,
    ThreadClosedNotification,
    ThreadNameUpdatedNotification,
    ThreadStatusChangedNotification,
)
from messages.rpc.thread import NotLoadedThreadStatus
from messages.rpc.thread import Thread as WireThread
from messages.rpc.turn import Turn

from .client_answers import answer_op, refusal_op
from .core_feed import CoreEvents
from .core_values import answer_key
from .event_watch import EventWatch
from .projection import PIECES, Outgoing, ThreadProjection
from .rpc_connection import Connection
from .rpc_connections import Connections
from .rpc_errors import RequestWithdrawn
from .rpc_feed import Feed
from .rpc_feed import Outgoing as Sent
from .rpc_questions import Asked, Question
from .server_requests import RequestResolved, ServerRequestDraft
from .thread_values import ThreadFacts, preview_of

__all__ = ["LoadedThread"]

_log = logging.getLogger("actors")

T = TypeVar("T")

_CAPACITY: Final = 4096
"""Messages kept for slow clients; one that is further behind is closed.  More than come of
one full ring of events, so that clients who keep up are never that far behind."""

_SETTLE: Final = 2.0
"""Seconds that an answer waits for what was to be said before it."""

_FOR_ALL: Final = (ThreadNameUpdatedNotification, ThreadStatusChangedNotification)
"""What those hear too who do not follow the thread, for their lists of threads."""

_BURST: Final = 64
"""Events that are told without letting others run; see `Mailbox`."""


@attrs.define(eq=False)
class LoadedThread:
    """
    Reads the events of one thread, once, and tells all clients that follow it.

    Args:
        now: Wall clock, in seconds since the Unix epoch.
        nursery: Where answers are waited for; outlives the thread.
        on_event:
            Told each event but pieces, before clients are; must neither wait nor raise.

    Attributes:
        facts: What is known of it.
        name: As given by the user.
        projection: What clients were told.
        starting: Held by who submits what starts a turn, until it has started.
        rolling_back: Whether turns are being dropped.
        ended: Set when the thread has ended and everybody was told.
    """

    thread: Thread
    facts: ThreadFacts
    name: str | None
    projection: ThreadProjection
    _connections: Connections
    _now: Callable[[], float]
    # Not one of its own: most threads ask nothing, and it would weigh 2 kB.
    _nursery: trio.Nursery
    _on_event: Callable[[Event], None]
    starting: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    rolling_back: bool = attrs.field(default=False, init=False)
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    _channel: EventChannel[Sent] = attrs.field(
        factory=lambda: EventChannel(capacity=_CAPACITY, keeps_read=False), init=False
    )
    _feeds: dict[Connection, Feed] = attrs.field(factory=dict[Connection, Feed], init=False)
    # By the key of the question; as many as the thread has open.
    _questions: dict[str, Question] = attrs.field(factory=dict[str, Question], init=False)
    _watches: list[EventWatch[object]] = attrs.field(factory=list[EventWatch[object]], init=False)
    # The end of what each follower is told.
    _last: "dict[Connection, _Mark]" = attrs.field(factory=dict["Connection", "_Mark"], init=False)
    # Whether another process goes on with the thread, and says what there is to say of it.
    _given_away: bool = attrs.field(default=False, init=False)
    # For connections that follow the events as they are: made for the first, and gone with the
    # last.  None costs nothing.
    _core: CoreEvents | None = attrs.field(default=None, init=False)
    # The number of the next event to take.
    _next_seq: int = attrs.field(default=1, init=False)

    @property
    def thread_id(self) -> ThreadId:
        """Which thread."""
        return self.thread.thread_id

    def describe(self, *, turns: tuple[Turn, ...] = (), root_id: str | None = None) -> WireThread:
        """Say the thread as it is now."""
        settings = self.thread.config_snapshot
        said = self.facts.thread(
            name=self.name, status=self.projection.status, turns=turns, root_id=root_id
        )
        return attrs.evolve(
            said, cwd=settings.cwd, model=settings.model, reasoning_effort=settings.effort
        )

    # Those who follow -----------------------------------------------------

    @property
    def followers(self) -> tuple[Connection, ...]:
        """The connections that are told, oldest first."""
        return tuple(connection for connection in self._feeds if not connection.ended)

    def follow(self, connection: Connection) -> Feed:
        """
        Tell a connection everything from now on; what it follows already it goes on to.

        Raises:
            ConnectionGone: It has ended.
        """
        feed = self._feeds.get(connection)
        if feed is None:
            if connection.core_events:
                feed = connection.carry(self._core_events().feed(connection))
            else:
                feed = connection.follow(self._channel.subscribe())
            self._feeds[connection] = feed
        return feed

    def _core_events(self) -> CoreEvents:
        if self._core is None:
            write, parent_id = self._connections.notification, self.facts.parent_id
            self._core = CoreEvents(self.thread, write, parent_id, self._next_seq)
        return self._core

    def leave(self, connection: Connection) -> bool:
        """Tell a connection nothing more; say whether it was told anything."""
        feed = self._feeds.pop(connection, None)
        if feed is None:
            return False
        feed.stop()
        if connection.core_events and not any(other.core_events for other in self._feeds):
            self._core = None  # nobody would read what it writes and keeps
        for question in self._questions.values():
            question.lose(connection)
        return True

    async def give_away(self) -> None:
        """
        Let all leave who follow, when they were sent what was said, and tell nobody anything more.

        Another process goes on with the thread; who followed here follows there.
        """
        async with trio.open_nursery() as nursery:
            for connection in self.followers:
                nursery.start_soon(self.settle, connection)
        self._given_away = True
        for connection in tuple(self._feeds):
            self.leave(connection)

    def holding(self, connection: Connection) -> AbstractContextManager[None]:
        """Tell that connection nothing inside of this, and everything afterwards."""
        feed = self._feeds.get(connection)
        return nullcontext() if feed is None else feed.hold()

    async def settle(self, connection: Connection) -> None:
        """Wait until a connection, if it follows, was sent all that was said until now."""
        mark = self._last.get(connection)
        if mark is None:
            if connection not in self._feeds or connection.ended:
                return
            mark = _Mark.of(connection)
            self._publish_mark(mark)
        with trio.move_on_after(_SETTLE):
            await mark.reached.wait()

    async def ask_again(self, connection: Connection) -> None:
        """Put all open questions to a connection that joined, unless it answers by ops."""
        if connection.core_events:
            return
        for question in tuple(self._questions.values()):
            await question.send_to(connection)

    # Waiting ------------------------------------------------------------------

    @contextmanager
    def watch(self, match: Callable[[Event], T | None]) -> Generator[EventWatch[T]]:
        """Look at each event that comes inside of this, before clients are told of it."""
        watch = EventWatch(match)
        self._watches.append(watch)  # type: ignore[arg-type]  # only `offer` and `fail` are used
        if self.ended.is_set():
            watch.fail(ThreadClosed(self.thread_id))
        try:
            yield watch
        finally:
            self._watches.remove(watch)  # type: ignore[arg-type]  # as above

    # Events -------------------------------------------------------------------

    async def run(self, source: Subscription[Event]) -> None:
        """Tell clients of all events, until the thread has ended."""
        try:
            with source:
                await self._take_all(source)
        finally:
            self._close()

    async def _take_all(self, source: Subscription[Event]) -> None:
        while True:
            try:
                events = await source.receive_many()
            except ChannelClosed:
                return
            for number, event in enumerate(events, 1):
                self._take(event)
                if not number % _BURST:
                    await trio.lowlevel.checkpoint()

    def _take(self, event: Event | Lagged) -> None:
        if isinstance(event, Lagged):
            _log.warning("thread %s: clients missed %d events", self.thread_id, event.missed)
            self._send(self.projection.lagged(self.thread.snapshot()))
            return
        self._next_seq = event.seq + 1
        if event.msg.__class__ not in PIECES:
            self._note(event)
            self._on_event(event)
        if self._watches:
            for watch in tuple(self._watches):
                watch.offer(event)
        if self._core is not None:
            self._core.take(event)
        try:
            self._send(self.projection.take(event))
        except Exception:  # noqa: BLE001 -- logged
            # A defect of ours in one event must not end what clients hear of the others.
            _log.exception("thread %s: event %d is told to nobody", self.thread_id, event.seq)

    def _note(self, event: Event) -> None:
        match event.msg:
            case UserMessage(message=message):
                if not self.facts.preview:
                    self._know(preview=preview_of(message))
            case ThreadNameUpdated(thread_name=name):
                self.name = name
            case TurnComplete() | TurnAborted():
                self._know(updated_at=int(self._now()))
            case _:
                pass

    def _know(self, **facts: object) -> None:
        self.facts = attrs.evolve(self.facts, **facts)  # type: ignore[arg-type]  # names of fields

    def _send(self, messages: Iterable[Outgoing]) -> None:
        for message in messages:
            if isinstance(message, ServerRequestDraft):
                self._ask(message)
            elif isinstance(message, RequestResolved):
                self._resolved(message.key)
            else:
                self.tell(message)

    def tell(self, notification: ServerNotification) -> None:
        """Tell all who follow, and some things everybody."""
        for_all = isinstance(notification, _FOR_ALL)
        if self._given_away or not (self._feeds or for_all):
            return
        written = self._connections.notification(METHOD[type(notification)], notification)
        if self._feeds:
            self._channel.publish(written)
        if for_all:
            for connection in self._connections:
                heard = connection in self._feeds and not connection.core_events
                if connection.initialized and not heard:
                    connection.post_notification(written)

    # Questions ----------------------------------------------------------------

    def _ask(self, draft: ServerRequestDraft) -> None:
        if not self.followers:
            self._give(draft, refusal_op(draft))
            return
        question = self._connections.questions.open(
            draft.method, draft.params, scope=self.thread_id
        )
        self._questions[draft.key] = question
        self._channel.publish(question)
        self._nursery.start_soon(self._hear, draft, question)

    async def _hear(self, draft: ServerRequestDraft, question: Question) -> None:
        """Wait for the answer to a question; it is withdrawn when the thread ends."""
        try:
            await self._wait_answer(draft, question)
        except Exception:  # noqa: BLE001 -- logged
            # A defect of ours in one answer; other threads must not pay for it.
            _log.exception("thread %s: the answer to %r is lost", self.thread_id, draft.key)

    async def _wait_answer(self, draft: ServerRequestDraft, question: Question) -> None:
        try:
            answer = await question.wait_answer()
        except RequestWithdrawn:
            return
        finally:
            question.withdraw()
        if isinstance(answer, Response):
            self._give(draft, answer_op(draft, answer.result))
        else:
            self._give(draft, refusal_op(draft))

    def _give(self, draft: ServerRequestDraft, op: Op) -> None:
        """Hand an answer to the thread, if it still waits for it."""
        told = self.projection.answered(draft.key, op)
        if not told:
            return
        self._send(told)
        try:
            self.thread.submit_nowait(op)
        except ThreadClosed:
            return
        except MailboxFull:
            _log.error("thread %s: an answer is lost: %r", self.thread_id, op)

    def note_answer(self, op: Op) -> None:
        """Hear that the thread got an answer otherwise than to a question of ours."""
        key = answer_key(op)
        if key is not None:
            self._send(self.projection.answered(key, op))

    def _resolved(self, key: str) -> None:
        question = self._questions.pop(key, None)
        if question is None:
            return
        question.withdraw()
        self.tell(
            ServerRequestResolvedNotification(thread_id=self.thread_id, request_id=question.id)
        )

    # The end --------------------------------------------------------------------

    def _close(self) -> None:
        self._send(self.projection.close())
        for key in tuple(self._questions):
            self._resolved(key)
        gone = NotLoadedThreadStatus()
        self.tell(ThreadStatusChangedNotification(thread_id=self.thread_id, status=gone))
        self.tell(ThreadClosedNotification(thread_id=self.thread_id))
        if self._core is not None:
            self._core.close()
        for connection in self._feeds:
            mark = self._last[connection] = _Mark.of(connection)
            self._publish_mark(mark)
        self._channel.close()
        if self._core is not None:
            self._core.end()
        self.ended.set()
        for watch in self._watches:
            watch.fail(ThreadClosed(self.thread_id))

    def _publish_mark(self, mark: "_Mark") -> None:
        assert mark.connection is not None  # see `of`
        if self._core is not None and mark.connection.core_events:
            self._core.publish(mark)
        else:
            self._channel.publish(mark)


@attrs.define(eq=False, repr=False)
class _Mark(Question):
    """A place in what a connection is told, which says when it is reached; asks nothing."""

    connection: Connection | None = None
    reached: trio.Event = attrs.field(factory=trio.Event)

    @classmethod
    def of(cls, connection: Connection) -> "_Mark":
        return cls(-1, "", None, b"", lambda _: None, connection=connection)

    async def send_to(self, connection: Asked) -> None:
        """Note that this connection is so far."""
        await trio.lowlevel.checkpoint()
        if connection is self.connection:
            self.reached.set()
