"""One connection to an app-server: requests with their answers, and what else it says."""

import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, assert_never

import attrs
import orjson
import trio

from actors.config import own_version
from actors.runtime import EventChannel, Subscription
from actors.server.rpc_errors import FrameError, MessageTooLong, NotAMessage
from actors.server.rpc_limits import Limits
from actors.server.rpc_text import read_message, write_request
from actors.server.transports.message_stream import Farewell, MessageStream
from messages.codec import from_json, to_json
from messages.errors import DecodeError
from messages.rpc.envelope import (
    OVERLOADED,
    ErrorResponse,
    Notification,
    Request,
    Response,
    RpcMessage,
)
from messages.rpc.handshake import (
    ClientInfo,
    InitializeCapabilities,
    InitializeParams,
    InitializeResponse,
)
from messages.value import Json

from .dialling import dial
from .ending import open_ending_nursery
from .errors import CannotConnect, ConnectionLost, RpcCallError
from .rpc_calls import Call, ServerRequest

__all__ = ["URGENT", "RpcClient", "RpcClientStatistics", "open_rpc_client"]

_log = logging.getLogger("actors")

_AT_ONCE: Final = 96
"""Requests in flight before another one waits; servers refuse what is beyond 128."""

URGENT: Final = 32
"""So many more may be in flight of those that must not wait: interrupts and answers."""

_NOTIFICATIONS: Final = 1024
"""Notifications kept for slow readers; a reader that is further behind gets a `Lagged`."""

_QUESTIONS: Final = 128
"""Requests of the server that wait to be taken; one more is refused."""

_BURST: Final = 64
"""Messages that are read without letting other tasks run."""

_FLUSH: Final = 1.0
"""Seconds that what is queued may take to be sent when the block ends."""

_FAREWELL: Final = 0.5
"""Seconds that closing may take when the other side does not close."""

_LAST_WORDS: Final = 1.0
"""Seconds that the rest of what the server said may take when it takes nothing any more."""

_CLOSED: Final = "connection closed: "
"""How a server begins its last words."""


@attrs.frozen(kw_only=True)
class RpcClientStatistics:
    """
    One look at a client.

    Attributes:
        server: Who is at the other end.
        in_flight: Requests that are not answered.
        unsent: Messages that wait to be written.
        questions: Requests of the server that nobody took yet.
        lost: Why the connection has ended; None while it lasts.
    """

    server: str
    in_flight: int
    unsent: int
    questions: int
    lost: str | None


