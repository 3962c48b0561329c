"""
A driver for a real ``codex app-server`` process over stdio.

Example::

    write_config(home, mock.base_url)
    async with open_app_server(codex, home=home) as server:
        started = await server.request("thread/start", {"cwd": str(project)})
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

import attrs
import trio

from tests.interop.app_server_words import (
    AppServerClosedError,
    Handler,
    JsonObject,
    Listener,
    Notification,
    Predicate,
    RpcError,
    ServerRequest,
)
from tests.interop.background import open_background
from tests.interop.codex_home import write_config
from tests.interop.process_tree import HeldProcesses, below, marked

__all__ = [
    "AppServer",
    "AppServerClosedError",
    "Handler",
    "JsonObject",
    "Notification",
    "RpcError",
    "ServerRequest",
    "open_app_server",
    "write_config",
]

# A thread comes with all its turns in one line: lines may be long, but not endless.
_LINE_LIMIT_BYTES = 64 * 1024 * 1024
# Beyond so many a test listens to something that never ends.
_MESSAGE_LIMIT = 100_000
_STDERR_LIMIT_BYTES = 64 * 1024
# Codex exits within 30 ms of the end of its stdin.
_EXIT_PATIENCE = 3.0
# Half a line would spoil every later one, so a started line is finished.
_SEND_PATIENCE = 5.0
_LAST_WORDS = 1.0
_MARK_VARIABLE = "TREADLE_INTEROP_MARK"


async def _refuse(request: ServerRequest) -> JsonObject:
    raise RpcError(-32601, f"this test does not answer {request.method!r}")


def _hear_nothing(direction: Literal["sent", "came"], message: JsonObject) -> None:
    pass


@attrs.define(eq=False)
class _Pending:
    """A request under way; *answer* is None until the answer came."""

    came: trio.Event = attrs.field(factory=trio.Event)
    answer: JsonObject | None = None


@attrs.define(eq=False)
class _Lines:
    """Cuts what comes in pieces into lines."""

    _unfinished: bytearray = attrs.field(factory=bytearray)

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The lines that *data* finishes, without their ends."""
        # Only what is new is searched: a line of megabytes comes in many pieces.
        *ends, rest = bytes(data).split(b"\n")
        if not ends:
            self._unfinished += rest
            if len(self._unfinished) > _LINE_LIMIT_BYTES:
                raise ValueError(f"codex sent a line over {_LINE_LIMIT_BYTES} bytes")
            return []
        ends[0] = bytes(self._unfinished) + ends[0]
        self._unfinished[:] = rest
        return ends


