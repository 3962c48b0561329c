"""Agents of agents: what the tools of agents want, done on the registry of threads."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import attrs
import trio

from actors.config import ThreadConfig
from actors.rollout import (
    NewHistory,
    ResumedHistory,
    RolloutError,
    find_thread_path_by_id,
    load_rollout_async,
)
from actors.runtime import MailboxFull
from actors.thread import Thread, ThreadClosed
from actors.tools.agents import (
    AgentClosed,
    AgentDepthReached,
    AgentError,
    AgentFailed,
    AgentNotFound,
    AgentRole,
    AgentsUnavailable,
    ParentTurn,
)
from messages.content import UserInputItem
from messages.events import AgentStatus, StatusKind
from messages.ids import SubmissionId, ThreadId
from messages.ops import Interrupt, UserInput
from messages.settings import SessionSource, SubAgentThreadSpawn, SubAgentWrapper

from .agent_config import ROLE_PROFILES, RoleProfile, agent_config
from .agent_status import current_status, final_status, wait_final
from .errors import ThreadAlreadyLoaded
from .members import CHILD_GRACE, Member, Tie, tell_to_end
from .start import ThreadStart
from .values import NewThread, ThreadOrigin

__all__ = ["AgentGround", "Agents"]

_log = logging.getLogger("actors")


@attrs.frozen(kw_only=True)
class AgentGround:
    """
    What `Agents` does its work on.

    Attributes:
        home: Where rollouts are.
        find: Finds a live thread that was announced.
        start: Starts a thread.
        end: Ends a thread and those below it, and waits for that.
    """

    home: Path
    find: Callable[[ThreadId], Member | None]
    start: Callable[[ThreadStart], Awaitable[NewThread]]
    end: Callable[[ThreadId], Awaitable[object]]


@attrs.define(eq=False)
class Agents:
    """
    Starts, tells, watches and ends agents: an `AgentControl`, and `ChildThreads`.

    Made before the supervisor, because tools hold it; until it is bound to one, and after
    that one has ended, there are no agents (`AgentsUnavailable`).

    Keeps nothing of its own: which agents there are, below whom, and how many slots are
    taken is what the registry holds, so that a slot is free whenever its thread has ended,
    however it ended (P12).

    Attributes:
        profiles: What roles change.
    """

    profiles: Mapping[AgentRole, RoleProfile] = attrs.field(default=ROLE_PROFILES)
    _ground: AgentGround | None = attrs.field(default=None, init=False)

    def bind(self, ground: AgentGround) -> None:
        """
        Begin to work.

        Raises:
            RuntimeError: It works for another supervisor.
        """
        if self._ground is not None:
            raise RuntimeError("these agents belong to another supervisor; make new ones")
        self._ground = ground

    def unbind(self) -> None:
        """Stop to work; the threads have ended before."""
        self._ground = None

    # For the tools of agents ---------------------------------------------

    def check_depth(self, parent: ParentTurn) -> None:
        """Check that this thread may have agents; see `AgentControl`."""
        self._check_depth(self._above(parent.thread_id)[1])

    async def spawn(
        self, parent: ParentTurn, prompt: tuple[UserInputItem, ...], *, role: AgentRole
    ) -> ThreadId:
        """Start an agent and give it its first input; see `AgentControl`."""
        ground, above = self._above(parent.thread_id)
        profile = self.profiles.get(role, RoleProfile())
        start = self._agent_start(parent, above, profile)
        new = await _started(ground, start)
        try:
            await _send(new.thread, start.tie, prompt)
        except BaseException:
            # Nobody would know of it.
            _dismiss(ground, new.thread_id)
            raise
        return new.thread_id

    def interrupt(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        """Tell an agent to stop what it does; see `AgentControl`."""
        try:
            self._agent(parent, agent_id).thread.submit_nowait(Interrupt())
        except ThreadClosed:
            raise AgentClosed(agent_id) from None
        except MailboxFull as error:
            raise AgentFailed(str(error)) from error

    async def send(
        self, parent: ParentTurn, agent_id: ThreadId, items: tuple[UserInputItem, ...]
    ) -> SubmissionId:
        """Give an agent more input; see `AgentControl`."""
        agent = self._agent(parent, agent_id)
        return await _send(agent.thread, agent.tie, items)

    async def resume(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        """Let a recorded thread be an agent; see `AgentControl`."""
        ground, above = self._above(parent.thread_id)
        if self._find(parent, agent_id) is not None:
            return
        self._check_depth(above)
        path = await find_thread_path_by_id(ground.home, agent_id)
        if path is None:
            raise AgentNotFound(agent_id)
        try:
            history = ResumedHistory.of(await load_rollout_async(path))
        except RolloutError as error:
            raise AgentFailed(str(error)) from error
        start = self._agent_start(parent, above, None)
        await _started(ground, attrs.evolve(start, history=history))

    async def close(self, parent: ParentTurn, agent_id: ThreadId) -> None:
        """End an agent and all below it; see `AgentControl`."""
        self._agent(parent, agent_id)
        ground, _ = self._above(parent.thread_id)
        await ground.end(agent_id)

    def status(self, parent: ParentTurn, agent_id: ThreadId) -> AgentStatus:
        """Tell what an agent does; see `AgentControl`."""
        agent = self._find(parent, agent_id)
        return StatusKind.NOT_FOUND if agent is None else current_status(agent)

    async def wait_final(
        self, parent: ParentTurn, agent_ids: Sequence[ThreadId]
    ) -> Mapping[ThreadId, AgentStatus]:
        """Wait until one of the agents is done; see `AgentControl`."""
        await trio.lowlevel.checkpoint()
        agents = {agent_id: self._find(parent, agent_id) for agent_id in agent_ids}
        done = _done(agents)
        while agents and not done:
            async with trio.open_nursery() as nursery:
                for agent in agents.values():
                    assert agent is not None  # else it was done
                    nursery.start_soon(_wait_and_cancel, agent, nursery.cancel_scope)
            done = _done(agents)
        return done

    # For tasks of threads ---------------------------------------------------

    async def start_child(
        self, parent_id: ThreadId, config: ThreadConfig, *, source: SessionSource
    ) -> Thread:
        """
        Start a thread that ends with its parent at the latest; it takes no agent's slot.

        Raises:
            AgentsUnavailable: The parent has ended, or the supervisor.
            AgentFailed: It could not be started.

        Cancellation:
            No thread was started.
        """
        ground, above = self._above(parent_id)
        start = ThreadStart(
            config=config,
            history=NewHistory(),
            origin=ThreadOrigin.REVIEW,
            source=source,
            tie=Tie(above, is_agent=False),
        )
        return (await _started(ground, start)).thread

    async def close_child(self, thread_id: ThreadId) -> None:
        """
        End a thread of `start_child`, and wait for that; does nothing when it has ended.

        Cancellation:
            It was told to end, and is cancelled if it has not within five seconds.
        """
        if self._ground is not None:
            await self._ground.end(thread_id)

    # Finding ----------------------------------------------------------------

    def _above(self, parent_id: ThreadId) -> tuple[AgentGround, Member]:
        ground = self._ground
        above = None if ground is None else ground.find(parent_id)
        if ground is None or above is None:
            raise AgentsUnavailable
        return ground, above

    def _find(self, parent: ParentTurn, agent_id: ThreadId) -> Member | None:
        if self._ground is None:
            return None
        above, agent = self._ground.find(parent.thread_id), self._ground.find(agent_id)
        if above is None or agent is None or agent.tie is None or not agent.tie.is_agent:
            return None
        return agent if agent.is_below(above) else None

    def _agent(self, parent: ParentTurn, agent_id: ThreadId) -> Member:
        agent = self._find(parent, agent_id)
        if agent is None:
            raise AgentNotFound(agent_id)
        return agent

    # Starting ---------------------------------------------------------------

    def _check_depth(self, above: Member) -> None:
        limit = above.root.config.agent_max_depth
        if above.depth >= limit:
            raise AgentDepthReached(limit)

    def _agent_start(
        self, parent: ParentTurn, above: Member, profile: RoleProfile | None
    ) -> ThreadStart:
        self._check_depth(above)
        depth = above.depth + 1
        config = agent_config(
            above.config,
            above.thread.config_snapshot,
            parent,
            profile=profile,
            may_spawn=depth < above.root.config.agent_max_depth,
        )
        spawned = SubAgentThreadSpawn(parent_thread_id=parent.thread_id, depth=depth)
        return ThreadStart(
            config=config,
            history=NewHistory(),
            origin=ThreadOrigin.AGENT,
            source=SubAgentWrapper(subagent=spawned),
            tie=Tie(above, is_agent=True),
        )


async def _started(ground: AgentGround, start: ThreadStart) -> NewThread:
    try:
        return await ground.start(start)
    except AgentError:
        raise
    except ThreadAlreadyLoaded as error:
        problem = f"thread {error.thread_id} is open and is none of your agents"
        raise AgentFailed(problem) from error
    except Exception as error:
        # Also its crash at the start is its own: the thread that wanted it goes on.
        _log.warning("an agent could not be started", exc_info=error)
        raise AgentFailed(str(error) or type(error).__name__) from error


async def _send(thread: Thread, tie: Tie | None, items: tuple[UserInputItem, ...]) -> SubmissionId:
    try:
        submission_id = await thread.submit(UserInput(items=items))
    except ThreadClosed:
        raise AgentClosed(thread.thread_id) from None
    assert tie is not None  # agents have one
    # In the step in which it was queued: no status can have come of it yet.
    tie.sent_version = thread.watch_status().version
    return submission_id


def _dismiss(ground: AgentGround, thread_id: ThreadId) -> None:
    member = ground.find(thread_id)
    if member is not None:
        tell_to_end(member, CHILD_GRACE)


def _done(agents: Mapping[ThreadId, Member | None]) -> dict[ThreadId, AgentStatus]:
    done: dict[ThreadId, AgentStatus] = {}
    for agent_id, agent in agents.items():
        status = StatusKind.NOT_FOUND if agent is None else final_status(agent)
        if status is not None:
            done[agent_id] = status
    return done


async def _wait_and_cancel(agent: Member, scope: trio.CancelScope) -> None:
    await wait_final(agent)
    scope.cancel()