@attrs.define(eq=False, repr=False)
class RpcClient:
    """
    Asks one server, and hears what it says; made by `open_rpc_client`.

    Requests go side by side, and answers find theirs by id, in any order.  All that is
    said between two runs of the writer goes out in one write.

    What the server says never waits for anybody here: notifications are kept in a ring,
    whose slow readers get a `Lagged`; a request of the server for which there is no room
    is refused with the overload error.

    When the connection ends, it is not made again: each request in flight raises a
    `ConnectionLost` that says what became of it, and so does each later one.

    Attributes:
        server: Who is at the other end, for people.
        welcome: How the server introduced itself.
        lost: Why the connection has ended; None while it lasts.
    """

    server: str
    _stream: MessageStream
    # Gets notifications in place of the ring; must not wait.
    _listener: Callable[[Notification], None] | None = None
    _on_lost: Callable[[ConnectionLost], None] | None = None
    welcome: InitializeResponse = attrs.field(init=False)
    lost: ConnectionLost | None = attrs.field(default=None, init=False)

    _last_id: int = attrs.field(default=0, init=False)
    # By id; bounded by _AT_ONCE and URGENT.
    _calls: dict[int, Call] = attrs.field(factory=dict[int, Call], init=False)
    _room: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(_AT_ONCE), init=False)
    _urgent: int = attrs.field(default=0, init=False)
    # Bounded by the calls, and by the requests of the server that are answered.
    _unsent: deque[tuple[bytes, Call | None]] = attrs.field(
        factory=deque[tuple[bytes, Call | None]], init=False
    )
    _work: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _idle: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _sending: bool = attrs.field(default=False, init=False)
    _reading: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _last_words: str = attrs.field(default="", init=False)
    _notifications: EventChannel[Notification] = attrs.field(
        factory=lambda: EventChannel[Notification](capacity=_NOTIFICATIONS), init=False
    )
    _asked: trio.MemorySendChannel[ServerRequest] = attrs.field(init=False)
    _questions: trio.MemoryReceiveChannel[ServerRequest] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._asked, self._questions = trio.open_memory_channel[ServerRequest](_QUESTIONS)

    # Asking ------------------------------------------------------------------

    async def request(self, method: str, params: Json = None, *, urgent: bool = False) -> Json:
        """
        Ask something, and wait for the answer; wait for room when 96 are in flight.

        Args:
            method: What is asked.
            params: JSON, or values of `messages` in place of any of it.
            urgent: Whether it must not wait for others, as interrupts must not.

        Raises:
            RpcCallError: It was refused.
            ConnectionLost: There will be no answer.
            EncodeError: The params have no form in JSON; nothing was sent.
            trio.WouldBlock: 32 urgent ones are in flight already; nothing was sent.

        Cancellation:
            It may be carried out; its answer is thrown away.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if urgent:
            return await self._answer(self.request_nowait(method, params))
        async with self._room:
            return await self._answer(self._call(method, params))

    def request_nowait(self, method: str, params: Json = None) -> Call:
        """
        Ask something urgent, and go on; else as `request`.

        Requests that are asked one after another without waiting are sent in that order.
        """
        if self._urgent >= URGENT:
            raise trio.WouldBlock(f"{URGENT} urgent requests are in flight to {self.server}")
        return self._call(method, params, urgent=True)

    def _call(self, method: str, params: Json, *, urgent: bool = False) -> Call:
        call = Call(self._last_id + 1, method, urgent)
        text = write_request(call.id, method, params)
        if self.lost is not None:
            raise self.lost.about(method, sent=False)
        self._last_id = call.id
        self._calls[call.id] = call
        self._urgent += urgent
        self._put(text, call)
        return call

    async def _answer(self, call: Call) -> Json:
        try:
            return await call.wait()
        finally:
            self._end(call.id)

    def _end(self, call_id: int) -> Call | None:
        """Wait for the answer to a request no longer; None when nobody did."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            self._urgent -= call.urgent
        return call

    def notify(self, method: str, params: Json = None) -> None:
        """Tell the server something; nothing when it is gone."""
        message = {"method": method} if params is None else {"method": method, "params": params}
        self._say(orjson.dumps(message, default=to_json))

    # Hearing -----------------------------------------------------------------

    def notifications(self, *, from_seq: int | None = None) -> Subscription[Notification]:
        """
        Hear what the server says without being asked.

        Args:
            from_seq: 1 for everything since the beginning, as far as it is kept; None
                for what comes from now on.

        Raises:
            ValueError: *from_seq* is below 1 or beyond the next one.
        """
        return self._notifications.subscribe(from_seq=from_seq)

    async def next_server_request(self) -> ServerRequest:
        """
        Wait for something that the server asks.

        Raises:
            ConnectionLost: Nothing more will come, and all was taken.

        Cancellation:
            None is lost.
        """
        try:
            return await self._questions.receive()
        except trio.EndOfChannel:
            assert self.lost is not None  # closed by `_lose` only
            raise self.lost.again() from None

    def statistics(self) -> RpcClientStatistics:
        """Return what is in flight and what waits."""
        return RpcClientStatistics(
            server=self.server,
            in_flight=len(self._calls),
            unsent=len(self._unsent),
            questions=self._questions.statistics().current_buffer_used,
            lost=None if self.lost is None else str(self.lost),
        )

    def __repr__(self) -> str:
        now = self.statistics()
        state = "connected" if self.lost is None else "lost"
        return f"<RpcClient {self.server}: {state}, {now.in_flight} in flight>"

    # Its life ------------------------------------------------------------------

    async def introduce(self, params: InitializeParams) -> None:
        """
        Shake hands; the first thing that is asked.

        Raises:
            CannotConnect: The server does not want us, or is none of ours.
        """
        try:
            answer = await self.request("initialize", params)
            self.welcome = from_json(answer, InitializeResponse)
        except RpcCallError as exc:
            raise CannotConnect(self.server, exc.message) from exc
        except ConnectionLost as exc:
            raise CannotConnect(self.server, exc.problem) from exc
        except DecodeError as exc:
            problem = f"what it answers to initialize makes no sense: {exc}"
            raise CannotConnect(self.server, problem) from exc
        self.notify("initialized")

    async def run(self) -> None:
        """Carry messages until the connection ends; for `open_rpc_client`."""
        problem = "the client was closed"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, name=f"writer to {self.server}")
                with self._reading:
                    problem = await self._read()
                if self._reading.cancelled_caught:
                    problem = "the server takes nothing any more"
                nursery.cancel_scope.cancel()
        finally:
            self._lose(ConnectionLost(self.server, problem))

    async def flush(self) -> None:
        """Wait until what was said is sent, or cannot be."""
        while (self._unsent or self._sending) and self.lost is None:
            await self._idle.park()

    def _lose(self, lost: ConnectionLost) -> None:
        self.lost = lost
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.fail(lost.about(call.method, sent=call.sent))
        self._unsent.clear()
        self._notifications.close()
        self._asked.close()
        self._idle.unpark_all()
        if self._on_lost is not None:
            self._on_lost(lost)

    # Its two halves ------------------------------------------------------------

    def _say(self, text: bytes) -> None:
        if self.lost is None:
            self._put(text, None)

    def _put(self, text: bytes, call: Call | None) -> None:
        self._unsent.append((text, call))
        self._work.unpark_all()

    async def _write(self) -> None:
        try:
            while True:
                while not self._unsent:
                    self._idle.unpark_all()
                    await self._work.park()
                await self._send_all()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # What the server said last may still be read, and says why.
            self._reading.deadline = trio.current_time() + _LAST_WORDS

    async def _send_all(self) -> None:
        messages, self._unsent = self._unsent, deque[tuple[bytes, Call | None]]()
        for _, call in messages:
            if call is not None:
                call.sent = True
        self._sending = True
        await self._stream.send([text for text, _ in messages], lambda: None)
        self._sending = False

    async def _read(self) -> str:
        """Read to the end, and say why it is the end."""
        seen = 0
        try:
            while (text := await self._stream.receive()) is not None:
                self._take(read_message(text))
                seen += 1
                if seen % _BURST == 0:
                    await trio.lowlevel.checkpoint()
        except NotAMessage as exc:
            return f"the server sent what is no message: {exc}"
        except MessageTooLong as exc:
            return f"the server sent too much: {exc}"
        except FrameError as exc:
            return f"the server broke the rules of WebSocket: {exc}"
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            return self._last_words or str(exc) or "the server is gone"
        return self._last_words or "the server closed it"

    def _take(self, message: RpcMessage) -> None:
        match message:
            case Notification():
                self._take_notification(message)
            case Response() | ErrorResponse():
                self._take_answer(message)
            case Request():
                self._take_request(message)
            case _:
                assert_never(message)

    def _take_notification(self, message: Notification) -> None:
        match message:
            case Notification(method="warning", params={"message": str(said)}):
                if said.startswith(_CLOSED):
                    self._last_words = f"the server closed it: {said.removeprefix(_CLOSED)}"
            case _:
                pass
        if self._listener is not None:
            self._listener(message)
        else:
            self._notifications.publish(message)

    def _take_answer(self, message: Response | ErrorResponse) -> None:
        # "7" is not 7: our ids are integers.
        call = self._end(message.id) if isinstance(message.id, int) else None
        if call is None:
            _log.debug("%s answered %.32r, which was not asked", self.server, message.id)
        elif isinstance(message, Response):
            call.answer(message.result)
        else:
            call.fail(RpcCallError.of(call.method, message.error))

    def _take_request(self, message: Request) -> None:
        asked = ServerRequest(message.id, message.method, message.params, self._say)
        try:
            self._asked.send_nowait(asked)
        except trio.WouldBlock:
            asked.refuse(OVERLOADED, f"the client has {_QUESTIONS} requests to answer already")


