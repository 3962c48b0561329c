"""A live thread whose events go through a projection, as the server has it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from actors.config import ThreadConfig
from actors.rollout import load_rollout
from actors.runtime import Lagged
from actors.server.client_answers import answer_op
from actors.server.history_builder import turns_of
from actors.server.projection import Outgoing, ThreadProjection
from actors.server.server_requests import ServerRequestDraft
from actors.supervisor import NewThread, Supervisor
from actors.testing import ManualModel, open_test_supervisor
from actors.thread import Thread
from messages.events import Event, EventMsg, TurnAborted, TurnComplete
from messages.ids import SubmissionId
from messages.ops import Op
from messages.rpc.turn import Turn
from messages.settings import AskForApproval, DangerFullAccess
from messages.value import Json
from tests.thread.stage import text_input

from .outgoing import Client, line, outline

NOW = 1_800_000_000.0

CONFIG = ThreadConfig(
    cwd="/", approval_policy=AskForApproval.NEVER, sandbox_policy=DangerFullAccess()
)


@attrs.define(eq=False)
class Live:
    """One thread, its projection, and a client that sees all that is sent."""

    supervisor: Supervisor
    model: ManualModel
    new: NewThread
    projection: ThreadProjection
    client: Client = attrs.field(factory=Client)
    sent: list[Outgoing] = attrs.field(factory=list)

    @property
    def thread(self) -> Thread:
        return self.new.thread

    async def do(self, op: Op) -> SubmissionId:
        return await self.thread.submit(op)

    async def say(self, text: str) -> SubmissionId:
        return await self.do(text_input(text))

    def keep(self, told: tuple[Outgoing, ...]) -> list[str]:
        self.client.take_all(told)
        self.sent.extend(told)
        return outline(told)

    async def until(self, *last: type[EventMsg]) -> list[str]:
        """Read events up to the first of these classes; return what was sent of them."""
        lines: list[str] = []
        while True:
            event = await self.thread.next_event()
            assert not isinstance(event, Lagged)
            lines.extend(self.keep(self.projection.take(event)))
            if isinstance(event.msg, last):
                return lines

    async def turn(self) -> list[str]:
        """Read to the end of the turn."""
        return await self.until(TurnComplete, TurnAborted)

    async def until_asked(self) -> tuple[list[str], ServerRequestDraft]:
        """Read until something is asked."""
        before, lines = len(self.sent), list[str]()
        while True:
            event = await self.thread.next_event()
            assert isinstance(event, Event)
            lines.extend(self.keep(self.projection.take(event)))
            for told in self.sent[before:]:
                if isinstance(told, ServerRequestDraft):
                    return lines, told

    async def answer(self, draft: ServerRequestDraft, result: Json) -> list[str]:
        """Answer as a client does, and return what is sent at once."""
        op = answer_op(draft, result)
        lines = self.keep(self.projection.answered(draft.key, op))
        await self.do(op)
        return lines

    def live_turns(self) -> list[Turn]:
        return list(self.client.turns.values())

    def read_turns(self) -> list[Turn]:
        assert self.thread.rollout_path is not None
        return list(turns_of(load_rollout(Path(self.thread.rollout_path)).items))

    def find(self, kind: type) -> Any:
        """The one thing of this class that was sent."""
        [found] = [told for told in self.sent if isinstance(told, kind)]
        return found

    def lines(self) -> list[str]:
        return [line(told) for told in self.sent]


@asynccontextmanager
async def open_live(
    *, config: ThreadConfig = CONFIG, model: Any = None, extended: bool = True, **kwargs: Any
) -> AsyncGenerator[Live]:
    """Start one thread with the built-in tools, and read its first event away."""
    model = model or ManualModel()
    start = {key: kwargs.pop(key) for key in ("dynamic_tools",) if key in kwargs}
    async with open_test_supervisor(provider=model, **kwargs) as supervisor:
        new = await supervisor.start_thread(config, persist_extended_history=extended, **start)
        projection = ThreadProjection(new.thread.thread_id, lambda: NOW)
        live = Live(supervisor, model, new, projection)
        reader = new.thread.events()
        while reader.next_seq < new.thread.statistics().next_seq:
            event = reader.receive_nowait()
            assert isinstance(event, Event)
            assert projection.take(event) == ()
        yield live
