"""Agents on the registry: how they start, what they inherit and what comes of a whole one (P12, P13)."""

import logging
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import InvalidRequest
from actors.rollout import load_rollout
from actors.supervisor import Agents, ThreadCreated, ThreadNotFound, ThreadOrigin
from actors.supervisor.agent_config import ROLE_PROFILES, RoleProfile
from actors.thread import ThreadState
from actors.tools.agents import AgentDepthReached, AgentNotFound, AgentRole, AgentsUnavailable
from messages.events import Completed, CustomTarget, Errored, StatusKind
from messages.ids import ThreadId
from messages.ops import OverrideTurnContext, Review, ReviewRequest
from messages.rollout import SessionMeta
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    ModeKind,
    ReadOnly,
    ReasoningEffort,
    SubAgentThreadSpawn,
    SubAgentWrapper,
)
from tests.waiting import until

from ..thread.stage import CONFIG, request_lines, text_input
from .agent_stage import DEEP, NOBODY, PROMPT, REVIEW
from .family import FAMILY, Family, open_family


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def meta(family: Family, agent_id: ThreadId) -> SessionMeta:
    path = family.thread(agent_id).rollout_path
    assert path is not None
    first = load_rollout(Path(path)).items[0]
    assert isinstance(first, SessionMeta)
    return first


# Starting --------------------------------------------------------------------


async def test_agent_is_announced_before_its_first_op(mock_clock: MockClock) -> None:
    """Once, with its origin; the op follows (P13)."""
    async with open_family() as family:
        created = family.supervisor.subscribe_thread_created()
        heard: list[object] = []

        async def listen() -> None:
            heard.append(await created.receive())
            heard.append(family.supervisor.captured_ops())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await wait_all_tasks_blocked()
            agent_id = await family.spawn("look")

        announced = ThreadCreated(thread_id=agent_id, origin=ThreadOrigin.AGENT)
        assert heard[0] == announced
        assert family.supervisor.captured_ops() == ((agent_id, text_input("look")),)
        assert created.next_seq == family.supervisor.subscribe_thread_created().next_seq
        assert request_lines(family.asked[agent_id]) == ["user: look"]


async def test_agent_knows_its_parent_and_the_supervisor_both(mock_clock: MockClock) -> None:
    """In its rollout, too."""
    async with open_family() as family:
        supervisor = family.supervisor
        first, second = await family.spawn(), await family.spawn()

        assert supervisor.children_of(family.root_id) == (first, second)
        assert supervisor.children_of(first) == ()
        assert supervisor.parent_of(first) == family.root_id
        assert supervisor.parent_of(family.root_id) is None
        for ask in (supervisor.parent_of, supervisor.children_of):
            with pytest.raises(ThreadNotFound):
                ask(NOBODY)
        assert meta(family, first).source == SubAgentWrapper(
            subagent=SubAgentThreadSpawn(parent_thread_id=family.root_id, depth=1)
        )
        await family.agents.close(family.turn(), first)
        assert supervisor.children_of(family.root_id) == (second,)


async def test_agent_inherits_the_settings_of_the_turn(mock_clock: MockClock) -> None:
    """Except that it asks nobody, has no agents, and none of the parent's modes."""
    config = attrs.evolve(
        FAMILY,
        developer_instructions="develop",
        user_instructions="use",
        base_instructions="base",
        approval_policy=AskForApproval.ON_REQUEST,
        collaboration_mode=CollaborationMode(
            mode=ModeKind.PLAN,
            settings=CollaborationSettings(
                model="gpt-5.2", reasoning_effort=ReasoningEffort("high")
            ),
        ),
    )
    async with open_family(config) as family:
        turn = family.turn(cwd="/usr", model="gpt-5.1-codex", sandbox_policy=ReadOnly())
        agent_id = await family.agents.spawn(turn, PROMPT, role=AgentRole.DEFAULT)

        settings = family.thread(agent_id).config_snapshot
        assert settings == attrs.evolve(
            family.root.config_snapshot,
            cwd="/usr",
            approval_policy=AskForApproval.NEVER,
            sandbox_policy=ReadOnly(),
            collaboration=CollaborationMode(
                mode=ModeKind.DEFAULT,
                settings=CollaborationSettings(
                    model="gpt-5.1-codex", reasoning_effort=ReasoningEffort("high")
                ),
            ),
            session_source=settings.session_source,
        )
        assert (settings.base_instructions, settings.user_instructions) == ("base", "use")


