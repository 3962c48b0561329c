"""One client at one worker: a connection of its own there, and what passes through it."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson
import trio

from actors.server.rpc_connection import Connection
from actors.server.rpc_errors import ConnectionGone, MessageTooLong, NotAMessage
from actors.server.rpc_limits import Limits
from actors.server.rpc_outbox import Outbox
from actors.server.rpc_questions import Questions
from actors.server.rpc_text import write_request
from actors.server.transports.message_stream import Farewell, MessageStream
from messages.value import Json

from ..errors import WorkerLost
from .call import Call, UpstreamState
from .questions import Relay
from .skill_news import SkillNews
from .text import (
    ANSWER,
    METHOD,
    REFUSAL,
    answered_id,
    params_of,
    readdressed,
    refusal_of,
)
from .told import HOME_ONLY, NOTED, Told

if TYPE_CHECKING:
    from ..process.worker import Worker

__all__ = ["Upstream"]

_log = logging.getLogger("actors")

_RESOLVED: Final = b"serverRequest/resolved"
_SKILLS: Final = b"skills/changed"
_LOOKED_INTO: Final = frozenset({*NOTED, *HOME_ONLY, _RESOLVED, _SKILLS})

_CLOSING: Final = 0.5


@attrs.define(eq=False, repr=False)
class Upstream:
    """
    Carries what one client asks to one worker, and all that the worker says to that client.

    To the worker it is a client like any other.  Requests get ids of the front's own,
    because the front has questions, too; answers get the client's back.  Everything
    passes in the order in which the worker said it, at the pace of the client: one that
    takes nothing makes the worker wait, until either side loses patience.

    Attributes:
        worker: Which.
        connection: Which client.
        is_home: Whether this is the client's own worker.
        told: What the client was told here that is not over.
        relay: What the client is asked here.
        state: How far it is.
        over: Set when it has ended, and the client was told what follows from that.
    """

    worker: "Worker"
    connection: Connection
    told: Told
    _news: SkillNews
    _questions: Questions
    _limits: Limits
    is_home: bool = False
    state: UpstreamState = attrs.field(default=UpstreamState.CONNECTING, init=False)
    over: trio.Event = attrs.field(factory=trio.Event, init=False)
    relay: Relay = attrs.field(init=False)
    _outbox: Outbox = attrs.field(init=False)
    # By our id.  As many as the client may have in flight, and those of the front.
    _calls: dict[int, Call] = attrs.field(factory=dict[int, Call], init=False)
    _next_id: int = attrs.field(default=0, init=False)
    # Whether what a worker says when it welcomes somebody may be over.
    _greeted: bool = attrs.field(default=False, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._outbox = Outbox(self.name, self._limits)
        self.relay = Relay(self._questions, self.connection, self._send)

    @property
    def name(self) -> str:
        """For logs."""
        return f"{self.connection.name} at worker {self.worker.number}"

    def __repr__(self) -> str:
        return f"<Upstream of {self.name}: {self.state.value}, {len(self._calls)} in flight>"

    # Its life ------------------------------------------------------------------

    async def run(self, ended: "Callable[[Upstream], Awaitable[None]]") -> None:
        """
        Carry until the worker or the client has ended, or it is closed.

        Args:
            ended: Called when the worker says no more to a client who is still there.
        """
        try:
            with self._scope:
                await self._serve()
                self._enter(UpstreamState.ENDED)
                if not self.connection.ended:
                    await ended(self)
        finally:
            self._enter(UpstreamState.ENDED)
            self.relay.take_open()
            self.lose_calls()
            self.over.set()

    def close(self) -> None:
        """End at once: the client has left."""
        self._scope.cancel()

    async def _serve(self) -> None:
        try:
            stream = await self.worker.connect(self.connection.id)
        except WorkerLost:
            return
        except OSError as exc:
            # No more descriptors, for example.  The client would miss what others hear.
            _log.exception("%s cannot be connected", self.name)
            self.connection.close(f"worker {self.worker.number} cannot be reached: {exc.strerror}")
            return
        try:
            self._enter(UpstreamState.CONNECTED)
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._write, stream, name=f"writer of {self.name}")
                await self._read(stream)
                self._nursery.cancel_scope.cancel()
        finally:
            with trio.move_on_after(_CLOSING, shield=True):
                await stream.aclose(Farewell())

    def _enter(self, state: UpstreamState) -> None:
        self.state = state
        if state is UpstreamState.ENDED:
            self._outbox.close(discard=True)
        self._changed.set()
        self._changed = trio.Event()

    def welcomed(self) -> None:
        """Note that the worker knows who the client is."""
        if self.state is UpstreamState.CONNECTED:
            self._enter(UpstreamState.READY)

    async def wait_state(self, *states: UpstreamState) -> None:
        """
        Wait until it is in one of these states.

        Raises:
            WorkerLost: It has ended.
        """
        while self.state not in states:
            if self.state is UpstreamState.ENDED:
                raise WorkerLost(self.worker.number, self.worker.pid)
            await self._changed.wait()

    # To the worker ---------------------------------------------------------------

    async def call(self, call: Call, params: Json) -> None:
        """
        Send a request, and wait until it is answered; its answer is passed on or kept.

        Args:
            call: What is asked, by whom.
            params: As they came.

        Raises:
            WorkerLost: The worker died, or this ended, before there was an answer.
            RpcFailure: It was refused; only for what is not passed on.

        Cancellation:
            The worker may do it all the same.
        """
        number = self._next_id
        self._next_id += 1
        self._calls[number] = call
        try:
            await self._outbox.put(write_request(number, call.method, params))
            await call.over.wait()
        except ConnectionGone:
            # Whoever ends this answers what cannot be asked again; nobody else does.
            await self.over.wait()
        finally:
            self._calls.pop(number, None)
        if call.refused is not None:
            raise call.refused
        if not call.is_done:
            raise WorkerLost(self.worker.number, self.worker.pid)

    async def _send(self, text: bytes) -> None:
        try:
            await self._outbox.put(text)
        except ConnectionGone:
            raise WorkerLost(self.worker.number, self.worker.pid) from None

    async def _write(self, stream: MessageStream) -> None:
        try:
            while messages := await self._outbox.take():
                await stream.send(messages, _nothing)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("%s takes no more", self.name)  # what it said is still read

    # From the worker ---------------------------------------------------------------

    async def _read(self, stream: MessageStream) -> None:
        try:
            while (line := await stream.receive()) is not None:
                await self._take(line if isinstance(line, bytes) else line.encode())
        except ConnectionGone:
            _log.debug("%s has left", self.connection.name)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("%s is cut off", self.name)
        except (NotAMessage, MessageTooLong) as problem:
            self._disbelieve(problem)

    def _disbelieve(self, problem: Exception) -> None:
        _log.error("%s: the worker says what it should not, and is killed: %s", self.name, problem)
        self.worker.kill()

    async def _take(self, line: bytes) -> None:
        if line.startswith(METHOD):
            end = line.find(b'"', len(METHOD))
            method = line[len(METHOD) : end]
            if line.startswith(b',"id":', end + 1):
                await self._take_question(line)
            elif method in _LOOKED_INTO:
                await self._look_into(method, line)
            else:
                await self.connection.put(line)
        elif line.startswith((ANSWER, REFUSAL)):
            await self._take_answer(line)
        else:
            raise NotAMessage("neither a notification nor a question nor an answer")

    async def _look_into(self, method: bytes, line: bytes) -> None:
        if method == _SKILLS:
            await self._news.take(line)
            return
        if method in HOME_ONLY:
            # What is odd about the configuration was told by the client's first worker.
            if self.is_home and self._greeted:
                await self.connection.put(line)
            return
        params = params_of(line)
        if method == _RESOLVED:
            await self._take_settled(line, params)
            return
        self.told.note(method, params)
        await self.connection.put(line)

    async def _take_question(self, line: bytes) -> None:
        assert self._nursery is not None  # it is read inside of it
        try:
            message: Any = orjson.loads(line)
        except orjson.JSONDecodeError as exc:
            raise NotAMessage(f"no JSON: {exc.msg} at position {exc.pos}") from None
        await self.relay.ask(message, self._nursery)

    async def _take_settled(self, line: bytes, params: dict[str, Any]) -> None:
        own = self.relay.settled(params.get("requestId"))
        if own is None:
            return  # the client was never asked
        message: dict[str, Any] = orjson.loads(line)
        message["params"] = params | {"requestId": own}
        await self.connection.put(orjson.dumps(message))

    async def _take_answer(self, line: bytes) -> None:
        number = answered_id(line)
        if number >= self._next_id or not line.endswith(b"}"):
            raise NotAMessage("an answer to what was not asked")
        call = self._calls.pop(number, None)
        if call is None:
            return  # whoever asked has left
        try:
            await self._pass_on(call, line)
        finally:
            call.over.set()

    async def _pass_on(self, call: Call, line: bytes) -> None:
        refused = line.startswith(REFUSAL)
        if refused and (call.request is None or call.before is not None):
            call.refused = refusal_of(line)
            return
        if not refused and call.succeeded is not None:
            call.succeeded(line)
        if call.before is not None:
            await call.before()
        if call.request is None:
            call.answer = line
        else:
            await call.request.connection.put(readdressed(line, call.request.id))
            call.request.answered = True
        self._greeted = self._greeted or call.method != "initialize" or call.request is not None

    # Its end ---------------------------------------------------------------------------

    def unanswered(self) -> tuple[Call, ...]:
        """List what was asked and not answered, oldest first."""
        return tuple(call for call in self._calls.values() if not call.is_done)

    def lose_calls(self) -> None:
        """Let those who wait for an answer know that there will be none."""
        for call in self._calls.values():
            call.over.set()


def _nothing() -> None:
    """Stand for progress, of which a worker needs to make none; its heart is listened to."""
