"""How agents end: with whom, with whom not, and when (P8)."""

import logging

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.testing import ManualTool
from actors.thread import ThreadState
from actors.tools.agents import AgentFailed
from messages.events import Completed, StatusKind
from messages.ops import Interrupt, Shutdown
from tests.waiting import until

from .agent_stage import DEEP
from .family import open_family


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


# Without a disk, of which the mock clock knows nothing.
EPHEMERAL = attrs.evolve(DEEP, ephemeral=True)


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