async def test_agent_inherits_what_the_parent_was_changed_to(mock_clock: MockClock) -> None:
    """Not what it began with."""
    async with open_family() as family:
        await family.root.submit(OverrideTurnContext(effort=ReasoningEffort("xhigh")))
        await wait_all_tasks_blocked()

        agent_id = await family.spawn()

        assert family.thread(agent_id).config_snapshot.effort == "xhigh"
        assert family.asked[agent_id].request.effort == "xhigh"


async def test_roles_change_what_an_agent_inherits(mock_clock: MockClock) -> None:
    """As their profiles say; who makes the agents may give others."""
    async with open_family() as family:
        snapshot = family.root.config_snapshot
        plain = [await family.spawn(role=role) for role in ("default", "worker")]
        explorer = family.thread(await family.spawn(role="explorer")).config_snapshot
        leader = family.thread(await family.spawn(role="orchestrator")).config_snapshot

        for agent_id in plain:
            settings = family.thread(agent_id).config_snapshot
            assert settings.effort == snapshot.effort
            assert settings.base_instructions == snapshot.base_instructions
        assert (explorer.model, explorer.effort) == ("gpt-5.2-codex", "medium")
        instructions = ROLE_PROFILES[AgentRole.ORCHESTRATOR].base_instructions
        assert leader.base_instructions == instructions

        family.agents.profiles = {AgentRole.EXPLORER: RoleProfile(model="gpt-5.1-codex-mini")}
        small = family.thread(await family.spawn(role="explorer")).config_snapshot
        assert small.model == "gpt-5.1-codex-mini"


async def test_agents_end_where_the_depth_does(mock_clock: MockClock) -> None:
    """One below the root by default; the last ones are not offered the tools either."""
    async with open_family() as family:
        agent_id = await family.spawn()
        with pytest.raises(AgentDepthReached):
            family.agents.check_depth(family.turn(agent_id))
        with pytest.raises(AgentDepthReached):
            await family.agents.spawn(family.turn(agent_id), PROMPT, role=AgentRole.DEFAULT)
        with pytest.raises(AgentDepthReached):
            await family.agents.resume(family.turn(agent_id), NOBODY)
        assert family.supervisor.children_of(agent_id) == ()


@pytest.mark.parametrize("depth", [0, 1, 2])
async def test_depth_is_as_configured(depth: int, mock_clock: MockClock) -> None:
    """Counted from the root; 0 means no agents at all."""
    config = attrs.evolve(FAMILY, agent_max_depth=depth)
    async with open_family(config) as family:
        above = family.root_id
        for level in range(depth):
            above = await family.spawn(parent=above)
            member = family.supervisor._threads[above]
            assert member.config.features.collab is (level + 1 < depth)
            assert member.depth == level + 1

        with pytest.raises(AgentDepthReached):
            await family.spawn(parent=above)


async def test_agents_are_of_nobody_without_a_supervisor(mock_clock: MockClock) -> None:
    """Before one is there, after it, and for a thread that it does not have."""
    async with open_family() as family:
        turn, agents = family.turn(), family.agents
        with pytest.raises(AgentsUnavailable):
            agents.check_depth(family.turn(NOBODY))
        with pytest.raises(RuntimeError, match="belong to another supervisor"):
            agents.bind(agents._ground)  # type: ignore[arg-type]

    for lost in (agents, Agents()):
        with pytest.raises(AgentsUnavailable):
            await lost.spawn(turn, PROMPT, role=AgentRole.DEFAULT)
        with pytest.raises(AgentsUnavailable):
            await lost.resume(turn, NOBODY)
        with pytest.raises(AgentsUnavailable):
            await lost.start_child(NOBODY, CONFIG, source=REVIEW)
        with pytest.raises(AgentNotFound):
            await lost.send(turn, NOBODY, PROMPT)
        assert lost.status(turn, NOBODY) is StatusKind.NOT_FOUND
        assert await lost.wait_final(turn, [NOBODY]) == {NOBODY: StatusKind.NOT_FOUND}
        await lost.close_child(NOBODY)


