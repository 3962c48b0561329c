"""The client of a case: it plays the same script to either server, and everything is noted."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import trio

from tests.interop.alike.transcript import Entry, Scrubber, entries_of, model_entry
from tests.interop.app_server import AppServer, JsonObject, RpcError, ServerRequest, open_app_server
from tests.interop.codex_home import write_config
from tests.interop.codex_turns import FinishedTurn, start_turn, text_input, wait_turn_end
from tests.interop.mock_responses import MockResponses, RecordedRequest, Reply, refusal

__all__ = ["Answer", "Choice", "Client", "EndLost", "Played"]

_PATIENCE: Final = 20.0
_SETTLED: Final = "settled"

Answer = Callable[[ServerRequest], Awaitable[JsonObject]]
"""What the client answers when it is asked."""


Choice = Callable[[RecordedRequest], Reply]
"""What the model says, when that depends on what it is asked."""


class EndLost(Exception):  # noqa: N818 -- a condition; the case is played again
    """Codex 0.104 lost the end of a turn, as it does now and then."""


@attrs.frozen(kw_only=True)
class Played:
    """
    How a case went on one side; it can be written as JSON.

    Attributes:
        entries: What came, in its order, then what the model was asked.
        raw: All messages of the server as they came, each with the method that it answers.
        crash: What ended the script before its time; None for nothing.
    """

    entries: list[Entry]
    raw: list[tuple[str | None, JsonObject]]
    crash: str | None


@attrs.define(eq=False)
class Client:
    """
    Plays a case to one server.

    Attributes:
        program: Is run as server.
        home: Of the server.
        project: Where threads work; the case's own.
        mock: The model.
        answer: Answers what the server asks.
    """

    program: Path
    home: Path
    project: Path
    mock: MockResponses
    answer: Answer | None = attrs.field(default=None, init=False)
    _server: AppServer | None = attrs.field(default=None, init=False)
    _replies: Iterator[Reply | Choice] = attrs.field(factory=lambda: iter(()), init=False)
    _tools: set[str] = attrs.field(factory=set, init=False)
    _log: list[tuple[Literal["sent", "came"], JsonObject]] = attrs.field(factory=list, init=False)
    _methods: dict[str, str] = attrs.field(factory=dict, init=False)
    # What was asked in a line, and when it is answered.
    _called: tuple[Any, trio.Event] = attrs.field(
        factory=lambda: (object(), trio.Event()), init=False
    )
    _silent: bool = attrs.field(default=False, init=False)
    _since: int = attrs.field(default=0, init=False)
    _requests: list[RecordedRequest] = attrs.field(factory=list, init=False)
    _asked: trio.Event = attrs.field(factory=trio.Event, init=False)

    # For the stage ------------------------------------------------------

    def use(self, server: AppServer | None) -> None:
        """Talk to this server from now on."""
        self._server, self._since = server, 0 if server is None else server.position

    def hear(self, direction: Literal["sent", "came"], message: JsonObject) -> None:
        """Note a message."""
        if direction == "came" and "method" not in message and message.get("id") == self._called[0]:
            self._called[1].set()
            if self._called[0] == _SETTLED:
                return
        if not self._silent or ("method" in message and direction == "came"):
            self._log.append((direction, json.loads(json.dumps(message))))

    def heard(self) -> Iterator[JsonObject]:
        """What the server said unasked."""
        return (message for direction, message in self._log if direction == "came")

    async def decide(self, request: ServerRequest) -> JsonObject:
        """Answer a question of the server."""
        if self.answer is None:
            raise RpcError(-32601, f"nobody answers {request.method!r}")
        return await self.answer(request)

    def reply(self, request: RecordedRequest) -> Reply:
        """Say what the model says next."""
        self._requests.append(request)
        asked, self._asked = self._asked, trio.Event()
        asked.set()
        reply = next(self._replies, None) or refusal(400, "the script is at its end")
        return reply(request) if callable(reply) else reply

    def played(self, crash: str | None) -> Played:
        """Tell how it went."""
        scrubber = Scrubber({str(self.project): "<project>", str(self.home): "<home>"})
        said = [*entries_of(self._log, self._methods)]
        said += [model_entry(request, self._tools) for request in self._requests]
        entries: list[Entry] = [scrubber.scrub(entry) for entry in said]
        return Played(entries=entries, raw=self._raw(), crash=crash)

    def _raw(self) -> list[tuple[str | None, JsonObject]]:
        asked = dict(self._methods)
        raw: list[tuple[str | None, JsonObject]] = []
        for direction, message in self._log:
            if direction == "sent" and "method" in message and "id" in message:
                asked[json.dumps(message["id"])] = message["method"]
            elif direction == "came":
                method = None if "method" in message else asked.get(json.dumps(message.get("id")))
                raw.append((method, message))
        return raw

    # For cases ----------------------------------------------------------

    @property
    def server(self) -> AppServer:
        """The server that runs."""
        assert self._server is not None, "the case has not started one"
        return self._server

    @asynccontextmanager
    async def running(
        self, *, handshake: bool = True, experimental: bool = True, **config: Any
    ) -> AsyncGenerator[None]:
        """Run a server of the case's own for the length of the block; *config* is its file's."""
        write_config(self.home, self.mock.base_url, **config)
        self._silent = True  # the handshake has a case of its own
        async with open_app_server(
            self.program,
            home=self.home,
            handler=self.decide,
            listener=self.hear,
            handshake=handshake,
            experimental=experimental,
        ) as self._server:
            self._silent, self._since = False, 0
            yield

    def model_says(self, *replies: Reply | Choice) -> None:
        """Let the model answer with these, one by one."""
        self._replies = iter(replies)

    async def ask(self, method: str, **params: Any) -> JsonObject:
        """Ask for what must be there."""
        with trio.fail_after(_PATIENCE):
            return await self.server.request(method, params)

    async def try_(self, method: str, **params: Any) -> JsonObject | None:
        """Ask for what may be refused; None when it was."""
        try:
            return await self.ask(method, **params)
        except RpcError:
            return None

    async def post(self, line: bytes | JsonObject) -> None:
        """Send a line, and wait for no answer."""
        if isinstance(line, dict):
            self._methods[json.dumps(line.get("id"))] = line["method"]
            line = json.dumps(line).encode()
        await self.server.send_line(line)

    async def call(self, line: JsonObject) -> None:
        """Send a request as it is, and wait until it is answered."""
        self._called = line["id"], trio.Event()
        await self.post(line)
        with trio.fail_after(_PATIENCE):
            await self._called[1].wait()

    async def start(self, **params: Any) -> str:
        """Start a thread in the case's folder."""
        self._tools |= {tool["name"] for tool in params.get("dynamicTools", ())}
        started = await self.ask("thread/start", **{"cwd": str(self.project), **params})
        thread_id: str = started["thread"]["id"]
        await self.hears("thread/started", lambda said: said["thread"]["id"] == thread_id)
        return thread_id

    async def turn(self, thread_id: str, text: str = "go", **settings: Any) -> FinishedTurn:
        """Run a turn to its end."""
        return await self.turn_end(thread_id, await self.begin(thread_id, text, **settings))

    async def begin(self, thread_id: str, text: str = "go", **settings: Any) -> str:
        """Start a turn, and wait until that is told."""
        with trio.fail_after(_PATIENCE):
            turn_id = await start_turn(self.server, thread_id, text, **settings)
        await self.hears("turn/started", lambda said: said["turn"]["id"] == turn_id)
        return turn_id

    async def turn_end(self, thread_id: str, turn_id: str) -> FinishedTurn:
        """Wait until a turn is over."""
        with trio.fail_after(_PATIENCE):
            turn = await wait_turn_end(self.server, thread_id, turn_id)
        if turn.is_lost:
            raise EndLost
        return turn

    async def hears(
        self, method: str, predicate: Callable[[JsonObject], bool] | None = None
    ) -> JsonObject:
        """Wait for a notification of this case."""
        with trio.fail_after(_PATIENCE):
            return await self.server.wait_notification(method, predicate, since=self._since)

    async def model_is_asked(self, count: int) -> None:
        """Wait until the model was asked so many times in this case."""
        with trio.fail_after(_PATIENCE):
            while len(self._requests) < count:
                await self._asked.wait()

    async def settle(self) -> None:
        """Wait for what is on its way."""
        for _ in range(2):
            await self.call({"id": _SETTLED, "method": "thread/loaded/list", "params": {}})

    @staticmethod
    def text(text: str) -> list[JsonObject]:
        """Make input of a text."""
        return text_input(text)
