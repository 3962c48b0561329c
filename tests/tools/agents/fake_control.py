"""An `AgentControl` that does what the test says, and notes what it was asked."""

from collections.abc import Callable, Mapping, Sequence

import attrs
import trio

from actors.tools.agents import AgentRole, ParentTurn
from messages.content import UserInputItem
from messages.events import AgentStatus, StatusKind
from messages.ids import SubmissionId, ThreadId

AGENT = ThreadId("019b76da-a800-7000-8000-00000000000a")
OTHER = ThreadId("019b76da-a800-7000-8000-00000000000b")
SENT = SubmissionId("019b76da-a800-7000-8000-00000000000c")


@attrs.define(eq=False)
class FakeControl:
    """
    Attributes:
        statuses: What is known of agents.
        refusals: By the name of a method, what it raises.
        blocking: Names of methods that wait for ever.
        asked: Calls, in order.
    """

    statuses: dict[ThreadId, AgentStatus] = attrs.field(factory=dict)
    refusals: dict[str, Exception] = attrs.field(factory=dict)
    blocking: set[str] = attrs.field(factory=set)
    asked: list[tuple[object, ...]] = attrs.field(factory=list)
    when_final: Callable[[], None] | None = None

    def check_depth(self, parent: ParentTurn) -> None:
        self._note("check_depth")

    async def spawn(
        self, parent: ParentTurn, prompt: tuple[UserInputItem, ...], *, role: AgentRole
    ) -> ThreadId:
        await self._do("spawn", parent, prompt, role)
        self.statuses[AGENT] = StatusKind.PENDING_INIT
        return AGENT

    def interrupt(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        self._note("interrupt", agent_id)

    async def send(
        self, parent: ParentTurn, agent_id: ThreadId, items: tuple[UserInputItem, ...]
    ) -> SubmissionId:
        await self._do("send", agent_id, items)
        return SENT

    async def resume(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        await self._do("resume", agent_id)

    async def close(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        await self._do("close", agent_id)
        del self.statuses[agent_id]

    def status(self, parent: ParentTurn, agent_id: ThreadId) -> AgentStatus:
        return self.statuses.get(agent_id, StatusKind.NOT_FOUND)

    async def wait_final(
        self, parent: ParentTurn, agent_ids: Sequence[ThreadId]
    ) -> Mapping[ThreadId, AgentStatus]:
        await self._do("wait_final", *agent_ids)
        return {i: self.statuses[i] for i in agent_ids if i in self.statuses}

    async def _do(self, name: str, *asked: object) -> None:
        await trio.lowlevel.checkpoint()
        self._note(name, *asked)
        if name in self.blocking:
            await trio.sleep_forever()

    def _note(self, name: str, *asked: object) -> None:
        self.asked.append((name, *asked))
        if name in self.refusals:
            raise self.refusals[name]