async def test_caller_reaches_only_agents_below_itself(mock_clock: MockClock) -> None:
    """Not itself, not its parent, not the agents of others, and no user's thread."""
    async with open_family(DEEP) as family:
        child = await family.spawn()
        grandchild = await family.spawn(parent=child)
        sibling = await family.spawn()
        stranger = (await family.supervisor.start_thread(FAMILY)).thread_id

        reached = {
            (above, below)
            for above in (family.root_id, child, grandchild, stranger)
            for below in (family.root_id, child, grandchild, sibling, stranger)
            if family.agents._find(family.turn(above), below)
        }

        assert reached == {
            (family.root_id, child),
            (family.root_id, grandchild),
            (family.root_id, sibling),
            (child, grandchild),
        }
        for act in (family.agents.close, family.agents.interrupt):
            with pytest.raises(AgentNotFound, match=f"agent with id {stranger} not found"):
                result = act(family.turn(), stranger)
                if result is not None:
                    await result
        assert stranger in family.supervisor.list_thread_ids()


# The whole way ---------------------------------------------------------------


async def test_model_starts_waits_for_and_closes_an_agent(mock_clock: MockClock) -> None:
    """Through its tools, as clients see it."""
    async with open_family(tools=None) as family:
        await family.say(family.root_id, "hi")
        first = family.asked.pop(family.root_id)
        assert {spec["name"] for spec in first.request.tools} >= {"spawn_agent", "wait"}  # type: ignore[index]
        first.call("spawn_agent", {"message": "count"}, call_id="1").complete()
        second = await _next(family, family.root_id)
        (agent_id,) = family.supervisor.children_of(family.root_id)
        assert request_lines(second)[-1] == f'output 1: {{"agent_id":"{agent_id}"}}'
        second.call("wait", {"ids": [agent_id]}, call_id="2").complete()
        agent = await family.request(agent_id)
        assert not any("spawn_agent" in str(spec) for spec in agent.request.tools)
        await wait_all_tasks_blocked()
        await family.answer(agent_id, "three")
        third = await _next(family, family.root_id)
        assert request_lines(third)[-1] == (
            f'output 2: {{"status":{{"{agent_id}":{{"completed":"three"}}}},"timed_out":false}}'
        )
        third.call("close_agent", {"id": agent_id}, call_id="3").complete()
        fourth = await _next(family, family.root_id)
        assert request_lines(fourth)[-1] == 'output 3: {"status":{"completed":"three"}}'
        assert family.supervisor.children_of(family.root_id) == ()


async def test_review_is_a_thread_below_the_one_that_it_reviews(mock_clock: MockClock) -> None:
    """In the registry and announced, until it is over (L16)."""
    async with open_family() as family:
        created = family.supervisor.subscribe_thread_created()
        target = CustomTarget(instructions="look at it")
        await family.root.submit(Review(review_request=ReviewRequest(target=target)))
        response = await family.model.next_request()
        (reviewer,) = family.supervisor.children_of(family.root_id)

        assert response.request.prompt_cache_key == reviewer
        assert await created.receive() == ThreadCreated(
            thread_id=reviewer, origin=ThreadOrigin.REVIEW
        )
        response.say("fine").complete()
        await until(lambda: family.root.state is ThreadState.IDLE)
        assert family.supervisor.children_of(family.root_id) == ()


async def _next(family: Family, thread_id: ThreadId):
    await family.request(thread_id)
    return family.asked.pop(thread_id)


async def test_failed_turn_is_told_as_one(mock_clock: MockClock) -> None:
    """With the reason; the agent is there and can be told more."""
    async with open_family() as family:
        agent_id = await family.spawn()
        family.asked.pop(agent_id).fail(InvalidRequest("no"))

        assert await family.wait(agent_id) == {agent_id: Errored(errored="no")}

        await family.send(agent_id)
        await family.answer(agent_id, "better")
        assert await family.wait(agent_id) == {agent_id: Completed(completed="better")}
