"""A model that the test plays itself, event by event."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

import attrs
import trio

from actors.models import (
    SCRIPTED_MODEL,
    Completed,
    ItemAdded,
    ItemDone,
    ModelError,
    ModelInfo,
    ModelRequest,
    ProviderInfo,
    ResponseEvent,
    TextDelta,
    find_model_info,
)
from messages.content import OutputText
from messages.events import TokenUsage
from messages.items import FunctionCall, Message, ReasoningItem, SummaryText
from messages.value import Json

__all__ = ["ManualModel", "ManualResponse"]

_CAPACITY: Final = 1024
"""Requests or events that may wait; a test that needs more has run away."""


@attrs.define(eq=False)
class ManualResponse:
    """
    One request to a `ManualModel`, and the answer that the test gives to it.

    What is given is queued at once and read by the thread when it runs.

    Attributes:
        request: What the thread asked.
        ended: Set when the thread has left the stream, at its end or before.
    """

    request: ModelRequest
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    _send: trio.MemorySendChannel[ResponseEvent | Exception] = attrs.field(init=False)
    _receive: trio.MemoryReceiveChannel[ResponseEvent | Exception] = attrs.field(init=False)
    _items: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel(_CAPACITY)

    def give(self, *events: ResponseEvent) -> Self:
        """
        Let the stream go on with these events.

        Raises:
            trio.WouldBlock: 1024 events are unread.
        """
        for event in events:
            self._send.send_nowait(event)
        return self

    def say(self, *pieces: str) -> Self:
        """Give a whole message, announced, in pieces, and finished."""
        message = Message(role="assistant", content=(), id=self._new_id("msg"))
        text = OutputText(text="".join(pieces))
        return self.give(
            ItemAdded(message),
            *(TextDelta(piece) for piece in pieces),
            ItemDone(attrs.evolve(message, content=(text,))),
        )

    def think(self, *summary: str) -> Self:
        """Give a whole reasoning item."""
        parts = tuple(SummaryText(text=part) for part in summary)
        return self.give(ItemDone(ReasoningItem(id=self._new_id("rs"), summary=parts)))

    def call(self, tool: str, arguments: Json = None, *, call_id: str) -> Self:
        """Give a call of a function tool; no arguments are an empty object."""
        text = json.dumps({} if arguments is None else arguments)
        return self.give(ItemDone(FunctionCall(name=tool, arguments=text, call_id=call_id)))

    def complete(self, total_tokens: int | None = None) -> Self:
        """End the answer, as having used so many tokens; None does not say.  Nothing may follow."""
        usage = None if total_tokens is None else TokenUsage(total_tokens=total_tokens)
        return self.give(Completed(response_id=self._new_id("resp"), usage=usage))

    def fail(self, error: ModelError | Exception) -> Self:
        """Let the stream raise; what is no `ModelError` is a bug of the provider."""
        self._send.send_nowait(error)
        return self

    def break_off(self) -> Self:
        """End the stream without the event that ends an answer, against the contract."""
        self._send.close()
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResponseEvent:
        """Read the next event; for the thread."""
        event = await self._receive.__anext__()
        if isinstance(event, Exception):
            raise event
        if isinstance(event, Completed):
            self._send.close()
        return event

    def _new_id(self, kind: str) -> str:
        self._items += 1
        return f"{kind}_{self.request.turn_id}_{len(self.request.input)}_{self._items}"


@attrs.define(eq=False)
class ManualModel:
    """
    A `ModelProvider` whose answers come from the test, as slowly as it wants.

    Attributes:
        info: Its limits; small by default, for short tests.
        models: Models that are not in the catalog, or otherwise there, by name.
        refusal: What the next requests raise at once, until it is None again.
    """

    info: ProviderInfo = attrs.field(
        factory=lambda: ProviderInfo(
            id="manual",
            name="Manual",
            default_model=SCRIPTED_MODEL,
            request_max_retries=1,
            stream_max_retries=2,
        )
    )
    models: Sequence[ModelInfo] = ()
    refusal: Exception | None = None
    _send: trio.MemorySendChannel[ManualResponse] = attrs.field(init=False)
    _receive: trio.MemoryReceiveChannel[ManualResponse] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel(_CAPACITY)

    def model_info(self, model: str) -> ModelInfo:
        """Look *model* up among `models`, then in the catalog."""
        return next((info for info in self.models if info.slug == model), find_model_info(model))

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ResponseEvent]]:
        """Hand the request to the test; see `ModelProvider.stream`."""
        await trio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise self.refusal
        response = ManualResponse(request)
        self._send.send_nowait(response)
        try:
            yield response
        finally:
            response.ended.set()

    async def next_request(self) -> ManualResponse:
        """
        Wait for a thread to ask, and take what it asks; for the test.

        Cancellation:
            No request is lost.
        """
        return await self._receive.receive()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""
        await trio.lowlevel.checkpoint()
