"""A root thread with agents below it; the test plays all their models."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.config import ThreadConfig
from actors.supervisor import Agents, Supervisor
from actors.supervisor.agents import _done
from actors.testing import ManualModel, ManualResponse, open_test_supervisor
from actors.thread import Thread, ThreadState
from actors.tools import Tool, builtin_tools
from actors.tools.agents import AgentRole, ParentTurn
from messages.content import TextInput
from messages.events import AgentStatus
from messages.ids import ThreadId, TurnId
from messages.ops import Interrupt
from messages.settings import AskForApproval, DangerFullAccess
from messages.tool_settings import ToolFeatures
from tests.waiting import until

from ..thread.stage import text_input

FAMILY = ThreadConfig(
    cwd="/", sandbox_policy=DangerFullAccess(), features=ToolFeatures(collab=True)
)


@attrs.define(eq=False)
class Family:
    """
    Attributes:
        asked: Model requests that were not answered yet, by thread.
    """

    supervisor: Supervisor
    agents: Agents
    model: ManualModel
    root: Thread
    asked: dict[ThreadId, ManualResponse] = attrs.field(factory=dict)

    @property
    def root_id(self) -> ThreadId:
        return self.root.thread_id

    def turn(self, thread_id: ThreadId | None = None, **changes: Any) -> ParentTurn:
        """A turn of a thread, the root's by default, that wants something of an agent."""
        turn = ParentTurn(
            thread_id=thread_id or self.root_id,
            turn_id=TurnId("turn"),
            cwd="/tmp",
            approval_policy=AskForApproval.ON_REQUEST,
            sandbox_policy=DangerFullAccess(),
            model="gpt-5.2-codex",
        )
        return attrs.evolve(turn, **changes)

    async def spawn(
        self, text: str = "task", *, parent: ThreadId | None = None, role: str = "default"
    ) -> ThreadId:
        """Start an agent, and let it ask its model."""
        prompt = (TextInput(text=text),)
        agent_id = await self.agents.spawn(self.turn(parent), prompt, role=AgentRole(role))
        await self.request(agent_id)
        return agent_id

    async def send(self, agent_id: ThreadId, text: str = "more") -> None:
        await self.agents.send(self.turn(), agent_id, (TextInput(text=text),))

    async def request(self, thread_id: ThreadId) -> ManualResponse:
        """Wait until this thread has asked its model; others may ask meanwhile."""
        while thread_id not in self.asked:
            response = await self.model.next_request()
            self.asked[ThreadId(response.request.prompt_cache_key)] = response
        return self.asked[thread_id]

    async def answer(self, thread_id: ThreadId, text: str = "done") -> None:
        """Let the model of a thread give its last word."""
        response = await self.request(thread_id)
        del self.asked[thread_id]
        thread = self.thread(thread_id)
        told = thread.watch_status().version
        response.say(text).complete()
        await until(lambda: thread.watch_status().version > told)
        await wait_all_tasks_blocked()

    async def crash(self, thread_id: ThreadId) -> None:
        """Let the thread crash over its model."""
        response = await self.request(thread_id)
        del self.asked[thread_id]
        thread = self.thread(thread_id)
        response.fail(RuntimeError("a bug"))
        await until(lambda: thread.state in (ThreadState.RESTARTING, ThreadState.FAILED))

    async def crash_again(self, thread_id: ThreadId, clock: MockClock) -> None:
        """Let a thread that has crashed come back and crash once more: it is given up."""
        thread = self.thread(thread_id)
        clock.jump(2)
        await until(lambda: thread.state is ThreadState.IDLE)
        await self.say(thread_id, "again")
        await self.crash(thread_id)
        assert thread.state is ThreadState.FAILED

    async def say(self, thread_id: ThreadId, text: str) -> None:
        """Let a client say something to a thread."""
        await self.thread(thread_id).submit(text_input(text))
        await self.request(thread_id)

    async def stop(self, thread_id: ThreadId) -> None:
        """Let a client interrupt a thread."""
        thread = self.thread(thread_id)
        await thread.submit(Interrupt())
        await until(lambda: thread.state is ThreadState.IDLE)
        self.asked.pop(thread_id, None)

    def thread(self, thread_id: ThreadId) -> Thread:
        return self.supervisor.get_thread(thread_id)

    def status(self, agent_id: ThreadId) -> AgentStatus:
        return self.agents.status(self.turn(), agent_id)

    async def wait(self, *agent_ids: ThreadId) -> dict[ThreadId, AgentStatus]:
        return dict(await self.agents.wait_final(self.turn(), agent_ids))

    def final(self, *agent_ids: ThreadId) -> dict[ThreadId, AgentStatus]:
        """Those that are done now."""
        return _done({i: self.agents._find(self.turn(), i) for i in agent_ids})

    def alive(self, agent_ids: Sequence[ThreadId]) -> list[ThreadId]:
        return [i for i in agent_ids if i in self.supervisor.list_thread_ids()]


@asynccontextmanager
async def open_family(
    config: ThreadConfig = FAMILY, tools: Sequence[Tool] | None = (), **kwargs: Any
) -> AsyncGenerator[Family]:
    """Start a root thread; None for the tools that there are otherwise."""
    model = ManualModel()
    make_tools = builtin_tools if tools is None else lambda _: tuple(tools)
    async with open_test_supervisor(provider=model, make_tools=make_tools, **kwargs) as supervisor:
        root = (await supervisor.start_thread(config)).thread
        yield Family(supervisor, supervisor._agents, model, root)