@attrs.define(eq=False)
class AppServer:
    """
    A running, initialized app-server; `open_app_server` makes one.

    Nothing here has a deadline: callers write ``with trio.fail_after(s):``.

    Attributes:
        initialized: The result of ``initialize``.
        notifications: All that came, oldest first.
        server_requests: All that Codex asked, oldest first, answered or not.
    """

    _process: trio.Process
    _nursery: trio.Nursery
    _handler: Handler
    _listener: Listener
    initialized: JsonObject = attrs.field(factory=dict[str, Any], init=False)
    notifications: list[Notification] = attrs.field(factory=list[Notification], init=False)
    server_requests: list[ServerRequest] = attrs.field(factory=list[ServerRequest], init=False)
    _pending: dict[int, _Pending] = attrs.field(factory=dict[int, _Pending], init=False)
    _last_id: int = attrs.field(default=0, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _stderr: bytearray = attrs.field(factory=bytearray, init=False)
    _stderr_ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    _sending: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @property
    def pid(self) -> int:
        """The id of the process and of the process group it leads."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """The end of what the process wrote to its stderr."""
        return self._stderr.decode(errors="replace")

    @property
    def position(self) -> int:
        """How many notifications came so far, for the *since* of `wait_notification`."""
        return len(self.notifications)

    async def request(self, method: str, params: Mapping[str, Any] | None = None) -> JsonObject:
        """
        Send a request and wait for its result.

        Raises:
            RpcError: Codex answered with an error.
            AppServerClosedError: The process went away before it answered.

        Cancellation:
            The request may have been sent; its answer will be dropped.
        """
        self._last_id += 1
        request_id, pending = self._last_id, _Pending()
        self._pending[request_id] = pending
        try:
            await self._send({"method": method, "id": request_id, "params": params or {}})
            await pending.came.wait()
        finally:
            del self._pending[request_id]
        match pending.answer:
            case {"result": result}:
                return cast("JsonObject", result)  # every result of the protocol is an object
            case {"error": {"code": int(code), "message": str(message), **rest}}:
                raise RpcError(code, message, rest.get("data"))
            case _:
                raise AppServerClosedError(self.stderr)

    async def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send a notification; no params are sent when there are none."""
        await self._send({"method": method} | ({} if params is None else {"params": params}))

    async def send_line(self, line: bytes) -> None:
        """Send *line* and its end as it is; what is answered to it only the listener hears."""
        if self._closed:
            raise AppServerClosedError(self.stderr)
        async with self._sending:
            if not await self._send_whole(line + b"\n"):
                await self._wait_last_words()
                raise AppServerClosedError(self.stderr)

    async def wait_notification(
        self, method: str, predicate: Predicate | None = None, *, since: int = 0
    ) -> JsonObject:
        """
        Wait for the first notification that fits, and return its params.

        Args:
            method: Its exact method.
            predicate: Given the params; None takes any.
            since: A `position`; what came before it does not count.

        Raises:
            AppServerClosedError: The process went away before.

        Cancellation:
            Nothing is lost: the next call sees the same notifications.
        """
        while True:
            for notification in self.notifications[since:]:
                params = notification.params
                if notification.method == method and (predicate is None or predicate(params)):
                    return params
            since = max(since, self.position)
            await self.wait_changed()

    async def wait_changed(self) -> None:
        """
        Wait for the next notification or request of Codex, whatever it is.

        Raises:
            AppServerClosedError: The process went away.
        """
        if self._closed:
            raise AppServerClosedError(self.stderr)
        await self._changed.wait()

    async def close_stdin(self) -> int:
        """Say goodbye as a client does, and wait for the exit status."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        return await self._process.wait()

    async def kill(self) -> None:
        """Kill the process group at once (SIGKILL), and wait until the process is gone."""
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()

    async def initialize(self, *, experimental: bool) -> None:
        """Shake hands.  For `open_app_server`, which has done it."""
        capabilities = {"experimentalApi": experimental}
        client = {"name": "treadle_interop", "title": None, "version": "1"}
        params = {"clientInfo": client, "capabilities": capabilities}
        self.initialized = await self.request("initialize", params)
        await self.notify("initialized")

    async def run(self) -> None:
        """Read all that the process says until it goes away.  For `open_app_server`."""
        self._nursery.start_soon(self._read_stderr)
        assert self._process.stdout is not None, "asked for when it was started"
        lines = _Lines()
        try:
            async for data in self._process.stdout:
                for line in lines.feed(data):
                    self._take(json.loads(line))
            await self._wait_last_words()
        finally:
            self._closed = True
            self._wake()
            for pending in self._pending.values():
                pending.came.set()

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None, "asked for when it was started"
        async for data in self._process.stderr:
            self._stderr += data
            del self._stderr[:-_STDERR_LIMIT_BYTES]
        self._stderr_ended.set()

    def _take(self, message: JsonObject) -> None:
        self._listener("came", message)
        match message:
            case {"method": str(method), "id": int() | str() as request_id}:
                request = ServerRequest(request_id, method, message.get("params") or {})
                self.server_requests.append(request)
                # At most one task for each call of a tool that Codex holds open.
                self._nursery.start_soon(self._answer, request)
            case {"method": str(method)}:
                self.notifications.append(Notification(method, message.get("params") or {}))
            case {"id": int(request_id)}:
                if (pending := self._pending.get(request_id)) is not None:
                    pending.answer = message
                    pending.came.set()
                return
            case {"result": _} | {"error": _}:
                return  # to what was sent as a line
            case _:
                raise ValueError(f"codex sent what is no message: {message!r}")
        if len(self.notifications) + len(self.server_requests) > _MESSAGE_LIMIT:
            raise ValueError(f"codex sent more than {_MESSAGE_LIMIT} messages")
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _answer(self, request: ServerRequest) -> None:
        answer: JsonObject
        try:
            answer = {"result": await self._handler(request)}
        except RpcError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
        try:
            await self._send({"id": request.id, **answer})
        except AppServerClosedError:
            return  # whoever waits for the process is told so, too

    async def _send(self, message: JsonObject) -> None:
        self._listener("sent", message)
        await self.send_line(json.dumps(message).encode())

    async def _send_whole(self, line: bytes) -> bool:
        """Send all of *line*, cancelled or not; False when the process does not take it."""
        assert self._process.stdin is not None, "asked for when it was started"
        with trio.CancelScope(shield=True, relative_deadline=_SEND_PATIENCE) as patience:
            try:
                await self._process.stdin.send_all(line)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
        if patience.cancelled_caught:
            await self._process.stdin.aclose()
        return not patience.cancelled_caught

    async def _wait_last_words(self) -> None:
        """Give the process, which has gone, a moment to have said why."""
        # Not for ever: a child of the process may hold its stderr open.
        with trio.move_on_after(_LAST_WORDS):
            await self._stderr_ended.wait()


@asynccontextmanager
async def open_app_server(
    codex: Path,
    *,
    home: Path,
    env: Mapping[str, str] | None = None,
    handler: Handler = _refuse,
    listener: Listener = _hear_nothing,
    arguments: tuple[str, ...] = (),
    experimental: bool = True,
    handshake: bool = True,
) -> AsyncGenerator[AppServer]:
    """
    Run ``codex app-server`` for the length of the block, initialized.

    Args:
        codex: The executable, from `codex_binary.codex_executable`.
        home: Codex's home and working folder; `write_config` puts its settings there.
        env:
            Added to an environment that holds only what Codex needs: no keys,
            no proxies, nothing of the user's.
        handler: Answers what Codex asks; one task for each request.
        listener: Hears each message as it is ``sent`` and as it ``came``.
        arguments: Put after ``app-server``.
        experimental: Whether the client asks for the experimental methods and fields.
        handshake: Whether to initialize the server; the block may do so itself.

    Raises:
        AppServerClosedError: The process went away before it was initialized.
        BaseExceptionGroup: The handler crashed, or Codex sent what is no message.

    Cancellation:
        As at the end of the block, nothing that was started is left: Codex
        gets the end of its stdin and a few seconds, then it, its group and all
        it has started are killed.
    """
    mark = uuid.uuid4().hex
    process = await trio.lowlevel.open_process(
        [codex, "app-server", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        env=_environment(home, mark) | dict(env or {}),
        start_new_session=True,
    )
    try:
        async with open_background() as nursery:
            server = AppServer(process, nursery, handler, listener)
            nursery.start_soon(server.run)
            if handshake:
                await server.initialize(experimental=experimental)
            yield server
    finally:
        # Each of the two waits in there is bounded for itself.
        with trio.move_on_after(3 * _EXIT_PATIENCE, shield=True):
            await _stop(process, f"{_MARK_VARIABLE}={mark}")


def _environment(home: Path, mark: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "CODEX_HOME": str(home),
        "LANG": "C.UTF-8",
        _MARK_VARIABLE: mark,
    }


async def _stop(process: trio.Process, mark: str) -> None:
    """End the process and all it has started; takes twice the patience at most."""
    # What is below the process is noted while it is: its death cuts the tie.
    tree = HeldProcesses(below(process.pid) if process.returncode is None else ())
    with trio.move_on_after(_EXIT_PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, process.stdout)
            nursery.start_soon(_drain, process.stderr)
            assert process.stdin is not None, "asked for when it was started"
            await process.stdin.aclose()
            await process.wait()
            nursery.cancel_scope.cancel()
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    tree.kill()
    HeldProcesses(marked(mark)).kill()
    with trio.move_on_after(_EXIT_PATIENCE):
        await process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


async def _drain(stream: trio.abc.ReceiveStream | None) -> None:
    """Read what nobody reads any more, or a full pipe would keep Codex from ending."""
    assert stream is not None, "asked for when it was started"
    async for _ in stream:
        pass
