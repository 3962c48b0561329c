"""Agents on the registry: how they start, what they inherit, how they end (P8, P12, P13)."""

import logging
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.models import InvalidRequest
from actors.rollout import load_rollout
from actors.supervisor import (
    Agents,
    ThreadAlreadyLoaded,
    ThreadCreated,
    ThreadNotFound,
    ThreadOrigin,
)
from actors.supervisor.agent_config import ROLE_PROFILES, RoleProfile
from actors.testing import ManualTool
from actors.thread import ThreadState
from actors.tools.agents import (
    AgentDepthReached,
    AgentFailed,
    AgentLimitReached,
    AgentNotFound,
    AgentRole,
    AgentsUnavailable,
)
from messages.content import TextInput
from messages.events import Completed, CustomTarget, Errored, StatusKind
from messages.ids import ThreadId
from messages.ops import (
    Interrupt,
    OverrideTurnContext,
    Review,
    ReviewRequest,
    Shutdown,
    UserInput,
)
from messages.rollout import SessionMeta
from messages.settings import (
    AskForApproval,
    CollaborationMode,
    CollaborationSettings,
    ModeKind,
    ReadOnly,
    ReasoningEffort,
    SubAgentKind,
    SubAgentThreadSpawn,
    SubAgentWrapper,
)

from ..thread.stage import CONFIG, request_lines, text_input, write
from .family import FAMILY, Family, open_family, until

NOBODY = ThreadId("00000000-0000-7000-8000-000000000000")
PROMPT = (TextInput(text="task"),)
REVIEW = SubAgentWrapper(subagent=SubAgentKind.REVIEW)
DEEP = attrs.evolve(FAMILY, agent_max_depth=3)
# Without a disk, of which the mock clock knows nothing.
EPHEMERAL = attrs.evolve(DEEP, ephemeral=True)


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


# Slots -----------------------------------------------------------------------


async def test_number_of_agents_is_limited_below_each_root(mock_clock: MockClock) -> None:
    """At all depths together; another root has slots of its own."""
    async with open_family(attrs.evolve(DEEP, agent_max_threads=3)) as family:
        first = await family.spawn()
        await family.spawn(parent=first)
        await family.spawn(parent=first)

        for above in (family.root_id, first):
            with pytest.raises(AgentLimitReached, match=r"limit reached \(max 3\)"):
                await family.spawn(parent=above)

        assert len(family.supervisor.list_thread_ids()) == 4
        other = (await family.supervisor.start_thread(FAMILY)).thread_id
        await family.spawn(parent=other)


async def test_six_agents_are_the_limit_unless_somebody_says_otherwise(
    mock_clock: MockClock,
) -> None:
    """As in Codex; agents that are done keep their slots until they are closed."""
    async with open_family() as family:
        agent_ids = [await family.spawn() for _ in range(6)]
        await family.answer(agent_ids[0])
        with pytest.raises(AgentLimitReached):
            await family.spawn()

        await family.agents.close(family.turn(), agent_ids[0])

        await family.spawn()


ONE = attrs.evolve(FAMILY, agent_max_threads=1)


@pytest.mark.parametrize("end", ["close", "shutdown", "remove", "crash", "give up"])
async def test_slot_is_free_when_its_agent_has_ended_however_it_ended(
    end: str, mock_clock: MockClock
) -> None:
    """It belongs to the lifetime (P12); a crash that the agent comes back from is no end."""
    config = attrs.evolve(ONE, ephemeral=end == "crash")
    async with open_family(config) as family:
        agent_id = await family.spawn()
        match end:
            case "close":
                await family.agents.close(family.turn(), agent_id)
            case "shutdown":
                await family.thread(agent_id).submit(Shutdown())
                await until(lambda: len(family.supervisor._threads) == 1)
            case "remove":
                await family.supervisor.remove_thread(agent_id)
            case "crash":
                await family.crash(agent_id)
            case _:
                await family.crash(agent_id)
                with pytest.raises(AgentLimitReached):
                    await family.spawn()
                await family.crash_again(agent_id, mock_clock)

        assert family.status(agent_id) is StatusKind.NOT_FOUND
        told = [op for _, op in family.supervisor.captured_ops() if op == Shutdown()]
        assert len(told) == (0 if end in ("crash", "give up") else 1)
        again = await family.spawn()
        with pytest.raises(AgentLimitReached):
            await family.spawn()
        assert family.supervisor.children_of(family.root_id) == (again,)


