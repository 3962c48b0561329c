"""One HTTP/1.1 connection of the mock server: requests and answers in turn, over h11."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeAlias, assert_never

import attrs
import h11
import trio

from tests.interop.recorded_request import Outcome, RecordedRequest
from tests.interop.scripted_replies import (
    Event,
    EventStream,
    Pause,
    Refusal,
    Reply,
    Silence,
    StreamEnd,
)

__all__ = ["Connection", "Decide"]

# Records a request and says what to answer.
Decide: TypeAlias = Callable[[h11.Request, bytes], tuple[RecordedRequest, Reply]]

_READ_BYTES = 65_536
# Clients send metadata of a turn as a header; h11's own limit of 16 KiB is too near.
_HEADERS_LIMIT_BYTES = 256 * 1024
_TOO_LONG = Refusal(status=413, body=b"body is too long", headers=(("Connection", "close"),))


def _new_http() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADERS_LIMIT_BYTES)


@attrs.define(eq=False)
class Connection:
    """
    A client's connection, until either side ends it.

    While an answer is under way the connection listens for the client, so that
    one who leaves is noticed also when nothing is being sent.
    """

    _stream: trio.SocketStream
    _decide: Decide
    _body_limit_bytes: int
    _http: h11.Connection = attrs.field(factory=_new_http, init=False)
    _outcome: Outcome = attrs.field(default=Outcome.STOPPED, init=False)

    async def run(self) -> None:
        """Serve requests one by one; return when the client left or must not go on."""
        try:
            while isinstance(request := await self._next_event(), h11.Request):
                if not await self._serve(request):
                    return
                self._http.start_next_cycle()
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return  # the client broke the connection, or what it says is no HTTP

    async def _serve(self, request: h11.Request) -> bool:
        """Answer one request; True when the connection can take another."""
        body = await self._read_body()
        if body is None:
            await self._send_reply(_TOO_LONG)
            return False
        recorded, reply = self._decide(request, body)
        self._outcome = Outcome.STOPPED
        try:
            await self._send_while_listening(reply)
        finally:
            recorded.end(self._outcome)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _read_body(self) -> bytes | None:
        """The whole body; None when it is longer than the limit."""
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > self._body_limit_bytes:
                return None
        return bytes(body)

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.receive_some(_READ_BYTES))
        return event

    async def _send_while_listening(self, reply: Reply) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, nursery.cancel_scope)
            try:
                await self._send_reply(reply)
                self._outcome = Outcome.SENT
            except trio.BrokenResourceError:
                self._outcome = Outcome.CLIENT_LEFT
            nursery.cancel_scope.cancel()

    async def _listen(self, answering: trio.CancelScope) -> None:
        """Stop the answer when the client leaves."""
        try:
            received = await self._stream.receive_some(_READ_BYTES)
        except trio.BrokenResourceError:
            received = b""
        if received:
            # A client that sends its next request early is there.  It waits its
            # turn; the kernel keeps, and bounds, whatever follows.
            self._http.receive_data(received)
            return
        # One who leaves between the last byte and its being noted got it all.
        if self._outcome is Outcome.STOPPED:
            self._outcome = Outcome.CLIENT_LEFT
            answering.cancel()

    async def _send_reply(self, reply: Reply) -> None:
        match reply:
            case EventStream():
                await self._send_events(reply)
            case Refusal():
                await self._send_refusal(reply)
            case Silence():
                await trio.sleep_forever()
            case _:
                assert_never(reply)

    async def _send_refusal(self, reply: Refusal) -> None:
        length = ("Content-Length", str(len(reply.body)))
        head = h11.Response(status_code=reply.status, headers=[*reply.headers, length])
        await self._send(head, h11.Data(data=reply.body), h11.EndOfMessage())

    async def _send_events(self, reply: EventStream) -> None:
        kind = ("Content-Type", "text/event-stream")
        # Each piece waits for the next, so that the last one and the end of the
        # body leave together: many clients go once they have seen the last
        # event, and would be taken for leaving early.
        held: h11.Event = h11.Response(status_code=200, headers=[kind, *reply.headers])
        for step in reply.steps:
            if isinstance(step, Pause):
                await self._send(held)
                held = h11.Data(data=b"")
                await step.until.wait()
                continue
            for data in _slices(_encode(step), reply.slice_bytes):
                await self._send(held)
                held = h11.Data(data=data)
        match reply.end:
            case StreamEnd.CLOSE:
                await self._send(held, h11.EndOfMessage())
            case StreamEnd.CUT:
                await self._send(held)  # and no end: the connection can only be closed
            case StreamEnd.STALL:
                await self._send(held)
                await trio.sleep_forever()
            case _:
                assert_never(reply.end)

    async def _send(self, *events: h11.Event) -> None:
        if data := b"".join(self._http.send(event) or b"" for event in events):
            await self._stream.send_all(data)


def _encode(step: Event | bytes) -> bytes:
    if isinstance(step, bytes):
        return step
    text = json.dumps(step, separators=(",", ":"))
    return f"event: {step['type']}\ndata: {text}\n\n".encode()


def _slices(data: bytes, slice_bytes: int | None) -> Iterator[bytes]:
    size = slice_bytes or max(len(data), 1)
    return (data[start : start + size] for start in range(0, len(data), size))
