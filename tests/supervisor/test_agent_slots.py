"""Slots of agents over any course of starts and ends, against a model (P12)."""

import logging
from collections.abc import Generator
from functools import partial
from typing import TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.supervisor.members import Member
from actors.testing import ManualTool
from actors.tools.agents import AgentLimitReached, AgentRole
from messages.content import TextInput
from messages.events import AgentStatus, StatusKind
from messages.ids import ThreadId
from messages.ops import Shutdown
from tests.effort import examples

from .family import FAMILY, Family, open_family

LIMIT = 3
CONFIG = attrs.evolve(FAMILY, ephemeral=True, agent_max_threads=LIMIT, agent_max_depth=3)

# What happens, and to which of the agents there are (or below which).
Step: TypeAlias = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "spawn",
                "spawn",
                "spawn",
                "cancelled spawn",
                "failed spawn",
                "close",
                "shutdown",
                "remove",
                "crash",
                "answer",
                "interrupt",
                "stubborn shutdown",
                "sleep",
            )
        ),
        st.integers(0, LIMIT),
    ),
    max_size=20,
)


@pytest.fixture(autouse=True, scope="module")
def _silence() -> Generator[None]:
    """Do not format thousands of tracebacks that are on purpose."""
    logger = logging.getLogger("actors")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


@attrs.define
class Tree:
    """
    Which agents there must be: who is above whom, in the order of their starts.

    Attributes:
        ending: Those that were told to end, and have a tool that does not.
    """

    above: dict[ThreadId, ThreadId] = attrs.field(factory=dict)
    ending: set[ThreadId] = attrs.field(factory=set)

    def end(self, agent_id: ThreadId) -> None:
        for child in [child for child, above in self.above.items() if above == agent_id]:
            if child not in self.ending:  # else its tool holds it, whoever is above it
                self.end(child)
        self.above.pop(agent_id, None)
        self.ending.discard(agent_id)

    def depth(self, thread_id: ThreadId) -> int:
        return 1 + self.depth(self.above[thread_id]) if thread_id in self.above else 0


@settings(max_examples=examples(30), deadline=None)
@given(STEPS)
@pytest.mark.slow
def test_slots_are_taken_by_those_that_live_and_by_nobody_else(steps: list[Step]) -> None:
    """However agents start and end, also several levels at once."""
    trio.run(partial(_run, steps), clock=MockClock(autojump_threshold=0))


async def _run(steps: list[Step]) -> None:
    tool = ManualTool(stubborn=3.0)
    async with open_family(CONFIG, [tool]) as family:
        tree = Tree()
        for what, number in steps:
            await _step(family, tree, tool, what, number)
            await wait_all_tasks_blocked()
            _check(family, tree)
        report = await family.supervisor.close_all_threads()
        assert report.failed == ()
        assert family.supervisor._threads == {}


async def _step(family: Family, tree: Tree, tool: ManualTool, what: str, number: int) -> None:
    everybody = [family.root_id, *tree.above]
    chosen = everybody[number % len(everybody)]
    if "spawn" in what:
        await _spawn(family, tree, what, chosen)
    elif what == "sleep":
        await trio.sleep(4)
        for agent_id in tuple(tree.ending):
            tree.end(agent_id)
    elif chosen != family.root_id and chosen not in tree.ending:
        await _end(family, tree, tool, what, chosen)


async def _spawn(family: Family, tree: Tree, what: str, above: ThreadId) -> None:
    if tree.depth(above) >= CONFIG.agent_max_depth or above in tree.ending:
        return
    prompt = (TextInput(text="task"),)
    spawn = partial(family.agents.spawn, family.turn(above), prompt, role=AgentRole.DEFAULT)
    if len(tree.above) >= LIMIT:
        with pytest.raises(AgentLimitReached):
            await spawn()
    elif what == "spawn":
        agent_id = await spawn()
        await family.request(agent_id)
        tree.above[agent_id] = above
    elif what == "cancelled spawn":
        with trio.CancelScope() as scope:
            scope.cancel()
            await spawn()
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("actors.thread.life._session", _fail)
            with pytest.raises(Exception, match="no luck"):
                await spawn()


async def _end(family: Family, tree: Tree, tool: ManualTool, what: str, agent_id: ThreadId) -> None:
    asks = agent_id in family.asked
    match what:
        case "close":
            await family.agents.close(family.turn(), agent_id)
        case "remove":
            await family.supervisor.remove_thread(agent_id)
        case "shutdown":
            await family.thread(agent_id).submit(Shutdown())
        case "crash" if asks:
            await family.crash(agent_id)
        case "stubborn shutdown" if asks:
            family.asked.pop(agent_id).call("manual", call_id="c").complete()
            await tool.next_call()
            await family.thread(agent_id).submit(Shutdown())
            tree.ending.add(agent_id)
            return
        case "interrupt" if asks:
            await family.stop(agent_id)
            return
        case "answer" if asks:
            await family.answer(agent_id)
            return
        case _:
            return
    tree.end(agent_id)


def _check(family: Family, tree: Tree) -> None:
    root = family.supervisor._threads[family.root_id]
    assert root.open_agents == len(tree.above)
    alive = set(family.supervisor.list_thread_ids())
    assert alive == {family.root_id, *tree.above}
    # One that has ended is still on the way to those below it that have not.
    above = {_id(member): _id(_above(member)) for member in root.below() if _id(member) in alive}
    assert above == tree.above
    for agent_id in tree.above:
        assert family.supervisor.parent_of(agent_id) == tree.above[agent_id]
        status: AgentStatus = family.status(agent_id)
        assert status is not StatusKind.NOT_FOUND


def _id(member: Member) -> ThreadId:
    return member.thread.thread_id


def _above(member: Member) -> Member:
    assert member.tie is not None
    return member.tie.parent


def _fail(*_: object, **__: object) -> None:
    raise RuntimeError("no luck")
