"""One client: its handshake, its requests, and the one queue of all it is told."""

import logging
from typing import Any, Final, TypeAlias, TypeVar, assert_never

import attrs
import trio

from actors.runtime import Subscription, World
from messages.rpc.envelope import ErrorResponse, Notification, Request, Response
from messages.value import Json

from .rpc_calls import Calls, internal_failure, refuse
from .rpc_errors import (
    ConnectionGone,
    FrameError,
    MessageTooLong,
    NotAMessage,
    RpcFailure,
)
from .rpc_feed import Feed, Outgoing
from .rpc_handler import HandlerOf, RequestOf, Welcome
from .rpc_limits import Limits
from .rpc_outbox import Outbox, OutboxStatistics, Overrun
from .rpc_questions import Answer, Questions
from .rpc_text import OutgoingNotification, read_message, write_notification
from .transports.message_stream import CloseCode, Farewell, MessageStream

__all__ = ["ClientRequest", "Connection", "ConnectionStatistics", "Handler", "farewell"]

_log = logging.getLogger("actors")

FeedT = TypeVar("FeedT", bound=Feed)

_FIRST_LOGGED: Final = 5
"""Of what is no message so many are logged, and then each whose number is a power of two."""


def farewell(code: int, reason: str, world: World) -> Farewell:
    """Make what a client is told when we end its connection for a reason of its own."""
    params = {"threadId": None, "message": f"connection closed: {reason}"}
    text = write_notification("warning", params, emitted_at_ms=int(world.now() * 1000)).text
    return Farewell(code=code, reason=reason, message=text)


@attrs.frozen(kw_only=True)
class ConnectionStatistics:
    """
    One look at a connection.

    Attributes:
        id: Its number in this process.
        peer: Who is at the other end.
        initialized: Whether ``initialize`` was answered.
        in_flight: Requests that are not answered.
        feeds: How much it follows.
        unreadable: What came that was no message.
        outbox: What waits for it.
    """

    id: int
    peer: str
    initialized: bool
    in_flight: int
    feeds: int
    unreadable: int
    outbox: OutboxStatistics