async def test_start_that_fails_takes_no_slot(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told to the model, not a crash of the thread that wanted it."""
    async with open_family(ONE) as family:

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("no luck")

        with monkeypatch.context() as patch:
            patch.setattr("actors.thread.life._session", fail)
            with pytest.raises(AgentFailed, match="no luck"):
                await family.spawn()

        assert len(family.supervisor._threads) == 1
        await family.spawn()


async def test_cancelled_start_takes_no_slot(mock_clock: MockClock) -> None:
    """Whenever the cancellation comes: either there is no agent, or it was told to end."""
    async with open_family(ONE) as family:
        for steps in range(10):
            async with trio.open_nursery() as nursery:

                async def cancel(scope: trio.CancelScope, steps: int = steps) -> None:
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

                nursery.start_soon(cancel, nursery.cancel_scope)
                agent_id = await family.agents.spawn(family.turn(), PROMPT, role=AgentRole.DEFAULT)
                await family.agents.close(family.turn(), agent_id)
            await wait_all_tasks_blocked()
            assert family.supervisor.children_of(family.root_id) == ()

        await family.agents.spawn(family.turn(), PROMPT, role=AgentRole.DEFAULT)


async def test_agent_that_cannot_be_told_its_task_is_closed(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no orphan that nobody knows of."""
    async with open_family(ONE) as family:
        created = family.supervisor.subscribe_thread_created()

        def fail(thread_id: ThreadId, op: object) -> None:
            if isinstance(op, UserInput):
                raise RuntimeError("no room")

        monkeypatch.setattr(family.supervisor, "_captured", None)
        monkeypatch.setattr("actors.thread.Thread._note", lambda thread, op: fail(NOBODY, op))
        with pytest.raises(RuntimeError, match="no room"):
            await family.agents.spawn(family.turn(), PROMPT, role=AgentRole.DEFAULT)
        monkeypatch.undo()
        await wait_all_tasks_blocked()

        assert (await created.receive()).origin is ThreadOrigin.AGENT  # type: ignore[union-attr]
        assert family.supervisor.list_thread_ids() == (family.root_id,)
        await family.spawn()


# Ends ------------------------------------------------------------------------


async def test_interrupted_parent_leaves_its_agents_at_work(mock_clock: MockClock) -> None:
    """Only its own turn ends."""
    async with open_family() as family:
        await family.say(family.root_id, "hi")
        agent_id = await family.spawn()

        await family.stop(family.root_id)

        assert family.root.state is ThreadState.IDLE
        assert family.status(agent_id) is StatusKind.RUNNING
        await family.answer(agent_id)
        assert family.status(agent_id) == Completed(completed="done")


async def test_parent_that_comes_back_after_a_crash_keeps_its_agents(
    mock_clock: MockClock,
) -> None:
    """They are its agents as before, and go on meanwhile."""
    async with open_family() as family:
        await family.say(family.root_id, "hi")
        agent_id = await family.spawn()

        await family.crash(family.root_id)
        assert family.root.state is ThreadState.RESTARTING
        await family.answer(agent_id, "meanwhile")
        mock_clock.jump(4)
        await until(lambda: family.root.state is ThreadState.IDLE)

        assert family.supervisor.children_of(family.root_id) == (agent_id,)
        assert await family.wait(agent_id) == {agent_id: Completed(completed="meanwhile")}


@pytest.mark.parametrize("end", ["shutdown", "remove", "give up", "crash"])
async def test_agents_end_with_the_threads_above_them(end: str, mock_clock: MockClock) -> None:
    """Whoever is above them and however it ends for good; siblings above go on."""
    config = attrs.evolve(DEEP, ephemeral=end == "crash")
    async with open_family(config) as family:
        spared = await family.spawn()
        middle = await family.spawn()
        below = [await family.spawn(parent=middle)]
        below.append(await family.spawn(parent=below[0]))
        match end:
            case "shutdown":
                await family.thread(middle).submit(Shutdown())
            case "remove":
                await family.supervisor.remove_thread(middle)
                assert family.alive(below) == []
            case _:
                await family.crash(middle)
                if end == "give up":
                    assert family.alive(below) == below
                    await family.crash_again(middle, mock_clock)
        await until(lambda: len(family.supervisor._threads) == 2)
        await wait_all_tasks_blocked()

        assert family.supervisor.list_thread_ids() == (family.root_id, spared)
        assert family.supervisor._threads[family.root_id].open_agents == 1
        captured = family.supervisor.captured_ops()
        assert [i for i, op in captured if op == Shutdown() and i in below] == below


async def test_stubborn_agent_is_cancelled_when_its_grace_is_over(
    autojump_clock: MockClock,
) -> None:
    """Five seconds after the thread above it; until then it has its slot."""
    tool = ManualTool(stubborn=60)
    async with open_family(EPHEMERAL, [tool]) as family:
        child = await family.spawn()
        grandchild = await family.spawn(parent=child)
        family.asked[grandchild].call("manual", call_id="c").complete()
        await tool.next_call()
        await family.thread(child).submit(Shutdown())
        await wait_all_tasks_blocked()

        # The turn is ended without its tool, but the tool does not end.
        root = family.supervisor._threads[family.root_id]
        assert family.supervisor.children_of(family.root_id) == ()
        assert [m.thread.thread_id for m in root.below() if not m.has_ended] == [grandchild]
        assert root.open_agents == 1
        await trio.sleep(4.9)
        assert root.open_agents == 1
        await trio.sleep(60)
        assert (root.open_agents, root.children) == (0, ())


async def test_removal_waits_for_all_below(autojump_clock: MockClock) -> None:
    """All are told at once and have the same grace; who does not end is not waited for."""
    for stubborn, taken in ((1, 1), (100, 5 + 1)):
        tool = ManualTool(stubborn=stubborn)
        async with open_family(EPHEMERAL, [tool]) as family:
            child = await family.spawn()
            for _ in range(2):
                agent_id = await family.spawn(parent=child)
                family.asked[agent_id].call("manual", call_id="c").complete()
                await tool.next_call()
            begin = trio.current_time()

            removed = await family.supervisor.remove_thread(family.root_id, grace=1)

            assert removed is family.root
            assert trio.current_time() - begin == pytest.approx(taken)
            left = 0 if stubborn == 1 else 2
            assert len(family.supervisor._threads) == left


async def test_report_of_closing_all_names_agents_too(autojump_clock: MockClock) -> None:
    """Each told once, all at the same time."""
    async with open_family(EPHEMERAL) as family:
        child = await family.spawn()
        grandchild = await family.spawn(parent=child)

        report = await family.supervisor.close_all_threads()

        everybody = (family.root_id, child, grandchild)
        assert report.completed == everybody
        captured = family.supervisor.captured_ops()
        assert [i for i, op in captured if op == Shutdown()] == list(everybody)


async def test_agent_that_cannot_be_told_to_end_is_cancelled(autojump_clock: MockClock) -> None:
    """Its control lane is full."""
    tool = ManualTool(stubborn=1000)
    async with open_family(EPHEMERAL, [tool]) as family:
        agent_id = await family.spawn()
        agent = family.thread(agent_id)
        for _ in range(256):
            agent.submit_nowait(Interrupt())
        with pytest.raises(AgentFailed, match="256"):
            family.agents.interrupt(family.turn(), agent_id)

        await family.supervisor.remove_thread(family.root_id)

        assert family.supervisor._threads == {}
        assert agent.state is ThreadState.CLOSED


async def test_agent_that_waits_for_its_restart_ends_with_its_parent(
    mock_clock: MockClock,
) -> None:
    """It does not come back for longer than it takes to end."""
    async with open_family() as family:
        agent_id = await family.spawn()
        await family.crash(agent_id)
        agent = family.thread(agent_id)
        assert agent.state is ThreadState.RESTARTING

        async with trio.open_nursery() as nursery:
            nursery.start_soon(family.supervisor.remove_thread, family.root_id)
            await until(lambda: family.root.state is ThreadState.CLOSED)
            mock_clock.jump(4)

        assert (agent.state, family.supervisor._threads) == (ThreadState.CLOSED, {})


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