def introduction(
    client_info: ClientInfo | None, capabilities: InitializeCapabilities | None
) -> InitializeParams:
    """Say who we are; this program, and nothing special, when nobody says otherwise."""
    return InitializeParams(
        client_info=client_info or ClientInfo(name="treadle", version=own_version()),
        capabilities=capabilities,
    )


@asynccontextmanager
async def open_rpc_client(
    where: str | MessageStream,
    *,
    token: str | None = None,
    client_info: ClientInfo | None = None,
    capabilities: InitializeCapabilities | None = None,
    limits: Limits | None = None,
    listener: Callable[[Notification], None] | None = None,
    on_lost: Callable[[ConnectionLost], None] | None = None,
) -> AsyncGenerator[RpcClient]:
    """
    Talk to an app-server for as long as the block lasts.

    Args:
        where: ``unix://PATH``, ``ws://HOST:PORT``, or a stream, which is closed in the end.
        token: What a server at a TCP port wants to know.
        client_info: Who we are; the server notes it in new threads.
        capabilities: What we can do; nothing special by default.
        limits: `Limits.message_bytes` is the longest message that is read.
        listener:
            Called with each notification, in place of `RpcClient.notifications`; must
            not wait, and an error of it ends the block.
        on_lost: Called once when the connection has ended; must not wait.

    Raises:
        CannotConnect: Nobody is there, or it does not want us.
        TokenRejected: It wants another token.
        ValueError: The address has none of the forms, or the token cannot be one.

    Cancellation:
        The connection is closed.
    """
    limits = limits or Limits()
    stream = await dial(where, token, limits) if isinstance(where, str) else where
    if token is not None and not isinstance(where, str):
        raise ValueError("a stream needs no token; leave it out")
    client = RpcClient(stream.peer, stream, listener, on_lost)
    try:
        async with open_ending_nursery() as nursery:
            nursery.start_soon(client.run, name=f"connection to {client.server}")
            await client.introduce(introduction(client_info, capabilities))
            yield client
            with trio.move_on_after(_FLUSH):
                await client.flush()
    finally:
        with trio.move_on_after(_FAREWELL, shield=True):
            await stream.aclose(Farewell())
