"""Agents that are resumed after they were closed, and threads that tasks start."""

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.supervisor import ThreadAlreadyLoaded, ThreadCreated, ThreadOrigin
from actors.thread import ThreadState
from actors.tools.agents import AgentFailed, AgentLimitReached, AgentNotFound, AgentsUnavailable
from messages.events import StatusKind
from messages.ops import Shutdown
from messages.settings import AskForApproval

from ..thread.stage import CONFIG, request_lines, write
from .agent_stage import NOBODY, ONE, REVIEW
from .family import FAMILY, open_family


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


# Resuming --------------------------------------------------------------------


async def test_closed_agent_is_resumed_with_all_it_knew(mock_clock: MockClock) -> None:
    """Under its id, with the base instructions of its rollout, and a slot again."""
    async with open_family(ONE) as family:
        agent_id = await family.spawn("one", role="orchestrator")
        await family.answer(agent_id, "1")
        instructions = family.thread(agent_id).config_snapshot.base_instructions
        await family.agents.close(family.turn(), agent_id)
        created = family.supervisor.subscribe_thread_created()

        await family.agents.resume(family.turn(), agent_id)
        assert family.status(agent_id) is StatusKind.PENDING_INIT
        await family.agents.resume(family.turn(), agent_id)

        origin = ThreadCreated(thread_id=agent_id, origin=ThreadOrigin.AGENT)
        assert await created.receive_many() == [origin]
        assert family.supervisor.children_of(family.root_id) == (agent_id,)
        with pytest.raises(AgentLimitReached):
            await family.spawn()
        await family.send(agent_id, "two")
        response = await family.request(agent_id)
        assert request_lines(response) == ["user: one", "assistant: 1", "user: two"]
        assert response.request.instructions == instructions
        assert family.thread(agent_id).config_snapshot.approval_policy is AskForApproval.NEVER


async def test_agent_that_is_not_there_is_not_resumed(mock_clock: MockClock) -> None:
    """Not recorded, another's, not readable, or one too many."""
    async with open_family(ONE) as family:
        with pytest.raises(AgentNotFound, match=f"agent with id {NOBODY} not found"):
            await family.agents.resume(family.turn(), NOBODY)
        other = (await family.supervisor.start_thread(FAMILY)).thread_id
        await family.say(other, "hi")
        with pytest.raises(AgentFailed, match="is open and is none of your agents"):
            await family.agents.resume(family.turn(), other)

        agent_id = await family.spawn()
        path = Path(family.thread(agent_id).rollout_path or "")
        await family.agents.close(family.turn(), agent_id)
        await family.spawn()
        with pytest.raises(AgentLimitReached):
            await family.agents.resume(family.turn(), agent_id)
        write(path, b"no rollout\n")
        with pytest.raises(AgentFailed):
            await family.agents.resume(family.turn(), agent_id)


async def test_agent_is_resumed_once_when_two_want_it(mock_clock: MockClock) -> None:
    """The other one is told (P1)."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.agents.close(family.turn(), agent_id)
        failed: list[Exception] = []

        async def resume() -> None:
            try:
                await family.agents.resume(family.turn(), agent_id)
            except AgentFailed as error:
                failed.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(resume)
            nursery.start_soon(resume)

        assert [type(error.__cause__) for error in failed] in ([ThreadAlreadyLoaded], [])
        assert family.supervisor.children_of(family.root_id) == (agent_id,)


# Threads of tasks ------------------------------------------------------------


async def test_child_of_a_task_is_registered_and_takes_no_slot(mock_clock: MockClock) -> None:
    """It ends with its parent, is no agent, and counts in no depth (L16)."""
    async with open_family(ONE) as family:
        created = family.supervisor.subscribe_thread_created()
        await family.spawn()
        child = await family.agents.start_child(family.root_id, CONFIG, source=REVIEW)
        other = await family.agents.start_child(family.root_id, CONFIG, source=REVIEW)

        told = [event.origin for event in await created.receive_many()]  # type: ignore[union-attr]
        assert told == [ThreadOrigin.AGENT, ThreadOrigin.REVIEW, ThreadOrigin.REVIEW]
        assert family.thread(child.thread_id) is child
        assert child.config_snapshot.session_source == REVIEW
        assert family.supervisor.parent_of(child.thread_id) == family.root_id
        assert family.agents._find(family.turn(), child.thread_id) is None
        assert family.supervisor._threads[child.thread_id].depth == 0

        await family.agents.close_child(child.thread_id)
        assert child.state is ThreadState.CLOSED
        await family.agents.close_child(child.thread_id)
        await family.root.submit(Shutdown())
        await wait_all_tasks_blocked()
        assert (other.state, family.supervisor._threads) == (ThreadState.CLOSED, {})


async def test_child_of_a_task_cannot_start_below_a_thread_that_has_ended(
    mock_clock: MockClock,
) -> None:
    """Also when it ends while the child is being loaded."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.agents.close(family.turn(), agent_id)
        above = family.supervisor._threads[family.root_id]
        start = family.agents._agent_start(family.turn(), above, None)
        await family.supervisor.remove_thread(family.root_id)

        with pytest.raises(AgentsUnavailable):
            await family.supervisor._start(start)
        with pytest.raises(AgentsUnavailable):
            await family.agents.start_child(family.root_id, CONFIG, source=REVIEW)
        assert family.supervisor._threads == {}
