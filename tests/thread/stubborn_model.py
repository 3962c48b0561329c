"""A model that does not stop when it is told to."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from actors.models import Completed, ItemDone, ModelRequest, ResponseEvent
from actors.testing import ManualModel
from messages.content import OutputText
from messages.items import Message


@attrs.define(eq=False)
class StubbornModel(ManualModel):
    """Answers with words of its own, *seconds* after it was cancelled."""

    seconds: float = 0.0

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[ResponseEvent]]:
        async with ManualModel.stream(self, request) as events:
            yield self._stubborn(events) if self.seconds else events

    async def _stubborn(self, events: AsyncIterator[ResponseEvent]) -> AsyncIterator[ResponseEvent]:
        try:
            async for event in events:
                yield event
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.seconds)
            # Against all rules: the cancellation is swallowed, and there is more to say.
            words = Message(role="assistant", content=(OutputText(text="ha"),))
            yield ItemDone(words)
            yield Completed(response_id="x", usage=None)