@attrs.define(eq=False, repr=False)
class Connection:
    """
    One client, from its first message to its last.

    Requests are read one at a time and handled beside each other; see `Handler`.  All
    that goes to the client goes through one bounded queue, in the order in which it was
    queued.  When the queue is full, whoever has something to say waits, and so does the
    reading of more requests, so that a slow client holds up nobody but itself; one that
    takes nothing for longer than `Limits.patience` meanwhile is closed, with a line in
    the log.

    A request beyond `Limits.in_flight` is answered with the overload error, for certain.
    Answers of the client and notifications are never refused: they take no room.

    When the client says no more, what it asked has `Limits.grace` to be answered.

    Made and run by `Connections`.

    Attributes:
        id: Its number in this process, never said to anybody.
        limits: Its bounds.
    """

    id: int
    limits: Limits
    _stream: MessageStream
    _handler: "Handler"
    _questions: Questions
    _world: World

    _outbox: Outbox = attrs.field(init=False)
    _welcome: Welcome | None = attrs.field(default=None, init=False)
    _calls: Calls | None = attrs.field(default=None, init=False)
    # Where feeds run; None when nothing can be followed (yet, or any more).
    _feeds: trio.Nursery | None = attrs.field(default=None, init=False)
    _reading: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _unreadable: int = attrs.field(default=0, init=False)
    # What the client is told at the end, and whether it can still be told anything.
    _farewell: Farewell | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._outbox = Outbox(self.name, self.limits)

    # What it is ------------------------------------------------------------

    @property
    def name(self) -> str:
        """For logs and errors."""
        return f"connection {self.id} ({self._stream.peer})"

    @property
    def initialized(self) -> bool:
        """Whether its ``initialize`` was answered."""
        return self._welcome is not None

    @property
    def experimental(self) -> bool:
        """Whether it may use what is experimental."""
        return self._welcome is not None and self._welcome.experimental

    @property
    def opted_out(self) -> frozenset[str]:
        """Notifications that it does not want."""
        return frozenset() if self._welcome is None else self._welcome.opted_out

    @property
    def core_events(self) -> bool:
        """Whether it follows threads by their events; see `CoreEvents`."""
        return self._welcome is not None and self._welcome.core_events

    @property
    def ended(self) -> bool:
        """Whether nothing more can be sent to it."""
        return self._ended

    def statistics(self) -> ConnectionStatistics:
        """Return how much it has to do."""
        return ConnectionStatistics(
            id=self.id,
            peer=self._stream.peer,
            initialized=self.initialized,
            in_flight=0 if self._calls is None else self._calls.in_flight,
            feeds=0 if self._feeds is None else len(self._feeds.child_tasks),
            unreadable=self._unreadable,
            outbox=self._outbox.statistics(),
        )

    def __repr__(self) -> str:
        now = self.statistics()
        state = "ended" if self._ended else "initialized" if now.initialized else "new"
        queued = f"{now.outbox.queued}/{self.limits.outbound} queued"
        return f"<Connection {self.id} ({now.peer}): {state}, {now.in_flight} in flight, {queued}>"

    # Saying something --------------------------------------------------------

    async def put(self, message: bytes) -> None:
        """Queue a message that is written already; see `Outbox.put`."""
        await self._outbox.put(message)

    async def send_notification(self, notification: OutgoingNotification) -> None:
        """
        Queue a notification, unless the client has opted out of it; wait for room.

        Raises:
            ConnectionGone: The connection has ended.

        Cancellation:
            Raises `trio.Cancelled` with nothing queued.
        """
        if notification.method not in self.opted_out:
            await self._outbox.put(notification.text)

    def post_notification(self, notification: OutgoingNotification) -> None:
        """
        Queue a notification, or leave it in line until there is room; never wait.

        For what goes to everybody.  A client for which too many are in line is closed.
        Nothing when the connection has ended.
        """
        if self._ended or notification.method in self.opted_out:
            return
        try:
            self._outbox.post(notification.text)
        except ConnectionGone:
            return
        except Overrun:
            self._give_up(f"more than {self.limits.posted} broadcasts waited for it")

    async def send_request(self, method: str, params: Json) -> Answer:
        """
        Ask this client alone, and wait for its answer.

        To ask several, see `Questions.open`.

        Raises:
            ConnectionGone: The connection has ended without an answer.
            EncodeError: The params have no form in JSON.

        Cancellation:
            The question is withdrawn; an answer that comes later is ignored.
        """
        question = self._questions.open(method, params, personal=True)
        try:
            await question.send_to(self)
            return await question.wait_answer()
        finally:
            question.withdraw()

    def follow(self, source: Subscription[Outgoing]) -> Feed:
        """
        Tell the client what is published, from where *source* stands, until it ends.

        The feed closes *source* when it stops.

        Raises:
            ConnectionGone: The connection has ended; *source* is closed.
        """
        return self.carry(Feed(self, source))

    def carry(self, feed: FeedT) -> FeedT:
        """
        Run a feed to this connection until it ends; see `follow`.

        Raises:
            ConnectionGone: The connection has ended; the feed's source is closed.
        """
        if self._feeds is None or self._ended:
            feed.close()
            raise ConnectionGone(self.name)
        self._feeds.start_soon(feed.run, name=f"feed of {self.name}")
        return feed

    def close(self, reason: str) -> None:
        """End the connection: read nothing more, and send what is queued, if that is quick."""
        self._end(farewell(CloseCode.GOING_AWAY, reason, self._world))

    def fell_behind(self, missed: int) -> None:
        """End the connection because it would have missed so many messages."""
        self._give_up(f"it is {missed} messages further behind than we keep")

    # Its life ------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until it or we end the connection; never raises what it did."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, name=f"writer of {self.name}")
                await self._converse()
                self._outbox.close()
                # What is left for the writer.
                nursery.cancel_scope.deadline = trio.current_time() + self.limits.flush
        finally:
            self._ended = True
            self._outbox.close(discard=True)
            self._questions.lose(self)
            try:
                self._handler.disconnected(self)
            finally:
                words = self._farewell or Farewell(code=CloseCode.GOING_AWAY)
                with trio.move_on_after(self.limits.farewell, shield=True):
                    await self._stream.aclose(words)

    async def _converse(self) -> None:
        async with trio.open_nursery() as calls:
            self._calls = Calls(self.limits.in_flight, self._handler, calls)
            async with trio.open_nursery() as self._feeds:
                with self._reading:
                    await self._read()
                self._feeds.cancel_scope.cancel()
            self._feeds = None
            calls.cancel_scope.deadline = trio.current_time() + self.limits.grace

    def _end(self, words: Farewell) -> None:
        # The first reason is the one that counts.
        if self._farewell is None:
            self._farewell = words
        self._reading.cancel()

    def _give_up(self, reason: str) -> None:
        """End it at once: what is queued cannot be sent, or makes no sense any more."""
        if not self._ended:
            _log.warning("%s is closed: %s", self.name, reason)
            self._ended = True
            self._end(farewell(CloseCode.POLICY_VIOLATION, reason, self._world))
            self._outbox.close(discard=True)

    def _gone(self) -> None:
        self._ended = True
        self._end(Farewell())
        self._outbox.close(discard=True)

    # Its two halves ------------------------------------------------------------

    async def _write(self) -> None:
        try:
            while messages := await self._outbox.take():
                with self._outbox.sending() as scope:
                    await self._stream.send(messages, self._outbox.progress)
                if scope.cancelled_caught:
                    self._lose_patience()
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("%s is gone", self.name)
            self._gone()

    def _lose_patience(self) -> None:
        waiting = self._outbox.statistics()
        size = f"{waiting.queued} messages of {waiting.queued_bytes} bytes"
        self._give_up(f"it took nothing for {self.limits.patience:g} s while {size} waited for it")

    async def _read(self) -> None:
        try:
            while (text := await self._stream.receive()) is not None:
                await self._take(text)
                # What came in one piece must not keep others, and its own calls, from running.
                await trio.lowlevel.checkpoint()
        except MessageTooLong as problem:
            self._refuse_to_read(CloseCode.TOO_BIG, str(problem))
        except FrameError as problem:
            self._refuse_to_read(problem.code, problem.problem)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._gone()
        else:
            self._end(Farewell())

    def _refuse_to_read(self, code: int, problem: str) -> None:
        _log.warning("%s is closed: %s", self.name, problem)
        self._end(farewell(code, problem, self._world))

    async def _take(self, text: bytes | str) -> None:
        try:
            message = read_message(text)
        except NotAMessage as problem:
            self._log_unreadable(len(text), problem)
            return
        match message:
            case Request():
                await self._take_request(message)
            case Notification(method=method):
                # Clients have nothing to notify us of: `initialized` is a courtesy.
                _log.debug("%s notified of %r", self.name, method[:64])
            case Response() | ErrorResponse():
                self._questions.answer(self, message)
            case _:
                assert_never(message)

    def _log_unreadable(self, size: int, problem: NotAMessage) -> None:
        self._unreadable += 1
        count = self._unreadable
        if count <= _FIRST_LOGGED or not count & (count - 1):
            line = "%s sent what is no message (number %d, size %d): %s"
            _log.warning(line, self.name, count, size, problem)

    # Requests ------------------------------------------------------------------

    async def _take_request(self, asked: Request) -> None:
        request: ClientRequest = RequestOf(
            id=asked.id, method=asked.method, params=None, connection=self
        )
        try:
            request.params = self._handler.read(asked.method, asked.params)
            if asked.method == "initialize":
                await self._initialize(request)
            else:
                self._start(request, request.params)
        except ConnectionGone:
            raise
        except RpcFailure as failure:
            await refuse(request, failure)
        except Exception:  # noqa: BLE001 -- logged, and answered
            _log.exception("%s crashed", asked.method[:64])
            await refuse(request, internal_failure(asked.method[:64]))

    async def _initialize(self, request: "ClientRequest") -> None:
        if self.initialized:
            raise RpcFailure.invalid("Already initialized")
        welcome = await self._handler.initialize(self, request)
        if not request.answered:
            await request.respond(welcome.result)
        # After the answer is queued, so that nothing that goes to everybody is before it.
        self._welcome = welcome

    def _start(self, request: "ClientRequest", params: Any) -> None:
        assert self._calls is not None
        if not self.initialized:
            raise RpcFailure.invalid("Not initialized")
        reason = self._handler.experimental_reason(request.method, params)
        if reason is not None and not self.experimental:
            raise RpcFailure.invalid(f"{reason} requires experimentalApi capability")
        if self._calls.full:
            raise RpcFailure.overloaded()
        self._calls.start(request)


ClientRequest: TypeAlias = RequestOf[Connection]
"""A request of a client that came by a connection."""

Handler: TypeAlias = HandlerOf[Connection]
"""Who answers the requests of connections."""
